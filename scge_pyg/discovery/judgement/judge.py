"""Which coupling draws the truest map, in how many columns, and whether there is a map at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scge_pyg.discovery.coupling.candidates import Candidate, candidates
from scge_pyg.discovery.coupling.direct import choose_ridge
from scge_pyg.discovery.judgement.closing import chain_order, closes, nearest_along
from scge_pyg.discovery.judgement.prediction import (
    block_gains,
    moment_gains,
    nearest,
    num_partners,
    random_partners,
    regression,
)
from scge_pyg.discovery.maps.sketch import ranked_partners, scale_geodesics, strongest_links
from scge_pyg.discovery.signals.moments_of_scores import correlation_of, second_moments
from scge_pyg.discovery.signals.prepare import Signals

__all__ = ["MAX_COLUMNS", "Judgement", "judge", "links_a_node"]

MAX_COLUMNS = 4
_MOST_NODES = 512
_MOST_COLUMNS = 4096  # samples that are looked at one by one, for the error
_PARTNERS = 16
_RANDOM_DRAWS = 3
_SHORTLIST = 0.9  # couplings whose first map gains less than this share of the best one are dropped
_TOLERANCE = 0.005  # a further column, or an ignored sign, must gain more than this share
_RATIO = 0.85  # fields 0.96 and more, random graphs and factors at most 0.8 (tuning families)
_BEYOND_CHANCE = 3.0
_NEGLIGIBLE = 0.005  # nats


@dataclass(frozen=True)
class Judgement:
    """What samples that a map has not seen say about it.

    Attributes:
        coupling: Name of the coupling of the best map.
        direct: Whether that is a partial correlation.
        absolute: Whether it ignores signs.
        ridge: Its ridge.
        partial_share: Gain of the best map by a partial correlation over that of the best map.
        columns: Columns that the geometry needs.
        dim: Its dimension if that is known from the gains alone (chains and rings are 1), else ``columns``.
        gain: Gain of the map in nats a node, averaged over both directions.
        ceiling: Gain of the best partners without a map.
        chance: Gain of random partners.
        ratio: ``(gain - chance) / (ceiling - chance)``.
        error: Standard error of the ratio over blocks.
        gain_by_columns: Best gain with 1, 2, 3 and 4 columns.
        node_gain: Gain of each row that was judged, ``[n]``.
        node_ceiling: Gain of its best partners, ``[n]``.
        stability: Share of each node's nearest on the map from one side that are near on the other side's, ``[n]``.
        rows: Rows that were judged, ``[n]``.
        verdict: ``"geometry"``, ``"no geometry"`` or ``"undecided"``.
    """

    coupling: str
    direct: bool
    absolute: bool
    ridge: float
    partial_share: float
    columns: int
    dim: int
    gain: float
    ceiling: float
    chance: float
    ratio: float
    error: float
    gain_by_columns: tuple[float, ...]
    node_gain: np.ndarray
    node_ceiling: np.ndarray
    stability: np.ndarray
    rows: np.ndarray
    verdict: str


@dataclass(frozen=True)
class _Side:
    """One side of the samples: what is fitted on it, and what it knows of the other side's fits."""

    columns: np.ndarray
    moments: np.ndarray
    correlation: np.ndarray


@dataclass(frozen=True)
class _Partners:
    """Partners that one candidate gives each node, from each side."""

    coupling: Candidate
    columns: int
    links: int
    sides: list[np.ndarray]
    gain: np.ndarray  # [n], mean of both directions

    @property
    def total(self) -> float:
        return float(self.gain.mean())


def links_a_node(columns: int) -> tuple[int, int]:
    """How many of each node's strongest links a map is drawn from: few, and many."""
    return 2 * columns, 3 * columns + 2


