"""Arrays of MATLAB: ``.mat`` up to version 7; those of 7.3 are HDF5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a file of MATLAB"
SUFFIXES = (".mat",)

_NAMES = ("names", "labels", "channels", "ch_names", "channel_names", "clab", "electrodes", "sensors")
_RATES = ("rate", "fs", "srate", "sfreq", "sampling_rate", "samplerate", "fsample")


def matches(source: Any) -> bool:
    """Whether ``source`` is a file of MATLAB."""
    return suffix(source) in SUFFIXES


def read(path: Path, key: str | None = None, nodes_first: bool = False) -> Signals:
    """One array of the file, with names and rate where others of the file are called so.

    Args:
        path: The file.
        key: Name of the array. Default: the only one of at least two axes.
        nodes_first: Whether it is ``[N, S]``. It is also turned where only then there is a name for each node.

    Raises:
        ValueError: If the array has to be named.
    """
    from scipy.io import loadmat

    try:
        held: Mapping[str, Any] = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except NotImplementedError:
        from scge_pyg.io.formats import hdf5

        return hdf5.read(path, key, nodes_first=not nodes_first)  # HDF5 stores the axes of MATLAB in reverse
    values = np.asarray(held[_chosen(held, key, path)])
    names = _strings(held, values.shape)
    if nodes_first or (names is not None and len(names) != values.shape[1]):
        values = np.moveaxis(values, 0, 1)
    rate = next((float(value.item()) for name, value in _called(held, _RATES) if value.size == 1), None)
    return Signals(values, names if names is None or len(names) == values.shape[1] else None, rate)


def _chosen(held: Mapping[str, Any], key: str | None, path: Path) -> str:
    arrays = {name: value for name, value in held.items() if _is_array(value)}
    if key is None and len(arrays) == 1:
        return next(iter(arrays))
    shown = ", ".join(f"{name} {list(value.shape)}" for name, value in arrays.items()) or "no arrays of numbers"
    if key is None:
        raise ValueError(f"read: {path} holds {shown}; choose one with key= (on the command line --key)")
    if key not in arrays:
        raise ValueError(f"read: {path} has no array of numbers key={key!r}; it holds {shown}")
    return key


def _is_array(value: Any) -> bool:
    numbers = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    return numbers and value.ndim in (2, 3) and min(value.shape[:2]) > 1


def _called(held: Mapping[str, Any], names: tuple[str, ...]) -> list[tuple[str, NDArray[Any]]]:
    return [(name, np.asarray(value)) for name, value in held.items() if name.lower() in names]


def _strings(held: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """Names in a cell array or a matrix of characters, one for each row or each column of the array."""
    for _, value in _called(held, _NAMES):
        cells = [np.asarray(cell).ravel() for cell in value.ravel()]
        names = tuple(str(cell[0]).strip() for cell in cells if cell.size == 1 and cell.dtype.kind == "U")
        if len(names) in shape[:2]:
            return names
    return None
