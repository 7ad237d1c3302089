"""What the index of a table says of time: whether rows are in order, and where steps are missing between them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from scge_pyg.discovery.signals.tables import is_table

__all__ = ["after_gaps"]

_GAP = 1.5  # median steps; a missing row makes two
_NEVER = np.iinfo(np.int64).min  # how pandas writes a missing time


def after_gaps(x: Any, where: str) -> np.ndarray | None:
    """Whether time is missing before each row of a frame of pandas or an array of xarray ``[T]``, as its index says.

    An index of times or of rising numbers is read; others say nothing of time. A step is a gap if it is longer than 1.5
    median ones, unless pandas knows the index as regular all the same: business days, months.

    Returns:
        None for what has no such index.

    Raises:
        ValueError: If times, or numbers of which each is there once, are not in rising order.

    Example:
        >>> import pandas
        >>> after_gaps(pandas.DataFrame({"a": [1.0, 2, 3, 4]}, index=[0.1, 0.2, 0.3, 0.9]), "x").tolist()
        [False, False, False, True]
    """
    index, remedy, forget = _index(x)
    ticks = getattr(index, "asi8", None)
    of_time = ticks is not None
    if index is None or not (of_time or getattr(index.dtype, "kind", "") in "iuf"):
        return None
    values = np.asarray(index if ticks is None else ticks)
    if of_time and (values == _NEVER).any():
        raise ValueError(
            f"lagged_coupling: the index of {where} lacks the time of row {int((values == _NEVER).argmax())}; "
            f"fill it in, or call {forget} if rows follow one another as they stand"
        )
    falls = ~(values[1:] > values[:-1])
    if falls.any() and (of_time or index.is_unique):
        row = 1 + int(falls.argmax())
        raise ValueError(
            f"lagged_coupling: rows of {where} must be in time order, but its index has {index[row]} in row {row} "
            f"after {index[row - 1]}; sort it, {remedy}, and let no time come twice, or call {forget} if rows follow "
            f"one another as they stand"
        )
    late = np.zeros(len(values), dtype=bool)
    if len(values) > 2 and not falls.any():
        step = np.diff(values).astype(float)
        late[1:] = step > _GAP * np.median(step)
    return late & (not late.any() or not _regular(index))


def _regular(index: Any) -> bool:
    """Whether uneven steps are those of a calendar: business days or months, but not hours with nights between."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas 3.1 announces that an offset will be returned
        found = getattr(index, "inferred_freq", None)
    return found is not None and getattr(found, "freqstr", found) != "bh"


def _index(x: Any) -> tuple[Any, str, str]:
    """The index of the rows, if there is one, how to sort it, and how to do without it."""
    if is_table(x):
        return getattr(x, "index", None), "x.sort_index()", "x.reset_index(drop=True)"
    dims = tuple(getattr(x, "dims", ())) if hasattr(x, "indexes") else ()
    found = x.indexes.get(dims[0]) if dims else None
    return found, *((f"x.sortby({dims[0]!r})", f"x.drop_vars({dims[0]!r})") if dims else ("", ""))
