"""The coarser graph of a graph: its lattice in blocks, or its coordinates around centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scge_pyg.graph.coarsening import block_count, coarsen_lattice, coarsen_points
from scge_pyg.graph.edges import connected_parts, grid_edges
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.parts import coarse_dimensions, node_dimension

if TYPE_CHECKING:
    from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["coarsen_graph"]


def coarsen_graph(graph: SharedGraph, num_nodes: int | None, stride: int | None) -> tuple[dict[str, Any], Tensor]:
    """Arguments of the coarse :class:`SharedGraph`, and ``cluster [N]``; see :meth:`SharedGraph.coarsen`."""
    if stride is not None and num_nodes is not None:
        raise ValueError("coarsen: give num_nodes or stride, not both")
    if stride is not None and stride < 1:
        raise ValueError(f"coarsen: stride must be at least 1, got {stride}")
    if stride is not None and graph.lattice is not None:
        lattice, cluster = coarsen_lattice(graph.lattice, stride)
        pos = lattice.pos.to(graph.pos.dtype)
        return {"pos": pos, "edge_index": _edges_between_blocks(lattice), "lattice": lattice}, cluster
    live = graph.live.nonzero().squeeze(1)
    count = max(1, live.numel() // 4) if num_nodes is None else num_nodes
    if stride is not None:
        count = _number_of_blocks(graph, live, stride)
    centres, assignment = coarsen_points(graph.pos[live], count, stride=stride)
    cluster = torch.full((graph.num_nodes,), -1, device=graph.pos.device)
    cluster[live] = assignment
    edges = cluster[graph.edge_index]
    edges = edges[:, (edges >= 0).all(0) & (edges[0] != edges[1])]
    part_dim = coarse_dimensions(graph, cluster, connected_parts(edges, torch.isfinite(centres).all(1)))
    dim = part_dim[0] if part_dim else graph.dim
    return {"pos": centres, "edge_index": edges, "dim": dim, "part_dim": part_dim}, cluster


def _edges_between_blocks(lattice: Lattice) -> Tensor:
    """Edges of the full grid between those cells that hold a node."""
    cell = torch.cartesian_prod(*map(torch.arange, lattice.shape)).view(-1, lattice.dim)
    full = Lattice(cell, lattice.shape, lattice.periodic)
    device = lattice.cell.device
    node = torch.full((cell.shape[0],), -1, device=device)
    node[lattice.flat_index] = torch.arange(lattice.cell.shape[0], device=device)
    edges = node[grid_edges(full).to(device)]
    return edges[:, (edges >= 0).all(0)]


def _number_of_blocks(graph: SharedGraph, live: Tensor, stride: int) -> int:
    """Blocks of ``stride`` spacings; what is bent fills few of those around it, and is counted by its dimension."""
    dims = node_dimension(graph)[live]
    if bool((dims == graph.pos.shape[1]).all()):
        return block_count(graph.pos[live], stride)
    return max(1, round(float((1.0 / stride ** dims.double()).sum())))
