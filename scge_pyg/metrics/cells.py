"""Integer cells against the true ones, up to what no method can know."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["CellsOfNodes", "cell_accuracy"]


class CellsOfNodes(Protocol):
    """What :func:`cell_accuracy` reads of a graph, as ``scge_pyg.SharedGraph`` has it."""

    @property
    def live(self) -> Tensor:
        """Nodes that carry a signal, ``[N]`` bool."""

    @property
    def lattice(self) -> Any:
        """None, or an object with ``cell [N, dim]`` (-1: none), ``shape`` and ``periodic``."""


def _symmetries(dim: int) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Every order of the axes with every choice of signs: 2, 8 or 48 in one, two or three dimensions."""
    for axes in itertools.permutations(range(dim)):
        for signs in itertools.product((1, -1), repeat=dim):
            yield axes, torch.tensor(signs)


def _most_frequent(difference: Tensor) -> int:
    """How often the commonest row of an integer matrix occurs."""
    return int(torch.unique(difference, dim=0, return_counts=True)[1].max())


def _wrapped(difference: Tensor, shape: Sequence[int], periodic: Sequence[bool]) -> Tensor:
    columns = [
        column.remainder(size) if wraps else column
        for column, size, wraps in zip(difference.unbind(1), shape, periodic, strict=True)
    ]
    return torch.stack(columns, 1)


def cell_accuracy(graph: CellsOfNodes, true_cells: Tensor, mask: Tensor | None = None) -> float:
    r"""Share of the masked nodes that sit in their exact cell.

    .. math::
        \max_{g \in G,\, t \in \mathbb{Z}^D} \frac{|\{i \in M : g(c_i) + t = c^*_i\}|}{|M|}

    for cells :math:`c`, true cells :math:`c^*` and the mask :math:`M`. Forgiven are the grid's symmetry group
    :math:`G` (2, 8 or 48 elements in one, two or three dimensions, orders of the axes included) and one integer
    shift :math:`t`, which wraps around along periodic axes. For each symmetry the best shift is the most frequent
    difference. A masked node without a cell is wrong; no lattice, or one of another dimension, scores 0.

    Args:
        graph: A graph with ``live`` and ``lattice``, such as ``scge_pyg.SharedGraph``.
        true_cells: True integer cells ``[N, D]``.
        mask: Nodes to score, ``[N]`` bool. Default: ``graph.live``.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: If shapes don't fit, or the mask is empty.

    Example:
        >>> from scge_pyg import SharedGraph
        >>> graph = SharedGraph.from_grid((2, 3))
        >>> turned = graph.lattice.cell.flip(1) + 7
        >>> cell_accuracy(graph, turned)
        1.0
    """
    num_nodes = graph.live.shape[0]
    if true_cells.dim() != 2 or true_cells.shape[0] != num_nodes or true_cells.is_floating_point():
        raise ValueError(
            f"cell_accuracy: true_cells must be an integer tensor [{num_nodes}, D], one row a node of the graph, "
            f"got {true_cells.dtype} {list(true_cells.shape)}"
        )
    mask = graph.live if mask is None else mask
    if mask.shape != (num_nodes,) or mask.dtype != torch.bool:
        raise ValueError(f"cell_accuracy: mask must be bool [{num_nodes}], got {mask.dtype} {list(mask.shape)}")
    if not bool(mask.any()):
        raise ValueError("cell_accuracy: the mask holds no node, so there is nothing to score")
    lattice = graph.lattice
    dim = true_cells.shape[1]
    if lattice is None or lattice.cell.shape[1] != dim:
        return 0.0
    scored = (mask & (lattice.cell != -1).any(1).to(mask.device)).cpu()
    if not bool(scored.any()):
        return 0.0
    cell, truth = lattice.cell.cpu()[scored], true_cells.cpu()[scored]
    best = 0
    for axes, signs in _symmetries(dim):
        shape, periodic = [lattice.shape[a] for a in axes], [lattice.periodic[a] for a in axes]
        best = max(best, _most_frequent(_wrapped(truth - cell[:, axes] * signs, shape, periodic)))
    return best / int(mask.sum())
