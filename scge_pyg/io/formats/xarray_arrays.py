"""Labelled arrays of xarray."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scge_pyg.io.fields import flattened
from scge_pyg.io.libraries import is_of
from scge_pyg.io.signals import Signals, listed

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "an array of xarray"
SUFFIXES = ()


def matches(source: Any) -> bool:
    """Whether ``source`` is a ``DataArray`` or a ``Dataset``."""
    return is_of(source, "xarray", "DataArray", "Dataset")


def read(source: Any, node_dims: Sequence[str] | str | None = None, key: str | None = None) -> Signals:
    """Nodes over one or several dimensions; numbers that the array marks as fill values are missing.

    Args:
        source: The array, or a data set that holds it.
        node_dims: Dimensions of the nodes, see :func:`scge_pyg.io.fields.flattened`.
        key: Name of the array in a data set. Default: the only one.

    Raises:
        ValueError: If the array or a dimension has to be named.

    Example:
        >>> import xarray
        >>> field = xarray.DataArray(np.zeros((5, 2, 3)), dims=("time", "lat", "lon"), coords={"lat": [10, 20]})
        >>> read(field, node_dims=("lat", "lon"))
        Signals(samples=[5, 6])
    """
    if hasattr(source, "data_vars"):
        source = source[_key(list(map(str, source.data_vars)), key)]
    marks = {**source.encoding, **source.attrs}
    fill = [mark for name in ("_FillValue", "missing_value") if name in marks for mark in np.ravel(marks[name])]
    dims = list(map(str, source.dims))
    coords = {str(name): np.asarray(values) for name, values in source.coords.items()}
    return flattened(source.values, dims, coords, node_dims, source.attrs.get("units"), fill)


def _key(held: list[str], key: str | None) -> str:
    if key is None and len(held) == 1:
        return held[0]
    if key not in held:
        raise ValueError(f"read: the data set holds {listed(held)}; choose one with key=, got {key!r}")
    return key
