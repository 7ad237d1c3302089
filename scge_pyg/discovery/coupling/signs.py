"""Which nodes run against their neighbours: polarity, read off the strongest links."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from scge_pyg.discovery.maps.sketch import spanning_tree

__all__ = ["align_signs"]

_LINKS = 4
_ROUNDS = 20
_AGREED = 2 / 3


def align_signs(correlation: np.ndarray, threshold: float) -> np.ndarray:
    r"""Signs ``[N]`` that make the strongest links positive; 0 where loops of them disagree.

    Links are each node's four strongest by :math:`|r|` above ``threshold``, and those of the maximum spanning tree,
    which join what the four leave apart. Signs spread along that tree and are then settled by vote,
    :math:`s_i \leftarrow \operatorname{sign} \sum_j r_{ij} s_j`. A node on whose links less than two thirds of the
    weight agrees has no sign. In each connected part most signs are +1.

    Cost: :math:`O(N^2)`.

    Args:
        correlation: Correlation ``[N, N]``.
        threshold: Values below it are noise.

    Example:
        >>> chain = np.array([[1.0, -0.8, -0.6], [-0.8, 1.0, 0.8], [-0.6, 0.8, 1.0]])
        >>> align_signs(chain, 0.1).tolist()
        [-1, 1, 1]
    """
    num_nodes = len(correlation)
    strength = np.abs(correlation)
    np.fill_diagonal(strength, 0.0)
    k = min(_LINKS, num_nodes - 1)
    best = np.argpartition(-strength, k - 1, axis=1)[:, :k]
    pairs = np.stack([np.repeat(np.arange(num_nodes), k), best.ravel()])
    pairs = np.concatenate([pairs, spanning_tree(strength, best)], 1)
    linked = np.zeros((num_nodes, num_nodes), dtype=bool)
    linked[pairs[0], pairs[1]] = linked[pairs[1], pairs[0]] = True
    links = sp.csr_matrix(np.where(linked & (strength > threshold), correlation, 0.0))
    sign = _along_tree(links)
    for _ in range(_ROUNDS):
        vote = links @ sign
        settled = np.where(vote == 0, sign, np.sign(vote))
        if np.array_equal(settled, sign):
            break
        sign = settled
    total = np.asarray(abs(links).sum(1)).ravel()
    agreed = (total + sign * (links @ sign)) / 2
    sign = np.where(agreed >= _AGREED * total, sign, 0.0)
    part = connected_components(links, directed=False)[1]
    balance = np.bincount(part, sign)
    return np.where(balance[part] < 0, -sign, sign).astype(np.int64)


def _along_tree(links: sp.csr_matrix) -> np.ndarray:
    """Signs spread from one node of each part along its strongest links, ``[N]``."""
    tree = minimum_spanning_tree(sp.csr_matrix((2.0 - np.abs(links.data), links.indices, links.indptr), links.shape))
    tree = tree + tree.T
    sign = np.ones(links.shape[0])
    _, part = connected_components(tree, directed=False)
    linked = np.bincount(part) > 1
    for start in np.unique(part, return_index=True)[1][linked].tolist():
        order, parent = breadth_first_order(tree, start, directed=False)
        along = np.sign(np.asarray(links[order[1:], parent[order[1:]]]).ravel())
        for node, above, step in zip(order[1:].tolist(), parent[order[1:]].tolist(), along.tolist(), strict=True):
            sign[node] = sign[above] * step
    return sign
