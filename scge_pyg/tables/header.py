"""Whether the first line of a table names the columns, also where the names are numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scge_pyg.tables.column_kinds import as_values, is_date, is_missing, is_text, number, what_it_is

__all__ = ["NAMES", "NUMERIC_IDS", "what_first_line_is"]

NAMES = "names"
NUMERIC_IDS = "numeric ids"

_PLAIN = re.compile(r"\d+(\.\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_CHANCE = 0.01  # that a sample is written like this one
_FEW_ROWS, _MANY_ROWS = 8, 200
_FEWEST_STEPS = 4


def what_first_line_is(fields: Sequence[str], rows: Sequence[Sequence[str]], *, quoted: bool = False) -> str | None:
    """Tell names, numeric ids and samples apart.

    A line with text holds names, unless the text is a date above dates. A line of distinct numbers without sign and
    exponent holds ids if one of these is true: it alone is quoted; an unnamed first column below it holds row
    numbers; the ids are whole where the columns hold so many fractions that a sample would be all whole in less
    than one of a hundred tables; nine in ten of them lie outside the values of their column, by more than these
    differ (by anything, of 200 rows and more); they grow by an even step, and the first row below does not. One
    sample too few harms less than ids taken for a sample.

    Args:
        fields: Cells of the first line.
        rows: Cells of the lines below.
        quoted: Whether the cells of the first line, and no others, stand in quotes.

    Returns:
        ``NAMES``, ``NUMERIC_IDS``, or None if the line is a sample.

    Example:
        >>> what_first_line_is(["710000", "710900", "712700"], [["61.5", "58.2", "64.9"]] * 4)
        'numeric ids'
        >>> what_first_line_is(["61", "58", "64"], [["60", "59", "62"], ["61", "57", "66"]])
    """
    dates = {j for j, field in enumerate(fields) if is_date(field) and rows and is_date(rows[0][j])}
    if any(is_text(field) for j, field in enumerate(fields) if j not in dates):
        return NAMES
    unnamed = is_missing(fields[0])
    taken = [j for j in range(int(unnamed), len(fields)) if j not in dates]
    ids = [fields[j].strip() for j in taken]
    if len(ids) < 2 or len(set(ids)) < len(ids) or not all(map(_PLAIN.fullmatch, ids)):
        return None
    below = [[row[j] for j in taken] for row in rows]
    numbered = unnamed and what_it_is("", as_values([row[0] for row in rows]), first=True) == "row-number"
    numbers = np.array([number(field) for field in ids])
    table = np.array([[number(cell) for cell in row] for row in below]).reshape(len(below), len(ids))
    found = quoted or numbered or _written_unlike(ids, below) or _far_away(numbers, table) or _even(numbers, table)
    return NUMERIC_IDS if found else None


def _written_unlike(ids: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    if not all(map(_WHOLE.fullmatch, ids)):
        return False
    whole = np.array([[_WHOLE.fullmatch(cell.strip()) is not None for cell in row] for row in rows])
    told = np.array([[not is_missing(cell) for cell in row] for row in rows])
    if not len(rows):
        return False
    share = (whole.sum(0) + 1.0) / (told.sum(0) + 2.0)
    return bool(np.log(share).sum() < np.log(_CHANCE))


def _far_away(ids: NDArray[np.float64], table: NDArray[np.float64]) -> bool:
    if len(table) < _FEW_ROWS:
        return False
    seen = np.isfinite(table)
    low, high = np.where(seen, table, np.inf).min(0), np.where(seen, table, -np.inf).max(0)
    known = seen.any(0)
    outside = np.maximum(low - ids, ids - high)[known]
    needed = 0.0 if len(table) >= _MANY_ROWS else (high - low)[known]
    return bool(known.any()) and float((outside > needed).mean()) >= 0.9


def _even(ids: NDArray[np.float64], table: NDArray[np.float64]) -> bool:
    if len(ids) < _FEWEST_STEPS or not len(table):
        return False
    return _grows_evenly(ids) and not _grows_evenly(table[0])


def _grows_evenly(values: NDArray[np.float64]) -> bool:
    step = np.diff(values)
    return bool(step[0] > 0) and bool(np.allclose(step, step[0], rtol=1e-6, atol=0.0))
