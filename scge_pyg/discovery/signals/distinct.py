"""Rows by their content: which are the same, and an order that does not depend on where they stand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["distinct_contents", "distinct_rows"]

_FIRST = 32  # columns, which tell most rows apart


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of one row per distinct content, ordered by content, and the position of each row among them."""
    return distinct_contents(len(rows), lambda some, columns: rows[some, columns])


def distinct_contents(count: int, content: Callable[[np.ndarray, slice], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The same of rows that ``content`` gives for row numbers ``[n]`` and a slice of columns, ``[n, m]``.

    Rows whose first columns differ are told apart by these alone; only of the others is the whole content held.
    """
    first = [row.tobytes() for row in content(np.arange(count), slice(0, _FIRST))]
    times: dict[bytes, int] = {}
    for key in first:
        times[key] = times.get(key, 0) + 1
    rest = [
        content(np.array([row]), slice(_FIRST, None)).tobytes() if times[key] > 1 else b""
        for row, key in enumerate(first)
    ]
    keys = list(zip(first, rest, strict=True))
    position = {key: place for place, key in enumerate(sorted(set(keys)))}
    inverse = np.array([position[key] for key in keys])
    index = np.empty(len(position), dtype=np.int64)
    index[inverse] = np.arange(count)
    return index, inverse
