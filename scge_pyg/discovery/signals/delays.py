"""Sensors that run behind others: one delay a node, read off the strongest links."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import breadth_first_order, connected_components

from scge_pyg.discovery.maps.joining import forest
from scge_pyg.discovery.signals.blocks import split_blocks
from scge_pyg.discovery.signals.prepare import Signals

__all__ = ["aligned_in_time", "lagged_correlations", "node_delays"]

_REACH = 4
_LINKS = 8
_MOST_NODES = 2048
_ROUNDS = 10
_BETTER = 4.0  # standard errors over nodes by which shifted links must be stronger on the other side
_LONGEST = 64
_BROKEN = 0.01  # share of samples without the one before: copies that count once have no steps to tell lags by


def lagged_correlations(score: torch.Tensor, reach: int = _REACH) -> torch.Tensor:
    r"""Correlation of each node with each other ``l`` steps later, ``[reach + 1, N, N]`` for l = 0 to ``reach``.

    .. math::
        R^{(l)}_{ij} = \frac{1}{n} \sum_t z_i(t) z_j(t + l) , \qquad R^{(-l)} = R^{(l)\top}

    Cost: :math:`O(N^2 S)` a lag.

    Args:
        score: Scores ``[N, C, S]``, 0 where a sample is not used.
        reach: Longest lag.

    Example:
        >>> z = torch.tensor([[[1.0, -1.0, 2.0, -2.0]], [[0.0, 1.0, -1.0, 2.0]]])
        >>> lagged_correlations(z, 1)[:, 0, 1].double().round(decimals=2).tolist()
        [-0.9, 0.77]
    """
    steps = score.shape[2]
    size = score.square().sum((1, 2)).clamp_min(1e-9).sqrt()
    product = [torch.einsum("ics,jcs->ij", score[:, :, : steps - lag], score[:, :, lag:]) for lag in range(reach + 1)]
    return torch.stack(product) / size[:, None] / size[None, :]


def node_delays(signals: Signals) -> np.ndarray:
    """Steps by which each node runs behind the first ones, ``[N]`` int64 of at least 0; zeros where there is no delay.

    Each node's eight strongest links, over lags of -4 to 4 steps on one side of the samples, give differences of
    delays, which are spread along the strongest tree and settled by rounds of weighted means. They are believed if the
    shifted links are stronger on the other side too, by four standard errors over nodes, both ways round.

    Cost: :math:`O(N^2 S)` a lag; no delays are looked for above 2,048 nodes, where samples are
    independent in time, or where copies among them were left out.
    """
    none = np.zeros(signals.num_nodes, dtype=np.int64)
    if signals.split.time <= 1 or not 3 <= signals.num_nodes <= _MOST_NODES:
        return none
    if (np.diff(signals.number) != 1).mean() > _BROKEN:
        return none
    channels = signals.channels
    score = torch.from_numpy(signals.score).view(signals.num_nodes, channels, -1)
    side = torch.from_numpy(signals.split.block[: score.shape[2]])
    lagged = [lagged_correlations(score * ((side >= 0) & (side % 2 == which))) for which in (0, 1)]
    found = []
    for which in (0, 1):
        pairs, lag, weight = _links(lagged[which])
        delay = _settle(pairs, lag, weight, signals.num_nodes)
        found.append(delay)
        if delay.max() - delay.min() > _LONGEST or not _holds(pairs, delay, lagged[1 - which]):
            return none
    whole = lagged_correlations(score)
    delay = _settle(*_links(whole), signals.num_nodes)
    return delay - delay.min()


def aligned_in_time(signals: Signals, delay: np.ndarray) -> Signals:
    """The signals with each node shifted back by its delay; what then has no partner at the end is cut off."""
    channels, longest = signals.channels, int(delay.max())
    if not longest:
        return signals

    def shifted(values: np.ndarray) -> np.ndarray:
        steps = values.reshape(signals.num_nodes, channels, -1)
        length = steps.shape[2] - longest
        index = delay[:, None, None] + np.arange(length)[None, None, :]
        return np.ascontiguousarray(np.take_along_axis(steps, index, 2).reshape(signals.num_nodes, -1))

    score = shifted(signals.score)
    split = split_blocks(score[:, : score.shape[1] // channels], signals.number[: score.shape[1] // channels])
    return replace(
        signals,
        score=score,
        rooted=None if signals.rooted is None else shifted(signals.rooted),
        observed=None if signals.observed is None else shifted(signals.observed),
        split=replace(split, block=np.tile(split.block, channels)),
        number=signals.number[: score.shape[1] // channels],
        delay=delay,
    )


def _links(lagged: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each node's strongest partners over all lags ``[2, L]``, by how much the second runs behind, and how strongly."""
    both = torch.cat([lagged, lagged[1:].transpose(1, 2)]).abs()
    strength, which = both.max(0)
    reach = len(lagged) - 1
    lags = torch.tensor([*range(reach + 1), *(-lag for lag in range(1, reach + 1))])[which]
    strength.fill_diagonal_(0)
    k = min(_LINKS, len(strength) - 1)
    best = strength.topk(k, dim=1).indices
    row = torch.arange(len(strength)).repeat_interleave(k)
    col = best.flatten()
    pairs = torch.stack([row, col]).numpy()
    return pairs, lags[row, col].numpy(), strength[row, col].double().numpy()


