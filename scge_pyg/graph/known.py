"""What is known of a geometry gives the rest: a grid from its shape, edges from coordinates, coordinates from edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph.checks import checked_edges, whole_number
from scge_pyg.graph.drawing.assembly import choose_map
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import adjacency_of, wiring_from_edges
from scge_pyg.graph.edges import grid_edges
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn

__all__ = ["drawn", "full_grid", "nearest_edges"]

_MOST_DIMENSIONS = 4  # of a layout from edges alone


def full_grid(shape: Sequence[int], periodic: Sequence[bool] | None) -> dict[str, Any]:
    """Arguments of the :class:`SharedGraph` of a grid; see :meth:`SharedGraph.from_grid`."""
    shape = tuple(int(n) for n in shape)
    if not shape or min(shape) < 1:
        raise ValueError(f"from_grid: shape must hold positive sizes such as (32, 32), got {shape}")
    cell = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"), -1).flatten(0, -2)
    lattice = Lattice(cell, shape, periodic)
    return {"pos": lattice.pos, "edge_index": grid_edges(lattice), "lattice": lattice}


def nearest_edges(pos: Tensor, k: int | None = None) -> tuple[Tensor, Tensor]:
    r"""Edges ``[2, E]`` from each node to its ``k`` nearest and back, and their weights ``[E]``.

    Weights are :math:`\exp(-(r_{ij}/\bar r)^2)` with :math:`\bar r` the median distance to the nearest node. Rows with
    NaN have no edges.

    Args:
        pos: Coordinates ``[N, d]`` with at least one column.
        k: Neighbours a node, at most ``N - 1``. Default: ``2 d``.

    Example:
        >>> nearest_edges(torch.tensor([[0.0], [1.0], [2.0]]), 1)[0]
        tensor([[0, 1, 2, 1, 0, 1],
                [1, 0, 1, 0, 1, 2]])
    """
    if not pos.shape[1]:
        raise ValueError("from_pos: pos has no columns, and nearest nodes need at least one")
    live = torch.isfinite(pos).all(1)
    nodes = live.nonzero().squeeze(1)
    if nodes.numel() < 2:
        raise ValueError(f"from_pos: at least 2 nodes with finite coordinates are needed, got {nodes.numel()}")
    k = min(2 * pos.shape[1], nodes.numel() - 1) if k is None else k
    distance, index = knn(pos[live], pos[live], k, exclude_self=True)
    spacing = distance[:, 0].median().clamp_min(torch.finfo(pos.dtype).tiny)
    weight = (-(distance / spacing).square()).exp().flatten()
    half = torch.stack([nodes.repeat_interleave(k), nodes[index.flatten()]])
    return torch.cat([half, half.flip(0)], 1), weight.repeat(2)


def drawn(edge_index: Tensor, num_nodes: int, edge_weight: Tensor | None, dim: int | None, seed: int) -> dict[str, Any]:
    """Arguments of a :class:`SharedGraph` laid out from its edges; see :meth:`SharedGraph.from_edge_index`.

    Example:
        >>> found = drawn(torch.tensor([[0, 1], [1, 2]]), 3, None, None, 0)
        >>> found["pos"].shape, found["dim"]
        (torch.Size([3, 1]), 1)
    """
    num_nodes = whole_number("from_edge_index", "num_nodes", num_nodes, 1)
    edge_index = checked_edges("from_edge_index", edge_index, num_nodes)
    if dim is not None:
        dim = whole_number("from_edge_index", "dim", dim, 1, _MOST_DIMENSIONS)
    weight = torch.ones(edge_index.shape[1], device=edge_index.device) if edge_weight is None else edge_weight
    joined = edge_index[0] != edge_index[1]
    both = torch.cat([edge_index[:, joined], edge_index[:, joined].flip(0)], 1)
    wiring = wiring_from_edges(both.cpu().numpy(), num_nodes)
    dim = intrinsic_dimension(adjacency_of(wiring.edges, num_nodes)) if dim is None else dim
    pos = torch.from_numpy(choose_map(wiring, num_nodes, dim, seed)[1].pos)
    return {
        "pos": pos.to(weight).to(torch.get_default_dtype()),
        "edge_index": both,
        "edge_weight": weight[joined].repeat(2),
        "dim": dim,
    }
