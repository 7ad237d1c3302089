"""The lowest eigenvalues of a sparse symmetric matrix, each as often as it is there."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh, splu

__all__ = ["lowest_eigenpairs"]

_MORE = 4  # asked for each time that what is found is looked past
_ROOM = 60  # vectors at least: with few, a cluster of values keeps Lanczos going round


def lowest_eigenpairs(
    matrix: sp.csr_matrix, mass: sp.csr_matrix, count: int, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Values ``[count]``, rising, and vectors ``[N, count]`` of :math:`A v = \lambda M v`, :math:`V^\top M V = 1`.

    Lanczos starts from one vector, which meets one vector of each eigenspace; others come in by rounding alone, and
    ``scipy.sparse.linalg.eigsh`` now and then leaves some out without a word where values are multiple, as those of
    symmetric shapes are. So it is asked again, with what was found projected out, until nothing lower turns up.

    Args:
        matrix: A, symmetric ``[N, N]``.
        mass: M, diagonal and positive.
        count: How many, at most N - 6.
        seed: Of the start.

    Cost: one sparse LU decomposition, and some hundred solutions with it.

    Example:
        >>> values, _ = lowest_eigenpairs(sp.diags([3.0] * 4 + [1.0] * 4 + [9.0] * 8), sp.identity(16), 6)
        >>> values.round(6).tolist()
        [1.0, 1.0, 1.0, 1.0, 3.0, 3.0]
    """
    size = matrix.shape[0]
    rng = np.random.default_rng(seed)
    root = sp.diags(1 / np.sqrt(mass.diagonal()))
    lowest = eigsh(
        root @ matrix @ root, 1, which="SA", v0=rng.standard_normal(size), tol=1e-2, return_eigenvectors=False
    )
    below = float(lowest[0]) - 0.1 * max(1.0, math.fabs(float(lowest[0])))
    solve = splu((matrix - below * mass).tocsc()).solve
    vectors = np.zeros((size, 0))
    values = np.zeros(0)
    while True:
        known = vectors

        def inverse(x: NDArray[np.float64], known: NDArray[np.float64] = known) -> NDArray[np.float64]:
            y = solve(x)
            return y - known @ (known.T @ (mass @ y))

        more = min(_MORE if len(values) else count, size - 1 - len(values))
        start = inverse(mass @ rng.standard_normal(size))
        operator = LinearOperator((size, size), inverse, dtype=np.float64)
        room = min(size - 1, max(2 * more + 1, _ROOM))
        found, new = eigsh(matrix, more, mass, sigma=below, v0=start, OPinv=operator, ncv=room)
        done = len(values) >= count and found.min() >= np.sort(values)[count - 1] - 1e-9 * max(1.0, abs(found.min()))
        values, vectors = np.concatenate([values, found]), np.concatenate([vectors, new], 1)
        if done:
            order = np.argsort(values, kind="stable")[:count]
            return values[order], vectors[:, order]
