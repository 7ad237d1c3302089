"""A graph as an object of another library."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx

    from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["as_networkx"]


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
