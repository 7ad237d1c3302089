"""A local stress that shrugs off wrong pairs."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["robust_stress"]

_WIDE, _NARROW = 1.5, 0.3  # scale of the loss in the first and in the last rounds
_ITERATIONS = 8
_NOTHING = 1e-24


def robust_stress(
    pos: np.ndarray, pairs: np.ndarray, length: np.ndarray, weight: np.ndarray, rounds: int = 12, steps: int = 6
) -> np.ndarray:
    r"""Minimise a robust local stress by majorisation.

    .. math::
        \sum_{(i, j)} w_{ij}\, \rho\bigl(\lVert p_i - p_j \rVert - \ell_{ij}\bigr), \qquad
        \rho(r) = s^2 r^2 / (s^2 + r^2)

    Iteratively reweighted SMACOF (de Leeuw, 1977) with the Geman-McClure loss, whose scale s falls from 1.5 to 0.3
    spacings: a pair that the rest of the map can't satisfy ends up without influence. Each majorisation step is a
    linear system in the weighted Laplacian; eight conjugate gradients from the last places lower the stress about as an
    exact solution does, since the shape at large is there from the start.

    Cost: :math:`O(M)` a step.

    Args:
        pos: Start ``[N, d]``.
        pairs: Pairs ``[2, M]``.
        length: Target lengths ``[M]``.
        weight: Weights ``[M]``.
        rounds: Reweightings.
        steps: Majorisation steps a reweighting.
    """
    system = _Pairs(pairs, len(pos))
    for turn in range(rounds):
        scale = max(_NARROW, _WIDE * (1 - turn / rounds))
        residual = np.linalg.norm(system.across(pos), axis=1) - length
        robust = weight / (1 + (residual / scale) ** 2) ** 2
        laplacian, degree = system.laplacian(robust)
        for _ in range(steps):
            offset = system.across(pos)
            distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-9)
            wanted = system.gather @ (offset * (robust * length / distance)[:, None])
            pos = _towards(laplacian, degree, wanted, pos)
    return pos


class _Pairs:
    """Pairs of nodes as matrices whose pattern is computed once."""

    def __init__(self, pairs: np.ndarray, num_nodes: int) -> None:
        i, j = pairs
        count = len(i)
        self.shape = (num_nodes, num_nodes)
        one = np.ones(count)
        self.spread = sp.csr_matrix((np.r_[one, -one], (np.tile(np.arange(count), 2), np.r_[i, j])), (count, num_nodes))
        self.gather = self.spread.T.tocsr()
        row, self._col = np.r_[i, j], np.r_[j, i]
        self._order = np.lexsort((self._col, row))
        self._col = self._col[self._order]
        self._start = np.r_[0, np.cumsum(np.bincount(row, minlength=num_nodes))]
        self._pairs = pairs

    def across(self, pos: np.ndarray) -> np.ndarray:
        """Differences ``[M, d]`` of the places of each pair."""
        result: np.ndarray = self.spread @ pos
        return result

    def laplacian(self, weight: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
        """The weights off the diagonal, ``[N, N]``, and on it, ``[N, 1]``."""
        i, j = self._pairs
        degree = np.bincount(i, weight, self.shape[0]) + np.bincount(j, weight, self.shape[0])
        data = np.tile(weight, 2)[self._order]
        return sp.csr_matrix((data, self._col, self._start), self.shape), np.maximum(degree, _NOTHING)[:, None]


def _towards(near: sp.csr_matrix, degree: np.ndarray, wanted: np.ndarray, pos: np.ndarray) -> np.ndarray:
    """A few conjugate gradients on (degree - near) pos = wanted with the degrees as preconditioner, ``[N, d]``."""
    left = wanted - degree * pos + near @ pos
    ahead = left / degree
    step, energy = ahead, (left * ahead).sum(0)
    for _ in range(_ITERATIONS):
        moved = degree * step - near @ step
        rate = _share(energy, (step * moved).sum(0))
        pos, left = pos + rate * step, left - rate * moved
        ahead = left / degree
        last, energy = energy, (left * ahead).sum(0)
        step = ahead + _share(energy, last) * step
    return pos


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Their ratio, 0 where nothing is left to gain."""
    return np.where(whole > _NOTHING, part / np.maximum(whole, _NOTHING), 0.0)
