"""What tells partners from the rest: two constants, and a split that each node finds for itself."""

from __future__ import annotations

import numpy as np

__all__ = ["SIGNIFICANT", "SPLIT", "split_threshold"]

SIGNIFICANT = 3.0  # couplings below this many noise deviations are no edges
SPLIT = 8  # partners among which a node's direct neighbours are told from the rest


def split_threshold(value: np.ndarray) -> np.ndarray:
    """Otsu's (1979) threshold between two classes among the descending values ``[N, k]`` of each row, ``[N]``.

    Example:
        >>> split_threshold(np.array([[9.0, 8.0, 2.0, 1.0]])).tolist()
        [5.0]
    """
    many = value.shape[1]
    if many < 2:
        return np.zeros(len(value))
    total = value.cumsum(1)
    size = np.arange(1, many)
    above = total[:, :-1] / size
    below = (total[:, -1:] - total[:, :-1]) / (many - size)
    cut = (size * (many - size) * (above - below) ** 2).argmax(1)
    node = np.arange(len(value))
    threshold: np.ndarray = (value[node, cut] + value[node, cut + 1]) / 2
    return threshold
