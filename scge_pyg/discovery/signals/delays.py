"""Sensors that run behind others: one delay a node, read off the strongest links."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.stats import norm, t

from scge_pyg.discovery.coupling.similar import evident
from scge_pyg.discovery.maps.joining import forest
from scge_pyg.discovery.signals.blocks import split_blocks
from scge_pyg.discovery.signals.lags import Links, strongest_links_over_lags
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["aligned_in_time", "node_delays", "shifted_back"]

_MOST_NODES = 2048
_ROUNDS = 10
_BETTER = 4.0  # standard errors by which shifted links must be stronger on the other side
_LONGEST = 16  # delays of all nodes together, in longest lags
_BROKEN = 0.01  # share of samples without the one before: copies that count once have no steps to tell lags by
_VALUES = 2**24  # that are looked at in one go


def node_delays(signals: Signals) -> np.ndarray:
    """Steps by which each node runs behind the first ones, ``[N]`` int64 of at least 0; zeros where there is no delay.

    Each node's eight strongest links, over lags of -4 to 4 steps (up to 16, where links end at the longest lag) on one
    side of the samples, give differences of delays, which are spread along the strongest tree and settled by rounds of
    weighted means. They are believed if the shifted links are stronger on the other side too, by four standard errors
    over nodes, both ways round. Otherwise a node is late by itself, against the delay that most nodes have, if both
    sides give it the same delay and its own links are stronger so by four standard errors over stretches of one
    correlation time, or as many as make it as unlikely among N nodes, both ways round.

    Cost: :math:`O(N^2 S)` a lag; no delays are looked for above 2,048 nodes, where samples are independent in time or
    too few to be judged, or where copies among them were left out.
    """
    none = np.zeros(signals.num_nodes, dtype=np.int64)
    split = signals.split
    if split.time <= 1 or not split.judged or not 3 <= signals.num_nodes <= _MOST_NODES:
        return none
    if (np.diff(signals.number) != 1).mean() > _BROKEN:
        return none
    score = torch.from_numpy(signals.score).view(signals.num_nodes, signals.channels, -1)
    side = torch.from_numpy(split.block[: score.shape[2]])
    sides = [score * ((side >= 0) & (side % 2 == which)) for which in (0, 1)]
    least = evident(signals.num_nodes, signals.effective / 2)
    links = strongest_links_over_lags(sides, least)
    found = [_settle(one, signals.num_nodes) for one in links]

    def gains(delays: list[np.ndarray]) -> list[np.ndarray]:
        return [_gains(sides[1 - which], links[which], delays[which], split.time) for which in (0, 1)]

    short = max(map(np.ptp, found)) <= _LONGEST * links[0].reach
    if short and all(map(_better_on_the_whole, gains(found))):
        delay = _settle(strongest_links_over_lags([score], least, links[0].reach)[0], signals.num_nodes)
        return delay - delay.min()
    first, second = (delay - _most_common(delay) for delay in found)
    late = np.where((first == second) & (np.abs(first) <= links[0].reach), first, 0)
    while late.any():
        kept = late * np.logical_and(*map(_better_by_itself, gains([late, late])))
        if np.array_equal(kept, late):
            break
        late = kept
    return late - late.min()


def aligned_in_time(signals: Signals, delay: np.ndarray) -> Signals:
    """The signals with each node shifted back by its delay; what then has no partner at the end is cut off."""
    channels, longest = signals.channels, int(delay.max())
    if not longest:
        return signals
    length = len(signals.number) - longest

    def shifted(values: np.ndarray) -> np.ndarray:
        return shifted_back(values, channels, delay, length)

    score = shifted(signals.score)
    split = split_blocks(score[:, :length], signals.number[:length])
    return replace(
        signals,
        score=score,
        rooted=None if signals.rooted is None else shifted(signals.rooted),
        observed=None if signals.observed is None else shifted(signals.observed),
        split=replace(split, block=np.tile(split.block, channels)),
        number=signals.number[:length],
        delay=delay,
    )


def shifted_back(values: np.ndarray, channels: int, delay: np.ndarray, length: int) -> np.ndarray:
    """Rows ``[N, C * S]``, each from its ``delay [N]`` on, ``length`` steps of each channel ``[N, C * length]``.

    Example:
        >>> shifted_back(np.arange(8).reshape(2, 4), 1, np.array([0, 1]), 3).tolist()
        [[0, 1, 2], [5, 6, 7]]
    """
    steps = values.reshape(len(values), channels, -1)
    index = delay[:, None, None] + np.arange(length)[None, None, :]
    return np.ascontiguousarray(np.take_along_axis(steps, index, 2).reshape(len(values), -1))


def _settle(found: Links, num_nodes: int) -> np.ndarray:
    """Delays ``[N]`` whose differences are the lags of the links, as nearly as may be."""
    pairs, lag, weight = found.pairs, found.lag, np.abs(found.correlation)
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


def _most_common(delay: np.ndarray) -> int:
    low = int(delay.min())
    return low + int(np.bincount(delay - low).argmax())


def _gains(score: torch.Tensor, links: Links, delay: np.ndarray, stretch: int) -> np.ndarray:
    r"""How much stronger each node's links are at the difference of delays than at none, by stretches ``[N, n]``.

    .. math::
        g_i = \sum_j s_{ij} \left( z_i(t + d_i)\, z_j(t + d_j) - z_i(t)\, z_j(t) \right)

    with :math:`s_{ij}` the sign of the link, averaged over the times of a stretch.

    Args:
        score: Scores ``[N, C, S]`` of the side that gave neither links nor delays, 0 elsewhere.
        links: Links of the other side.
        delay: Delays ``[N]``.
        stretch: Samples in a stretch; those of which less than half lies on this side are left out.
    """
    count, channels, steps = score.shape
    delay = delay - delay.min()
    stretches = (steps - int(delay.max())) // stretch
    shape = (count, count)
    sign = sp.csr_matrix((np.sign(links.correlation).astype(np.float32), links.pairs), shape)
    values = score.numpy()
    filled = (values != 0).any((0, 1))[: stretches * stretch].reshape(stretches, stretch).mean(1)
    wide = max(1, _VALUES // (count * channels * stretch))
    gain = np.zeros((count, stretches))
    for first in range(0, stretches, wide):
        last = min(first + wide, stretches)
        time = np.arange(first * stretch, last * stretch)
        plain = values[:, :, time].reshape(count, -1)
        moved = np.take_along_axis(values, delay[:, None, None] + time[None, None, :], 2).reshape(count, -1)
        product = moved * (sign @ moved) - plain * (sign @ plain)
        gain[:, first:last] = product.reshape(count, channels, last - first, stretch).mean((1, 3))
    return gain[:, filled > 0.5]


def _better_on_the_whole(gain: np.ndarray) -> bool:
    """Whether the mean gain ``[N, n]`` of all nodes exceeds four standard errors over nodes."""
    if not gain.shape[1]:
        return False
    node = gain.mean(1)
    return bool(node.mean() > _BETTER * node.std() / np.sqrt(len(node)))


def _better_by_itself(gain: np.ndarray) -> np.ndarray:
    """Nodes ``[N]`` whose gain is as unlikely by chance, among N nodes, as four standard errors are of one."""
    nodes, stretches = gain.shape
    if stretches < 2:
        return np.zeros(nodes, dtype=bool)
    error = gain.std(1, ddof=1) / np.sqrt(stretches)
    result: np.ndarray = gain.mean(1) > t.isf(norm.sf(_BETTER) / nodes, stretches - 1) * error
    return result
