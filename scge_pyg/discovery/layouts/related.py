"""Whether coupling has anything to do with the claimed distances."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from scge_pyg.discovery.layouts.case import Case

__all__ = ["unrelated"]

_WIDTH = 1.5  # spacings
_VALUES = 2**22


def unrelated(case: Case, count: int, rng: Generator) -> float:
    r"""Share of random layouts whose neighbours are as strongly coupled as those of the claimed one (Mantel, 1967).

    .. math::
        \sum_{ij} e^{-d_{\pi(i) \pi(j)}^2 / 2 (1.5 \cdot \text{spacing})^2} r_{ij}

    under the claimed order and ``count`` random ones.

    Cost: :math:`O(N^2)` an order.
    """
    size = len(case.judged)
    near = np.exp(-0.5 * (case.apart(np.arange(len(case.places))) / (_WIDTH * case.spacing)) ** 2)
    coupling = case.coupling - np.diag(np.diag(case.coupling))
    step = max(1, _VALUES // size**2)
    reached = 0
    claimed = (near * coupling).sum()
    for first in range(0, count, step):
        order = rng.permuted(np.tile(np.arange(size), (min(step, count - first), 1)), axis=1)
        reached += int(((near[order[:, :, None], order[:, None]] * coupling).sum((1, 2)) >= claimed).sum())
    return (1 + reached) / (1 + count)
