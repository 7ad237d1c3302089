"""Edges of a node set: sorted and merged, the parts that they connect, and those of a full grid."""

from __future__ import annotations

import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from scge_pyg.graph.lattice import Lattice

__all__ = ["connected_parts", "count_pairs", "grid_edges", "merge_edges"]


def merge_edges(edge_index: Tensor, weight: Tensor, lag: Tensor, num_nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Edges sorted by their ends; of those given twice the heaviest stays, with its lag (the first of equal ones).

    Example:
        >>> edges, weight, lag = torch.tensor([[1, 0, 1], [0, 1, 0]]), torch.tensor([0.5, 2.0, 1.0]), torch.arange(3)
        >>> merge_edges(edges, weight, lag, 2)
        (tensor([[0, 1],
                [1, 0]]), tensor([2., 1.]), tensor([1, 2]))
    """
    key = edge_index[0] * num_nodes + edge_index[1]
    order = weight.detach().argsort(descending=True, stable=True)
    order = order[key[order].argsort(stable=True)]
    ordered = key[order]
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    order = order[first]
    return edge_index[:, order], weight[order], lag[order]


def connected_parts(edge_index: Tensor, live: Tensor) -> Tensor:
    """Part of each node ``[N]``: connected by edges between live nodes, ids by falling size, ties by the smallest node.

    Args:
        edge_index: Edges ``[2, E]``, in either direction or both.
        live: Nodes ``[N]`` bool; the others get -1.

    Example:
        >>> connected_parts(torch.tensor([[1, 3], [2, 4]]), torch.tensor([True] * 5 + [False])).tolist()
        [2, 0, 0, 1, 1, -1]
    """
    nodes = live.nonzero().squeeze(1)
    part = torch.full_like(live, -1, dtype=torch.long)
    if not nodes.numel():
        return part
    rank = torch.full_like(part, -1)
    rank[nodes] = torch.arange(nodes.numel(), device=live.device)
    row, col = rank[edge_index[:, live[edge_index].all(0)]].cpu().numpy()
    adjacency = coo_matrix(([1] * len(row), (row, col)), shape=(nodes.numel(),) * 2)
    found = torch.from_numpy(connected_components(adjacency, directed=False)[1]).long()
    size = torch.bincount(found)
    smallest = torch.full_like(size, nodes.numel()).scatter_reduce(0, found, torch.arange(nodes.numel()), "amin")
    order = smallest.argsort()
    order = order[size[order].argsort(descending=True, stable=True)]
    part[nodes] = order.argsort()[found].to(live.device)
    return part


def count_pairs(edge_index: Tensor) -> int:
    """Number of distinct pairs of nodes that edges of either direction join.

    Example:
        >>> count_pairs(torch.tensor([[0, 1, 2], [1, 0, 1]]))
        2
    """
    return torch.unique(edge_index.sort(0).values, dim=1).shape[1] if edge_index.numel() else 0


def grid_edges(lattice: Lattice) -> Tensor:
    """Edges ``[2, E]``, both directions, of a full row-major grid: neighbours along its axes, which wrap if closed."""
    shape = lattice.shape
    index = torch.arange(lattice.cell.shape[0]).view(shape)
    pairs = []
    for axis, (size, wraps) in enumerate(zip(shape, lattice.periodic, strict=True)):
        before, after = index.narrow(axis, 0, size - 1), index.narrow(axis, 1, size - 1)
        pairs.append(torch.stack([before.flatten(), after.flatten()]))
        if wraps and size > 2:
            pairs.append(torch.stack([index.select(axis, size - 1).flatten(), index.select(axis, 0).flatten()]))
    half = torch.cat(pairs, 1)
    return torch.cat([half, half.flip(0)], 1)
