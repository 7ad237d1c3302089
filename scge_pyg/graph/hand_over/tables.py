"""A geometry beside the data of anndata and xarray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from scge_pyg.graph.hand_over.places import Scale, called, places

if TYPE_CHECKING:
    from scge_pyg.graph.geometry import Geometry

__all__ = ["adjacency", "into_anndata", "onto_xarray"]

_AXES = "xyzw"


def adjacency(graph: Geometry) -> sp.csr_matrix:
    """Weights of the edges ``[N, N]`` float32, source by target."""
    source, target = graph.edge_index.cpu().numpy()
    weight = graph.edge_weight.detach().cpu().numpy().astype(np.float32)
    return sp.csr_matrix((weight, (source, target)), (graph.num_nodes, graph.num_nodes))


def into_anndata(graph: Geometry, adata: Any, nodes: str, key: str, scale: Scale) -> None:
    """Write into an ``AnnData``; see :meth:`SharedGraph.to_anndata`."""
    if nodes not in ("obs", "var"):
        raise ValueError(f"to_anndata: nodes must be 'obs' or 'var', got {nodes!r}")
    names = tuple(map(str, adata.obs_names if nodes == "obs" else adata.var_names))
    order = _order("to_anndata", graph, names, f"{nodes}_names of the AnnData")
    pairs = adjacency(graph)[order][:, order]
    if graph.dim:
        getattr(adata, f"{nodes}m")[f"X_{key}"] = places("to_anndata", graph, scale)[order]
    getattr(adata, f"{nodes}p")[f"{key}_connectivities"] = sp.csr_matrix(pairs)
    columns = {"live": graph.live, "confidence": graph.confidence, "component": graph.component}
    for name, values in columns.items():
        getattr(adata, nodes)[f"{key}_{name}"] = values.detach().cpu().numpy()[order]
    adata.uns[key] = {
        "connectivities_key": f"{key}_connectivities",
        "params": {"method": "scge_pyg", "dim": int(graph.dim), "nodes": nodes},
    }


def onto_xarray(graph: Geometry, array: Any, dim: str, scale: Scale) -> Any:
    """The array with coordinates along ``dim``; see :meth:`SharedGraph.to_xarray`."""
    if dim not in array.dims:
        raise ValueError(f"to_xarray: dim must be one of {', '.join(map(str, array.dims))}, got {dim!r}")
    labels = tuple(map(_label, array[dim].values.tolist())) if dim in array.coords else None
    if labels is None:
        labels = called(graph)
        if array.sizes[dim] != graph.num_nodes:
            raise ValueError(
                f"to_xarray: dimension {dim!r} has {array.sizes[dim]} entries, the graph {graph.num_nodes} nodes"
            )
    order = _order("to_xarray", graph, labels, f"coordinate {dim!r}")
    pos = places("to_xarray", graph, scale)[order]
    columns = {f"scge_{_AXES[k] if k < 4 else k}": (dim, pos[:, k]) for k in range(pos.shape[1])}
    live, confidence = (values.detach().cpu().numpy()[order] for values in (graph.live, graph.confidence))
    return array.assign_coords(columns | {"scge_live": (dim, live), "scge_confidence": (dim, confidence)})


def _label(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _order(where: str, graph: Geometry, names: Sequence[str], what: str) -> list[int]:
    """Node of each name; in the order that they are where the graph has no names."""
    if len(names) != graph.num_nodes:
        raise ValueError(f"{where}: {what} are {len(names)}, the graph has {graph.num_nodes} nodes")
    if graph.names is None:
        return list(range(graph.num_nodes))
    node = {name: place for place, name in enumerate(graph.names)}
    if lost := [name for name in names if name not in node]:
        raise ValueError(
            f"{where}: {what} has {lost[0]!r}, which is no node; the graph has {', '.join(graph.names[:5])}, ..."
        )
    return [node[name] for name in names]
