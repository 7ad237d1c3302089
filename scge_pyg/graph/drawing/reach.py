"""Pairs of nodes within reach of each other along links."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

__all__ = ["pairs_within"]

_TILE = 128


def pairs_within(links: sp.csr_matrix, reach: float, pos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs at most ``reach`` apart along links, ``[2, M]`` with ``i < j``, and their geodesic lengths ``[M]``.

    Nodes that lie together on a map search together, among what is within reach of any of them.

    Cost: :math:`O(N)` searches among as many nodes as are within reach, :math:`O(N^2 / 128)` to find them.

    Args:
        links: Symmetric lengths ``[N, N]``.
        reach: Longest geodesic.
        pos: A map ``[N, d]``, however rough.

    Example:
        >>> chain = sp.csr_matrix(np.diag([1.0, 2.0], 1) + np.diag([1.0, 2.0], -1))
        >>> pairs, length = pairs_within(chain, 2.5, np.arange(3.0)[:, None])
        >>> pairs.T.tolist(), length.tolist()
        ([[0, 1], [1, 2]], [1.0, 2.0])
    """
    num_nodes = links.shape[0]
    together = cKDTree(pos, leafsize=_TILE).indices
    pairs, lengths = [np.zeros((2, 0), dtype=np.int64)], [np.zeros(0)]
    for own in np.array_split(together, max(1, num_nodes // _TILE)):
        own = np.sort(own)
        there = np.flatnonzero(np.isfinite(dijkstra(links, indices=own, limit=reach, min_only=True)))
        distance = dijkstra(links[there][:, there], indices=np.searchsorted(there, own), limit=reach)
        i, j = np.nonzero(np.isfinite(distance) & (there > own[:, None]))
        pairs.append(np.stack([own[i], there[j]]))
        lengths.append(distance[i, j])
    found, length = np.concatenate(pairs, 1), np.concatenate(lengths)
    order = np.lexsort((found[1], found[0]))
    return found[:, order], length[order]
