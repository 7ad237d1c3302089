"""Pictures of a run: the map of its graph and the curves of its metrics."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from scge_pyg.train.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_run"]


def draw_run(folder: RunFolder) -> None:
    """Write ``pictures/graph.png`` and ``pictures/curves.png``; nothing without the extra ``plot``."""
    if find_spec("matplotlib") is None:
        return
    from scge_pyg.plot import plot_curves, plot_graph

    folder.pictures.mkdir(parents=True, exist_ok=True)
    graph, metrics = folder.graph(), folder.metrics()
    if graph is not None:
        _save(plot_graph(graph), folder.pictures / "graph.png")
    if metrics:
        _save(plot_curves(metrics), folder.pictures / "curves.png")


def _save(figure: Figure, path: Path) -> None:
    """Write under another name, then rename."""
    partial = path.with_name(f".{path.name}")
    try:
        figure.savefig(partial, dpi=120, format="png")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
