"""Nodes that come later: their places on a map that is there, from how they go with the nodes on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from torch import Tensor

from scge_pyg.graph.grown import Newcomers, grown

if TYPE_CHECKING:
    from scge_pyg.graph.geometry import Geometry

__all__ = ["placed"]

_Values = NDArray[np.float64]

_FEWEST = 5  # nodes on the map that must be known
_AROUND, _PARTNERS = 24, 12  # strongest partners that the law is read off, and that a place is fitted to
_BINS, _PAIRS = 12, 10  # of distance at most, and pairs in each at least
_STRONGEST = 4  # partners that tell which part a node belongs to, and around which it is looked for
_GAINS = (0.2, 1.0)  # of a new node's correlations beside those of the others: it may be noisier than they are
_STEPS = ((0.5, 2), (0.2, 2), (0.1, 1), (0.05, 1))  # of the candidates in spacings, and how many either way
_VALUES = 2**22  # that are looked at in one go


class _Laws(NamedTuple):
    """Mean and variance of the correlation of two nodes around each new node, at distances ``[M, B]`` that ascend."""

    distance: _Values
    mean: _Values
    variance: _Values

    def at(self, distance: _Values) -> tuple[_Values, _Values]:
        """Both at distances ``[M, K, J]``, linear between those that are known and constant beyond."""
        knots = self.distance[:, None, None]
        place = np.clip((distance[..., None] >= knots).sum(-1), 1, knots.shape[-1] - 1)
        node = np.arange(len(distance))[:, None, None]
        low, high = self.distance[node, place - 1], self.distance[node, place]
        share = np.clip((distance - low) / np.maximum(high - low, 1e-12), 0, 1)
        mean, variance = (one[node, place - 1] * (1 - share) + one[node, place] * share for one in self[1:])
        return mean, variance

    def take(self, nodes: slice) -> _Laws:
        """Those of some new nodes."""
        return _Laws(*(one[nodes] for one in self))


def placed(graph: Geometry, x: Tensor | ArrayLike, names: Sequence[str]) -> dict[str, Any]:
    """Arguments of the graph with the new nodes behind the old ones; see :meth:`SharedGraph.place`."""
    values, names = _checked(graph, x, names)
    assert graph.names is not None
    old = {name: node for node, name in enumerate(graph.names)}
    new = [column for column, name in enumerate(names) if name not in old]
    known = [column for column, name in enumerate(names) if name in old and bool(graph.live[old[name]])]
    nodes = np.array([old[names[column]] for column in known], int)
    score = _scores(values)
    sign = np.where(graph.sign.cpu().numpy()[nodes] < 0, -1.0, 1.0)
    reference, fresh = score[:, known] * sign, score[:, new]
    across = fresh.T @ reference / len(score)
    pos, part = graph.pos.cpu().double().numpy()[nodes], graph.component.cpu().numpy()[nodes]
    home, turned = _home(across, part)
    across = across * turned[:, None]
    found = np.full((len(new), pos.shape[1]), np.nan)
    trust = np.zeros(len(new))
    alive = fresh.std(0) > 0
    for number in np.unique(home[alive]).tolist():
        here, coming = part == number, alive & (home == number)
        if here.sum() >= _FEWEST:
            found[coming], trust[coming] = _located(
                reference[:, here], across[np.ix_(coming, here)], pos[here], graph.spacing
            )
    live = ~np.isnan(found).any(1)
    far = np.linalg.norm(found[live][:, None] - pos[None], axis=-1)
    near = np.argsort(np.where(home[live, None] == part, far, np.inf), 1)[:, : 2 * graph.dim]
    comers = Newcomers(
        [names[column] for column in new],
        found,
        trust,
        turned,
        home,
        nodes[near],
        np.take_along_axis(across[live], near, 1),
    )
    return grown(graph, comers)


def _checked(graph: Geometry, x: Tensor | ArrayLike, names: Sequence[str]) -> tuple[_Values, list[str]]:
    graph.check_geometry("place")
    if graph.names is None:
        raise ValueError("place: the graph has no names, by which its nodes are found in x; set graph.names first")
    values = np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, np.float64)
    names = list(map(str, names))
    if values.ndim != 2 or values.shape[1] != len(names):
        raise ValueError(f"place: x must be [S, {len(names)}], a column for each name, got {list(values.shape)}")
    if len(set(names)) < len(names):
        raise ValueError(f"place: names must differ, {next(n for n in names if names.count(n) > 1)!r} came twice")
    live = {name for name, alive in zip(graph.names, graph.live.tolist(), strict=True) if alive}
    count, fresh = sum(name in live for name in names), sum(name not in set(graph.names) for name in names)
    if count < _FEWEST or not fresh:
        raise ValueError(
            f"place: x needs columns of at least {_FEWEST} live nodes of the graph and of one new node, names are "
            f"those of {count} and {fresh}"
        )
    return values, names


def _scores(values: _Values) -> _Values:
    """Ranks of each column with mean 0 and variance 1, 0 where missing or constant."""
    rank = rankdata(values, axis=0, nan_policy="omit")
    rank = np.where(np.isnan(rank), np.nanmean(rank, 0), rank) if np.isnan(rank).any() else rank
    rank = np.nan_to_num(rank - rank.mean(0))
    scale = rank.std(0)
    return np.asarray(rank / np.where(scale > 0, scale, 1))


def _home(across: _Values, part: NDArray[Any]) -> tuple[NDArray[Any], _Values]:
    """Part ``[M]`` that holds the strongest partners of each new node, and whether it is inverted against them."""
    parts = np.unique(part)
    order = [np.argsort(-np.abs(across[:, part == one]), 1)[:, :_STRONGEST] for one in parts]
    top = [np.take_along_axis(across[:, part == one], index, 1) for one, index in zip(parts, order, strict=True)]
    best = np.stack([np.abs(one).mean(1) for one in top], 1).argmax(1)
    sums = np.stack([one.sum(1) for one in top], 1)
    return parts[best], np.where(sums[np.arange(len(best)), best] < 0, -1.0, 1.0)


def _located(reference: _Values, across: _Values, pos: _Values, spacing: float) -> tuple[_Values, _Values]:
    r"""Places ``[M, d]`` where :math:`\sum_j (c_j - f(r_j))^2 / v(r_j) + \log v(r_j)` is least, and how well it fits.

    The sum runs over the twelve strongest partners of a new node, whose correlations may all be weaker by one factor;
    ``f`` and ``v`` are mean and variance of the correlation at a distance, read off the pairs of its 24 strongest, as
    they differ over a map. Candidates lie around the four strongest, first half a spacing apart, then finer around the
    best.
    """
    around = np.argsort(-across, 1)[:, :_AROUND]
    partners = around[:, :_PARTNERS]
    laws = _laws(reference, pos, around)
    value = np.take_along_axis(across, partners, 1)
    centre = pos[partners[:, :_STRONGEST]]
    for step, reach in _STEPS:
        candidates = centre[:, :, None] + _offsets(pos.shape[1], step * spacing, reach)
        candidates = candidates.reshape(len(centre), -1, pos.shape[1])
        chunk = max(1, _VALUES // (candidates[0].size * _PARTNERS * _BINS))
        best = [
            _losses(
                candidates[k : k + chunk],
                pos[partners[k : k + chunk]],
                value[k : k + chunk],
                laws.take(slice(k, k + chunk)),
            )
            for k in range(0, len(centre), chunk)
        ]
        index = np.concatenate([loss.argmin(1) for loss in best])
        centre = candidates[np.arange(len(index)), index][:, None]
    distance = np.linalg.norm(centre - pos[around], axis=-1)
    expected = laws.at(distance[:, None])[0][:, 0]
    return centre[:, 0], np.clip((_unit(expected) * _unit(np.take_along_axis(across, around, 1))).sum(1), 0, 1)


def _laws(reference: _Values, pos: _Values, around: NDArray[Any]) -> _Laws:
    """Correlation as a falling function of distance around each new node, carried on to distance 0."""
    first, second = np.triu_indices(around.shape[1], 1)
    chunk = max(1, _VALUES // (len(reference) * around.shape[1]))
    value = []
    for k in range(0, len(around), chunk):
        own = reference.T[around[k : k + chunk]]  # [m, Q, S]
        value.append((own @ own.transpose(0, 2, 1) / len(reference))[:, first, second])
    far = np.linalg.norm(pos[around[:, first]] - pos[around[:, second]], axis=-1)
    order = np.argsort(far, 1)
    far, pairs = np.take_along_axis(far, order, 1), np.take_along_axis(np.concatenate(value), order, 1)
    bins = int(np.clip(far.shape[1] // _PAIRS, 3, _BINS))
    start = np.arange(bins) * far.shape[1] // bins
    count = np.diff(start, append=far.shape[1])
    centre, mean = (np.add.reduceat(one, start, 1) / count for one in (far, pairs))
    variance = np.add.reduceat((pairs - np.repeat(mean, count, 1)) ** 2, start, 1) / count
    variance = 0.5 * (variance + variance.mean(1, keepdims=True)) + 1e-6
    mean = np.minimum.accumulate(mean, 1)
    slope = (mean[:, :1] - mean[:, 1:2]) / np.maximum(centre[:, 1:2] - centre[:, :1], 1e-12)
    at_zero = np.minimum(mean[:, :1] + slope * centre[:, :1], 1)
    return _Laws(np.c_[np.zeros(len(far)), centre], np.c_[at_zero, mean], np.c_[variance[:, :1], variance])


def _losses(candidates: _Values, pos: _Values, value: _Values, laws: _Laws) -> _Values:
    """Loss ``[M, K]`` of each new node at each of its candidates ``[M, K, d]``, by partners at ``[M, J, d]``."""
    distance = np.linalg.norm(candidates[:, :, None] - pos[:, None], axis=-1)
    mean, variance = laws.at(distance)
    weight = 1 / variance
    gain = (weight * mean * value[:, None]).sum(-1) / np.maximum((weight * mean**2).sum(-1), 1e-12)
    gain = np.clip(gain, *_GAINS)[..., None]
    return np.asarray(((value[:, None] - gain * mean) ** 2 * weight + np.log(variance)).sum(-1))


def _offsets(dim: int, step: float, reach: int) -> _Values:
    axis = step * np.arange(-reach, reach + 1)
    return np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)


def _unit(rows: _Values) -> _Values:
    centred = rows - rows.mean(1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))
