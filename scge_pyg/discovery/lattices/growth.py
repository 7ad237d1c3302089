"""Filling open cells one by one, the surest placement first: the inner loop of the search, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

__all__ = ["Ground", "Marks", "fill"]

_LEADING = 32  # open cells with the best fits, among which the next placement is sought


class Ground(NamedTuple):
    """Cells, and the evidence of nodes for each other.

    Attributes:
        ring: Cells around each cell, -1 outside of the box, ``[V + 1, Q]`` int64.
        num_axis: How many of the offsets are axis neighbours.
        start: Where the partners of each node begin, ``[N + 1]`` int64.
        partner: Partners of each node, ``[nnz]`` int64.
        bins: Bin of the node with that partner, ``[nnz]`` uint8.
        unrelated: Log-likelihood ratio of nodes that are no partners at each offset, ``[Q]`` float64.
        excess: That of each bin above it, ``[Q, bins]`` float64; opposite offsets have the same.
    """

    ring: np.ndarray
    num_axis: int
    start: np.ndarray
    partner: np.ndarray
    bins: np.ndarray
    unrelated: np.ndarray
    excess: np.ndarray


class Marks(NamedTuple):
    """Memory that :func:`fill` leaves as it found it, so that placing few nodes costs as much on any board.

    Attributes:
        waiting: Whether a node is to be placed, ``[N]`` bool, all false.
        met: Whether a node has been met as a partner, ``[N]`` bool, all false.
        gain: Evidence for such a node above that for an unrelated one, ``[N]`` float64, all zero.
        row_of: Row of each open cell, ``[V + 1]`` int64, all -1.
    """

    waiting: np.ndarray
    met: np.ndarray
    gain: np.ndarray
    row_of: np.ndarray


@njit(cache=True)
def _rank(
    key: int,
    node_at: np.ndarray,
    ground: Ground,
    marks: Marks,
    related: np.ndarray,
    nodes: np.ndarray,
    after: np.ndarray,
) -> tuple[float, float, float, int, int]:
    """Evidence for unrelated nodes on a cell, for the two nodes that fit it best, and these two; -1 for none."""
    waiting, met, gain = marks.waiting, marks.met, marks.gain
    base, count = 0.0, 0
    for q in range(ground.ring.shape[1]):
        occupant = node_at[ground.ring[key, q]]
        if occupant >= 0:
            base += ground.unrelated[q]
            for entry in range(ground.start[occupant], ground.start[occupant + 1]):
                node = ground.partner[entry]
                if waiting[node]:
                    if not met[node]:
                        met[node] = True
                        related[count] = node
                        count += 1
                    gain[node] += ground.excess[q, ground.bins[entry]]
    high = low = -np.inf
    top = runner = -1
    for node in related[:count]:
        value = base + gain[node]
        if value > high or (value == high and node < top):
            high, low, top, runner = value, high, node, top
        elif value > low or (value == low and node < runner):
            low, runner = value, node
    place, unmet = after[len(nodes)], 0
    while base >= low and unmet < 2 and place < len(nodes):
        node = nodes[place]
        place = after[place]
        if not met[node]:
            unmet += 1
            if base > high or (base == high and node < top):
                high, low, top, runner = base, high, node, top
            elif base > low or (base == low and node < runner):
                low, runner = base, node
    for node in related[:count]:
        met[node] = False
        gain[node] = 0.0
    return base, high, low, top, runner


@njit(cache=True)
def _leaders(first: np.ndarray, rows: int) -> np.ndarray:
    """Rows of the open cells with the best fits, the best first."""
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
    return leading[:count]


@njit(cache=True)
def _elsewhere(
    node: int,
    row: int,
    leading: np.ndarray,
    rank_of: np.ndarray,
    base: np.ndarray,
    gain: np.ndarray,
    key_of: np.ndarray,
    ground: Ground,
    row_of: np.ndarray,
) -> float:
    """Evidence for a node on the best of the leading cells but the one in ``row``."""
    gain[: len(leading)] = 0.0
    for entry in range(ground.start[node], ground.start[node + 1]):
        key = key_of[ground.partner[entry]]
        if key >= 0:
            for q in range(ground.ring.shape[1]):
                cell = ground.ring[key, q]
                if cell >= 0 and row_of[cell] >= 0 and rank_of[row_of[cell]] >= 0:
                    gain[rank_of[row_of[cell]]] += ground.excess[q, ground.bins[entry]]
    best = -np.inf
    for k in range(len(leading)):
        if leading[k] != row:
            best = max(best, base[leading[k]] + gain[k])
    return best


@njit(cache=True)
def fill(
    node_at: np.ndarray,
    key_of: np.ndarray,
    ground: Ground,
    marks: Marks,
    nodes: np.ndarray,
    frontier: np.ndarray,
    margin: float,
) -> bool:
    """Place nodes on open cells, and on those that open beside them, until none is left or the box is too small.

    A placement's value is the evidence for it less ``margin`` times that for its runner-up: another node on that cell,
    that node on another open cell, or nothing at all.

    Cost: for ``Q`` offsets and ``k`` partners a node, :math:`O(Q k)` a placement and a pass over the open cells.

    Args:
        node_at: Node on each cell of the box, -1 where there is none, the last entry for what lies outside, ``[V + 1]``
            int64; changed.
        key_of: Cell of each node, -1 for nodes that are not placed, ``[N]`` int64; changed.
        ground: Cells and evidence.
        marks: Working memory.
        nodes: Nodes to place, ascending, ``[m]`` int64.
        frontier: Open cells to begin with, ``[F]`` int64.
        margin: Weight of the runner-up.

    Returns:
        Whether growth stopped at the border of the box.
    """
    count, capacity = len(nodes), max(64, 2 * len(frontier))
    base, first, second = np.empty(capacity), np.empty(capacity), np.empty(capacity)
    best, rival = np.empty(capacity, dtype=np.int64), np.empty(capacity, dtype=np.int64)
    key_at, rank_of = np.empty(capacity, dtype=np.int64), np.full(capacity, -1)
    stale = np.zeros(capacity, dtype=np.bool_)
    related, gain = np.empty(count, dtype=np.int64), np.empty(_LEADING)
    after, before = np.arange(count + 1) + 1, np.arange(count + 1) - 1  # chain of the nodes that are still waiting
    after[count], before[0] = 0, count
    row_of, waiting = marks.row_of, marks.waiting
    waiting[nodes] = True
    opened, rows, outgrown = frontier, 0, False
    for placed in range(count):
        for key in opened:
            if rows == len(key_at):
                base, first = np.concatenate((base, base)), np.concatenate((first, first))
                second, stale = np.concatenate((second, second)), np.concatenate((stale, stale))
                best, rival = np.concatenate((best, best)), np.concatenate((rival, rival))
                key_at, rank_of = np.concatenate((key_at, key_at)), np.concatenate((rank_of, rank_of))
            row_of[key], key_at[rows], stale[rows] = rows, key, True
            rows += 1
        if rows == 0 or outgrown:
            break
        for row in range(rows):
            if stale[row]:
                base[row], first[row], second[row], best[row], rival[row] = _rank(
                    key_at[row], node_at, ground, marks, related, nodes, after
                )
                stale[row] = False
        leading = _leaders(first, rows)
        for k in range(len(leading)):
            rank_of[leading[k]] = k
        chosen, largest = leading[0], -np.inf
        for row in leading:
            runner_up = max(second[row], 0.0)
            if first[row] - margin * runner_up > largest:
                other = _elsewhere(best[row], row, leading, rank_of, base, gain, key_of, ground, row_of)
                value = first[row] - margin * max(runner_up, other)
                if value > largest:
                    chosen, largest = row, value
        rank_of[leading] = -1
        node, key = best[chosen], key_at[chosen]
        key_of[node], node_at[key], waiting[node] = key, node, False
        place = np.searchsorted(nodes, node)
        after[before[place]], before[after[place]] = after[place], before[place]
        rows -= 1
        row_of[key] = -1
        if chosen != rows:
            key_at[chosen], base[chosen], best[chosen], rival[chosen] = (
                key_at[rows],
                base[rows],
                best[rows],
                rival[rows],
            )
            first[chosen], second[chosen] = first[rows], second[rows]
            row_of[key_at[chosen]] = chosen
        for row in range(rows):
            stale[row] = best[row] == node or rival[row] == node
        opened = np.empty(ground.num_axis, dtype=np.int64)
        new = 0
        for q in range(ground.ring.shape[1]):
            beside = ground.ring[key, q]
            if beside < 0:
                outgrown = outgrown or (q < ground.num_axis and placed + 1 < count)
            elif node_at[beside] < 0:
                if row_of[beside] >= 0:
                    stale[row_of[beside]] = True
                elif q < ground.num_axis and row_of[beside] == -1:
                    opened[new] = beside
                    row_of[beside] = -2
                    new += 1
        opened = opened[:new]
    row_of[key_at[:rows]] = -1
    row_of[opened] = -1
    waiting[nodes] = False
    return outgrown
