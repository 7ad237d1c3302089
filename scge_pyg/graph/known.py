"""What is known of a geometry gives the rest: edges from coordinates, coordinates from edges."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph.drawing.assembly import choose_map
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import adjacency_of, wiring_from_edges
from scge_pyg.graph.neighbors import knn

__all__ = ["drawn_pos", "nearest_edges"]


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


def drawn_pos(edge_index: Tensor, num_nodes: int, dim: int | None, seed: int) -> tuple[Tensor, int]:
    """Coordinates ``[N, d]`` laid out from edges in both directions, and the dimension, estimated if not given.

    Example:
        >>> pos, dim = drawn_pos(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 3, None, 0)
        >>> pos.shape, dim
        (torch.Size([3, 1]), 1)
    """
    wiring = wiring_from_edges(edge_index.cpu().numpy(), num_nodes)
    dim = intrinsic_dimension(adjacency_of(wiring.edges, num_nodes)) if dim is None else dim
    _, chart = choose_map(wiring, num_nodes, dim, seed)
    return torch.from_numpy(chart.pos), dim
