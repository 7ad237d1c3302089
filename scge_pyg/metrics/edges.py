"""Edges against the true ones."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["EdgeScores", "EdgesOfNodes", "edge_scores", "grid_edges"]


class EdgesOfNodes(Protocol):
    """What :func:`edge_scores` reads of a graph, as ``scge_pyg.SharedGraph`` has it."""

    @property
    def live(self) -> Tensor:
        """Nodes that carry a signal, ``[N]`` bool."""

    @property
    def edge_index(self) -> Tensor:
        """Edges ``[2, E]``."""


class EdgeScores(NamedTuple):
    """Agreement of two sets of undirected edges, each number in [0, 1]."""

    precision: float
    recall: float
    f1: float


def _undirected(edge_index: Tensor, mask: Tensor) -> Tensor:
    """One number for each undirected edge with both ends in the mask; no self-loops, no repeats."""
    edge_index = edge_index.to(mask.device)
    row, col = edge_index.amin(0), edge_index.amax(0)
    keep = (row != col) & mask[row] & mask[col]
    return torch.unique(row[keep] * mask.shape[0] + col[keep])


def edge_scores(graph: EdgesOfNodes, true_edge_index: Tensor, mask: Tensor | None = None) -> EdgeScores:
    r"""Precision, recall and F1 over undirected edges with both ends in the mask.

    With :math:`F` the edges found and :math:`T` the true ones, precision is :math:`|F \cap T| / |F|`, recall
    :math:`|F \cap T| / |T|` and F1 their harmonic mean. Directions, repeats and self-loops don't count. Where no
    edge was found, all three are 0.

    Args:
        graph: A graph with ``live`` and ``edge_index``, such as ``scge_pyg.SharedGraph``.
        true_edge_index: True edges ``[2, E]`` in either or both directions, for instance from :func:`grid_edges`.
        mask: Nodes to score, ``[N]`` bool. Default: ``graph.live``.

    Raises:
        ValueError: If shapes don't fit, an edge leaves the node set, or no true edge lies inside the mask.

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> chain = SharedGraph.from_grid((4,))
        >>> edge_scores(chain, torch.tensor([[0, 1, 0], [1, 2, 3]]))
        EdgeScores(precision=0.6666666666666666, recall=0.6666666666666666, f1=0.6666666666666666)
    """
    num_nodes = graph.live.shape[0]
    if true_edge_index.dim() != 2 or true_edge_index.shape[0] != 2 or true_edge_index.is_floating_point():
        raise ValueError(
            f"edge_scores: true_edge_index must be int64 [2, E], got "
            f"{true_edge_index.dtype} {list(true_edge_index.shape)}"
        )
    if true_edge_index.numel() and not 0 <= int(true_edge_index.min()) <= int(true_edge_index.max()) < num_nodes:
        raise ValueError(
            f"edge_scores: true_edge_index names nodes {int(true_edge_index.min())}..{int(true_edge_index.max())}, "
            f"but the graph has {num_nodes}"
        )
    mask = graph.live if mask is None else mask
    if mask.shape != (num_nodes,) or mask.dtype != torch.bool:
        raise ValueError(f"edge_scores: mask must be bool [{num_nodes}], got {mask.dtype} {list(mask.shape)}")
    found, true = _undirected(graph.edge_index, mask), _undirected(true_edge_index.long(), mask)
    if true.numel() == 0:
        raise ValueError("edge_scores: no true edge has both ends in the mask, so there is nothing to score against")
    common = int(torch.isin(found, true).sum())
    precision = common / max(1, found.numel())
    return EdgeScores(precision, common / true.numel(), 2 * common / (found.numel() + true.numel()))


def grid_edges(cells: Tensor) -> Tensor:
    """Edges between nodes whose cells differ by one along one axis: four a node in the plane.

    Args:
        cells: Integer cells ``[N, D]``, each held by at most one node; any outline, holes included.

    Returns:
        ``edge_index [2, E]``, both directions, sorted.

    Raises:
        ValueError: If ``cells`` is no integer matrix, or two nodes share a cell.

    Example:
        >>> import torch
        >>> grid_edges(torch.tensor([[0, 0], [1, 1], [0, 1]])).tolist()
        [[0, 1, 2, 2], [2, 2, 0, 1]]
    """
    if cells.dim() != 2 or cells.is_floating_point():
        raise ValueError(f"grid_edges: cells must be an integer tensor [N, D], got {cells.dtype} {list(cells.shape)}")
    if cells.shape[0] == 0:
        return torch.empty(2, 0, dtype=torch.long, device=cells.device)
    cells = cells.long() - cells.amin(0)
    number = torch.zeros_like(cells[:, 0])
    step: list[int] = []
    for axis, size in enumerate(cells.amax(0).tolist()):
        # one spare cell a row, so that a step never reaches the next row
        number = number * (size + 2) + cells[:, axis]
        step = [s * (size + 2) for s in step] + [1]
    number, node = number.sort()
    if bool((number.diff() == 0).any()):
        raise ValueError("grid_edges: several nodes share one cell; every cell holds at most one node")
    pairs = []
    for offset in step:
        place = torch.searchsorted(number, number + offset).clamp_max(number.numel() - 1)
        meets = number[place] == number + offset
        pairs.append(torch.stack([node[meets], node[place[meets]]]))
    half = torch.cat(pairs, 1)
    edges = torch.cat([half, half.flip(0)], 1)
    return edges[:, (edges[0] * cells.shape[0] + edges[1]).argsort()]
