"""Links that a map is drawn from, and the edges that are left once it stands."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.similar import DENSE_NODES, most_similar
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT, discoveries
from scge_pyg.discovery.maps.joining import forest, join_pieces
from scge_pyg.discovery.maps.places import without_noise
from scge_pyg.discovery.maps.sketch import Links, bridges, spanning_tree
from scge_pyg.discovery.maps.wiring import mutual_top, partners
from scge_pyg.discovery.signals.signals import Signals
from scge_pyg.graph.drawing.layout import side_by_side
from scge_pyg.graph.drawing.wiring import edges_of, strength_of

__all__ = ["WEAKEST", "lengths_of", "link_pairs", "settled_edges", "significant_edges", "spacing"]

WEAKEST = 1e-6  # weight of an edge that the coupling does not hold
_ADJACENT = 1.25
_WITHIN = 1 - 1e-9  # two ways to compute the same distance differ in the last bit
_LINKS = 8


def significant_edges(coupling: Coupling) -> np.ndarray:
    """Pairs whose coupling stands out from the noise, at most one in twenty of them by chance, ``[2, E]``."""
    pairs = edges_of(coupling.matrix)
    num_nodes = coupling.matrix.shape[0]
    deviations = strength_of(coupling.matrix, pairs) / max(coupling.noise, WEAKEST)
    return pairs[:, discoveries(deviations, num_nodes * (num_nodes - 1) // 2) & (deviations > SIGNIFICANT)]


def link_pairs(signals: Signals, coupling: Coupling, k: int) -> np.ndarray:
    """The ``k`` strongest partners of each node and a spanning tree, ``[2, L]`` with ``i < j``.

    Where the coupling leaves nodes apart, the most similar signals join them.
    """
    num_nodes = signals.num_nodes
    index, value = partners(coupling.matrix, k)
    row = np.repeat(np.arange(num_nodes), k)
    keep = (index.ravel() >= 0) & (value.ravel() > SIGNIFICANT * coupling.noise)
    pairs = np.stack([row[keep], index.ravel()[keep]])
    similar, correlation = most_similar(signals, _LINKS)
    own = np.repeat(np.arange(num_nodes), similar.shape[1])
    every = edges_of(coupling.matrix)
    reach = np.concatenate([every, np.stack([own, similar.ravel()])], 1)
    strength = np.r_[1 + strength_of(coupling.matrix, every), np.abs(correlation).ravel()]
    pairs = np.concatenate([pairs, forest(reach, strength, num_nodes)], 1)
    if num_nodes <= DENSE_NODES:
        value = np.abs(signals.correlation)
        np.fill_diagonal(value, -np.inf)
        pairs = np.concatenate([pairs, bridges(value, pairs[:, : keep.sum()], k), spanning_tree(value, similar)], 1)
    key = np.unique(pairs.min(0) * num_nodes + pairs.max(0))
    return np.stack([key // num_nodes, key % num_nodes])


def lengths_of(coupling: Coupling, pairs: np.ndarray, num_nodes: int, noise: float = 1.0) -> Links:
    """Links with the lengths that the dissimilarity gives them."""
    return without_noise(pairs, 1 - coupling.dissimilarity(pairs), num_nodes, noise)


def spacing(pos: np.ndarray) -> float:
    """Median distance to the nearest other node."""
    if len(pos) < 2:
        return 1.0
    nearest = cKDTree(pos).query(pos, k=2)[0][:, 1]
    unit = float(np.median(nearest))
    return unit if unit > 0 else float(nearest.max()) or 1.0


def settled_edges(signals: Signals, coupling: Coupling, pos: np.ndarray, dim: int, on_grid: bool = False) -> np.ndarray:
    """Mutual partners that lie side by side on the map, and what holds their pieces together.

    Off grids that is 1.5 times what is usual around a node, on grids 1.25 spacings: the next distance is
    :math:`\\sqrt 2`.
    """
    pairs = mutual_top(coupling.matrix, 4 * dim if on_grid else 2 * dim + 1)
    pairs = pairs[:, strength_of(coupling.matrix, pairs) > SIGNIFICANT * coupling.noise]
    if on_grid:
        edges = pairs[:, np.linalg.norm(pos[pairs[0]] - pos[pairs[1]], axis=1) < _ADJACENT]
    else:
        edges = pairs[:, side_by_side(pos, pairs, dim)]
    return _joined(signals, coupling, pos, dim, edges)


def nearest_edges(
    signals: Signals, coupling: Coupling, similar: Coupling, pos: np.ndarray, dim: int
) -> tuple[np.ndarray, np.ndarray]:
    r"""The ``N dim`` pairs that are nearest by coupling and map alike, what holds their pieces together, and weights.

    Either measures a pair in units of the larger of both nodes' distance to their own ``2 dim``-th nearest, and a pair
    is as far as the larger of the two says: noise in the couplings and faults of the map don't add up. By coupling,
    distance is :math:`\sqrt{1 - r}`, that of standardised signals.

    The nodes of a pair are among each other's ``4 dim`` nearest by coupling; on the map they are among each other's
    ``2 dim + 2`` nearest, or ``4 dim`` nearest and less than one such unit apart: where density changes, a node's
    nearest neighbours have nearer ones themselves. Where such pairs run out, ``2 dim + 2`` nearest on the map will do.

    Weights are the couplings; what was added to join pieces has at most that of the weakest of the nearest pairs.
    """
    num_nodes = signals.num_nodes
    near = min(2 * dim, num_nodes - 1)
    k = min(2 * near, num_nodes - 1)
    row = np.repeat(np.arange(num_nodes), k)
    strongest = np.stack([row, partners(similar.matrix, k)[0].ravel()])
    held = strongest[1] >= 0
    apart = np.full(row.size, np.inf)
    apart[held] = _apart(similar, strongest[:, held])
    length, index = cKDTree(pos).query(pos, k=k + 1)
    at = np.stack([np.repeat(np.arange(num_nodes), k + 1), index.ravel()])
    pairs = np.concatenate([strongest[:, held], at[:, at[0] != at[1]]], 1)
    key = np.unique(pairs.min(0) * num_nodes + pairs.max(0))
    pairs = np.stack([key // num_nodes, key % num_nodes])
    nearest = np.sort(apart.reshape(num_nodes, k), 1)
    unlike, between = _apart(similar, pairs), np.linalg.norm(pos[pairs[0]] - pos[pairs[1]], axis=1)
    far = np.maximum(_in_units(unlike, nearest[:, near - 1], pairs), _in_units(between, length[:, near], pairs))
    beside = between <= _smaller(length[:, min(near + 2, k)], pairs)
    around = (between <= _smaller(length[:, k], pairs)) & (far < _WITHIN)
    alike = unlike <= _smaller(nearest[:, -1], pairs)
    chosen = np.flatnonzero(beside | (around & alike))
    order = np.lexsort((far[chosen], ~alike[chosen]))[: num_nodes * dim]
    near_pairs = pairs[:, chosen[order]]
    edges = _joined(signals, coupling, pos, dim, near_pairs)
    weight = np.maximum(strength_of(coupling.matrix, edges), WEAKEST)
    kept = np.isin(edges[0] * num_nodes + edges[1], near_pairs[0] * num_nodes + near_pairs[1])
    return edges, np.where(kept, weight, np.minimum(weight, (1 - WEAKEST) * weight[kept].min()))


def _apart(similar: Coupling, pairs: np.ndarray) -> np.ndarray:
    """Distance of standardised signals, up to a factor."""
    return np.sqrt(np.maximum(similar.dissimilarity(pairs), 0))


def _in_units(distance: np.ndarray, reach: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Distances of pairs in units of the larger reach of both ends."""
    result: np.ndarray = distance / np.maximum(*reach[pairs])
    return result


def _smaller(reach: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.minimum(*reach[pairs])
    return result


def _joined(signals: Signals, coupling: Coupling, pos: np.ndarray, dim: int, edges: np.ndarray) -> np.ndarray:
    links = link_pairs(signals, coupling, 2 * dim + 1)
    length = np.linalg.norm(pos[links[0]] - pos[links[1]], axis=1)
    return join_pieces(edges, links, 1 / (1 + length), signals.num_nodes)
