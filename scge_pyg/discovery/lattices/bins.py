"""Couplings of pairs as bins of a histogram, kept only where nodes are partners of each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numba import njit

__all__ = ["PairBins", "bin_pairs"]

_TAIL = 0.07  # share of the pairs that lie in the finer bins
_APART = 4  # bins; histograms are blurred by one
_FOR_NODES = 2048  # in larger node sets, as many pairs a node as that share of these nodes' pairs


@dataclass(frozen=True)
class PairBins:
    """Bin of each pair of nodes: symmetric, stored by rows, one bin for all pairs that are not stored.

    Attributes:
        start: Where the partners of each node begin, ``[N + 1]`` int64.
        partner: Partners, ascending in each row, ``[nnz]`` int64.
        bin: Bin of the node with that partner, ``[nnz]`` uint8.
        rest: Bin of all other pairs.
    """

    start: np.ndarray
    partner: np.ndarray
    bin: np.ndarray
    rest: int

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def count(self) -> int:
        """Number of bins, the empty ones below the highest included."""
        return max(int(self.bin.max(initial=0)), self.rest) + 1

    def at(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Bins of pairs of nodes, any shapes that broadcast; of ``-1`` that of unrelated nodes.

        Example:
            >>> bins = bin_pairs(sp.csr_matrix([[0, 0.2, 0], [0.2, 0, 0], [0, 0, 0]]))
            >>> bool(bins.at(0, 1) > bins.at(0, 2) == bins.at(2, [1, -1])[1])
            True
        """
        i, j = np.broadcast_arrays(np.asarray(i, dtype=np.int64), np.asarray(j, dtype=np.int64))
        return _look_up(self.start, self.partner, self.bin, self.rest, i.flatten(), j.flatten()).reshape(i.shape)

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ends ``i < j`` and bins of the stored pairs."""
        row = np.repeat(np.arange(len(self)), np.diff(self.start))
        upper = row < self.partner
        return row[upper], self.partner[upper], self.bin[upper]


@njit(cache=True)
def _look_up(
    start: np.ndarray, partner: np.ndarray, stored: np.ndarray, rest: int, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    found = np.full(len(i), rest, dtype=np.uint8)
    for pair in range(len(i)):
        low, high = start[i[pair]], start[i[pair] + 1]
        while low < high:
            middle = (low + high) // 2
            if partner[middle] < j[pair]:
                low = middle + 1
            else:
                high = middle
        if low < start[i[pair] + 1] and partner[low] == j[pair]:
            found[pair] = stored[low]
    return found


def bin_pairs(coupling: sp.csr_matrix, count: int = 24, split: float | None = None) -> PairBins:
    """Histogram bin of each pair's coupling: wide where most pairs lie, ever finer towards the strongest ones.

    Args:
        coupling: Symmetric sparse coupling ``[N, N]``, nowhere negative, zero where it is not stored.
        count: Number of bins, at most 250.
        split: A coupling whose two sides never share a bin, with empty ones between, so that blurred histograms don't
            cross it. Default: none.
    """
    num_nodes = coupling.shape[0]
    stored = coupling.tocsr().sorted_indices()
    row = np.repeat(np.arange(num_nodes), np.diff(stored.indptr))
    tail = min(_TAIL, _TAIL * _FOR_NODES / num_nodes)
    share = 1 - np.geomspace(tail, min(tail, 0.6 / num_nodes), count - 3)
    levels = _quantiles(stored.data[row != stored.indices], num_nodes * (num_nodes - 1), np.r_[0.5, 0.9, share])
    if split is not None:
        levels = np.sort(np.r_[levels, np.full(_APART, split)])
    bins = np.digitize(stored.data, levels).astype(np.uint8)
    rest = int(np.digitize(0.0, levels))
    kept = (bins != rest) & (row != stored.indices)
    start = np.r_[0, np.cumsum(np.bincount(row[kept], minlength=num_nodes))]
    return PairBins(start, stored.indices[kept].astype(np.int64), bins[kept], rest)


def _quantiles(positive: np.ndarray, count: int, share: np.ndarray) -> np.ndarray:
    """Quantiles of ``count`` numbers of which all but the given ones are 0, interpolated linearly."""
    ordered, zeros = np.sort(positive), count - len(positive)

    def ranked(rank: np.ndarray) -> np.ndarray:
        return np.where(rank < zeros, 0.0, np.r_[ordered, 0.0][np.clip(rank - zeros, 0, len(ordered))])

    place = share * (count - 1)
    low = np.floor(place).astype(np.int64)
    below, above, step = ranked(low), ranked(np.minimum(low + 1, count - 1)), place - low
    return np.where(step < 0.5, below + (above - below) * step, above - (above - below) * (1 - step))
