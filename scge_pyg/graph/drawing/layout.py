"""Coordinates from edges: flattened geodesics, then a local stress that shrugs off wrong edges."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from scge_pyg.graph.drawing.reach import pairs_within
from scge_pyg.graph.drawing.stress import robust_stress
from scge_pyg.graph.drawing.wiring import adjacency_of, strength_of

__all__ = ["Dissimilarity", "layout", "local_lengths", "side_by_side", "stretched_lengths"]

Dissimilarity = Callable[[np.ndarray], np.ndarray]

_LANDMARKS = 384
_NEAR = 2.01  # whose lengths are known from the corners
_REACH = 4.9  # pairs up to this many steps apart hold the map in shape
_SIDE_BY_SIDE = 1.5  # between the sides of a triangulation (1) and what lies across them (1.7)
_ADJACENT = 1.2
_FOLDED = 0.3  # share of nodes that lie on others; up to 0.25 where wrong edges bend a flat map
_FLAT = 0.25  # a dissimilarity that grows more slowly with distance says too little about it


def local_lengths(adjacency: sp.csr_matrix, dense: bool) -> tuple[np.ndarray, np.ndarray]:
    r"""Euclidean lengths of pairs one and two steps apart.

    Counting steps measures a grid in city blocks. Two nodes that share two neighbours lie across a corner
    (:math:`\sqrt 2` on a grid, :math:`\sqrt 3` in a triangulation), with one shared neighbour straight ahead (2).

    Args:
        adjacency: Symmetric 0/1 matrix ``[N, N]``.
        dense: Whether the graph is a triangulation rather than a grid.

    Returns:
        Pairs ``[2, M]`` with ``i < j`` and their lengths ``[M]``.
    """
    two = sp.triu(adjacency @ adjacency, 1).tocsr()
    two = (two - two.multiply(adjacency)).tocoo()
    ahead = two.data > 0
    direct = sp.triu(adjacency, 1).tocoo()
    corner = math.sqrt(3.0 if dense else 2.0)
    pairs = np.stack([np.r_[direct.row, two.row[ahead]], np.r_[direct.col, two.col[ahead]]]).astype(np.int64)
    return pairs, np.r_[np.ones(direct.nnz), np.where(two.data[ahead] > 1.5, corner, 2.0)]


def stretched_lengths(length: np.ndarray, dissimilarity: np.ndarray) -> np.ndarray:
    r"""Lengths of pairs where nodes lie denser in one place than in another.

    The dissimilarity of two places grows with their distance as a power, :math:`\delta \propto \ell^\alpha` (the
    variogram of a stationary field near the origin). The exponent is fitted to the pairs one and two steps apart, and
    the relation is then read backwards; the median edge keeps its unit length.

    Args:
        length: From :func:`local_lengths`, ``[M]``.
        dissimilarity: One minus the correlation of the same pairs, ``[M]``.

    Example:
        >>> steps, dissimilarity = np.array([1.0, 1.0, 1.0, 2.0, 2.0]), np.array([0.1, 0.2, 0.4, 0.4, 0.4])
        >>> stretched_lengths(steps, dissimilarity).round(2).tolist()
        [0.5, 1.0, 2.0, 2.0, 2.0]
    """
    edge = length == 1
    spread = np.log(np.maximum(dissimilarity, 1e-9))
    if edge.all():
        return length
    exponent = np.polyfit(np.log(length), spread, 1)[0]
    if exponent < _FLAT:
        return length
    return np.clip(np.exp((spread - np.median(spread[edge])) / exponent), 0.05, None)


def _landmark_scaling(graph: sp.csr_matrix, dim: int, generator: np.random.Generator) -> np.ndarray:
    """Landmark multidimensional scaling (de Silva and Tenenbaum, 2004) of geodesics, axes by falling spread."""
    num_nodes = graph.shape[0]
    count = min(_LANDMARKS, num_nodes)
    landmark = np.sort(generator.permutation(num_nodes)[:count])
    square = dijkstra(graph, directed=False, indices=landmark) ** 2
    mean = square[:, landmark].mean(1)
    gram = -0.5 * (square[:, landmark] - mean[:, None] - mean[None, :] + mean.mean())
    wanted = min(2 * dim, count - 1)
    # dense: on a Gram matrix of low rank, Lanczos would restart from random vectors of its own
    value, vector = eigh(gram, subset_by_index=(count - wanted, count - 1))
    value, vector = value[::-1], vector[:, ::-1]
    spread = value > 1e-6 * value[0]  # an axis without spread stays empty
    scale = np.where(spread, 1 / np.sqrt(np.where(spread, value, 1.0)), 0.0)
    pos = -0.5 * (square - mean[:, None]).T @ (vector * scale)
    return np.pad(pos, [(0, 0), (0, 2 * dim - wanted)])


def _folded(pos: np.ndarray, adjacency: sp.csr_matrix) -> bool:
    """Whether many nodes lie on top of others that are more than four steps away."""
    near = cKDTree(pos).query_pairs(_ADJACENT, output_type="ndarray").T
    two_steps = adjacency @ adjacency + adjacency + sp.identity(len(pos), format="csr")
    far = near[:, strength_of(two_steps @ two_steps, near) == 0]
    return len(np.unique(far)) > _FOLDED * len(pos)


def layout(
    edges: np.ndarray,
    num_nodes: int,
    dim: int,
    dense: bool,
    generator: np.random.Generator,
    dissimilarity: Dissimilarity | None = None,
) -> np.ndarray:
    """Coordinates ``[N, d]`` of a connected graph, unit distance along its edges or, if given, by dissimilarity.

    A geometry that closes on itself lies folded in ``dim`` columns: nodes far apart in the graph end up side by side.
    It gets the fewest further columns, up to ``2 dim``, that unfold it: a ring and a cylinder one, a torus two.

    Cost: :math:`O(384\\, N \\log N)` for geodesics from at most 384 landmarks, then the local stress.

    Args:
        edges: Undirected edges ``[2, E]`` of one connected graph over all N nodes.
        num_nodes: Number of nodes N.
        dim: Intrinsic dimension; the result has more columns where the geometry closes on itself.
        dense: Whether triangles are part of the geometry.
        generator: Source of the landmarks.
        dissimilarity: Dissimilarity of any pairs ``[2, M]``, where lengths differ (:func:`stretched_lengths`).
    """
    if num_nodes < 3:
        return np.pad(np.arange(num_nodes, dtype=float)[:, None], [(0, 0), (0, dim - 1)])
    adjacency = adjacency_of(edges, num_nodes)
    pairs, length = local_lengths(adjacency, dense)
    if dissimilarity is not None:
        length = stretched_lengths(length, dissimilarity(pairs))
    graph = sp.csr_matrix((length, (pairs[0], pairs[1])), (num_nodes, num_nodes))
    graph = graph + graph.T
    start = _landmark_scaling(graph, dim, generator)
    far_pairs, far_length = pairs_within(graph, _REACH, start)
    far_pairs, far_length = far_pairs[:, far_length > _NEAR], far_length[far_length > _NEAR]
    pairs = np.concatenate([pairs, far_pairs], 1)
    weight = np.r_[np.ones(len(length)), np.full(len(far_length), 0.1)]
    length = np.r_[length, 0.96 * far_length]
    maps = (robust_stress(start[:, :axes], pairs, length, weight) for axes in range(dim, 2 * dim + 1))
    flat = next(maps)
    if not _folded(flat, adjacency):
        return flat
    return next((pos for pos in maps if not _folded(pos, adjacency)), flat)


def side_by_side(pos: np.ndarray, pairs: np.ndarray, dim: int) -> np.ndarray:
    """Whether two nodes lie no further apart than 1.5 times what is usual around them, ``[E]`` bool.

    Usual is the geometric mean of both nodes' mean distance to their ``2 dim`` nearest.

    Cost: :math:`O(N \\log N + E)`.

    Example:
        >>> chain = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
        >>> side_by_side(chain, np.array([[1, 1], [2, 3]]), dim=1).tolist()
        [True, False]
    """
    nearest = cKDTree(pos).query(pos, k=min(2 * dim + 1, len(pos)))[0]
    usual = nearest[:, 1:].mean(1) if len(pos) > 1 else np.zeros(len(pos))
    length = np.linalg.norm(pos[pairs[0]] - pos[pairs[1]], axis=1)
    return length <= _SIDE_BY_SIDE * np.sqrt(usual[pairs[0]] * usual[pairs[1]])
