"""Arrays of numpy: ``.npy`` and ``.npz``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a file of numpy"
SUFFIXES = (".npy", ".npz")


def matches(source: Any) -> bool:
    """Whether ``source`` is a file of numpy."""
    return suffix(source) in SUFFIXES


def read(path: Path, key: str | None = None, rate: float | None = None) -> Signals:
    """An array ``[S, N]`` or ``[S, N, C]``; that of an ``.npy`` stays on disk.

    Args:
        path: The file.
        key: Name of the array in an ``.npz``. Default: the only one.
        rate: Samples a second.

    Raises:
        ValueError: If it holds no numbers, or the array has to be named.
    """
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(found, np.ndarray):
        return Signals(_numbers(found), rate=rate)
    with found:
        if key is None and len(found.files) == 1:
            key = found.files[0]
        if key not in found.files:
            raise ValueError(f"read: {path} holds {', '.join(found.files)}; choose one with key=, got {key!r}")
        return Signals(_numbers(found[key]), rate=rate)


def _numbers(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"values are of type {array.dtype}, and numbers are needed")
    return array
