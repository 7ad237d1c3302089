"""How far each node's place can be trusted."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import expit

from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.prediction import nearest

__all__ = ["agreement", "place_confidence"]

# logistic regression of "right" on agreement over 100 draws of 25 families, seeds 200 to 203, forced random graphs,
# trees and small worlds among them: right is its cell on a lattice, else half of the 8 nearest among the 12 true ones
_SLOPE, _OFFSET = 15.9, -6.6


def place_confidence(court: Court, near: list[np.ndarray], pos: np.ndarray) -> np.ndarray:
    r"""Probability that each node's place is right, ``[N]``: :math:`\sigma(15.9 a - 6.6)` of its :func:`agreement` a.

    Args:
        court: Where the map was judged.
        near: Nearest rows on the map from each side, two arrays ``[n, k]``.
        pos: Coordinates ``[N, c]`` of the map or lattice.
    """
    result: np.ndarray = expit(_SLOPE * agreement(court, near, pos) + _OFFSET)
    return result


def agreement(court: Court, near: list[np.ndarray], pos: np.ndarray) -> np.ndarray:
    """Share of each node's nearest on the map that are near it on the maps from both sides of the samples too, ``[N]``.

    Near are half as many again. Nodes that did not sit in judgement have the mean of the four nearest that did.

    Args:
        court: Where the map was judged.
        near: Nearest rows on the map from each side, two arrays ``[n, k]``.
        pos: The map ``[N, c]``.
    """
    own = nearest(pos[court.rows], court.few)
    share = np.mean([(own[:, :, None] == rows[:, None, :]).any(2).mean(1) for rows in near], 0)
    if len(court.rows) == len(pos):
        return share
    around = cKDTree(pos[court.rows]).query(pos, k=min(4, len(court.rows)))[1]
    whole = share[around].mean(1)
    whole[court.rows] = share
    return whole
