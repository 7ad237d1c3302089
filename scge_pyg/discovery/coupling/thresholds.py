"""What tells partners from the rest: constants, a split that each node finds for itself, and a share of false ones."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

__all__ = ["SIGNIFICANT", "SPLIT", "discoveries", "split_threshold"]

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


def discoveries(deviations: np.ndarray, tests: int, share: float = 0.05) -> np.ndarray:
    r"""Which values stand out from normal noise, with a given share of false ones among them, ``[E]`` bool.

    Of the tail probabilities :math:`p_{(1)} \le p_{(2)} \le \dots` those up to the largest :math:`p_{(k)} \le q k / T`
    (Benjamini and Hochberg, 1995). Where nothing stands out, something is found in a share q of all cases.

    Args:
        deviations: Values in standard deviations of the noise, ``[E]``.
        tests: Number T of values that were looked at; those not given are smaller than any that may be found.
        share: Expected share q of false discoveries.

    Example:
        >>> discoveries(np.array([4.0, 2.6, 2.0, 1.0]), tests=20).tolist()
        [True, True, False, False]
    """
    tail = ndtr(-deviations)
    rising = np.sort(tail)
    below = np.flatnonzero(rising <= share * np.arange(1, len(rising) + 1) / tests)
    return tail <= rising[below[-1]] if len(below) else np.zeros(len(tail), dtype=bool)
