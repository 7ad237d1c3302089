"""Bare numbers in a file, channel fastest, as acquisition systems write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a file of bare numbers"
SUFFIXES = (".bin", ".dat", ".raw", ".fdt")


def matches(source: Any) -> bool:
    """Whether ``source`` is a file whose suffix promises nothing more."""
    return suffix(source) in SUFFIXES


def read(
    path: Path, raw: str | None = None, channels: int | None = None, rate: float | None = None, skip: int = 0
) -> Signals:
    """A memory map ``[S, N]``: nothing is read yet.

    Args:
        path: The file.
        raw: Type of a number as numpy writes it, ``"int16"`` or ``">i2"`` for big-endian ones.
        channels: Number of channels N.
        rate: Samples a second.
        skip: Bytes of a header to pass over.

    Raises:
        ValueError: If type or channels are not said, or the file holds no whole number of samples.
    """
    if raw is None or channels is None:
        raise ValueError(
            f"read: {path} says nothing about its numbers; say raw='int16' (their type) and channels=64 (how many), "
            f"on the command line --raw int16 --channels 64"
        )
    try:
        kind = np.dtype(raw)
    except TypeError as error:
        raise ValueError(f"read: raw must be a type of numbers such as 'int16' or 'float32', got {raw!r}") from error
    if kind.kind not in "iuf":
        raise ValueError(f"read: raw must be a type of real numbers such as 'int16' or 'float32', got {raw!r}")
    if channels < 1 or skip < 0:
        raise ValueError(f"read: channels must be at least 1 and skip at least 0, got {channels} and {skip}")
    size = path.stat().st_size - skip
    row = channels * kind.itemsize
    if size < row or size % row:
        raise ValueError(
            f"read: {path} has {size} bytes after {skip}, which is no whole number of samples of {channels} {kind} "
            f"({row} bytes each, {size % row if size > 0 else 0} left over); check raw, channels and skip"
        )
    return Signals(np.memmap(path, kind, "r", skip, (size // row, channels)), rate=rate)