def _settle(pairs: np.ndarray, lag: np.ndarray, weight: np.ndarray, num_nodes: int) -> np.ndarray:
    """Delays ``[N]`` whose differences are the lags of the links, as nearly as may be."""
    shape = (num_nodes, num_nodes)
    differences = sp.csr_matrix((lag.astype(float), pairs), shape)
    known = sp.csr_matrix((np.ones(len(lag)), pairs), shape)
    differences, known = differences - differences.T, known + known.T
    tree = forest(pairs, weight, num_nodes)
    adjacency = sp.csr_matrix((np.ones(tree.shape[1]), tree), shape)
    delay = np.zeros(num_nodes)
    for start in np.unique(connected_components(adjacency, directed=False)[1], return_index=True)[1].tolist():
        order, above = breadth_first_order(adjacency, start, directed=False)
        step = np.asarray(differences[above[order[1:]], order[1:]] / known[above[order[1:]], order[1:]]).ravel()
        for node, parent, own in zip(order[1:].tolist(), above[order[1:]].tolist(), step.tolist(), strict=True):
            delay[node] = delay[parent] + own
    links = sp.csr_matrix((weight, pairs), shape)
    links = links + links.T
    pull = sp.csr_matrix((weight * lag, pairs), shape)
    pull = np.asarray((pull - pull.T).sum(0)).ravel()
    total = np.maximum(np.asarray(links.sum(1)).ravel(), 1e-9)
    for _ in range(_ROUNDS):
        delay = 0.5 * delay + 0.5 * (links @ delay + pull) / total
    fraction = np.angle(np.exp(2j * np.pi * delay).mean()) / (2 * np.pi)  # that all have in common
    return np.round(delay - fraction).astype(np.int64)


def _holds(pairs: np.ndarray, delay: np.ndarray, lagged: torch.Tensor) -> bool:
    """Whether links are stronger at the difference of their delays than at none, on samples that gave no delays."""
    if not delay.any():
        return False
    step = delay[pairs[1]] - delay[pairs[0]]
    inside = np.abs(step) < len(lagged)
    i, j = np.where(step >= 0, pairs, pairs[::-1])
    shifted = lagged.abs().numpy()[np.minimum(np.abs(step), len(lagged) - 1), i, j]
    gain = np.where(inside, shifted, 0.0) - lagged[0].abs().numpy()[pairs[0], pairs[1]]
    moved = step != 0
    if not moved.any():
        return False
    node = np.bincount(pairs[0], gain, len(delay)) / np.maximum(np.bincount(pairs[0], minlength=len(delay)), 1)
    return bool(node.mean() > _BETTER * node.std() / np.sqrt(len(node)))
