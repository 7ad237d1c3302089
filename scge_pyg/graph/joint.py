"""Several modalities as one node set: a PyG `HeteroData` with edges inside each and across."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
        TypeError: If an argument is no mapping, a name no string, a graph no :class:`SharedGraph`, features or edges
            are no tensors, or ``edge_index`` holds no integers.
        ValueError: If names or shapes disagree, an edge leaves the node sets, or a weight is not finite.

    Example:
        >>> graphs = {"image": SharedGraph.from_grid((2, 3)), "sound": SharedGraph.from_grid((4,))}
        >>> edges = torch.tensor([[0, 5], [1, 3]]), torch.tensor([0.7, 0.4])
        >>> data = joint(graphs, {"image": torch.rand(6), "sound": torch.rand(4)}, {("image", "sound"): edges})
        >>> data.edge_types[2:]
        [('image', 'across', 'sound'), ('sound', 'across', 'image')]
        >>> data.to_homogeneous().num_nodes, data.to_homogeneous().num_edges
        (10, 24)
    """
    _check_graphs(graphs)
    if x is not None:
        _check_features(graphs, x)
    if across is not None and not isinstance(across, Mapping):
        raise TypeError(
            f"joint: across must be a mapping from two names to (edge_index, edge_weight), got "
            f"{type(across).__name__}; pass {{('a', 'b'): couple(x_a, x_b)}}"
        )
    data = HeteroData()
    for name, graph in graphs.items():
        part = graph.to_data(None if x is None else x[name])
        nodes, edges = data[name], data[name, "near", name]
        nodes.num_nodes = graph.num_nodes
        for key in ("pos", "live") if x is None else ("x", "pos", "live"):
            nodes[key] = part[key]
        edges.edge_index, edges.edge_weight = part.edge_index, part.edge_weight
    for names, edges_across in (across or {}).items():
        (a, b), (edge_index, edge_weight) = _checked(graphs, across or {}, names, edges_across)
        for ends, index in (((a, b), edge_index), ((b, a), edge_index.flip(0))):
            edges = data[ends[0], "across", ends[1]]
            edges.edge_index, edges.edge_weight = index, edge_weight
    return data


def _check_graphs(graphs: Any) -> None:
    if not isinstance(graphs, Mapping):
        raise TypeError(f"joint: graphs must be a mapping from names to graphs, got {type(graphs).__name__}")
    if not graphs:
        raise ValueError("joint: graphs is empty; give the graph of each modality by name")
    for name, graph in graphs.items():
        if not isinstance(name, str):
            raise TypeError(f"joint: names in graphs must be strings, got {name!r} ({type(name).__name__})")
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"joint: graphs[{name!r}] must be a SharedGraph, got {type(graph).__name__}")


def _check_features(graphs: Mapping[str, SharedGraph], x: Any) -> None:
    if not isinstance(x, Mapping):
        raise TypeError(
            f"joint: x must be a mapping from the names of graphs, {sorted(graphs)}, to features, got "
            f"{type(x).__name__}"
        )
    if set(x) != set(graphs):
        raise ValueError(
            f"joint: x must name the modalities of graphs, {sorted(graphs)}, got {sorted(map(str, x))}; give NaN for a "
            "modality that a sample lacks"
        )
    for name, graph in graphs.items():
        part, nodes = x[name], graph.num_nodes
        if not isinstance(part, Tensor):
            raise TypeError(
                f"joint: x[{name!r}] must be a tensor [{nodes}, C] or [{nodes}], got {type(part).__name__}; convert it "
                f"with torch.as_tensor"
            )
        if part.dim() not in (1, 2) or len(part) != nodes:
            raise ValueError(
                f"joint: x[{name!r}] must be [{nodes}, C] or [{nodes}], the nodes of one sample, got "
                f"{list(part.shape)}; of a batch make one HeteroData a sample, a DataLoader of PyG joins them"
            )


def _checked(
    graphs: Mapping[str, SharedGraph], across: Mapping[Any, Any], names: Any, edges: Any
) -> tuple[tuple[str, str], tuple[Tensor, Tensor]]:
    """Two names, and the edges between these modalities."""
    known = sorted(graphs)
    if not isinstance(names, tuple) or len(names) != 2 or not set(names) <= set(known) or names[0] == names[1]:
        raise ValueError(f"joint: across must name two modalities of graphs, {known}, for each edge set, got {names!r}")
    where = f"joint: across[{names[0]!r}, {names[1]!r}]"
    if names[::-1] in across:
        raise ValueError(f"{where} is there in both orders; give one, the other follows")
    if not isinstance(edges, tuple | list) or len(edges) != 2 or not all(isinstance(one, Tensor) for one in edges):
        got = [type(one).__name__ for one in edges] if isinstance(edges, tuple | list) else type(edges).__name__
        raise TypeError(
            f"{where} must be two tensors, edge_index [2, E] and edge_weight [E], got {got}; convert arrays with "
            f"torch.as_tensor, and give torch.ones(E) for edges that are all alike"
        )
    index, weight = edges
    if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
        raise TypeError(
            f"{where} must have an edge_index of integers, got {index.dtype}; pass (edge_index, edge_weight)"
        )
    if index.dim() != 2 or index.shape[0] != 2 or index.shape[1:] != weight.shape:
        raise ValueError(
            f"{where} must be edge_index [2, E] and edge_weight [E], got {list(index.shape)} and {list(weight.shape)}"
        )
    sizes = [graphs[name].num_nodes for name in names]
    if bool(((index < 0) | (index >= torch.tensor(sizes, device=index.device).unsqueeze(1))).any()):
        raise ValueError(
            f"{where} leaves the node sets, which have {sizes[0]} and {sizes[1]} nodes; rows of edge_index are in the "
            f"order of the names"
        )
    if not bool(weight.isfinite().all()):
        raise ValueError(f"{where} has {int((~weight.isfinite()).sum())} weights that are not finite; drop those edges")
    return names, (index.long(), weight)
