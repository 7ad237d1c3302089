"""Sound: ``.wav``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scge_pyg.io.libraries import suffix
from scge_pyg.io.signals import Signals

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a wave file"
SUFFIXES = (".wav",)


def matches(source: Any) -> bool:
    """Whether ``source`` is a wave file."""
    return suffix(source) in SUFFIXES


def read(path: Path, window: int | None = None) -> Signals:
    """Channels as nodes, or moments within a window.

    Args:
        path: The file.
        window: Cut each channel into windows of so many moments: a window is then a sample, and a moment a node.

    Raises:
        ValueError: If the window is longer than the recording.
    """
    from scipy.io import wavfile

    try:
        rate, values = wavfile.read(path, mmap=True)
    except ValueError:  # 24 bits can't be mapped
        rate, values = wavfile.read(path)
    values = values[:, None] if values.ndim == 1 else values
    if window is None:
        return Signals(values, rate=float(rate))
    length = len(values)
    if not 1 <= window <= length:
        raise ValueError(f"read: window must be from 1 to the {length} moments of {path}, got {window}")
    kept = length // window * window
    cut = np.moveaxis(values[:kept].reshape(-1, window, values.shape[1]), 2, 0).reshape(-1, window)
    left = (f"left out {length - kept} moments at the end, less than a window",) if kept < length else ()
    return Signals(cut, rate=float(rate) / window, notes=left)
