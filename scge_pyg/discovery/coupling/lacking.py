"""What an average reference, or a component removed, leaves lacking; and how to fill it."""

from __future__ import annotations

import numpy as np
import torch

from scge_pyg.discovery.maps.sketch import leading_eigenvectors

__all__ = ["filled", "inverse", "lacking", "lifted"]

_TINY = 1e-4  # above the rounding of correlations in float32
_MOST_LACKING = 8
_LACKING = 0.02
_GAP = 10.0
_WIDESPREAD = 0.1


def inverse(correlation: np.ndarray, ridge: float) -> np.ndarray:
    """Inverse of a positive definite matrix with a ridge added to its diagonal."""
    eye = torch.eye(len(correlation), dtype=torch.float64)
    factor = torch.linalg.cholesky(torch.from_numpy(correlation) + ridge * eye)
    root = torch.linalg.solve_triangular(factor, eye, upper=False)
    return (root.T @ root).numpy()  # two level-3 products; twice as fast as cholesky_inverse on a busy machine


def lacking(correlation: np.ndarray) -> np.ndarray:
    r"""Directions ``[N, q]`` that the data lack, q = 0 to 8.

    An average reference, or components removed as in artifact cleaning, leaves combinations of nodes that hardly vary.
    At most eight, and a quarter of all, are taken for such where their variance is below 0.02 and a tenth of the next
    one's, and a tenth of the nodes takes part: two nodes that hardly differ are no reference.

    Cost: one inverse, :math:`O(N^3)`.

    Example:
        >>> reference = np.eye(40) - 1 / 40
        >>> lacking(reference).shape, lacking(np.eye(40)).shape
        ((40, 1), (40, 0))
    """
    count = min(_MOST_LACKING, len(correlation) // 4)
    if count < 1:
        return np.zeros((len(correlation), 0))
    value, vector = leading_eigenvectors(inverse(correlation, _TINY), count + 1)
    gap = (value[:-1] > _GAP * value[1:]) & (value[:-1] > 1 / _LACKING)
    vector = vector[:, : int(np.flatnonzero(gap)[-1]) + 1 if gap.any() else 0]
    return vector[:, 1 / (vector**4).sum(0) >= _WIDESPREAD * len(vector)]


def lifted(correlation: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """The matrix with the variance along directions ``[N, q]`` raised to 1: inverted as they are, they drown all else.

    Where a part of the samples has more than 1 along them, it keeps that: less would leave no correlation matrix.

    Example:
        >>> reference = np.eye(40) - 1 / 40
        >>> bool(np.linalg.eigvalsh(lifted(reference, lacking(reference))).min() > 0.9)
        True
    """
    if not directions.shape[1]:
        return correlation
    variance = np.einsum("iq,ij,jq->q", directions, correlation, directions)
    return correlation + (directions * np.maximum(1 - variance, 0)) @ directions.T


def filled(score: np.ndarray, observed: np.ndarray | None, directions: np.ndarray, seed: int = 0) -> np.ndarray:
    """Scores with white noise of variance 1 along directions ``[N, q]`` that they lack.

    What was removed leaves every node an exact sum of others, near and far alike. Any few partners that share in such a
    sum predict well and say nothing about places; noise in its stead hides the sum and shifts nothing else.

    Cost: :math:`O(q N S)`.

    Args:
        score: Scores ``[N, S]`` float32, 0 where missing.
        observed: Mask ``[N, S]``, or ``None`` where nothing is missing.
        directions: Orthonormal columns, as :func:`lacking` finds them.
        seed: Seed of the noise.

    Example:
        >>> z = np.random.default_rng(1).standard_normal((40, 500)).astype(np.float32)
        >>> z -= z.mean(0)
        >>> one = np.full((40, 1), 40**-0.5)
        >>> bool(0.9 < float((one.T @ filled(z, None, one)).var()) < 1.1)
        True
    """
    if not directions.shape[1]:
        return score
    noise = np.random.default_rng(seed).standard_normal((directions.shape[1], score.shape[1]), dtype=np.float32)
    noise = directions.astype(np.float32) @ noise
    return score + (noise if observed is None else noise * observed)
