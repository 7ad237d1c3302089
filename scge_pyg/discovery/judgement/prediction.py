"""Held-out predictions of each node from a few partners."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

__all__ = ["block_gains", "moment_gains", "nearest", "num_partners", "random_partners", "regression"]

_RIDGE = 1e-3
_FLOOR = 1e-6


def num_partners(num_nodes: int) -> int:
    """Predictors a node: :math:`\\min(8, \\lceil (N - 1) / 3 \\rceil)`, so that few nodes leave a choice."""
    return max(1, min(8, -(-(num_nodes - 1) // 3)))


def nearest(pos: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` nearest other nodes of each node on a map, ``[N, k]``.

    Cost: :math:`O(N \\log N)`.
    """
    found = cKDTree(pos).query(pos, k=k + 1)[1]
    own = found == np.arange(len(pos))[:, None]
    own[~own.any(1), -1] = True  # where more than k others share its place
    return found[~own].reshape(len(pos), k)


def random_partners(num_nodes: int, k: int, generator: np.random.Generator) -> np.ndarray:
    """``k`` random other nodes for each node, ``[N, k]``, none twice."""
    order = generator.random((num_nodes, num_nodes))
    np.fill_diagonal(order, np.inf)
    return np.argpartition(order, k - 1, axis=1)[:, :k]


def regression(moments: np.ndarray, partners: np.ndarray) -> np.ndarray:
    r"""Ridge coefficients :math:`(M_{PP} + \lambda I)^{-1} M_{Pv}` of each node on its partners, ``[N, k]``."""
    gram = moments[partners[:, :, None], partners[:, None, :]] + _RIDGE * np.eye(partners.shape[1])
    cross = moments[partners, np.arange(len(partners))[:, None]]
    result: np.ndarray = np.linalg.solve(gram, cross[..., None])[..., 0]
    return result


def moment_gains(partners: np.ndarray, fitted: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    r"""Gain of each node from its partners over its variance alone, in nats, from second moments.

    .. math::
        g_v = -\tfrac12 \log \frac{M'_{vv} - 2 b^\top M'_{Pv} + b^\top M'_{PP} b}{M'_{vv}}

    with coefficients b fitted on one side and moments :math:`M'` of the other.

    Cost: :math:`O(N k^3)`.

    Args:
        partners: Partners ``[N, k]``.
        fitted: Second moments ``[N, N]`` of the side that the map was drawn from.
        held_out: Second moments ``[N, N]`` of the other side.
    """
    beta = regression(fitted, partners)
    own = np.diag(held_out)
    cross = held_out[partners, np.arange(len(partners))[:, None]]
    gram = held_out[partners[:, :, None], partners[:, None, :]]
    error = own - 2 * (beta * cross).sum(1) + np.einsum("vi,vij,vj->v", beta, gram, beta)
    own = np.maximum(own, _FLOOR)
    result: np.ndarray = -0.5 * np.log(np.maximum(error, _FLOOR) / own)
    return result


def block_gains(
    score: np.ndarray, observed: np.ndarray | None, block: np.ndarray, partners: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """Gains of each node in each block of held-out samples, ``[B, N]`` nats, on observed values only.

    Cost: :math:`O(N k S)`, in blocks of nodes.

    Args:
        score: Normal scores ``[N, S]`` of the held-out side, 0 where missing.
        observed: Mask ``[N, S]``, or ``None`` where nothing is missing.
        block: Number of the block of each sample, 0 to B - 1, ``[S]``.
        partners: Partners ``[N, k]``.
        beta: Coefficients ``[N, k]``.
    """
    count = int(block.max()) + 1
    deal = np.zeros((len(block), count), dtype=np.float32)
    deal[np.arange(len(block)), block] = 1
    error, own = np.empty((len(partners), count)), np.empty((len(partners), count))
    reads = sp.csr_matrix(
        (beta.astype(np.float32).ravel(), partners.ravel(), np.arange(len(partners) + 1) * partners.shape[1]),
        (len(partners), len(partners)),
    )
    pieces = max(1, score.size // 2**24)
    for rows in np.array_split(np.arange(len(partners)), pieces):
        residual = score[rows] - reads[rows] @ score
        if observed is not None:
            residual = residual * observed[rows]
        error[rows], own[rows] = (residual**2) @ deal, (score[rows] ** 2) @ deal
    result: np.ndarray = -0.5 * np.log(np.maximum(error, _FLOOR) / np.maximum(own, _FLOOR)).T
    return result
