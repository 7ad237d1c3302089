"""Sensors that stand at one site: what tells them apart has to do with no other node."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

__all__ = ["site_of"]

_PARTNERS = 6
_LARGEST = 4  # sensors at one site
_LIKEST = 1 - 1e-6
_CLEAR = 2.0  # times chance that the difference to a sensor elsewhere must be tied to other nodes
_SHARE = 0.4  # nodes at shared sites, at least: uniform places have near pairs too, and chains end in some
_FEWEST = 12


def site_of(correlation: np.ndarray, effective: float) -> np.ndarray:
    r"""Site of each node, ``[N]``: the first node of those at its place, which is itself for most.

    Two sensors at one site are :math:`z_i = a_i f + e_i` with noise :math:`e_i` of their own, so that their difference

    .. math::
        d = z_i - c z_j, \qquad c = \sum_k r_{ik} r_{jk} / \sum_k r_{jk}^2 \quad (k \ne i, j)

    correlates with no third node beyond chance, :math:`\sqrt{4 \log N}` deviations, whereas the difference to a sensor
    elsewhere does, at least twice as strongly, and that sensor is less like it beyond chance. Each node is compared
    with its six strongest partners. Sites of two to four nodes are believed where two in five nodes stand at one.

    Cost: :math:`O(N^2)` a partner.

    Args:
        correlation: Correlation ``[N, N]``.
        effective: Effective number of samples.

    Example:
        >>> site_of(np.eye(20), 1000.0).tolist() == list(range(20))
        True
    """
    num_nodes = len(correlation)
    alone = np.arange(num_nodes)
    if num_nodes < _FEWEST:
        return alone
    strength = np.abs(correlation)
    np.fill_diagonal(strength, -1)
    partners = np.argsort(-strength, axis=1, kind="stable")[:, :_PARTNERS]
    tie = np.stack([_tie(correlation, other) for other in partners.T], 1) * np.sqrt(effective)
    chance = np.sqrt(4 * np.log(num_nodes))
    same = tie <= chance
    likeness = np.arctanh(np.minimum(np.take_along_axis(strength, partners, 1), _LIKEST)) * np.sqrt(effective)
    apart = np.where(same, likeness, np.inf).min(1) - np.where(same, -np.inf, likeness).max(1) > chance
    clear = (same | (tie >= _CLEAR * chance)).all(1) & ~same.all(1) & apart
    row, rank = np.nonzero(same & clear[:, None])
    half = sp.csr_matrix((np.ones(len(row)), (row, partners[row, rank])), (num_nodes, num_nodes))
    label = connected_components(half.multiply(half.T), directed=False)[1]
    size = np.bincount(label)[label]
    shared = (size > 1) & (size <= _LARGEST)
    if shared.mean() < _SHARE:
        return alone
    first = np.unique(label, return_index=True)[1]
    return np.where(shared, first[label], alone)


def _tie(correlation: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Largest correlation, over third nodes, of the difference between each node and another one, ``[N]``."""
    node = np.arange(len(correlation))
    own, its = correlation.copy(), correlation[other]
    for values in (own, its):
        values[node, node] = values[node, other] = 0
    factor = (own * its).sum(1) / np.maximum((its**2).sum(1), 1e-9)
    variance = 1 + factor**2 - 2 * factor * correlation[node, other]
    left = np.abs(own - factor[:, None] * its).max(1)
    result: np.ndarray = left / np.sqrt(np.maximum(variance, 1e-9))
    return result
