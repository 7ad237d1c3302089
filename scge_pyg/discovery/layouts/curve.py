"""How coupling falls with distance: robust, decreasing, smooth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator

__all__ = ["decreasing", "falling_curve"]

_BINS = 20
_FEWEST = 15  # pairs a bin, on average
_NEAR = 1.5  # bins hold fewer pairs where distances are short
_DIGITS = 9  # of the largest distance: what is nearer is equal


def falling_curve(coupling: np.ndarray, distance: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    r"""The curve :math:`f` with :math:`r_{ij} \approx f(d_{ij})` over all pairs.

    Medians of the coupling in up to 20 bins of distance, made to fall by isotonic regression and joined by a monotone
    cubic; beyond the bins it is constant. The medians leave up to a quarter of misplaced channels, half of the pairs of
    a bin, without a say; the curve may end below 0, as it does where signals refer to their average.

    Cost: one sort of the pairs.

    Args:
        coupling: Symmetric ``[..., N, N]``; each matrix gets a curve of its own.
        distance: Symmetric ``[N, N]``, in any unit.

    Returns:
        From distances of any shape to couplings ``[..., *shape]``.

    Example:
        >>> place = np.arange(40.0)[:, None]
        >>> distance = np.abs(place - place.T)
        >>> curve = falling_curve(np.exp(-distance / 10), distance)
        >>> bool(np.abs(curve(distance) - np.exp(-distance / 10))[distance > 0].max() < 0.05)
        True
    """
    first, second = np.triu_indices(distance.shape[0], 1)
    order = np.argsort(np.round(distance[first, second] / distance.max(), _DIGITS), kind="stable")  # in any unit
    away, value = distance[first, second][order], coupling[..., first[order], second[order]]
    bins = int(np.clip(len(away) // _FEWEST, 4, _BINS))
    edge = np.unique(np.round(len(away) * (np.arange(bins + 1) / bins) ** _NEAR).astype(int))
    middle = np.add.reduceat(away, edge[:-1]) / np.diff(edge)
    last = np.flatnonzero(np.diff(middle, append=np.inf) > 10.0**-_DIGITS * away[-1])  # bins of one distance are one
    edge = np.concatenate([[0], edge[1:][last]])
    weight = np.diff(edge)
    at = np.add.reduceat(away, edge[:-1]) / weight
    parts = np.split(value, edge[1:-1], axis=-1)
    height = decreasing(np.stack([np.median(part, -1) for part in parts], -1), weight)
    if len(at) < 2:
        return lambda asked: np.broadcast_to(
            height.reshape(*height.shape[:-1], *(1,) * asked.ndim), height.shape[:-1] + asked.shape
        )
    smooth = PchipInterpolator(at, height, axis=-1)
    return lambda asked: np.asarray(smooth(np.clip(asked, at[0], at[-1])))


def decreasing(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    r"""Weighted isotonic regression of a few values, falling: :math:`\min_{a \le k} \max_{b \ge k} \bar y_{a..b}`.

    Args:
        value: ``[..., n]``.
        weight: ``[n]``.

    Example:
        >>> decreasing(np.array([3.0, 1.0, 2.0]), np.ones(3)).tolist()
        [3.0, 1.5, 1.5]
    """
    none = np.zeros((*value.shape[:-1], 1))
    total = np.concatenate([none, np.cumsum(weight * value, -1)], -1)
    heavy = np.concatenate([[0.0], np.cumsum(weight)])
    place = np.arange(len(weight))
    inside = place[:, None] <= place
    mean = total[..., None, 1:] - total[..., :-1, None]
    mean /= np.where(inside, heavy[None, 1:] - heavy[:-1, None], 1)
    highest = np.maximum.accumulate(np.where(inside, mean, -np.inf)[..., ::-1], -1)[..., ::-1]
    return np.asarray(np.where(inside, highest, np.inf).min(-2))
