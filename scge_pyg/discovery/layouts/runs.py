"""Runs of channels, in channel order, that fit better turned round or shifted by one pin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

__all__ = ["LEAST", "Run", "best_runs", "run_order"]

LEAST = 4  # channels a run: two or three that are turned are an exchange


class Run(NamedTuple):
    """Channels ``start`` to ``stop - 1``, turned round (``by`` 0) or each at the place ``by`` further on."""

    start: int
    stop: int
    by: int


def run_order(size: int, run: Run) -> np.ndarray:
    """Place of each channel ``[size]`` where a run is turned or shifted; ends of a shifted one change over.

    Example:
        >>> run_order(6, Run(1, 5, 0)).tolist(), run_order(6, Run(1, 5, 1)).tolist()
        ([0, 4, 3, 2, 1, 5], [0, 2, 3, 4, 1, 5])
    """
    order = np.arange(size)
    own = order[run.start : run.stop]
    order[run.start : run.stop] = np.roll(own, -run.by) if run.by else own[::-1]
    return order


def best_runs(coupling: np.ndarray, expected: np.ndarray, by: int, count: int) -> list[Run]:
    r"""Runs whose change raises :math:`\sum_{ij} A_{ij} B_{\pi(i) \pi(j)}` most, best first.

    A longer run is a shorter one and an exchange of two channels l, r on top of it, which adds

    .. math::
        2 \sum_{k \ne l, r} (A_{lk} - A_{rk}) (B_{\pi(r) \pi(k)} - B_{\pi(l) \pi(k)}) :

    a turned run grows at both ends, and exchanges them; one shifted by 1 exchanges its last channel with the next, and
    one shifted by -1 its first.

    Cost: :math:`O(N^3)` for all :math:`N^2 / 2` runs, compiled.

    Args:
        coupling: A, symmetric ``[N, N]``; 0 for channels that have no say.
        expected: B, symmetric ``[N, N]``.
        by: 0 for turned runs, 1 or -1 for shifted ones.
        count: How many runs to return, at most.

    Example:
        >>> place = np.arange(9.0)[:, None]
        >>> near = np.exp(-np.abs(place - place.T) / 3)
        >>> claimed = run_order(9, Run(1, 6, 0))
        >>> best_runs(near[np.ix_(claimed, claimed)], near, 0, 1)
        [Run(start=1, stop=6, by=0)]
    """
    grown = _turned if by == 0 else _shifted
    gain = grown(np.ascontiguousarray(coupling), np.ascontiguousarray(expected), by)
    place = np.arange(len(coupling))
    start, last = np.nonzero(place - place[:, None] >= LEAST - 1)
    best = np.argsort(-gain[start, last], kind="stable")[:count]
    return [Run(int(start[k]), int(last[k]) + 1, by) for k in best if gain[start[k], last[k]] > 0]


@njit(cache=True)
def _added(coupling: np.ndarray, expected: np.ndarray, order: np.ndarray, left: int, right: int) -> float:
    """What exchanging two channels adds on top of ``order``, which is changed."""
    total = 0.0
    for k in range(len(order)):
        if k not in (left, right):
            less = coupling[left, k] - coupling[right, k]
            total += less * (expected[order[right], order[k]] - expected[order[left], order[k]])
    order[left], order[right] = order[right], order[left]
    return 2 * total


@njit(cache=True)
def _turned(coupling: np.ndarray, expected: np.ndarray, by: int) -> np.ndarray:
    """Gain of turning the run from each first to each last channel, ``[N, N]``."""
    size = len(coupling)
    gain = np.zeros((size, size))
    for ends in range(1, 2 * size - 2):
        left, right = (ends - 1) // 2, ends // 2 + 1
        order = np.arange(size)
        total = 0.0
        while left >= 0 and right < size:
            total += _added(coupling, expected, order, left, right)
            gain[left, right] = total
            left -= 1
            right += 1
    return gain


@njit(cache=True)
def _shifted(coupling: np.ndarray, expected: np.ndarray, by: int) -> np.ndarray:
    """Gain of shifting the run from each first to each last channel, ``[N, N]``."""
    size = len(coupling)
    gain = np.zeros((size, size))
    for first in range(size - 1):
        order = np.arange(size)
        total = 0.0
        for last in range(first + 1, size):
            total += _added(coupling, expected, order, last - 1 if by > 0 else first, last)
            gain[first, last] = total
    return gain
