"""How far the places of rows can be trusted, and how many directions they fill."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit

from scge_pyg.discovery.maps.dimension import tangent_dimension

__all__ = ["filled_directions", "trust"]

_NEAR, _WIDE = 8, 12
_SLOPE, _OFFSET = 15.9, -6.6  # as for samples
_SPREAD = 16  # times as many rows as a neighbourhood holds: noise is small at their spacing


def trust(pos: np.ndarray, maps: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    r"""Probability that each row's place is right, ``[N]``: :math:`\sigma(15.9 a - 6.6)`.

    a is the share of a row's eight nearest on the map that are among its twelve nearest on the maps from either half.
    Rows that a half lacks, or that were not judged, have the mean of the four nearest that were.

    Args:
        pos: Places ``[N, d]``.
        maps: Places from either half ``[N, d]``, NaN where there are none.
    """
    known = np.flatnonzero(np.isfinite(maps[0][:, 0]) & np.isfinite(maps[1][:, 0]))
    if len(known) < 2:
        return np.zeros(len(pos))
    few, wide = min(_NEAR, len(known) - 1), min(_WIDE, len(known) - 1)
    own = _nearest(pos[known], few)
    share = np.mean([(own[:, :, None] == _nearest(m[known], wide)[:, None, :]).any(2).mean(1) for m in maps], 0)
    around = cKDTree(pos[known]).query(pos, k=min(4, len(known)))[1]
    whole = share[around].reshape(len(pos), -1).mean(1)
    whole[known] = share
    return np.asarray(expit(_SLOPE * whole + _OFFSET))


def _nearest(pos: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` nearest other rows, ``[n, k]``."""
    near = cKDTree(pos).query(pos, k=k + 1)[1]
    other = near != np.arange(len(pos))[:, None]
    other[other.all(1), -1] = False  # of rows in one place, the row itself may not be among the nearest
    return np.asarray(near[other].reshape(len(pos), k))


def filled_directions(pos: np.ndarray) -> int:
    """Intrinsic dimension of places ``[N, d]``: a ring in two columns has 1, a sphere in three has 2.

    By local principal components of evenly spread rows, so few that noise is small beside their distances.
    """
    columns = pos.shape[1]
    count = min(len(pos), _SPREAD * (2 * columns + 2))
    return tangent_dimension(pos[np.unique(np.linspace(0, len(pos) - 1, count).astype(int))])
