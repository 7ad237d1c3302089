"""Nodes that carry the same signal though their values are continuous: a bridge, or dead before a reference."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from scge_pyg.discovery.signals.scores import normal_scores

__all__ = ["same_signals"]

_MOST_NODES = 2048
_APART = 1e-6  # variance of the difference of standardised signals
_ALIKE = 64, 0.99  # samples that are looked at first, and the correlation there of what may be the same
_DISTINCT = 20, 0.5  # different values, and such a sample: identical pixels, switches and counts have fewer


def same_signals(values: Tensor) -> list[list[int]]:
    r"""Groups of nodes that agree up to unit, offset and sign.

    Two signals with standardised normal scores :math:`z` are the same where

    .. math::
        2 (1 - |\langle z_i z_j \rangle|) < 10^{-6}

    and node :math:`i` takes at least 20 different values, and half as many as there are samples.

    Cost: :math:`O(N^2 C)` for 64 samples, and :math:`O(S n^2 C)` for the n nodes that are like another one there; none
    are looked for above 2,048 nodes.

    Args:
        values: Samples ``[S, N, C]``, ``NaN`` where missing.

    Example:
        >>> import torch
        >>> x = torch.randn(50, 4, 1, generator=torch.Generator().manual_seed(0))
        >>> x[:, 3] = 2 - 3 * x[:, 1]
        >>> same_signals(x)
        [[1, 3]]
    """
    count, num_nodes, _ = values.shape
    if num_nodes > _MOST_NODES:
        return []
    alike = np.abs(_correlation(values[:: max(1, count // _ALIKE[0])]))
    np.fill_diagonal(alike, 0)
    nodes = torch.from_numpy(np.flatnonzero(alike.max(1) > _ALIKE[1]))
    ranked = values[:, nodes].sort(0).values
    distinct = 1 + (ranked[1:] > ranked[:-1]).sum(0).amax(1)
    nodes = nodes[distinct >= max(_DISTINCT[0], _DISTINCT[1] * count)]
    if len(nodes) < 2:
        return []
    same = 2 * (1 - np.abs(_correlation(values[:, nodes]))) < _APART
    group = connected_components(csr_matrix(same), directed=False)[1]
    return [nodes[group == number].tolist() for number in np.flatnonzero(np.bincount(group) > 1)]


def _correlation(values: Tensor) -> np.ndarray:
    """Correlation of normal scores, averaged over channels, ``[N, N]``."""
    score = normal_scores(values.permute(1, 2, 0).numpy()).astype(np.float64)
    score /= np.maximum(np.sqrt((score**2).sum(2, keepdims=True)), 1e-300)
    flat = score.reshape(len(score), -1)
    result: np.ndarray = flat @ flat.T / values.shape[2]
    return result
