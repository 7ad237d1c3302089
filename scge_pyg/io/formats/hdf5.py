"""Arrays in HDF5 files, also those of MATLAB 7.3 and netCDF 4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.importing import import_extra
from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "an HDF5 file"
SUFFIXES = (".h5", ".hdf5", ".hdf")


def matches(source: Any) -> bool:
    """Whether ``source`` is an HDF5 file."""
    return suffix(source) in SUFFIXES


def read(path: Path, key: str | None = None, nodes_first: bool = False, rate: float | None = None) -> Signals:
    """One array of the file ``[S, N]`` or ``[S, N, C]``, read block by block when it is needed.

    Args:
        path: The file.
        key: Where the array is, ``"group/array"``. Default: the only one of two or three axes.
        nodes_first: Whether it is ``[N, S]`` or ``[N, S, C]``.
        rate: Samples a second.

    Raises:
        ValueError: If the array has to be named.
    """
    h5py = import_extra("h5py", "readers", "reading HDF5")
    file = h5py.File(path, "r")
    held: dict[str, Any] = {}

    def look(name: str, item: Any) -> None:
        array = isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf"
        if array and len(item.shape) in (2, 3) and min(item.shape[:2]) > 1:
            held[name] = item

    file.visititems(look)
    key = None if key is None else key.strip("/")
    if key is None and len(held) == 1:
        key = next(iter(held))
    if key not in held:
        shown = (
            ", ".join(f"{name} {list(item.shape)}" for name, item in held.items()) or "no arrays of two or three axes"
        )
        raise ValueError(f"read: {path} holds {shown}; choose one with key= (on the command line --key), got {key!r}")
    array = held[key]
    if nodes_first:
        array = np.moveaxis(array[()], 0, 1)
    return Signals(array, rate=rate)
