"""Where the nodes of a chain or a ring stand along it, once their order is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from scge_pyg.discovery.maps.calibration import length_curve

__all__ = ["along_chain", "around_ring"]

_AHEAD = 6
_TURNS = 3
_SHORTEST = 0.02  # of the median length

Dissimilarity = Callable[[np.ndarray], np.ndarray]


def along_chain(pos: np.ndarray, dissimilarity: Dissimilarity) -> np.ndarray:
    r"""Coordinates ``[N, 1]`` of a chain whose order is known, with no function of distance assumed.

    .. math::
        \min_p \sum_{0 < b - a \le 6} \Bigl(\frac{p_b - p_a}{\ell_{ab}} - 1\Bigr)^2

    over nodes a and b that are at most six steps apart in the order of ``pos``. Lengths are read off the dissimilarity
    by the curve that the chain itself gives (:func:`scge_pyg.discovery.maps.calibration.length_curve`). On a line the
    order makes stress a linear system: there is nothing to get stuck in. Three times, with order and curve of the last.

    Geodesics over links whose lengths are no distances crowd some nodes and spread others.

    Cost: :math:`O(N \log N)`.

    Args:
        pos: A first map ``[N, 1]``.
        dissimilarity: One minus the correlation of any pairs ``[2, E]``, ``[E]``.

    Example:
        >>> true = np.array([0.0, 1.0, 3.0, 4.0, 4.5, 6.0, 7.0, 9.0])
        >>> crowded = np.arange(8.0)[:, None]
        >>> found = along_chain(crowded, lambda pairs: 1 - np.exp(-np.abs(true[pairs[0]] - true[pairs[1]])))
        >>> bool(np.corrcoef(found[:, 0], true)[0, 1] > np.corrcoef(crowded[:, 0], true)[0, 1])
        True
    """
    place = pos[:, 0]
    for _ in range(_TURNS):
        place, _ = _spaced(place, 0.0, dissimilarity)
    return place[:, None]


def around_ring(pos: np.ndarray, dissimilarity: Dissimilarity) -> np.ndarray:
    """Coordinates ``[N, 2]`` on a circle, in the order of the angles of ``pos [N, 2]`` about its mean.

    As :func:`along_chain`, with the girth as one more unknown: pairs across the cut are that much further. A first map
    that lies on a line goes around nothing and stays as it is.
    """
    x, y = (pos - pos.mean(0)).T
    place, girth = np.arctan2(y, x), 2 * np.pi
    for _ in range(_TURNS):
        place, girth = _spaced(place, girth, dissimilarity)
        if not girth:
            return pos
    angle = 2 * np.pi * place / girth
    return girth / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], 1)


def _spaced(place: np.ndarray, girth: float, dissimilarity: Dissimilarity) -> tuple[np.ndarray, float]:
    """Places ``[N]`` along the chain, the first node at 0, and the girth of the ring; 0 is for chains.

    Where most neighbours share a place there is nothing to go by: places stay, without a girth.
    """
    num_nodes = len(place)
    order = np.argsort(place, kind="stable")
    reach = min(_AHEAD, (num_nodes - 1) // 2 if girth else num_nodes - 1)
    start = np.tile(np.arange(num_nodes), reach)
    end = start + np.repeat(np.arange(1, reach + 1), num_nodes)
    if not girth:
        start, end = start[end < num_nodes], end[end < num_nodes]
    across, end = end >= num_nodes, end % num_nodes
    unlike = dissimilarity(order[np.stack([start, end])])
    length = np.interp(unlike, *length_curve(unlike, place[order[end]] - place[order[start]] + across * girth))
    typical = np.median(length)
    if not typical > 0:
        return place, 0.0
    length = np.maximum(length, _SHORTEST * typical)
    row = np.arange(len(start))
    value = np.concatenate([1 / length, -1 / length, across / length])
    column = np.concatenate([end, start, np.full(len(start), num_nodes)])
    system = sp.csc_matrix((value, (np.tile(row, 3), column)), (len(start), num_nodes + 1))
    system = system[:, 1:] if girth else system[:, 1:-1]
    solved = spsolve((system.T @ system).tocsc(), system.T @ np.ones(len(start)))
    spaced = np.zeros(num_nodes)
    spaced[order[1:]] = solved[: num_nodes - 1]
    return spaced, float(solved[-1]) if girth else 0.0
