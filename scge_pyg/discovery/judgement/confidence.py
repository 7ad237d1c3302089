"""How far each node's place can be trusted."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.discovery.judgement.judge import Judgement
from scge_pyg.discovery.lattices.snapping import Cells

__all__ = ["cell_confidence", "map_confidence"]


def map_confidence(judged: Judgement, pos: np.ndarray) -> np.ndarray:
    """Confidence of each node of a map, ``[N]``."""
    confidence = np.clip(judged.stability, 0, 1)
    if len(judged.rows) < len(pos):
        near = cKDTree(pos[judged.rows]).query(pos, k=min(4, len(judged.rows)))[1]
        own = confidence
        confidence = own[near].mean(1)
        confidence[judged.rows] = own
    return confidence


def cell_confidence(cells: Cells, judged: Judgement) -> np.ndarray:
    """Confidence of each node of a lattice, ``[N]``."""
    return cells.confidence
