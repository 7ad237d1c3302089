"""Parts that nothing but chance joins: nodes that are seldom lit coincide in a few samples with nodes of any kind."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from scipy.special import xlog1py
from scipy.stats import norm

from scge_pyg.discovery.maps.joining import forest

__all__ = ["labels_of", "proof", "tailedness", "without_strangers"]

_VALUES = 2**20  # that are looked at at once
_NORMAL = 3.0  # kurtosis of a normal variable
_CHANCE = 0.01  # that any of all links between two strangers joins them
_LESS_THAN_ONE = 1 - 1e-12
_FAINT = 1e-6  # below it Bennett's function is that of a normal variable


def tailedness(score: np.ndarray, observed: np.ndarray | None) -> np.ndarray:
    r"""Kurtosis of each row ``[N, S]`` beyond that of a normal variable, at least 0, ``[N]``.

    Of S samples a node that is lit in m has :math:`S / m - 3`; normal scores without ties have none.

    Cost: :math:`O(N S)`.

    Example:
        >>> score = np.zeros((2, 100)); score[0, :4] = 1; score[1, ::2] = 1
        >>> tailedness(score - score.mean(1, keepdims=True), None).round(1).tolist()
        [20.0, 0.0]
    """
    second, fourth = torch.empty(2, len(score), dtype=torch.float64)
    step = max(1, _VALUES // score.shape[1])
    for first in range(0, len(score), step):
        square = torch.from_numpy(score[first : first + step]).square()
        second[first : first + step] = square.sum(1, dtype=torch.float64)
        fourth[first : first + step] = square.square_().sum(1, dtype=torch.float64)
    count = torch.full_like(second, score.shape[1]) if observed is None else torch.from_numpy(observed.sum(1)).double()
    kurtosis = count * fourth / second.square().clamp_min(torch.finfo(torch.float64).tiny)
    result: np.ndarray = (kurtosis - _NORMAL).clamp_min(0).numpy()
    return result


def proof(strength: np.ndarray, tail: np.ndarray, effective: float) -> np.ndarray:
    r"""Deviations from chance of correlations ``[L]`` between nodes with tails ``[2, L]``, as if chance were normal.

    Between unrelated nodes that are lit in :math:`m` and :math:`n` of S samples the common ones are Poisson, with mean
    :math:`m n / S`, and a single one makes a correlation of :math:`1 / \sqrt{m n}`, many deviations from none. Its tail
    is that of Bennett (1962): with z the deviations by Fisher, :math:`e_i` the excess of kurtosis, :math:`u = r
    \sqrt{e_i e_j}` and :math:`h(u) = (1 + u) \log(1 + u) - u`,

    .. math::
        z \sqrt{2 h(u)} / u

    which is z where one of both has no more of a tail than a normal variable: the sum of its values over any few
    samples is as good as normal.

    Example:
        >>> lit = np.array([[1000 / 5 - 3.0], [1000 / 5 - 3.0]])  # both in 5 of 1,000 samples
        >>> [round(float(proof(np.array([common / 5]), lit, 1000.0)[0]), 1) for common in (1, 2, 4)]
        [2.4, 3.9, 7.9]
        >>> round(float(proof(np.array([0.2]), 0 * lit, 1000.0)[0]), 1)
        6.4
    """
    fisher = np.arctanh(np.minimum(strength, _LESS_THAN_ONE)) * np.sqrt(max(effective - 3, 1e-3))
    u = strength * np.sqrt(tail[0] * tail[1])
    some = np.maximum(u, _FAINT)
    bennett = np.sqrt(2 * (xlog1py(1 + some, some) - some)) / some
    result: np.ndarray = fisher * np.where(u > _FAINT, bennett, 1.0)
    return result


def labels_of(row: np.ndarray, col: np.ndarray, num_nodes: int) -> np.ndarray:
    """Part of each node ``[N]`` that links ``[L]`` from ``row`` to ``col`` hold together."""
    links = sp.csr_matrix((np.ones(len(row)), (row, col)), (num_nodes, num_nodes))
    label: np.ndarray = connected_components(links, directed=False)[1]
    return label


def without_strangers(
    label: np.ndarray, row: np.ndarray, col: np.ndarray, deviations: np.ndarray, needed: float, large: int
) -> np.ndarray:
    r"""Parts ``[N]`` of which none holds two large pieces that only links short of proof join.

    Links of at least ``needed`` deviations make pieces. Two large ones of m and n nodes are joined by a link that the
    largest of :math:`m n` normal variables reaches in one of a hundred cases. Of what hangs between those that are not,
    each piece goes to that to which its weakest link is strongest: the maximum spanning forest of the pieces in which
    all large ones have a root in common, without that root. Sides that such a link joins for their size stay together.

    Args:
        label: Parts ``[N]`` by all links.
        row: First ends of all links ``[L]``.
        col: Second ends.
        deviations: Their proof.
        needed: Deviations of a link of a piece.
        large: Nodes of a large piece.

    Example:
        >>> row, col = np.array([0, 1, 3, 4, 2, 6]), np.array([1, 2, 4, 5, 6, 3])  # two chains of three and node 6
        >>> sure, doubtful = np.full(4, 9.0), np.array([4.0, 3.0])
        >>> without_strangers(np.zeros(7, int), row, col, np.r_[sure, doubtful], 8.0, large=3).tolist()
        [0, 0, 0, 1, 1, 1, 0]
    """
    proven = deviations >= needed
    piece = labels_of(row[proven], col[proven], len(label))
    if not _side_by_side(label, piece, large):
        return label
    size = np.bincount(piece)[piece]
    both = (size[row] >= large) & (size[col] >= large)
    proven |= both & _no_chance(piece, row, col, deviations)
    piece = labels_of(row[proven], col[proven], len(label))
    if not _side_by_side(label, piece, large):
        return label
    heavy = np.flatnonzero(np.bincount(piece) >= large)
    between = piece[row] != piece[col]
    links = piece[np.stack([row[between], col[between]])]
    root = int(piece.max()) + 1
    to_root = np.stack([heavy, np.full(len(heavy), root)])
    strength = np.r_[np.full(len(heavy), deviations.max() + 1), deviations[between]]
    tree = forest(np.concatenate([to_root, links], 1), strength, root + 1)
    tree = tree[:, tree[1] != root]
    side = labels_of(tree[0], tree[1], root)[piece]
    joined = _no_chance(side, row, col, deviations)
    return labels_of(side[row[joined]], side[col[joined]], int(side.max()) + 1)[side]


def _no_chance(piece: np.ndarray, row: np.ndarray, col: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Links ``[L]`` that are no chance among all between the two pieces of their ends."""
    size = np.bincount(piece)[piece].astype(float)
    beyond: np.ndarray = deviations >= norm.isf(_CHANCE / (2 * size[row] * size[col]))
    return beyond


def _side_by_side(label: np.ndarray, piece: np.ndarray, large: int) -> bool:
    """Whether some part holds two large pieces."""
    first = np.unique(piece, return_index=True)[1]
    return bool(np.bincount(label[first[np.bincount(piece) >= large]], minlength=1).max() > 1)
