"""Fields in netCDF files: the classic format by scipy, netCDF 4 by h5py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scge_pyg.importing import import_extra
from scge_pyg.io.fields import filled, flattened
from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a netCDF file"
SUFFIXES = (".nc", ".nc4", ".cdf")

_DEFAULT_FILL = {"f4": 9.969209968386869e36, "f8": 9.969209968386869e36, "i2": -32767, "i4": -2147483647}


class _Variable(NamedTuple):
    """A variable as the file holds it."""

    dims: tuple[str, ...]
    values: NDArray[Any]
    attributes: Mapping[str, Any]


def matches(source: Any) -> bool:
    """Whether ``source`` is a netCDF file."""
    return suffix(source) in SUFFIXES


def read(path: Path, key: str | None = None, node_dims: Sequence[str] | str | None = None) -> Signals:
    """One variable, with fill values as missing and packed integers unpacked.

    Args:
        path: The file.
        key: Name of the variable. Default: the only one of at least two dimensions, bounds of cells aside.
        node_dims: Dimensions of the nodes, see :func:`scge_pyg.io.fields.flattened`.

    Raises:
        ValueError: If it is no netCDF file, or the variable has to be named.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start[:3] != b"CDF" and start != b"\x89HDF":
        raise ValueError(f"read: {path} is no netCDF file; it starts with {start!r}")
    held = _classic(path) if start[:3] == b"CDF" else _netcdf4(path)
    bounds = {_text(variable.attributes.get("bounds")) for variable in held.values()}
    fields = {name: variable for name, variable in held.items() if len(variable.dims) > 1 and name not in bounds}
    if key is None and len(fields) == 1:
        key = next(iter(fields))
    if key not in fields:
        shown = ", ".join(f"{name} ({', '.join(field.dims)})" for name, field in fields.items()) or "no fields"
        raise ValueError(f"read: {path} holds {shown}; choose one with key= (on the command line --key), got {key!r}")
    values, fill, unit = _unpacked(fields[key])
    coords = {name: held[name].values for name in fields[key].dims if name in held and held[name].values.ndim == 1}
    return flattened(values, fields[key].dims, coords, node_dims, unit, fill)


def _classic(path: Path) -> dict[str, _Variable]:
    from scipy.io import netcdf_file

    with netcdf_file(path, "r", mmap=False) as file:
        return {
            name: _Variable(tuple(item.dimensions), _native(item.data), dict(item._attributes))
            for name, item in file.variables.items()
            if np.asarray(item.data).dtype.kind in "iuf"
        }


def _netcdf4(path: Path) -> dict[str, _Variable]:
    """Variables of the top group; dimensions are called as the scales that HDF5 attaches to the axes."""
    h5py = import_extra("h5py", "readers", "reading netCDF 4")
    with h5py.File(path, "r") as file:
        items = {name: item for name, item in file.items() if isinstance(item, h5py.Dataset)}
        return {
            name: _Variable(_scales(name, item), _native(item[()]), dict(item.attrs))
            for name, item in items.items()
            if item.dtype.kind in "iuf" and item.shape
        }


def _scales(name: str, item: Any) -> tuple[str, ...]:
    if item.is_scale:
        return (name,)
    return tuple(axis[0].name.rpartition("/")[2] if len(axis) else f"dim_{k}" for k, axis in enumerate(item.dims))


def _native(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    return np.array(array, array.dtype.newbyteorder("="))


def _unpacked(field: _Variable) -> tuple[NDArray[Any], list[float], str | None]:
    """Values in their unit, what stands for missing ones, and the unit."""
    values, told = field.values, field.attributes
    own = [mark for name in ("_FillValue", "missing_value") if name in told for mark in np.ravel(told[name])]
    fill: list[Any] = own or [_DEFAULT_FILL[kind] for kind in (values.dtype.str[1:],) if kind in _DEFAULT_FILL]
    scale, offset = (np.ravel(told.get(name, neutral))[0] for name, neutral in (("scale_factor", 1), ("add_offset", 0)))
    if (scale, offset) != (1, 0):
        values, fill = np.where(filled(values, fill), np.nan, values * float(scale) + float(offset)), []
    return values, list(map(float, fill)), _text(told.get("units"))


def _text(attribute: Any) -> str | None:
    return attribute.decode() if isinstance(attribute, bytes) else attribute
