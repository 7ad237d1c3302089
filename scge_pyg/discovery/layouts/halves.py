"""Halves of a layout that may be mirrored against the other half."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

__all__ = ["Half", "halves"]

_MIDDLE = 0.02  # of the extent: places so near to the middle belong to neither half
_FEWEST = 4


class Half(NamedTuple):
    """What is on one side of the middle of axis ``split``, mirrored along axis ``along``: places in ``order [N]``."""

    split: int
    high: bool
    along: int
    order: np.ndarray


def halves(places: np.ndarray, spacing: float) -> list[Half]:
    """All halves that axes of the layout cut off, each mirrored along each axis.

    Mirrored places go to the places of the half with the least sum of squared distances.

    Args:
        places: ``[N, d]``.
        spacing: Distance of neighbouring places.
    """
    low, high = places.min(0), places.max(0)
    extent, middle = high - low, (high + low) / 2
    axes = np.flatnonzero(extent > spacing)
    found = []
    for split in axes.tolist():
        for upper in (False, True):
            away = (places[:, split] - middle[split]) * (1 if upper else -1)
            own = np.flatnonzero(away > _MIDDLE * extent[split])
            if len(own) < _FEWEST:
                continue
            for along in axes.tolist():
                mirrored = places[own].copy()
                mirrored[:, along] = mirrored[:, along].max() + mirrored[:, along].min() - mirrored[:, along]
                _, taken = linear_sum_assignment(cdist(mirrored, places[own]) ** 2)
                order = np.arange(len(places))
                order[own] = own[taken]
                if (order != np.arange(len(order))).any():
                    found.append(Half(split, upper, along, order))
    return found
