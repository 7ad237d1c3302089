"""Two halves of counts that know nothing of each other but the places."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["halves"]


def halves(counts: sp.csr_matrix, seed: int, symmetric: bool = False) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Each count goes to one of two halves by the toss of a coin, and so does each pair where values are no counts.

    Halves of Poisson counts are independent (thinning), so that one can be fitted and the other scored.

    Args:
        counts: Values ``[N, M]`` of at least 0, with sorted indices and no zeros.
        seed: Seed of the coin.
        symmetric: Whether the counts of a pair stand twice, and are to be split alike.

    Example:
        >>> one, other = halves(sp.csr_matrix(np.array([[4, 0], [7, 1]])), 0)
        >>> (one + other).toarray().astype(int).tolist()
        [[4, 0], [7, 1]]
    """
    half = sp.triu(counts).tocsr() if symmetric else counts.tocsr()
    own = half.copy()
    whole = bool((half.data == np.rint(half.data)).all())
    tosses = half.data.astype(np.int64) if whole else np.ones(half.nnz, dtype=np.int64)
    own.data = half.data / tosses * np.random.default_rng(seed).binomial(tosses, 0.5)
    own = own + sp.triu(own, 1).T if symmetric else own
    own = sp.csr_matrix(own)
    other = sp.csr_matrix(counts - own)
    for matrix in (own, other):
        matrix.eliminate_zeros()
        matrix.sort_indices()
    return own, other
