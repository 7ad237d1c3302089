"""Data frames of pandas: columns are nodes, rows are samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from scge_pyg.io.fields import empty
from scge_pyg.io.libraries import is_of
from scge_pyg.io.signals import Signals, listed

__all__ = ["NAME", "SUFFIXES", "matches", "read"]

NAME = "a data frame of pandas"
SUFFIXES = ()


def matches(source: Any) -> bool:
    """Whether ``source`` is a ``DataFrame``."""
    return is_of(source, "pandas", "DataFrame")


def read(frame: Any) -> Signals:
    """The columns as nodes; an index of evenly spaced times gives the rate.

    Raises:
        ValueError: If columns hold no numbers.
    """
    text = [str(name) for name, dtype in zip(frame.columns, frame.dtypes, strict=True) if dtype.kind not in "biuf"]
    if text:
        raise ValueError(
            f"read: columns that hold no numbers: {listed(text)}; leave them out, frame.select_dtypes('number')"
        )
    plain = [np.dtype(getattr(dtype, "numpy_dtype", dtype)) for dtype in frame.dtypes]
    values = frame.to_numpy(dtype=np.result_type(np.float32, *plain), na_value=np.nan)
    names = tuple("/".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns)
    return Signals(values, names, _rate(frame.index), empty(values))


def _rate(index: Any) -> float | None:
    if getattr(index.dtype, "kind", "") != "M" or len(index) < 2:
        return None
    steps = np.diff(index.to_numpy().astype("datetime64[ns]").astype(np.int64)) / 1e9
    return float(1 / steps[0]) if steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3) else None