def judge(signals: Signals, seed: int = 0) -> Judgement:
    r"""Draw maps from one side of the samples and predict the other side from neighbours on them, both ways round.

    Each candidate coupling (:func:`scge_pyg.discovery.coupling.candidates.candidates`) draws a map from its strongest
    links in 1 to 4 columns; each node is then predicted by ridge regression on its nearest nodes on the map. The
    coupling whose maps predict best wins; the number of columns is the smallest within two standard errors over nodes
    of the best. With random partners as the zero of the scale and the best partners without any map as the one,

    .. math::
        \text{ratio} = \frac{g_\text{map} - g_\text{random}}{g_\text{best} - g_\text{random}} ,

    and its jackknife error over blocks of samples. A geometry has a ratio of at least 0.85 within two errors, and a map
    that predicts better than chance by three errors. A common mode or a few factors predict from any partners alike:
    their gain is chance.

    Cost: at most 512 nodes, evenly spread in canonical order: :math:`O(S n^2)` for the moments and
    :math:`O(n^3)` a candidate.

    Args:
        signals: Signals of at least 8 nodes.
        seed: Seed of the random partners.
    """
    rows = np.unique(np.linspace(0, signals.num_nodes - 1, min(_MOST_NODES, signals.num_nodes)).astype(int))
    part = signals.take(rows) if len(rows) < signals.num_nodes else signals
    sides = [_side(part, which) for which in (0, 1)]
    few = num_partners(len(rows))
    ridge, _ = choose_ridge(sides[0].correlation, sides[1].correlation)
    found, without = _compete(sides, few, (2 * ridge, max(0.1, 8 * ridge)), signals.effective / 2)
    best = {d: max((p for p in found if p.columns == d), key=lambda p: p.total) for d in range(1, MAX_COLUMNS + 1)}
    top = max(best.values(), key=lambda p: p.total)
    chosen = next(p for p in (best[d] for d in sorted(best)) if _as_good(p.gain, top.gain))
    chosen = _plainest(chosen, found)
    columns = chosen.columns
    dim, ring = columns, False
    if columns <= 2:
        chain, ring = _chain(part, sides, chosen.coupling, few)
        dim = 1 if _as_good(chain, chosen.gain) else columns
        columns = (2 if ring else 1) if dim == 1 else 2
    if columns != chosen.columns:
        chosen = max((p for p in found if p.columns == columns and p.coupling.name == chosen.coupling.name), key=_total)
    ceiling = max(without, key=_total)
    generator = np.random.default_rng(seed)
    random = [random_partners(len(rows), few, generator) for _ in range(_RANDOM_DRAWS)]
    mapped = _by_block(part, sides, chosen.sides)
    free = _by_block(part, sides, ceiling.sides)
    chance = np.mean([_by_block(part, sides, [draw, draw]) for draw in random], 0)
    ratio, error = _ratio(mapped, free, chance)
    beyond = mapped - chance
    doubt = float(beyond.std(ddof=1) / np.sqrt(len(beyond)))
    evident = float(beyond.mean()) > max(_NEGLIGIBLE, _BEYOND_CHANCE * doubt)
    if not signals.split.judged:
        verdict = "undecided"
    else:
        verdict = "geometry" if evident and ratio + 2 * error >= _RATIO else "no geometry"
    partial = max((p.total for p in found if p.coupling.direct), default=0.0)
    near = [_mask(p) for p in chosen.sides]
    return Judgement(
        coupling=chosen.coupling.name,
        direct=chosen.coupling.direct,
        absolute=chosen.coupling.absolute,
        ridge=chosen.coupling.ridge,
        partial_share=partial / max(top.total, 1e-9),
        columns=columns,
        dim=dim,
        gain=chosen.total,
        ceiling=ceiling.total,
        chance=float(chance.mean()),
        ratio=ratio,
        error=error,
        gain_by_columns=tuple(best[d].total for d in sorted(best)),
        node_gain=chosen.gain,
        node_ceiling=ceiling.gain,
        stability=(near[0] & near[1]).sum(1) / few,
        rows=rows,
        verdict=verdict,
    )


def _mask(partners: np.ndarray) -> np.ndarray:
    """Partners ``[N, k]`` as a mask ``[N, N]``."""
    mask = np.zeros((len(partners), len(partners)), dtype=bool)
    np.put_along_axis(mask, partners, True, 1)
    return mask


def _total(partners: _Partners) -> float:
    return partners.total


