"""Links that hold pieces together."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import minimum_spanning_tree

__all__ = ["forest", "join_pieces"]


def forest(pairs: np.ndarray, strength: np.ndarray, num_nodes: int) -> np.ndarray:
    """Maximum spanning forest of weighted pairs, ``[2, F]`` with ``i < j``.

    Example:
        >>> forest(np.array([[0, 1, 0], [1, 2, 2]]), np.array([0.9, 0.5, 0.7]), 3).tolist()
        [[0, 0], [1, 2]]
    """
    if not pairs.shape[1]:
        return pairs
    low, high = pairs.min(0), pairs.max(0)
    order = np.lexsort((-strength, high, low))
    low, high, strength = low[order], high[order], strength[order]
    first = np.r_[True, (np.diff(low) != 0) | (np.diff(high) != 0)]
    cost = strength.max() + 1 - strength[first]
    tree = minimum_spanning_tree(sp.csr_matrix((cost, (low[first], high[first])), (num_nodes, num_nodes))).tocoo()
    found = np.stack([tree.row, tree.col]).astype(np.int64)
    return found[:, np.lexsort((found[1], found[0]))]


def join_pieces(edges: np.ndarray, pairs: np.ndarray, strength: np.ndarray, num_nodes: int) -> np.ndarray:
    """Edges ``[2, E]`` and, of further pairs ``[2, P]``, the strongest that join what is not connected by them.

    Example:
        >>> chain, bridge = np.array([[0, 2], [1, 3]]), np.array([[1, 0], [2, 3]])
        >>> join_pieces(chain, bridge, np.array([0.5, 0.4]), 4).tolist()
        [[0, 1, 2], [1, 2, 3]]
    """
    top = strength.max(initial=0.0) + 1
    every = np.concatenate([edges, pairs], 1)
    tree = forest(every, np.r_[np.full(edges.shape[1], top), strength], num_nodes)
    key = np.unique(np.concatenate([edges.min(0) * num_nodes + edges.max(0), tree[0] * num_nodes + tree[1]]))
    return np.stack([key // num_nodes, key % num_nodes])
