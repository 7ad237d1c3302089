"""Which nodes of many sit in judgement."""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import dijkstra

from scge_pyg.discovery.coupling.similar import DENSE_NODES, evident_links
from scge_pyg.discovery.judgement.prediction import num_partners
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["jurors"]


def jurors(signals: Signals, most: int) -> np.ndarray:
    """Rows of at most ``most`` nodes to judge a part by, ascending.

    Up to 2,048 nodes they are evenly spread in canonical order, so that they show the whole shape. Among more, nodes
    so far apart would have nothing to do with each other: then it is one neighbourhood, the nodes that lie nearest
    along evident links to one whose strongest links are typical.

    Cost: :math:`O(N \\log N)`.

    Args:
        signals: Signals of a connected part.
        most: Number of nodes wanted.
    """
    num_nodes = signals.num_nodes
    spread = np.unique(np.linspace(0, num_nodes - 1, min(most, num_nodes)).astype(int))
    if num_nodes <= max(most, DENSE_NODES):
        return spread
    strength = np.abs(signals.similar[1])
    typical = int(np.argsort(strength[:, : num_partners(num_nodes)].min(1), kind="stable")[num_nodes // 2])
    away = dijkstra(evident_links(signals), indices=typical)
    near = np.argsort(away, kind="stable")[:most]
    return np.sort(near) if np.isfinite(away[near]).all() else spread