def _side(signals: Signals, which: int) -> _Side:
    columns = signals.split.side(which)
    if signals.observed is None:
        moments = second_moments(signals.score, columns)
        scale = np.sqrt(np.maximum(np.diag(moments), 1e-9))
        correlation = moments / scale[:, None] / scale[None, :]
    else:
        moments = second_moments(signals.score, columns)
        correlation = correlation_of(signals.score, signals.observed, columns, signals.fewest // 2)
    return _Side(columns, moments / max(1, len(columns)), correlation)


def _compete(
    sides: list[_Side], few: int, ridges: tuple[float, ...], effective: float
) -> tuple[list[_Partners], list[_Partners]]:
    """Partners on the maps of all candidates that keep up with the best first map, and partners without a map."""
    threshold = 4 / np.sqrt(max(effective, 4.0))
    pairs = _both_sides(*(list(candidates(side.correlation, ridges)) for side in sides))
    ranked = {c[0].name: [ranked_partners(one.value, max(_PARTNERS, few)) for one in c] for c in pairs}
    without = [_evaluate(c[0], 0, 0, [r[:, :few] for r in ranked[c[0].name]], sides) for c in pairs]
    first = {c[0].name: _maps(c, ranked[c[0].name], (8,), few, threshold, sides, halves=1) for c in pairs}
    bar = max(p.total for maps in first.values() for p in maps)
    kept = [c for c in pairs if max(p.total for p in first[c[0].name]) >= min(_SHORTLIST * bar, bar)]
    kept = kept or pairs[:1]
    links = tuple(sorted({k for d in range(1, MAX_COLUMNS + 1) for k in links_a_node(d)}))
    found = [p for c in kept for p in _maps(c, ranked[c[0].name], links, few, threshold, sides, halves=2)]
    return found, without


def _both_sides(first: Iterable[Candidate], second: Iterable[Candidate]) -> list[tuple[Candidate, Candidate]]:
    """Candidates that exist on both sides, paired by name."""
    other = {c.name: c for c in second}
    return [(c, other[c.name]) for c in first if c.name in other]


def _maps(
    pair: tuple[Candidate, Candidate],
    ranked: list[np.ndarray],
    links: tuple[int, ...],
    few: int,
    threshold: float,
    sides: list[_Side],
    halves: int,
) -> list[_Partners]:
    """Partners on the maps of one candidate, drawn from each given number of links a node."""
    found = []
    for k in links:
        drawn = [
            scale_geodesics(
                strongest_links(pair[w].value, ranked[w], min(k, ranked[w].shape[1]), threshold, pair[w].direct),
                MAX_COLUMNS,
            )
            for w in range(halves)
        ]
        for d in range(1, MAX_COLUMNS + 1):
            if halves == 1 or k in links_a_node(d):
                near = [nearest(pos[:, :d], few) for pos in drawn]
                found.append(_evaluate(pair[0], d, k, near, sides))
    return found


def _evaluate(
    coupling: Candidate, columns: int, links: int, partners: list[np.ndarray], sides: list[_Side]
) -> _Partners:
    gains = [moment_gains(p, sides[w].moments, sides[1 - w].moments) for w, p in enumerate(partners)]
    return _Partners(coupling, columns, links, partners, np.mean(gains, 0))


def _as_good(gain: np.ndarray, best: np.ndarray) -> bool:
    """Whether gains ``[n]`` fall short of the best by no more than two standard errors over nodes."""
    short = best - gain
    error = float(short.std()) / np.sqrt(len(short))
    return bool(short.mean() <= max(2 * error, _TOLERANCE * abs(float(best.mean()))))


def _plainest(chosen: _Partners, found: list[_Partners]) -> _Partners:
    """Signed rather than absolute, where that predicts as well in as many columns."""
    if not chosen.coupling.absolute:
        return chosen
    plain = [p for p in found if p.columns == chosen.columns and not p.coupling.absolute]
    plain = [p for p in plain if p.total >= (1 - _TOLERANCE) * chosen.total]
    return max(plain, key=_total) if plain else chosen


def _chain(signals: Signals, sides: list[_Side], coupling: Candidate, few: int) -> tuple[np.ndarray, bool]:
    """Gain of each node from its nearest on a chain, or on a ring if the chain closes, and whether it does."""
    absolute = coupling.absolute
    whole = np.abs(signals.correlation) if absolute else signals.correlation
    ring = closes(chain_order(_off_diagonal(whole)), whole, signals.effective)
    partners = []
    for side in sides:
        value = np.abs(side.correlation) if absolute else side.correlation
        partners.append(nearest_along(chain_order(_off_diagonal(value)), few, ring))
    return _evaluate(coupling, 1, 0, partners, sides).gain, ring


def _off_diagonal(value: np.ndarray) -> np.ndarray:
    value = value.copy()
    np.fill_diagonal(value, -np.inf)
    return value


def _by_block(signals: Signals, sides: list[_Side], partners: list[np.ndarray]) -> np.ndarray:
    """Mean gain over nodes in each block of both sides, ``[B]``."""
    gains = []
    for which in (0, 1):
        columns = sides[1 - which].columns
        columns = columns[:: -(-len(columns) // _MOST_COLUMNS)]
        block = np.unique(signals.split.block[columns], return_inverse=True)[1]
        observed = None if signals.observed is None else signals.observed[:, columns]
        beta = regression(sides[which].moments, partners[which])
        gains.append(block_gains(signals.score[:, columns], observed, block, partners[which], beta).mean(1))
    return np.concatenate(gains)


def _ratio(mapped: np.ndarray, free: np.ndarray, chance: np.ndarray) -> tuple[float, float]:
    """Ratio of the means over blocks, and its jackknife error."""
    count = len(mapped)

    def ratio(gain: np.ndarray, best: np.ndarray, zero: np.ndarray) -> np.ndarray:
        span = best - zero
        return np.where(span > 1e-9, (gain - zero) / np.where(span > 1e-9, span, 1.0), 0.0)

    whole = float(ratio(mapped.mean(), free.mean(), chance.mean()))
    left = [(g.sum() - g) / (count - 1) for g in (mapped, free, chance)]
    each = ratio(*left)
    return whole, float(np.sqrt((count - 1) / count * ((each - each.mean()) ** 2).sum()))
