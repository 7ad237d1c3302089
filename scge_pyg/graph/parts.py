"""A node set taken apart into its connected parts, each with a dimension and cells of its own."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scge_pyg.graph.part_lattices import lattice_of_part

if TYPE_CHECKING:
    from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["coarse_dimensions", "dimensions", "node_dimension", "split"]


def dimensions(
    where: str, dim: int | None, part_dim: Sequence[int] | None, component: Tensor, columns: int
) -> tuple[int, tuple[int, ...]]:
    """Dimension of the largest part and of every part of at least two nodes, by falling size.

    What is missing follows from the other; both missing means as many as there are columns.
    """
    sizes = torch.bincount(component[component >= 0])
    count = int((sizes > 1).sum())
    if part_dim is None:
        dim = columns if dim is None else index(dim)
        found = (dim,) * count
    else:
        found = tuple(map(index, part_dim))
        if len(found) != count:
            raise ValueError(
                f"{where}: part_dim must name the dimension of each of the {count} parts of at least two nodes, "
                f"got {len(found)} entries"
            )
        dim = (found[0] if found else columns) if dim is None else index(dim)
        if found and found[0] != dim:
            raise ValueError(f"{where}: dim is that of the largest part: part_dim begins with {found[0]}, dim is {dim}")
    lowest = 0 if not columns or (part_dim is not None and any(found)) else 1
    wrong = [d for d in (dim, *found) if not lowest <= d <= columns]
    if wrong:
        without = "; a graph without a geometry (dim 0) has pos without columns" if lowest and 0 in wrong else ""
        raise ValueError(f"{where}: dim must lie in {lowest}..{columns}, got {wrong[0]}{without}")
    return dim, found


def node_dimension(graph: SharedGraph) -> Tensor:
    """Dimension of the part of each node ``[N]``; single nodes have that of the graph."""
    parts = torch.tensor((*graph.part_dim, graph.dim), device=graph.component.device)
    return parts[graph.component.clamp(max=len(graph.part_dim))]


def coarse_dimensions(graph: SharedGraph, cluster: Tensor, component: Tensor) -> list[int]:
    """Dimension, at least 1, of each part of at least two coarse nodes: the largest of those that it was made from."""
    joined = (cluster >= 0) & (graph.component >= 0) & (graph.component < len(graph.part_dim))
    coarse_part = component[cluster[joined]]
    sizes = torch.bincount(component)
    dims = torch.zeros_like(sizes).scatter_reduce(0, coarse_part, node_dimension(graph)[joined], "amax")
    return dims[sizes > 1].clamp_min(1).tolist()


def split(graph: SharedGraph) -> list[dict[str, Any]]:
    """Arguments of a :class:`SharedGraph` for each part of at least two nodes, largest first, nodes in their order."""
    count = len(graph.part_dim)
    nodes_of = _grouped(graph.component, count)
    edge_part = torch.where(graph.live[graph.edge_index].all(0), graph.component[graph.edge_index[0]], -1)
    edges_of = _grouped(edge_part, count)
    local = torch.full_like(graph.component, -1)
    parts = []
    for dim, fit, nodes, edges in zip(graph.part_dim, graph.part_fit, nodes_of, edges_of, strict=True):
        local[nodes] = torch.arange(nodes.numel(), device=nodes.device)
        pos = graph.pos[nodes]
        varies = (pos != pos[0]).any(0).nonzero()
        columns = max(dim, int(varies.max()) + 1 if varies.numel() else 0) if dim else 0
        parts.append(
            {
                "pos": pos[:, :columns],
                "edge_index": local[graph.edge_index[:, edges]],
                "edge_weight": graph.edge_weight[edges],
                "dim": dim,
                "live": graph.live[nodes],
                "confidence": graph.confidence[nodes],
                "lattice": lattice_of_part(graph.lattices, nodes),
                "names": None if graph.names is None else [graph.names[node] for node in nodes.tolist()],
                "sign": graph.sign[nodes],
                "lag": graph.lag[edges],
                "fit": fit,
                "partner_pos": None if graph.partner_pos is None else graph.partner_pos[:, :columns],
            }
        )
    return parts


def _grouped(label: Tensor, count: int) -> list[Tensor]:
    """Places of the labels 0, 1 and so on, each in rising order."""
    order = label.argsort(stable=True)
    order = order[label[order] >= 0]
    sizes = torch.bincount(label[order], minlength=count).tolist()
    return list(order.split(sizes))[:count]
