"""Pictures of a run: the map of its graph and the curves of its metrics."""

from __future__ import annotations

from importlib.util import find_spec

from scge_pyg.train.run_folder import RunFolder

__all__ = ["draw_run"]


def draw_run(folder: RunFolder) -> None:
    """Write ``pictures/graph.png`` and ``pictures/curves.png``; nothing without the extra ``plot``."""
    if find_spec("matplotlib") is None:
        return
    from scge_pyg.plot import plot_curves, plot_graph

    folder.pictures.mkdir(parents=True, exist_ok=True)
    graph, metrics = folder.graph(), folder.metrics()
    if graph is not None:
        plot_graph(graph).savefig(folder.pictures / "graph.png", dpi=120)
    if metrics:
        plot_curves(metrics).savefig(folder.pictures / "curves.png", dpi=120)
