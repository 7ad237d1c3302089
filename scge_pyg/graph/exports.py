"""A graph elsewhere: on another device, as an object of another library, as a line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.graph.part_fits import moved_fit
from scge_pyg.graph.part_lattices import moved_lattices

if TYPE_CHECKING:
    import networkx

    from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["as_data", "as_networkx", "moved", "summary"]

_TENSORS = ("pos", "edge_index", "edge_weight", "live", "confidence", "sign", "lag")


def moved(graph: SharedGraph, device: torch.device | str) -> dict[str, Any]:
    """Arguments of the same :class:`SharedGraph` with every tensor on ``device``."""
    lattice, other_lattices = moved_lattices(graph.lattices, device)
    return {
        **{name: getattr(graph, name).to(device) for name in _TENSORS},
        "dim": graph.dim,
        "part_dim": graph.part_dim,
        "lattice": lattice,
        "other_lattices": other_lattices,
        "names": graph.names,
        "fit": moved_fit(graph.fit, device),
        "part_fit": [moved_fit(fit, device) for fit in graph.part_fit],
        "partner_pos": None if graph.partner_pos is None else graph.partner_pos.to(device),
    }


def as_data(graph: SharedGraph, x: Tensor | None) -> Data:
    """A PyG ``Data`` over all nodes; see :meth:`SharedGraph.to_data`."""
    if x is not None and x.shape[0] != graph.num_nodes:
        raise ValueError(f"to_data: x must be [{graph.num_nodes}, C], one sample, got {list(x.shape)}")
    return Data(
        x=x.unsqueeze(1) if x is not None and x.dim() == 1 else x,
        pos=graph.pos.nan_to_num(),
        edge_index=graph.edge_index,
        edge_weight=graph.edge_weight,
        live=graph.live,
        num_nodes=graph.num_nodes,
    )


def as_networkx(graph: SharedGraph) -> networkx.Graph:
    """An undirected ``networkx.Graph``; see :meth:`SharedGraph.to_networkx`."""
    import networkx

    result = networkx.Graph()
    result.add_nodes_from(range(graph.num_nodes))
    columns = {"live": graph.live.tolist(), "confidence": graph.confidence.tolist(), "sign": graph.sign.tolist()}
    if graph.pos.shape[1]:
        columns["pos"] = [tuple(place) for place in graph.pos.tolist()]
    if graph.names is not None:
        columns["name"] = list(graph.names)
    for key, values in columns.items():
        networkx.set_node_attributes(result, dict(enumerate(values)), key)
    for (i, j), weight in zip(graph.edge_index.t().tolist(), graph.edge_weight.tolist(), strict=True):
        result.add_edge(i, j, weight=weight)
    return result


def summary(graph: SharedGraph) -> str:
    """What a graph is, in one line: sizes, and the shape of each lattice, as in ``lattice=32x32+15``."""
    lattices = "+".join("x".join(map(str, lattice.shape)) for lattice in graph.lattices) or None
    components = int(graph.component.max()) + 1 if graph.num_nodes else 0
    edges = f"{graph.num_undirected_edges} (undirected)"
    return (
        f"{type(graph).__name__}(num_nodes={graph.num_nodes}, live={int(graph.live.sum())}, dim={graph.dim}, "
        f"edges={edges}, components={components}, lattice={lattices})"
    )
