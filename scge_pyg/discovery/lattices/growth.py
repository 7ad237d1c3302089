"""Filling open cells one by one, the surest placement first: the inner loop of the search, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["fill"]

_LEADING = 32  # open cells with the best fits, among which the next placement is sought


@njit(cache=True)
def _rank(
    table: np.ndarray, row: int, first: np.ndarray, second: np.ndarray, best: np.ndarray, rival: np.ndarray
) -> None:
    """Note the two nodes that fit a cell best, and how well."""
    high = low = np.float32(-np.inf)
    top = runner = 0
    for j in range(table.shape[1]):
        value = table[row, j]
        if value > high:
            low, runner = high, top
            high, top = value, j
        elif value > low:
            low, runner = value, j
    first[row], second[row], best[row], rival[row] = high, low, top, runner


@njit(cache=True)
def _surest(
    table: np.ndarray, rows: int, first: np.ndarray, second: np.ndarray, best: np.ndarray, margin: float
) -> int:
    """Row of the placement with the largest margin over its rivals, among the cells with the best fits."""
    leading = np.empty(_LEADING, dtype=np.int64)
    count = 0
    for row in range(rows):
        if count == _LEADING and first[row] <= first[leading[count - 1]]:
            continue
        place = count if count < _LEADING else count - 1
        count = place + 1
        while place > 0 and first[leading[place - 1]] < first[row]:
            leading[place] = leading[place - 1]
            place -= 1
        leading[place] = row
    chosen, largest = leading[0], -np.inf
    for row in leading[:count]:
        runner_up = max(second[row], np.float32(0.0))
        for other in leading[:count]:
            if other != row:
                runner_up = max(runner_up, table[other, best[row]])
        value = first[row] - margin * runner_up
        if value > largest:
            chosen, largest = row, value
    return chosen


@njit(cache=True)
def fill(
    node_at: np.ndarray,
    key_of: np.ndarray,
    ring: np.ndarray,
    num_axis: int,
    bins: np.ndarray,
    ratio: np.ndarray,
    nodes: np.ndarray,
    frontier: np.ndarray,
    margin: float,
) -> bool:
    """Place nodes on open cells, and on those that open beside them, until none is left or the box is too small.

    A placement's value is the evidence for it less ``margin`` times that for its runner-up: another node on that cell,
    that node on another open cell, or nothing at all.

    Cost: :math:`O(Q m)` a placement for ``m`` nodes and ``Q`` offsets.

    Args:
        node_at: Node on each cell of the box, -1 where there is none, the last entry for what lies outside, ``[V + 1]``
            int64; changed.
        key_of: Cell of each node, -1 for nodes to place, ``[N]`` int64; changed.
        ring: Cells around each cell, -1 outside of the box, ``[V + 1, Q]`` int64.
        num_axis: How many of the offsets are axis neighbours.
        bins: Histogram bin of each pair, ``[N, N]`` uint8.
        ratio: Log-likelihood ratio of each bin at each offset, ``[Q, bins]`` float32.
        nodes: Nodes to place, ``[m]`` int64.
        frontier: Open cells to begin with, ``[F]`` int64.
        margin: Weight of the runner-up.

    Returns:
        Whether growth stopped at the border of the box.
    """
    count, capacity = len(nodes), max(64, 2 * len(frontier))
    table = np.empty((capacity, count), dtype=np.float32)
    first, second = np.empty(capacity, dtype=np.float32), np.empty(capacity, dtype=np.float32)
    best, rival = np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64)
    key_at = np.empty(capacity, dtype=np.int64)
    stale = np.zeros(capacity, dtype=np.bool_)
    row_of = np.full(len(node_at), -1, dtype=np.int64)
    closed = np.zeros(count, dtype=np.float32)
    opened = frontier
    rows = 0
    for placed in range(count + 1):
        for key in opened:
            if rows == len(key_at):
                table, stale = np.concatenate((table, table)), np.concatenate((stale, stale))
                first, second = np.concatenate((first, first)), np.concatenate((second, second))
                best, rival = np.concatenate((best, best)), np.concatenate((rival, rival))
                key_at = np.concatenate((key_at, key_at))
            row_of[key], key_at[rows], stale[rows] = rows, key, True
            table[rows] = closed
            for q in range(ring.shape[1]):
                occupant = node_at[ring[key, q]]
                if occupant >= 0:
                    for j in range(count):
                        table[rows, j] += ratio[q, bins[occupant, nodes[j]]]
            rows += 1
        for row in range(rows):
            if stale[row]:
                _rank(table, row, first, second, best, rival)
                stale[row] = False
        if placed == count or rows == 0:
            return False
        row = _surest(table, rows, first, second, best, margin)
        chosen, key = best[row], key_at[row]
        node = nodes[chosen]
        key_of[node], node_at[key] = key, node
        rows -= 1
        row_of[key] = -1
        if row != rows:
            table[row], key_at[row], best[row], rival[row] = table[rows], key_at[rows], best[rows], rival[rows]
            first[row], second[row] = first[rows], second[rows]
            row_of[key_at[row]] = row
        closed[chosen] = -np.inf
        for other in range(rows):
            table[other, chosen] = -np.inf
            stale[other] = best[other] == chosen or rival[other] == chosen
        opened = np.empty(num_axis, dtype=np.int64)
        new = 0
        for q in range(ring.shape[1]):
            beside = ring[key, q]
            if beside < 0:
                if q < num_axis and placed + 1 < count:
                    return True
            elif node_at[beside] < 0:
                row = row_of[beside]
                if row >= 0:
                    for j in range(count):
                        table[row, j] += ratio[q, bins[node, nodes[j]]]
                    stale[row] = True
                elif q < num_axis:
                    opened[new] = beside
                    row_of[beside] = -2
                    new += 1
        opened = opened[:new]
    return False
