"""From coupling to edges: which partners count, and which edges are shortcuts across the geometry."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
from numba import njit
from scipy.sparse.csgraph import connected_components

from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT, SPLIT, split_threshold
from scge_pyg.graph.drawing.wiring import TRIANGULATED, Wiring, adjacency_of, edges_of, strength_of, transitivity

__all__ = ["attach", "mutual_top", "partners", "strong_edges", "wire"]


def partners(coupling: sp.csr_matrix, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Strongest ``k`` partners of each node and their couplings, ``[N, k]``; -1 and 0 where there are fewer."""
    ordered = coupling.sorted_indices()
    return _strongest(ordered.indptr, ordered.indices, ordered.data.astype(float), k)


@njit(cache=True)
def _strongest(start: np.ndarray, partner: np.ndarray, value: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` largest entries of each row, the largest first, of equal ones the first."""
    num_nodes = len(start) - 1
    index, strength = np.full((num_nodes, k), -1), np.zeros((num_nodes, k))
    for node in range(num_nodes):
        count = 0
        for entry in range(start[node], start[node + 1]):
            place = count
            while place > 0 and strength[node, place - 1] < value[entry]:
                place -= 1
            if place == k:
                continue
            count = min(count + 1, k)
            for other in range(count - 1, place, -1):
                index[node, other], strength[node, other] = index[node, other - 1], strength[node, other - 1]
            index[node, place], strength[node, place] = partner[entry], value[entry]
    return index, strength


def mutual_top(coupling: sp.csr_matrix, k: int) -> np.ndarray:
    """Pairs in which each node is among the other's ``k`` strongest partners, ``[2, E]``."""
    index, _ = partners(coupling, k)
    row = np.repeat(np.arange(len(index)), k)[index.ravel() >= 0]
    chosen = sp.csr_matrix((np.ones(len(row)), (row, index.ravel()[index.ravel() >= 0])), coupling.shape)
    return edges_of(chosen.multiply(chosen.T))


def strong_edges(coupling: sp.csr_matrix, noise: float) -> np.ndarray:
    """Pairs above the split that each end sees between its direct neighbours and the rest, ``[2, E]``.

    The split is that of a node's eight strongest couplings (:func:`split_threshold`); a pair must
    exceed the geometric mean of its two ends' thresholds, and three times the noise.
    """
    threshold = split_threshold(partners(coupling, SPLIT)[1])
    pairs = mutual_top(coupling, SPLIT)
    strength = strength_of(coupling, pairs)
    limit = np.maximum(np.sqrt(threshold[pairs[0]] * threshold[pairs[1]]), SIGNIFICANT * noise)
    return pairs[:, strength > limit]


def wire(coupling: sp.csr_matrix, noise: float, dim: int) -> Wiring:
    """Grow the wiring from the strongest edges, admit what closes a short cycle, drop the shortcuts.

    Candidates are mutual among the ``2 dim + 1`` strongest partners. A strong edge among ``2 dim`` and above the
    lowest fifth of all candidates is trusted at once. The others follow, those among ``2 dim`` first and the strongest
    first, up to ``2 dim`` edges a node, if their ends are already three steps apart (or, in a triangulation, two): on a
    surface every edge closes a short cycle, while one that joins the left border to the right closes a long one. Parts
    that stay apart are joined by their strongest candidate, if no pair of unrelated nodes would be as strong by chance.

    Args:
        coupling: Symmetric sparse coupling ``[N, N]``.
        noise: Standard deviation of the coupling between unrelated nodes; weaker pairs than three of it are no edges.
        dim: Intrinsic dimension.
    """
    num_nodes = coupling.shape[0]
    limit = 2 * dim
    edges = mutual_top(coupling, limit + 1)
    strength = strength_of(coupling, edges)
    edges, strength = edges[:, strength > SIGNIFICANT * noise], strength[strength > SIGNIFICANT * noise]

    evident = noise * math.sqrt(4 * math.log(num_nodes))  # beyond the largest of N^2 / 2 normal variables

    def contains(pairs: np.ndarray) -> np.ndarray:
        return np.isin(edges[0] * num_nodes + edges[1], pairs[0] * num_nodes + pairs[1])

    first = contains(mutual_top(coupling, limit))
    strong = first & contains(strong_edges(coupling, noise))
    dense = transitivity(adjacency_of(edges[:, strong], num_nodes)) > TRIANGULATED
    trusted = edges[:, strong]
    strong = first if dense else strong
    admitted = strong & (strength >= np.quantile(strength[first], 0.2)) if first.any() else strong
    if dim == 1:
        admitted = first  # a chain has no short cycles to close
    for eligible in (first, np.ones_like(first)) if dim > 1 else ():
        while True:
            adjacency = adjacency_of(edges[:, admitted], num_nodes)
            pending = np.flatnonzero(eligible & ~admitted)
            closing = pending[_closes_short_cycle(adjacency, edges[:, pending], dense)]
            chosen = _up_to_degree(closing, edges, strength, np.diff(adjacency.indptr), limit)
            if not chosen.size:
                part = connected_components(adjacency, directed=False)[1]
                apart = pending[(part[edges[0, pending]] != part[edges[1, pending]]) & (strength[pending] > evident)]
                chosen = _strongest_joins(apart, part, edges, strength)
            if not chosen.size:
                break
            admitted[chosen] = True
    doubtful, edges = edges[:, first & ~admitted], edges[:, admitted]
    return Wiring(edges, attach(coupling, edges, noise), trusted, doubtful, dense)


def _closes_short_cycle(adjacency: sp.csr_matrix, edges: np.ndarray, dense: bool) -> np.ndarray:
    if not edges.shape[1]:
        return np.zeros(0, dtype=bool)
    first, last = adjacency[edges[0]], adjacency[edges[1]]
    by_two, by_three = (np.asarray(way.multiply(last).sum(1)).ravel() > 0 for way in (first, first @ adjacency))
    return (by_two | by_three) if dense else (by_three & ~by_two)


def _up_to_degree(
    pending: np.ndarray, edges: np.ndarray, strength: np.ndarray, degree: np.ndarray, limit: int
) -> np.ndarray:
    """Pending edges in falling strength while both their ends have fewer than ``limit`` edges."""
    pending = pending[np.argsort(-strength[pending], kind="stable")]
    return pending[_fit(edges[:, pending].copy(), degree.astype(np.int64), limit)]


@njit(cache=True)
def _fit(edges: np.ndarray, degree: np.ndarray, limit: int) -> np.ndarray:
    """Which of the edges find both their ends with fewer than ``limit`` edges; ``degree`` is used up."""
    fits = np.zeros(edges.shape[1], dtype=np.bool_)
    for edge in range(edges.shape[1]):
        i, j = edges[0, edge], edges[1, edge]
        if degree[i] < limit and degree[j] < limit:
            degree[i] += 1
            degree[j] += 1
            fits[edge] = True
    return fits


def _strongest_joins(pending: np.ndarray, part: np.ndarray, edges: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """For each part the strongest pending edge that leaves it (a step of Boruvka's algorithm)."""
    ends = np.concatenate([part[edges[0, pending]], part[edges[1, pending]]])
    edge = np.concatenate([pending, pending])
    order = np.lexsort((edge, -strength[edge], ends))
    first = np.unique(ends[order], return_index=True)[1]
    return np.unique(edge[order][first])


def attach(coupling: sp.csr_matrix, edges: np.ndarray, noise: float) -> np.ndarray:
    """Link each node that has no edge to its strongest partner, if that coupling stands out of the noise."""
    degree = np.bincount(edges.ravel(), minlength=coupling.shape[0])
    index, value = partners(coupling, 1)
    lonely = np.flatnonzero((degree == 0) & (value[:, 0] > SIGNIFICANT * noise))
    return np.stack([lonely, index[lonely, 0]])
