"""Several modalities as one node set: a PyG `HeteroData` with edges inside each and across."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["joint"]


def joint(
    graphs: Mapping[str, SharedGraph],
    x: Mapping[str, Tensor] | None = None,
    across: Mapping[tuple[str, str], tuple[Tensor, Tensor]] | None = None,
) -> HeteroData:
    """One sample of several modalities, each a node type, as PyG's heterogeneous models take it.

    Node type ``a`` has ``x``, ``pos`` and ``live`` as in :meth:`SharedGraph.to_data`, edge type ``(a, "near", a)`` the
    edges of its graph. What ``across`` says of ``(a, b)`` becomes ``(a, "across", b)`` and, turned round,
    ``(b, "across", a)``. All edges have an ``edge_weight``.

    Args:
        graphs: The graph of each modality, by name.
        x: Features ``[N, C]`` or ``[N]`` of one sample, by name. Default: none.
        across: Edges from a modality to another, ``(edge_index [2, E], edge_weight [E])``, for each pair in one of its
            two orders: what :func:`scge_pyg.discovery.couple` measures, or anything else. Default: none.

    Raises:
        TypeError: If a graph is no :class:`SharedGraph`.
        ValueError: If names or shapes disagree, or an edge leaves the node sets.

    Example:
        >>> graphs = {"image": SharedGraph.from_grid((2, 3)), "sound": SharedGraph.from_grid((4,))}
        >>> edges = torch.tensor([[0, 5], [1, 3]]), torch.tensor([0.7, 0.4])
        >>> data = joint(graphs, {"image": torch.rand(6), "sound": torch.rand(4)}, {("image", "sound"): edges})
        >>> data.edge_types[2:]
        [('image', 'across', 'sound'), ('sound', 'across', 'image')]
        >>> data.to_homogeneous().num_nodes, data.to_homogeneous().num_edges
        (10, 24)
    """
    if not isinstance(graphs, Mapping):
        raise TypeError(f"joint: graphs must be a mapping from names to graphs, got {type(graphs).__name__}")
    if not graphs:
        raise ValueError("joint: graphs is empty; give the graph of each modality by name")
    for name, graph in graphs.items():
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"joint: graphs[{name!r}] must be a SharedGraph, got {type(graph).__name__}")
    if x is not None and set(x) != set(graphs):
        raise ValueError(
            f"joint: x must name the modalities of graphs, {sorted(graphs)}, got {sorted(x)}; give NaN for a modality "
            "that a sample lacks"
        )
    data = HeteroData()
    for name, graph in graphs.items():
        part = graph.to_data(None if x is None else x[name])
        nodes, edges = data[name], data[name, "near", name]
        nodes.num_nodes = graph.num_nodes
        for key in ("pos", "live") if x is None else ("x", "pos", "live"):
            nodes[key] = part[key]
        edges.edge_index, edges.edge_weight = part.edge_index, part.edge_weight
    for (a, b), (edge_index, edge_weight) in (across or {}).items():
        _check(graphs, across or {}, a, b, edge_index, edge_weight)
        for ends, index in (((a, b), edge_index), ((b, a), edge_index.flip(0))):
            edges = data[ends[0], "across", ends[1]]
            edges.edge_index, edges.edge_weight = index, edge_weight
    return data


def _check(
    graphs: Mapping[str, SharedGraph],
    across: Mapping[tuple[str, str], object],
    a: str,
    b: str,
    edge_index: Tensor,
    edge_weight: Tensor,
) -> None:
    where = f"joint: across[{a!r}, {b!r}]"
    if a == b or a not in graphs or b not in graphs:
        raise ValueError(f"{where} must name two modalities of graphs, {sorted(graphs)}")
    if (b, a) in across:
        raise ValueError(f"{where} is there in both orders; give one, the other follows")
    if edge_index.dim() != 2 or edge_index.shape[0] != 2 or edge_index.shape[1:] != edge_weight.shape:
        raise ValueError(
            f"{where} must be edge_index [2, E] and edge_weight [E], got {list(edge_index.shape)} and "
            f"{list(edge_weight.shape)}"
        )
    sizes = torch.tensor([[graphs[a].num_nodes], [graphs[b].num_nodes]], device=edge_index.device)
    if bool(((edge_index < 0) | (edge_index >= sizes)).any()):
        raise ValueError(f"{where} leaves the node sets, which have {graphs[a].num_nodes} and {graphs[b].num_nodes}")
