"""First orders of rows along a chain, from all pairs at once."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["along_chains", "along_contacts"]

_POWER = 4


def along_chains(counts: sp.csr_matrix) -> list[np.ndarray]:
    r"""Places along a chain by second eigenvectors (Atkins et al., 1998), ``[N]`` each.

    One is that of the similarity of profiles, the fourth power of :math:`\sum_m \sqrt{p_{nm} p_{n'm}}`, one that of the
    counts themselves (:func:`along_contacts`). Where contact falls as a power, links between near rows are few and
    geodesics fold; eigenvectors see all pairs.

    Cost: :math:`O(N^3)`.

    Args:
        counts: Symmetric counts ``[N, N]`` without empty rows.
    """
    total = np.asarray(counts.sum(0)).ravel()
    share = np.sqrt(counts.toarray() / total)
    return [_second((share @ share.T) ** _POWER), along_contacts(counts)]


def along_contacts(counts: sp.csr_matrix) -> np.ndarray:
    """The second eigenvector of counts over the root of both margins, ``[N]``, at the same cost."""
    total = np.asarray(counts.sum(0)).ravel()
    return _second(counts.toarray() / np.sqrt(np.outer(total, total)))


def _second(alike: np.ndarray) -> np.ndarray:
    """Second eigenvector of a random walk by similarities, its largest entry positive."""
    root = np.sqrt(alike.sum(1))
    vector = np.linalg.eigh(alike / np.outer(root, root))[1][:, -2] / root
    return np.asarray(vector * np.sign(vector[np.abs(vector).argmax()]))
