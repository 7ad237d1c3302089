"""Intrinsic dimension of a node set from how fast its neighbourhoods grow."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra

__all__ = ["intrinsic_dimension"]

# log(|B(3)| / |B(1)|) of the integer grids Z^1, Z^2, Z^3, Z^4, where |B(r)| counts the nodes within r steps
_GROWTH = np.log(np.array([7 / 3, 25 / 5, 63 / 7, 129 / 9]))


def intrinsic_dimension(adjacency: sp.csr_matrix, sample: int = 2048) -> int:
    r"""Correlation dimension (Grassberger and Procaccia, 1983) in the graph metric.

    In d dimensions the number of nodes within r steps grows as :math:`r^d`. The growth from one step to three is
    compared with its value on the integer grids :math:`\mathbb{Z}^d`; since a border only ever hides nodes, the
    interior is represented by the upper decile over all nodes.

    Cost: :math:`O(N)` at bounded degree, :math:`O(N \cdot \min(N, 2048))` memory.

    Args:
        adjacency: Symmetric sparse adjacency ``[N, N]``.
        sample: Number of nodes, evenly spread over the node order, whose neighbourhoods are counted.

    Returns:
        Dimension, 1 to 4.

    Example:
        >>> import scipy.sparse as sp
        >>> intrinsic_dimension(sp.diags([1.0, 1.0], [-1, 1], shape=(50, 50)).tocsr())
        1
    """
    num_nodes = adjacency.shape[0]
    degree = np.diff(adjacency.indptr)
    wired = np.flatnonzero(degree > 0)
    if not len(wired):
        return 1
    start = wired[np.linspace(0, len(wired) - 1, min(sample, len(wired))).astype(int)]
    counts = []
    for block in np.array_split(start, max(1, len(start) * num_nodes // 2**24)):
        hops = dijkstra(adjacency, indices=block, unweighted=True, limit=3.5)
        counts.append(np.stack([(hops <= 1.5).sum(1), (hops <= 3.5).sum(1)]))
    near, wide = np.quantile(np.concatenate(counts, 1), 0.9, axis=1)
    return int(np.abs(_GROWTH - np.log(wide / near)).argmin()) + 1
