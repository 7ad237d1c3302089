"""One measure for all methods of the suite: who is found to be near whom, as edges and on a map.

A method gives the pairs that it holds to be nearest, as many as nodes times true dimensions, or a map, or both.
On a map, as among the true places, two nodes are the nearer the smaller their distance is beside the larger of their
distances to their own m-th nearest: by that rule the true places score 1 wherever they are dense or sparse, which the
pairs that are closest in plain distance do not (0.67 on foveated places).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from draws import Array, Draw
from numpy.random import Generator
from scipy.spatial.distance import cdist

from scge_pyg import SharedGraph
from scge_pyg.metrics import continuity, trustworthiness

__all__ = ["MEASURES", "Found", "Truth", "closest", "found_by_discovery", "measures", "truth_of"]

MEASURES = ("precision", "recall", "trust", "continuity")
_NEAR = 8


class Found(NamedTuple):
    """What a method says of n nodes: pairs ``[2, E]``, and places ``[n, c]`` or None if it draws no map."""

    pairs: Array
    pos: Array | None


class Truth(NamedTuple):
    """What the scoring knows of a draw.

    ``nodes [n]`` are scored; the rest is over them. ``near [n, n]`` says which pairs are truly near, ``count`` how many
    a method may name, ``degree`` is m, ``places [n, D]`` are such that their distances say who is how near (None where
    nobody knows), ``k`` neighbours a node are compared on maps, ``columns`` is what the other methods are told, and
    ``known`` whether there is a geometry to be found.
    """

    nodes: Array
    near: Array
    count: int
    degree: int
    places: Array | None
    k: int
    columns: int
    known: bool


def _distances(places: Array) -> Array:
    """Distances ``[n, n]``, infinite from each node to itself."""
    distance = cdist(places, places)
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance)


def _symmetric_nearest(distance: Array, m: int) -> Array:
    """Pairs of which one is among the m nearest of the other, ``[n, n]``; as far as the m-th to 0.1 % counts too."""
    limit = np.partition(distance, m - 1, axis=1)[:, m - 1 : m]
    half = distance <= limit * 1.001
    return np.asarray(half | half.T)


def _places(draw: Draw, nodes: Array) -> Array | None:
    """True places; where correlations say who is near whom, unit vectors with those cosines."""
    if draw.places is not None:
        return draw.places[nodes]
    if "distance" not in draw.truth:
        return None
    return np.asarray(np.linalg.cholesky(1 - draw.truth["distance"])[nodes])


def truth_of(draw: Draw, near: int = _NEAR) -> Truth:
    """The truth of a draw, whose scored nodes are those that vary where it doesn't name them.

    With places of d dimensions, near pairs are the symmetric 2 d nearest, and n d may be named. With a true graph, they
    are its edges, and as many may be named, or n d where it has dimensions. Nothing is near where neither is there.
    """
    varies = np.nanstd(draw.x, axis=0).reshape(draw.x.shape[1], -1).max(1) > 0
    nodes = np.flatnonzero(draw.truth.get("scored", varies))
    places = _places(draw, nodes)
    if "adjacency" in draw.truth:
        pairs = draw.truth["adjacency"][np.ix_(nodes, nodes)] > 0
        count = draw.truth["dim"] * len(nodes) if "dim" in draw.truth else int(np.triu(pairs, 1).sum())
        degree = max(1, round(2 * count / len(nodes)))
    elif places is not None and "dim" in draw.truth:
        degree, count = 2 * draw.truth["dim"], draw.truth["dim"] * len(nodes)
        pairs = _symmetric_nearest(_distances(places), degree)
    else:
        pairs, degree, count = np.zeros((len(nodes), len(nodes)), dtype=bool), 4, 0
    columns = 2 if draw.places is None else draw.places.shape[1]
    return Truth(nodes, pairs, count, degree, places, near, columns, draw.places is not None and "dim" in draw.truth)


def closest(distance: Array, count: int, m: int) -> Array:
    """The ``count`` closest pairs ``[2, count]``, the closest first, in units of the larger m-th nearest of both."""
    distance = distance.astype(float, copy=True)
    np.fill_diagonal(distance, np.inf)
    reach = np.maximum(np.partition(distance, m - 1, axis=1)[:, m - 1], np.finfo(float).tiny)
    row, column = np.triu_indices(len(distance), 1)
    order = np.argsort(distance[row, column] / np.maximum(reach[row], reach[column]), kind="stable")[:count]
    return np.stack([row[order], column[order]])


def found_by_discovery(graph: SharedGraph, truth: Truth, rng: Generator) -> Found:
    """The strongest edges of a graph, then the pairs that are closest on its map; its places.

    A node outside the largest piece has no place beside the others: it is put near a place drawn at random.
    """
    nodes = truth.nodes
    number = np.full(graph.num_nodes, -1)
    number[nodes] = np.arange(len(nodes))
    ends = number[graph.edge_index.cpu().numpy()]
    order = np.argsort(-graph.edge_weight.cpu().numpy(), kind="stable")
    pairs = ends[:, order][:, (ends[0] < ends[1])[order] & (ends.min(0) >= 0)[order]]
    pos = graph.pos.cpu().double().numpy()[nodes]
    inside = (graph.component.cpu().numpy()[nodes] == 0) & (pos.shape[1] > 0) & np.isfinite(pos).all(1)
    own = np.flatnonzero(inside)
    if len(own) > truth.degree and pairs.shape[1] < truth.count:
        filled = own[closest(cdist(pos[own], pos[own]), truth.count, truth.degree)]
        both = np.concatenate([pairs, np.sort(filled, 0)], 1)
        _, first = np.unique(both[0] * len(nodes) + both[1], return_index=True)
        pairs = both[:, np.sort(first)]
    if not len(own):
        return Found(pairs[:, : truth.count], rng.standard_normal((len(nodes), max(1, pos.shape[1]))))
    outside = np.flatnonzero(~inside)
    pos[outside] = pos[rng.choice(own, len(outside))] + rng.standard_normal((len(outside), pos.shape[1]))
    return Found(pairs[:, : truth.count], pos)


def measures(found: Found, truth: Truth) -> dict[str, float | None]:
    """Precision and recall of the first pairs, trustworthiness and continuity; None where there is nothing to score."""
    scores: dict[str, float | None] = dict.fromkeys(MEASURES)
    if truth.count:
        row, column = found.pairs[:, : truth.count]
        right = int(truth.near[row, column].sum())
        scores["precision"] = right / max(1, len(row))
        scores["recall"] = right / int(np.triu(truth.near, 1).sum())
    if truth.places is not None and found.pos is not None:
        pos, places = torch.from_numpy(found.pos), torch.from_numpy(truth.places).double()
        scores["trust"] = trustworthiness(pos, places, truth.k)
        scores["continuity"] = continuity(pos, places, truth.k)
    return scores
