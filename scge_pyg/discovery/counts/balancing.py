"""Symmetric matrices with equal row sums: yields of the nodes divided out."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["biases"]

_ROUNDS = 500
_CLOSE = 1e-6


def biases(matrix: sp.csr_matrix) -> np.ndarray:
    r"""Factors b ``[N]`` with :math:`\sum_j w_{ij} / (b_i b_j)` the same for all rows, of geometric mean 1.

    Iterative proportional fitting with square roots (Sinkhorn and Knopp, 1967; Imakaev et al., 2012), which goes to the
    one solution where the matrix has total support and stops after 500 rounds elsewhere.

    Cost: :math:`O(\text{nnz})` a round.

    Args:
        matrix: Symmetric values of at least 0, no row empty.

    Example:
        >>> b = biases(sp.csr_matrix(np.array([[0, 6, 2], [6, 0, 3], [2, 3, 0]])))
        >>> (b / b[0]).round(4).tolist()
        [1.0, 1.5, 0.5]
    """
    log_bias = np.zeros(matrix.shape[0])
    for _ in range(_ROUNDS):
        bias = np.exp(log_bias)
        total = (matrix @ (1 / bias)) / bias
        excess = np.log(total / total.mean())
        log_bias += excess / 2
        if np.abs(excess).max() < _CLOSE:
            break
    return np.asarray(np.exp(log_bias - log_bias.mean()))
