"""Fields over named dimensions, such as latitude and longitude, flattened to nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scge_pyg.io.layouts.layout import Layout
from scge_pyg.io.layouts.tables import project
from scge_pyg.io.signals import Signals

__all__ = ["empty", "filled", "flattened"]

_TIMES = ("time", "t", "date", "sample", "samples", "member", "step")
_LATITUDES, _LONGITUDES = ("lat", "latitude", "nav_lat"), ("lon", "lng", "longitude", "nav_lon")
_PLANES = (("lat", "lon"), ("latitude", "longitude"), ("y", "x"), ("row", "col"), ("south_north", "west_east"))


def flattened(
    values: NDArray[Any],
    dims: Sequence[str],
    coords: Mapping[str, NDArray[Any]],
    node_dims: Sequence[str] | str | None,
    unit: str | None = None,
    fill: Sequence[float] = (),
) -> Signals:
    """Samples ``[S, N]`` or ``[S, N, C]`` of a field.

    Nodes run over ``node_dims``, the last one fastest; samples run over a dimension of times, or else over the first
    that is left, and what is left then are channels. Nodes that never hold a value are dead.

    Args:
        values: The field.
        dims: Name of each axis.
        coords: Coordinates along some of the dimensions.
        node_dims: Dimensions of the nodes. Default: latitude and longitude, y and x, or the only one beside time; else
            the second.
        unit: Unit of the values.
        fill: Numbers that stand for missing ones.

    Raises:
        ValueError: If a dimension is unknown, or none is left for samples.
    """
    own = _node_dims(dims, coords, node_dims)
    other = [name for name in dims if name not in own]
    if not other:
        raise ValueError(
            f"read: all dimensions ({', '.join(dims)}) are node_dims; one must be left for the samples, a single field "
            f"has no statistics"
        )
    time = next((name for name in other if _is_time(name, coords)), other[0])
    channels = [name for name in other if name != time]
    order = [dims.index(name) for name in (time, *own, *channels)]
    shape = [values.shape[axis] for axis in order]
    num_nodes = int(np.prod(shape[1 : 1 + len(own)]))
    flat = values.transpose(order).reshape(shape[0], num_nodes, *([-1] if channels else []))
    flat = _missing(flat, fill)
    return Signals(
        flat,
        _names(own, shape[1:], coords),
        _rate(coords.get(time)),
        empty(flat),
        unit,
        layout=_layout(own, shape[1:], coords),
    )


def empty(samples: NDArray[Any]) -> NDArray[np.bool_]:
    """Nodes ``[N]`` of samples ``[S, N]`` or ``[S, N, C]`` that hold no value at all."""
    dead = np.zeros(samples.shape[1], bool)
    if samples.dtype.kind == "f" and len(samples):
        axes = tuple(range(1, samples.ndim - 1))
        dead = np.isnan(samples[0]).all(axes)
        dead[dead] = np.isnan(samples[:, dead]).all((0, *(axis + 1 for axis in axes)))
    return dead


def _node_dims(dims: Sequence[str], coords: Mapping[str, Any], given: Sequence[str] | str | None) -> list[str]:
    if given is not None:
        own = [given] if isinstance(given, str) else list(given)
        if unknown := [name for name in own if name not in dims]:
            raise ValueError(f"read: node_dims names {unknown[0]!r}; the dimensions are {', '.join(map(repr, dims))}")
        return own
    if len(dims) < 2:
        raise ValueError(f"read: a field needs a dimension of samples and one of nodes, got {list(dims)}")
    lower = [name.lower() for name in dims]
    for plane in _PLANES:
        if set(plane) <= set(lower) and len(dims) > 2:
            return [dims[lower.index(name)] for name in plane]
    beside = [name for name in dims if not _is_time(name, coords)]
    return beside if len(dims) == 2 and len(beside) == 1 else [dims[1]]


def _is_time(name: str, coords: Mapping[str, NDArray[Any]]) -> bool:
    return name.lower() in _TIMES or (name in coords and coords[name].dtype.kind in "mM")


def filled(values: NDArray[Any], fill: Sequence[float]) -> NDArray[np.bool_]:
    """Which values stand for missing ones; in single precision, to which scipy rounds the mark itself."""
    near = 2e-7 if values.dtype.kind == "f" else 0.0
    found = np.zeros(values.shape, bool)
    for mark in fill:
        found |= np.isclose(values, mark, rtol=near, atol=0, equal_nan=True)
    return found


def _missing(values: NDArray[Any], fill: Sequence[float]) -> NDArray[Any]:
    """The values, NaN where one stands for a missing one."""
    absent = filled(np.asarray(values), fill)
    if isinstance(values, np.ma.MaskedArray):
        absent |= np.ma.getmaskarray(values)
    if not absent.any():
        return np.asarray(values)
    return np.where(absent, np.nan, np.asarray(values, np.result_type(values.dtype, np.float32)))


def _names(own: Sequence[str], shape: Sequence[int], coords: Mapping[str, NDArray[Any]]) -> tuple[str, ...] | None:
    """Coordinates of the nodes, joined by a stroke; None where one dimension has none, or they repeat."""
    if not all(name in coords and coords[name].ndim == 1 for name in own):
        return None
    labels = [[_label(value) for value in coords[name].tolist()] for name in own]
    grid = np.meshgrid(*(np.arange(size) for size in shape[: len(own)]), indexing="ij")
    parts = [np.array(label, dtype=object)[index.ravel()] for label, index in zip(labels, grid, strict=True)]
    names = tuple("/".join(map(str, one)) for one in zip(*parts, strict=True))
    return names if len(set(names)) == len(names) else None


def _label(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _rate(times: NDArray[Any] | None) -> float | None:
    """Samples a second of evenly spaced dates."""
    if times is None or times.dtype.kind != "M" or len(times) < 2:
        return None
    steps = np.diff(times.astype("datetime64[ns]").astype(np.int64)) / 1e9
    return float(1 / steps[0]) if steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3) else None


def _layout(own: Sequence[str], shape: Sequence[int], coords: Mapping[str, NDArray[Any]]) -> Layout | None:
    """Metres of latitude and longitude, where nodes have both: as two dimensions, or along one."""
    low = {name.lower(): values for name, values in coords.items()}
    ends = [low[name] for known in (_LATITUDES, _LONGITUDES) for name in known if name in low]
    if len(ends) != 2 or any(end.dtype.kind not in "iuf" for end in ends):
        return None
    latitude, longitude = ends
    if len(own) == 2 and own[0].lower() in _LATITUDES and own[1].lower() in _LONGITUDES:
        latitude, longitude = np.meshgrid(latitude, longitude, indexing="ij")
    num_nodes = int(np.prod(shape[: len(own)]))
    if latitude.size != num_nodes or longitude.size != num_nodes:
        return None
    names = _names(own, shape, coords) or tuple(map(str, range(num_nodes)))
    return Layout(names, project(np.stack([latitude.ravel(), longitude.ravel()], 1).astype(float)), "m")
