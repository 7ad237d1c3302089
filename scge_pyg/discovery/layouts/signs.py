"""Channels that are inverted against those around them."""

from __future__ import annotations

import numpy as np

__all__ = ["signs_of"]

_WIDTH = 1.5  # spacings
_AGAINST = -0.5
_ROUNDS = 5


def signs_of(correlation: np.ndarray, apart: np.ndarray, spacing: float) -> np.ndarray:
    r"""Sign of each channel, ``[n]``: -1 where most of what is near runs against it, +1 for the majority.

    .. math::
        \sum_j k_{ij} s_j r_{ij} \Big/ \sum_j k_{ij} |r_{ij}| < -\tfrac12, \qquad
        k_{ij} = e^{-d_{ij}^2 / 2 (1.5 \cdot \text{spacing})^2}

    in a few rounds.

    Args:
        correlation: ``[n, n]``.
        apart: Distances of the claimed places.
        spacing: Distance of neighbouring places.

    Example:
        >>> place = np.arange(9.0)[:, None]
        >>> apart = np.abs(place - place.T)
        >>> turned = np.where(np.arange(9) == 4, -1.0, 1.0)
        >>> signs_of(np.exp(-apart / 3) * turned * turned[:, None], apart, 1.0).tolist()
        [1.0, 1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0]
    """
    near = np.exp(-0.5 * (apart / (_WIDTH * spacing)) ** 2)
    np.fill_diagonal(near, 0)
    total = np.maximum((near * np.abs(correlation)).sum(1), 1e-12)
    sign = np.ones(len(correlation))
    for _ in range(_ROUNDS):
        agreement = sign * ((near * correlation) @ sign) / total
        against = agreement < _AGAINST
        if not against.any():
            break
        sign[agreement <= min(_AGAINST, float(np.quantile(agreement, 0.25)))] *= -1
    return np.asarray(-sign if sign.sum() < 0 else sign)
