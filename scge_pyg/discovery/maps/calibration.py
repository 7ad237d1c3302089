"""A map whose lengths are read off the correlation, by a curve that the map itself gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.discovery.maps.sketch import Links, scale_geodesics
from scge_pyg.graph.drawing.stress import robust_stress

__all__ = ["CHANCE", "PARTNERS", "calibrated_places", "length_curve"]

PARTNERS = 20  # strongest partners and nearest places of a node that hold the map in shape
CHANCE = 3.0  # deviations below which a partner may be one by chance, and far away
_BINS = 24
_SHORTEST = 0.02  # of the median length
_TURNS = 3
_ROUNDS, _STEPS = 6, 4
_LANDMARKS = 128


def calibrated_places(
    links: Links, strong: np.ndarray, columns: int, dissimilarity: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    r"""Coordinates ``[N, columns]`` from the dissimilarity of near pairs, with no function of distance assumed.

    How dissimilarity grows with distance depends on the field: as its square for a smooth one, in proportion for a
    rough one, and it levels off. A first map from links (:func:`scale_geodesics`) shows the curve
    (:func:`length_curve`); with lengths that are read off it, geodesics over many partners cross a gap between clusters
    on many links instead of a few, and give the shape at large. The local stress then goes over each node's strongest
    partners *and* its nearest places on the map, weighted by the inverse of their length: the latter push apart what
    lies on top of each other by mistake. Three times, with a curve from the last map.

    Cost: :math:`O(128\, N \log N)` for geodesics, else :math:`O(N \log N)`.

    Args:
        links: Connected links with any lengths that rise with distance, for the first map.
        strong: Strongest partners of the nodes ``[2, M]``, in any order.
        columns: Columns of the map.
        dissimilarity: One minus the correlation of any pairs ``[2, E]``, ``[E]``.
    """
    num_nodes = links.num_nodes
    strong = _distinct(np.concatenate([strong, links.pairs], 1), num_nodes)
    unlike = dissimilarity(strong)
    pos = scale_geodesics(links, columns, _LANDMARKS)
    pos = scale_geodesics(Links(strong, _lengths(pos, strong, unlike, unlike), num_nodes), columns, _LANDMARKS)
    for _ in range(_TURNS):
        pairs = _distinct(np.concatenate([strong, _nearest_pairs(pos)], 1), num_nodes)
        length = _lengths(pos, strong, unlike, dissimilarity(pairs))
        unit = float(np.median(length))
        pos = robust_stress(pos / unit, pairs, length / unit, unit / length, _ROUNDS, _STEPS)
    return pos


def length_curve(unlike: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance that goes with a dissimilarity, as points to interpolate between: medians of up to 24 equal bins.

    It never falls.

    Args:
        unlike: Dissimilarity of pairs, ``[M]``.
        distance: Distance of the same pairs on a map, ``[M]``.

    Example:
        >>> unlike = np.linspace(0, 1, 240)
        >>> at, length = length_curve(unlike, np.sqrt(unlike))
        >>> bool(np.abs(np.interp(0.25, at, length) - 0.5) < 0.01)
        True
    """
    bins = np.array_split(np.argsort(unlike, kind="stable"), min(_BINS, len(unlike)))
    at = np.array([np.median(unlike[own]) for own in bins])
    return at, np.maximum.accumulate([np.median(distance[own]) for own in bins])


def _lengths(pos: np.ndarray, pairs: np.ndarray, unlike: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Lengths of dissimilarities ``wanted``, by the curve of ``pairs`` on the map."""
    length = np.interp(wanted, *length_curve(unlike, np.linalg.norm(pos[pairs[0]] - pos[pairs[1]], axis=1)))
    return np.maximum(length, _SHORTEST * np.median(length))


def _nearest_pairs(pos: np.ndarray) -> np.ndarray:
    near = cKDTree(pos).query(pos, k=min(PARTNERS + 1, len(pos)))[1]
    return np.stack([np.repeat(np.arange(len(pos)), near.shape[1]), near.ravel()])


def _distinct(pairs: np.ndarray, num_nodes: int) -> np.ndarray:
    """Pairs ``[2, E]`` with ``i < j``, each once."""
    key = np.unique(pairs.min(0) * num_nodes + pairs.max(0))
    pairs = np.stack([key // num_nodes, key % num_nodes])
    return pairs[:, pairs[0] != pairs[1]]
