"""Recordings and labelled arrays of other fields as sources, read by :mod:`scge_pyg.io`."""

from __future__ import annotations

import os
from typing import Any

from scge_pyg.discovery.signals.source import Source
from scge_pyg.io import Signals, read
from scge_pyg.io.readers import format_of

__all__ = ["from_field", "is_of_a_field"]


def is_of_a_field(x: Any) -> bool:
    """Whether ``x`` is ``Signals``, or an object that :func:`scge_pyg.io.read` knows; a path or a data set is none."""
    if isinstance(x, Signals):
        return True
    if isinstance(x, str | os.PathLike | type) or hasattr(x, "data_vars"):
        return False
    in_chunks = getattr(x, "chunks", None) is not None and len(x.shape) == 2  # read block by block as an array
    return format_of(x) is not None and not in_chunks


def from_field(x: Any) -> Source:
    """The samples of a recording with its names; nodes that it marks as bad are missing throughout."""
    signals = x if isinstance(x, Signals) else read(x)
    return Source(tuple(signals.samples.shape), signals.rows, signals.names, notes=signals.notes)
