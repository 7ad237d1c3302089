"""An order of rows and columns that follows from what the matrix holds, not from how it was shuffled."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["canonical_orders"]

_ROUNDS = 3
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15))


def canonical_orders(matrix: sp.csr_matrix, symmetric: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Permutations that put rows and columns into an order of their content, ``[N]`` and ``[M]``.

    Each row gets the hash of the multiset of its values and the hashes of their columns, each column likewise, three
    times over (colour refinement, Weisfeiler and Leman, 1968). Sums modulo 2^64 don't depend on the order, so that a
    shuffled matrix gives the same hashes in shuffled order. Rows with equal hashes stay as they came; they differ in
    nothing that shows after three steps.

    Cost: :math:`O(\\text{nnz})`.

    Args:
        matrix: Values ``[N, M]``, zeros removed.
        symmetric: Whether rows and columns are the same nodes, so that they have one order.

    Example:
        >>> matrix = sp.csr_matrix(np.array([[3, 0], [1, 2]]))
        >>> rows, cols = canonical_orders(matrix)
        >>> shuffled = sp.csr_matrix(np.array([[2, 1], [0, 3]]))
        >>> again, other = canonical_orders(shuffled)
        >>> bool((matrix[rows][:, cols] != shuffled[again][:, other]).nnz == 0)
        True
    """
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    value = _mixed(np.asarray(matrix.data, dtype=np.float64).view(np.uint64))
    of_rows = np.zeros(matrix.shape[0], dtype=np.uint64)
    of_cols = np.zeros(matrix.shape[1], dtype=np.uint64)
    diagonal = (row == matrix.indices) if symmetric else np.zeros(len(row), dtype=bool)
    for _ in range(_ROUNDS):
        seen = _mixed(value + of_cols[matrix.indices] + diagonal * _MIX[0])
        of_rows = _mixed(_sums(row, seen, matrix.shape[0]) + of_rows)
        of_cols = of_rows if symmetric else _mixed(_sums(matrix.indices, _mixed(value ^ of_rows[row]), matrix.shape[1]))
    return np.argsort(of_rows, kind="stable"), np.argsort(of_cols, kind="stable")


def _mixed(value: np.ndarray) -> np.ndarray:
    """A hash of each 64-bit integer (the finaliser of splitmix64)."""
    value = value + _MIX[2]
    value = (value ^ (value >> np.uint64(30))) * _MIX[0]
    value = (value ^ (value >> np.uint64(27))) * _MIX[1]
    result: np.ndarray = value ^ (value >> np.uint64(31))
    return result


def _sums(index: np.ndarray, value: np.ndarray, count: int) -> np.ndarray:
    """Sums modulo 2^64 of the values of each index."""
    order = np.argsort(index, kind="stable")
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(value[order])])
    end = np.cumsum(np.bincount(index, minlength=count))
    return np.diff(total[np.r_[0, end]])
