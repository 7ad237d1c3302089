"""Arrays of a graph as base64 text, each node and each pair of joined nodes once."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.graph import SharedGraph

__all__ = ["edge_arrays", "node_arrays", "packed"]

_TYPES = {"float32": "f4", "int32": "i4", "uint32": "u4", "uint16": "u2", "int8": "i1", "uint8": "u1"}


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """Type and little-endian bytes of an array, which a page reads as a typed array.

    Example:
        >>> packed(np.array([1, 256], dtype=np.uint16))
        {'type': 'u2', 'data': 'AQAAAQ=='}
    """
    kind = _TYPES[values.dtype.name]
    raw = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
    return {"type": kind, "data": base64.b64encode(raw).decode("ascii")}


def node_arrays(graph: SharedGraph) -> dict[str, Any]:
    """Places, part, confidence, sign and gain of each node; NaN where there is none.

    The gain of a node is that of the fit of its part. ``gain`` is left out where nothing was judged.
    """
    live = _array(graph.live)
    arrays: dict[str, NDArray[Any]] = {
        "pos": _array(graph.pos).astype(np.float32),
        "live": live.astype(np.uint8),
        "part": _array(graph.component).astype(np.int32),
        "confidence": np.where(live, _array(graph.confidence), np.nan).astype(np.float32),
        "sign": _array(graph.sign).astype(np.int8),
    }
    gain = np.full(graph.num_nodes, np.nan, dtype=np.float32)
    for number, fit in enumerate(graph.part_fit):
        if fit is not None:
            gain[arrays["part"] == number] = _array(fit.node_gain)
    if np.isfinite(gain).any():
        arrays["gain"] = gain
    return {name: packed(values) for name, values in arrays.items()}


def edge_arrays(graph: SharedGraph) -> dict[str, Any]:
    """Each pair of joined nodes once, ``source`` below ``target``, with the larger weight of its two directions.

    ``lag`` is there if any is not zero: the steps by which ``target`` follows ``source``. ``wraps`` is there if a
    lattice closes on itself: 1 where a pair joins the two ends of such an axis.
    """
    edges, weight, lag = _array(graph.edge_index), _array(graph.edge_weight), _array(graph.lag)
    joined = edges[0] != edges[1]
    edges, weight, lag = edges[:, joined], weight[joined], lag[joined]
    low, high = edges.min(0), edges.max(0)
    key, first, pair = np.unique(low * graph.num_nodes + high, return_index=True, return_inverse=True)
    strongest = np.zeros(len(key))
    np.maximum.at(strongest, pair, weight)
    source, target = np.divmod(key, max(1, graph.num_nodes))
    number = np.uint16 if graph.num_nodes <= 2**16 else np.uint32
    arrays = {
        "source": source.astype(number),
        "target": target.astype(number),
        "weight": strongest.astype(np.float32),
    }
    if lag.any():
        arrays["lag"] = np.where(edges[0] == low, lag, -lag)[first].astype(np.int32)
    wraps = _wraps(graph, source, target)
    if wraps.any():
        arrays["wraps"] = wraps.astype(np.uint8)
    return {name: packed(values) for name, values in arrays.items()}


def _wraps(graph: SharedGraph, source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each pair joins the two ends of an axis of a lattice that closes on itself."""
    found = np.zeros(len(source), dtype=bool)
    for lattice in graph.lattices:
        cell, placed = _array(lattice.cell), _array(lattice.placed)
        far = 2 * np.abs(cell[source] - cell[target]) > np.array(lattice.shape)
        found |= (far & np.array(lattice.periodic)).any(1) & placed[source] & placed[target]
    return found


def _array(values: Tensor) -> NDArray[Any]:
    result: NDArray[Any] = values.numpy(force=True)
    return result
