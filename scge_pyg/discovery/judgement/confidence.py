"""How far each node's place can be trusted."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.discovery.judgement.court import Court

__all__ = ["place_confidence"]


def place_confidence(court: Court, near: list[np.ndarray], pos: np.ndarray) -> np.ndarray:
    """Confidence of each node of a map, ``[N]``: how many of its nearest both sides of the samples agree on.

    Args:
        court: Where the map was judged.
        near: Nearest rows on the map from each side, two arrays ``[n, k]``.
        pos: The map ``[N, c]``.
    """
    both = (near[0][:, :, None] == near[1][:, None, :]).any(2).mean(1)
    if len(court.rows) == len(pos):
        return both
    around = cKDTree(pos[court.rows]).query(pos, k=min(4, len(court.rows)))[1]
    confidence = both[around].mean(1)
    confidence[court.rows] = both
    return confidence
