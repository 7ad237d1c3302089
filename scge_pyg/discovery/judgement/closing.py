"""Geometries of one dimension: chains, and whether they close on themselves."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import dijkstra

from scge_pyg.discovery.coupling.similar import beyond_noise
from scge_pyg.discovery.maps.sketch import ranked_partners, strongest_links

__all__ = ["chain_order", "closes", "follows", "nearest_along"]

_FEWEST = 8
_MOST = 0.95
_STRONG, _FOLLOW = 6, 0.9  # lines and rings, regular or not, 0.98 and more; three arms 0.69 and less


def chain_order(value: np.ndarray) -> np.ndarray:
    """Nodes by their distance from an end of the maximum spanning tree, ``[N]``: the chain, if there is one.

    Args:
        value: Coupling ``[N, N]``, -inf on the diagonal.

    Example:
        >>> value = np.full((4, 4), -1.0)
        >>> np.fill_diagonal(value, -np.inf)
        >>> for i, j in ((2, 0), (0, 3), (3, 1)):
        ...     value[i, j] = value[j, i] = 0.9
        >>> chain_order(value).tolist() in ([2, 0, 3, 1], [1, 3, 0, 2])
        True
    """
    tree = strongest_links(value, ranked_partners(value, 16), 0, np.inf, direct=True).matrix()
    start = int(dijkstra(tree, directed=False, indices=0).argmax())
    return np.argsort(dijkstra(tree, directed=False, indices=start), kind="stable")


def nearest_along(order: np.ndarray, k: int, ring: bool) -> np.ndarray:
    """The ``k`` nearest other nodes of each node along a chain or around a ring, ``[N, k]``.

    Example:
        >>> nearest_along(np.array([2, 0, 1]), 1, ring=False).tolist()
        [[2], [0], [0]]
    """
    num_nodes = len(order)
    place = np.argsort(order)
    apart = np.abs(place[:, None] - place[None, :])
    if ring:
        apart = np.minimum(apart, num_nodes - apart)
    np.fill_diagonal(apart, num_nodes)
    return np.argsort(apart * num_nodes + place[None, :], axis=1)[:, :k]


def follows(order: np.ndarray, value: np.ndarray) -> bool:
    """Whether nodes that follow each other along a chain are strong partners, as on a chain that doesn't branch.

    Branches lie on top of each other in an order by distance from an end: every second node is then a stranger, while
    its nearest along the chain still hold enough partners to predict it. Nine in ten pairs must be among the six
    strongest of one of both.

    Args:
        order: Nodes along the chain, ``[N]``.
        value: Coupling ``[N, N]``, -inf on the diagonal.

    Example:
        >>> value = -np.abs(np.subtract.outer(np.arange(12.0), np.arange(12.0)))
        >>> np.fill_diagonal(value, -np.inf)
        >>> follows(np.arange(12), value), follows(np.array([0, 11, 1, 10, 2, 9, 3, 8, 4, 7, 5, 6]), value)
        (True, False)
    """
    partners = ranked_partners(value, _STRONG)
    one, other = order[:-1], order[1:]
    strong = (partners[one] == other[:, None]).any(1) | (partners[other] == one[:, None]).any(1)
    return bool(strong.mean() >= _FOLLOW)


def closes(order: np.ndarray, correlation: np.ndarray, effective: float) -> bool:
    r"""Whether the two ends of a chain are tied to each other more closely than its halves are.

    On an open chain two ends are the least alike of all. On a ring that was cut open they are neighbours. It closes if
    the ends correlate more than 95 % of all pairs a quarter to three quarters of the chain apart, and more than noise
    does. Not more than all: where nodes are dense, a quarter of them may be near.
    The gain of a second column says little about this: it touches a few nodes at the cut.

    Args:
        order: Nodes along the chain, ``[N]``.
        correlation: Correlation ``[N, N]`` of its nodes.
        effective: Effective number of samples.
    """
    num_nodes = len(correlation)
    if num_nodes < _FEWEST:
        return False
    along = correlation[np.ix_(order, order)]
    apart = np.abs(np.arange(num_nodes)[:, None] - np.arange(num_nodes)[None, :])
    middle = (apart >= num_nodes / 4) & (apart <= 3 * num_nodes / 4)
    ends = max(2, num_nodes // 20)
    tie = float(along[:ends, -ends:].max())
    return tie > max(float(np.quantile(along[middle], _MOST)), beyond_noise(4.0, effective))
