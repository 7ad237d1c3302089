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
_BINS, _PAIRS = 24, 10  # of distance at most, and pairs in each at least
_STRONGEST = 4  # partners that tell which part a node belongs to
_CELLS = 2**22  # pairs of candidate and node that are looked at in one go


class _Law(NamedTuple):
    """Mean and spread of the correlation of two nodes at a distance."""

    distance: _Values
    mean: _Values
    variance: _Values

    def at(self, distance: _Values) -> tuple[_Values, _Values]:
        return tuple(np.interp(distance, self.distance, values) for values in self[1:])  # type: ignore[return-value]


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
    own = reference.T @ reference / len(score)
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
            found[coming], trust[coming] = _located(own[np.ix_(here, here)], across[np.ix_(coming, here)], pos[here])
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


def _located(own: _Values, across: _Values, pos: _Values) -> tuple[_Values, _Values]:
    r"""Places ``[M, d]`` where :math:`\sum_j (c_j - f(r_j))^2 / v(r_j) + \log v(r_j)` is least, and how well it fits.

    ``f`` and ``v`` are mean and variance of the correlation at a distance, read off the nodes on the map. Candidates
    lie around every node, first half a spacing apart, then a tenth around the best.
    """
    distance = np.linalg.norm(pos[:, None] - pos[None], axis=-1)
    step = float(np.median(np.where(np.eye(len(pos), dtype=bool), np.inf, distance).min(1)))
    law = _law(own, distance)
    coarse = (pos[:, None] + _offsets(pos.shape[1], 0.5 * step, 3)[None]).reshape(-1, pos.shape[1])
    best = coarse[_losses(across, coarse, pos, law).argmin(1)]
    fine = _offsets(pos.shape[1], 0.1 * step, 4 if pos.shape[1] > 2 else 6)
    places = np.stack(
        [
            (around := place + fine)[_losses(one[None], around, pos, law)[0].argmin()]
            for place, one in zip(best, across, strict=True)
        ]
    )
    expected = law.at(np.linalg.norm(places[:, None] - pos[None], axis=-1))[0]
    return places, np.clip((_unit(expected) * _unit(across)).sum(1), 0, 1)


def _law(own: _Values, distance: _Values) -> _Law:
    """Correlation as a falling function of distance, in bins of equally many pairs, carried on to distance 0."""
    row, col = np.triu_indices(len(own), 1)
    far, value = distance[row, col], own[row, col]
    bins = int(np.clip(len(far) // _PAIRS, 3, _BINS))
    index = np.minimum(rankdata(far, "ordinal").astype(int) * bins // (len(far) + 1), bins - 1)
    count = np.bincount(index, minlength=bins)
    mean, centre = (np.bincount(index, weights, bins) / count for weights in (value, far))
    variance = np.bincount(index, (value - mean[index]) ** 2, bins) / count
    variance = 0.5 * (variance + variance.mean()) + 1e-6
    mean = np.minimum.accumulate(mean)
    start = mean[0] + (mean[0] - mean[1]) * centre[0] / max(centre[1] - centre[0], 1e-12)
    return _Law(np.r_[0, centre], np.r_[min(start, 1.0), mean], np.r_[variance[0], variance])


def _unit(rows: _Values) -> _Values:
    centred = rows - rows.mean(1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))


def _offsets(dim: int, step: float, reach: int) -> _Values:
    axis = step * np.arange(-reach, reach + 1)
    return np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)


def _losses(across: _Values, candidates: _Values, pos: _Values, law: _Law) -> _Values:
    """Loss ``[M, K]`` of each new node at each candidate."""
    step = max(1, _CELLS // len(pos))
    blocks = []
    for first in range(0, len(candidates), step):
        distance = np.linalg.norm(candidates[first : first + step, None] - pos[None], axis=-1)
        mean, variance = law.at(distance)
        weight = 1 / variance
        constant = (weight * mean**2 + np.log(variance)).sum(1)
        blocks.append(across**2 @ weight.T - 2 * across @ (weight * mean).T + constant)
    return np.concatenate(blocks, 1)
