"""What a column of a table is, if it is no node: row numbers, row labels or times, judged by its values and name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Values", "as_values", "goes_back", "is_date", "is_missing", "is_text", "number", "what_it_is"]

Values = NDArray[np.float64] | list[str]
"""The cells of a column: numbers with NaN where missing, or text if one of them is."""

_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none"})
_INDEX_NAME = re.compile(r"|index|row|rownames?|unnamed: \d+|__index_level_\d+__", re.IGNORECASE)
_TIME_NAME = re.compile(r"(time|date|timestamp|datetime)([\s_.(\[].*)?", re.IGNORECASE)
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?"
_DATE = re.compile(rf"\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}([T ]{_CLOCK})?|{_CLOCK}")
_YEAR_FIRST = re.compile(r"\d{4}[-/.]")
_FEWEST_ROWS = 8  # a column of fewer may count by chance
_ROUNDING = 0.05  # of a step: how far written times may lie off an even clock


def number(cell: str) -> float:
    """The number in a cell, NaN if there is none."""
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def is_missing(cell: str) -> bool:
    """Whether a cell is empty or says that its value is missing."""
    return cell.strip().lower() in _MISSING


def is_text(cell: str) -> bool:
    """Whether a cell holds something else than a number or a missing value."""
    return not is_missing(cell) and bool(np.isnan(number(cell)))


def is_date(cell: str) -> bool:
    """Whether a cell holds a date, a time of day or both."""
    return _DATE.fullmatch(cell.strip()) is not None


def as_values(cells: Sequence[str]) -> Values:
    """Numbers if every cell holds one or is missing, else the cells."""
    return list(cells) if any(map(is_text, cells)) else np.array([number(cell) for cell in cells])


def what_it_is(name: str | None, values: Values, *, first: bool) -> str | None:
    """What a column holds instead of measurements.

    Row numbers are distinct whole numbers below the name of an index, or a first column that grows by one. Times are
    dates, numbers that never turn below the name of a time, or a first column that grows by an even step.

    Args:
        name: Its name, if it has one; pandas leaves that of row numbers empty.
        values: Its first cells.
        first: Whether it is the leftmost column.

    Returns:
        ``"row-number"``, ``"row-label"``, ``"time"``, ``"empty"`` without name and values, or None for measurements.

    Example:
        >>> what_it_is("s0", np.arange(10.0), first=True)
        'row-number'
        >>> what_it_is("when", ["2024-01-01 00:05", "2024-01-01 00:10"], first=False)
        'time'
        >>> what_it_is("s1", np.array([0.3, 0.1, 0.7]), first=False)
    """
    index_name = name is not None and _INDEX_NAME.fullmatch(name.strip()) is not None
    if isinstance(values, list):
        if all(is_date(cell) or is_missing(cell) for cell in values):
            return "time"
        return "row-label" if index_name and first else None
    if name == "" and len(values) and np.isnan(values).all():
        return "empty"
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    whole = bool((values == np.round(values)).all())
    if index_name and whole and len(np.unique(values)) == len(values):
        return "row-number"
    step = np.diff(values)
    monotone = bool((step >= 0).all() or (step <= 0).all()) and bool(step.any())
    if name is not None and _TIME_NAME.fullmatch(name.strip()) and monotone:
        return "time"
    if not first or len(values) < _FEWEST_ROWS:
        return None
    mean = (values[-1] - values[0]) / (len(values) - 1)
    even = np.abs(values - values[0] - mean * np.arange(len(values))).max() <= _ROUNDING * mean
    if mean <= 0 or not even:
        return None
    return "row-number" if whole and mean == 1 else "time"


def goes_back(times: Iterable[str | float]) -> tuple[int, str | float, str | float] | None:
    """Where a column of times first decreases: the row, counted from 0, the time before and the time there.

    Dates are compared if the year comes first; other ways of writing are ambiguous, and cells that hold them, or
    nothing, are passed over.

    Example:
        >>> goes_back([1.0, 2.0, 2.0, 1.5])
        (3, 2.0, 1.5)
        >>> goes_back(["2024-01-31", "2024-02-01", "2024-02-02 12:00"])
    """
    before: tuple[tuple[float, ...], str | float] | None = None
    for row, time in enumerate(times):
        key = _order(time)
        if not key:
            continue
        if before is not None and key < before[0]:
            return row, before[1], time
        before = key, time
    return None


def _order(time: str | float) -> tuple[float, ...]:
    """Numbers that sort as the time does; none where that can't be told."""
    if not isinstance(time, str):
        return () if np.isnan(time) else (time,)
    value = number(time)
    if not np.isnan(value):
        return (value,)
    text = time.strip()
    if _YEAR_FIRST.match(text) is None or text[-1:] in "mM":
        return ()
    return tuple(float(part) for part in re.split(r"[^\d]+", re.sub(r"([+-]\d{2}:?\d{2}|Z| ?UTC)$", "", text)) if part)
