"""Sketches of a map, quick enough to be drawn by the dozen and judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, dijkstra, minimum_spanning_tree

__all__ = [
    "Links",
    "bridges",
    "leading_eigenvectors",
    "ranked_partners",
    "scale_geodesics",
    "signal_distance",
    "spanning_tree",
    "strongest_links",
]

_SHORTEST = 0.01
_PIECE = 8
_SPARE = 8
_POWERS = 12


@dataclass(frozen=True)
class Links:
    """Undirected links of a coupling and their lengths.

    Attributes:
        pairs: Links ``[2, L]`` with ``i < j``.
        length: Lengths ``[L]``.
        num_nodes: Number of nodes N.
    """

    pairs: np.ndarray
    length: np.ndarray
    num_nodes: int

    def matrix(self) -> sp.csr_matrix:
        """Symmetric sparse matrix of the lengths."""
        half = sp.csr_matrix((self.length, self.pairs), (self.num_nodes, self.num_nodes))
        return half + half.T


def ranked_partners(value: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` strongest partners of each node by falling value, ``[N, k]``.

    Example:
        >>> ranked_partners(np.array([[-np.inf, 0.1, 0.7], [0.1, -np.inf, 0.2], [0.7, 0.2, -np.inf]]), 1).tolist()
        [[2], [2], [0]]
    """
    k = min(k, len(value) - 1)
    best = np.argpartition(-value, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(value, best, 1), axis=1, kind="stable")
    return np.take_along_axis(best, order, 1)


def strongest_links(
    value: np.ndarray, ranked: np.ndarray, k: int, threshold: float, direct: bool, tree: np.ndarray | None = None
) -> Links:
    r"""The ``k`` strongest links of each node above a threshold, and the maximum spanning tree.

    Lengths are :math:`\sqrt{1 - c}`, the distance of standardised signals up to a factor, for correlations, and 1 for
    partial ones, which say little about distance.

    Args:
        value: Coupling ``[N, N]``, -inf on the diagonal.
        ranked: Partners of each node by falling value, ``[N, K]`` with ``K >= k``.
        k: Links a node.
        threshold: Values below it are noise.
        direct: Whether the coupling is a partial correlation.
        tree: Edges of the spanning tree, where they are known.
    """
    num_nodes = len(value)
    tree = spanning_tree(value, ranked) if tree is None else tree
    row = np.repeat(np.arange(num_nodes), k)
    col = ranked[:, :k].ravel()
    keep = value[row, col] > threshold
    pairs = np.stack([row[keep], col[keep]])
    pairs = np.concatenate([pairs, bridges(value, pairs, k), tree], 1)
    key = np.unique(pairs.min(0) * num_nodes + pairs.max(0))
    pairs = np.stack([key // num_nodes, key % num_nodes])
    length = np.ones(len(key)) if direct else signal_distance(value[pairs[0], pairs[1]])
    return Links(pairs, length, num_nodes)


def bridges(value: np.ndarray, pairs: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` strongest pairs that leave each piece of at least ``k`` and eight nodes, ``[2, B]``.

    A single link across a gap leaves the pieces free to turn about it.

    Args:
        value: Coupling ``[N, N]``, -inf on the diagonal.
        pairs: Links ``[2, L]``.
        k: Links a piece.
    """
    num_nodes = len(value)
    half = sp.csr_matrix((np.ones(pairs.shape[1]), pairs), (num_nodes, num_nodes))
    count, label = connected_components(half, directed=False)
    if count == 1:
        return pairs[:, :0]
    size = np.bincount(label, minlength=count)
    found = [pairs[:, :0]]
    for piece in np.flatnonzero((size >= max(k, _PIECE)) & (size < num_nodes)).tolist():
        inside, outside = np.flatnonzero(label == piece), np.flatnonzero(label != piece)
        strength = value[np.ix_(inside, outside)].ravel()
        best = np.argsort(-strength, kind="stable")[:k]
        found.append(np.stack([inside[best // len(outside)], outside[best % len(outside)]]))
    return np.concatenate(found, 1)


def signal_distance(correlation: np.ndarray, nugget: float = 0.0) -> np.ndarray:
    r"""Distance of standardised signals up to a factor, :math:`\sqrt{1 - r - \nu}`, without the share that is noise."""
    return np.sqrt(np.maximum(1 - correlation - nugget, _SHORTEST**2))


def spanning_tree(value: np.ndarray, ranked: np.ndarray) -> np.ndarray:
    """Edges of the maximum spanning tree of the ranked partners, or of all where those leave apart, ``[2, N - 1]``."""
    num_nodes, k = ranked.shape
    row = np.repeat(np.arange(num_nodes), k)
    near = sp.csr_matrix((2.5 - value[row, ranked.ravel()], (row, ranked.ravel())), (num_nodes, num_nodes))
    if connected_components(near, directed=False)[0] > 1:
        whole = 2.5 - value
        np.fill_diagonal(whole, 0.0)
        near = sp.csr_matrix(whole)
    tree = minimum_spanning_tree(near.maximum(near.T)).tocoo()
    return np.stack([tree.row, tree.col]).astype(np.int64)


def scale_geodesics(links: Links, columns: int, landmarks: int = 128) -> np.ndarray:
    """Landmark scaling (de Silva and Tenenbaum, 2004) of geodesic lengths, ``[N, columns]``, by falling spread.

    The landmarks are evenly spread over the node order, which is as good as random.
    """
    landmark = np.unique(np.linspace(0, links.num_nodes - 1, min(landmarks, links.num_nodes)).astype(int))
    square = dijkstra(links.matrix(), directed=False, indices=landmark) ** 2
    mean = square[:, landmark].mean(1)
    gram = -0.5 * (square[:, landmark] - mean[:, None] - mean[None, :] + mean.mean())
    gram = (gram + gram.T) / 2
    wanted = min(columns, len(landmark) - 1)
    value, vector = leading_eigenvectors(gram, wanted)
    scale = np.where(value > 1e-6 * value[0], 1 / np.sqrt(np.maximum(value, 1e-12)), 0.0)
    pos = -0.5 * (square - mean[:, None]).T @ (vector * scale)
    return np.pad(pos, [(0, 0), (0, columns - wanted)])


def leading_eigenvectors(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues of a symmetric matrix and their vectors, by falling value, ``[count]`` and ``[N, count]``.

    Orthogonal iteration on a block with eight columns to spare, then Rayleigh-Ritz: what is far from the largest fades
    as the powers of a small ratio. A full decomposition of a few hundred rows takes ten times as long.

    Example:
        >>> value, vector = leading_eigenvectors(np.diag([1.0, 5.0, -7.0, 3.0]), 2)
        >>> value.round(6).tolist()
        [5.0, 3.0]
    """
    size = min(len(matrix), count + _SPARE)
    block = np.random.default_rng(0).standard_normal((len(matrix), size))
    for _ in range(_POWERS):
        block = np.linalg.qr(matrix @ (matrix @ block))[0]
    value, inner = np.linalg.eigh(block.T @ matrix @ block)
    value, vector = value[::-1][:count], (block @ inner)[:, ::-1][:, :count]
    return value, vector
