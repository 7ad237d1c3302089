"""The most similar signals of each node, and the parts that they hold together."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from scge_pyg.discovery.coupling.strangers import labels_of, proof, tailedness, without_strangers
from scge_pyg.discovery.maps.sketch import signal_distance
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["DENSE_NODES", "beyond_noise", "connected_rows", "evident", "evident_links", "most_similar"]

DENSE_NODES = 2048  # up to here all pairs are compared at once; beyond, row by row
_LINKS = 32
_LARGE = 8


def beyond_noise(deviations: float, effective: float) -> float:
    r"""Correlation that lies z standard deviations from none, :math:`\tanh(z / \sqrt{S_\text{eff} - 3})` (Fisher).

    Example:
        >>> round(beyond_noise(2.0, 403.0), 4)
        0.0997
    """
    return float(np.tanh(deviations / np.sqrt(max(effective - 3, 1e-3))))


def evident(num_nodes: int, effective: float) -> float:
    r"""Correlation that no pair of unrelated nodes reaches by chance, :math:`\sqrt{4 \log N + 8}` deviations.

    The largest of :math:`N^2 / 2` normal variables stays below :math:`\sqrt{4 \log N}` deviations; the 8 make that
    certain.
    """
    return beyond_noise(_certain(num_nodes), effective)


def _certain(num_nodes: int) -> float:
    return float(np.sqrt(4 * np.log(max(num_nodes, 2)) + 8))


def most_similar(signals: Signals, k: int, signed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` nodes that correlate most with each node, and their correlations, ``[N, k]``.

    Above 2,048 nodes they are among the 32 with the largest absolute correlation, which are found once.

    Cost: :math:`O(N^2)`; above 2,048 nodes see :func:`scge_pyg.discovery.signals.most_correlated.most_correlated`.

    Args:
        signals: Signals of N nodes.
        k: Partners a node.
        signed: Whether strongly negative correlations are no similarity.
    """
    num_nodes = signals.num_nodes
    k = min(k, num_nodes - 1)
    if num_nodes > DENSE_NODES:
        index, value = signals.similar
        if signed:
            order = np.argsort(-value, axis=1, kind="stable")
            index, value = (np.take_along_axis(a, order, 1) for a in (index, value))
        return index[:, :k], value[:, :k]
    correlation = signals.correlation
    strength = correlation.copy() if signed else np.abs(correlation)
    np.fill_diagonal(strength, -np.inf)
    near = torch.from_numpy(strength).topk(k, dim=1).indices.numpy()
    return near, np.take_along_axis(correlation, near, 1)


def evident_links(signals: Signals) -> sp.csr_matrix:
    r"""Lengths :math:`\sqrt{1 - |r|}` of the evident links among each node's 32 most similar, symmetric ``[N, N]``."""
    index, value = signals.similar
    row, col = np.repeat(np.arange(len(index)), index.shape[1]), index.ravel()
    keep = np.abs(value.ravel()) > evident(len(index), signals.effective)
    length = signal_distance(np.abs(value.ravel()[keep]))
    links = sp.csr_matrix((length, (row[keep], col[keep])), (len(index), len(index)))
    return links.maximum(links.T)


def connected_rows(signals: Signals) -> list[np.ndarray]:
    """Rows of each part that correlations beyond chance hold together, by falling size, then by first row.

    A link is :func:`evident`; to a part of at least eight nodes that such links make, one as strong as the largest of
    all chance correlations is enough. Two such parts are joined only by what is no chance among all pairs between them,
    and by :func:`~scge_pyg.discovery.coupling.strangers.proof`: nodes that are seldom lit have a few samples in common
    with nodes of any kind. Above 2,048 nodes only the 32 most similar of each node are looked at.
    """
    num_nodes, effective = signals.num_nodes, signals.effective
    likely = beyond_noise(float(np.sqrt(4 * np.log(max(num_nodes, 2)))), effective)
    if num_nodes <= DENSE_NODES:
        row, col = np.nonzero(np.abs(np.triu(signals.correlation, 1)) > likely)
        strength = _as_if_whole(np.abs(signals.correlation[row, col]), row, col, signals)
    else:
        index, value = most_similar(signals, _LINKS)
        row, col = np.repeat(np.arange(num_nodes), index.shape[1]), index.ravel()
        strength = np.abs(value.ravel())
    sure = strength > evident(num_nodes, effective)
    label = labels_of(row[sure], col[sure], num_nodes)
    large = np.bincount(label)[label] >= _LARGE
    joined = sure | ((strength > likely) & (large[row] | large[col]))
    row, col, strength = row[joined], col[joined], strength[joined]
    tail = tailedness(signals.score, signals.observed)
    deviations = proof(strength, tail[np.stack([row, col])], effective)
    label = labels_of(row, col, num_nodes)
    label = without_strangers(label, row, col, deviations, _certain(num_nodes), _LARGE)
    size = np.bincount(label)
    first = np.unique(label, return_index=True)[1]
    return [np.flatnonzero(label == part) for part in np.lexsort((first, -size)).tolist()]


def _as_if_whole(strength: np.ndarray, row: np.ndarray, col: np.ndarray, signals: Signals) -> np.ndarray:
    """Correlations ``[L]`` that would be as unlikely if no sample were missing: pairs that share fewer prove less.

    Cost: :math:`O(N^2 S)` where samples are missing.
    """
    if signals.observed is None:
        return strength
    seen = torch.from_numpy(signals.observed).float()
    shared = (seen @ seen.T / seen.shape[1]).double().numpy()[row, col]
    worth = np.maximum(signals.effective * shared - 3, 0) / max(signals.effective - 3, 1e-3)
    result: np.ndarray = np.tanh(np.arctanh(np.minimum(strength, 1 - 1e-12)) * np.sqrt(worth))
    return result
