"""The pictures beside a discovered graph, where the extra 'plot' is installed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from scge_pyg.graph import SharedGraph

__all__ = ["draw"]

_logger = logging.getLogger(__name__)
_FEW = 64


def draw(
    folder: Path, graph: SharedGraph, samples: Tensor, cells: Tensor | None, shape: tuple[int, int] | None
) -> None:
    """Write ``graph.png`` and, for images, ``samples.png`` to ``folder``.

    Args:
        folder: Where to write.
        graph: What was discovered.
        samples: A few samples ``[S, N, C]`` in the node order of the graph.
        cells: True places ``[N, 2]`` in the same order, where they are known.
        shape: Height and width of the images.
    """
    if find_spec("matplotlib") is None:
        _logger.warning("no pictures: they need the extra 'plot' (pip install 'scge-pyg[plot]')")
        return
    from scge_pyg.plot import plot_graph, plot_samples, put_back, true_position_colors

    colors = None if cells is None else true_position_colors(cells)
    plot_graph(graph, colors, labels=_labels(graph, cells)).savefig(folder / "graph.png", dpi=150)
    if cells is None or shape is None:
        return
    rows = {"as they came": samples.transpose(1, 2).unflatten(2, shape)}
    if graph.pos.shape[1] == 2 and bool(graph.live.any()):
        rows["put back"] = put_back(graph, samples, cells)
    plot_samples(rows).savefig(folder / "samples.png", dpi=150)


def _labels(graph: SharedGraph, cells: Tensor | None) -> Sequence[str] | None:
    """Names of the nodes, or numbers of a few without names; pixels are told apart by their colours."""
    if cells is not None:
        return None
    numbers = list(map(str, range(graph.num_nodes))) if graph.num_nodes <= _FEW else None
    return numbers if graph.names is None else graph.names
