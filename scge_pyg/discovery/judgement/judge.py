"""Which coupling draws the truest map, and in how many columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scge_pyg.discovery.coupling.candidates import Candidate, candidates
from scge_pyg.discovery.coupling.direct import choose_ridge
from scge_pyg.discovery.coupling.similar import beyond_noise
from scge_pyg.discovery.judgement.closing import chain_order, closes, follows, nearest_along
from scge_pyg.discovery.judgement.court import Court, Verdict
from scge_pyg.discovery.judgement.few_factors import few_factors
from scge_pyg.discovery.judgement.prediction import nearest
from scge_pyg.discovery.maps.calibration import CHANCE, PARTNERS, calibrated_places
from scge_pyg.discovery.maps.places import draw_places, unexplained, without_noise
from scge_pyg.discovery.maps.sketch import Links, ranked_partners, scale_geodesics, spanning_tree, strongest_links

__all__ = ["MAX_COLUMNS", "Choice", "choose", "links_a_node"]

MAX_COLUMNS = 4
_PARTNERS = 16
_MOST_KEPT = 3
_SHORTLIST = 0.9  # couplings whose first map gains less than this share of the best one are dropped
_SKETCHY = 0.98  # of a sketch's gain, below which a calibrated map has failed
_WIDE = 3  # halves: of a node's 8 nearest on one map, how many are among its 12 nearest on the other
_SHORT = 0.015  # few nodes differ so much that two errors would forgive anything
_TOLERANCE = 0.005  # a further column, or an ignored sign, must gain more than this share


@dataclass(frozen=True)
class Choice:
    """The coupling and the number of columns whose map predicts best.

    Attributes:
        coupling: Name of the coupling.
        direct: Whether that is a partial correlation.
        absolute: Whether it ignores signs.
        partial_share: Gain of the first sketch by a partial correlation over that of the best first sketch.
        columns: Columns that the geometry needs.
        dim: Its dimension if that is known from the gains alone (chains and rings are 1), else ``columns``.
        gain_by_columns: Best gain of sketches with 1, 2, 3 and 4 columns.
        near: Nearest rows on the maps from each side, by distance, half as many again as predict, ``[n, k]`` each.
        verdict: What the samples that they have not seen say about these maps.
    """

    coupling: str
    direct: bool
    absolute: bool
    partial_share: float
    columns: int
    dim: int
    gain_by_columns: tuple[float, ...]
    near: list[np.ndarray]
    verdict: Verdict


@dataclass(frozen=True)
class _Entry:
    """One candidate in so many columns, from so many links a node."""

    pair: tuple[Candidate, Candidate]
    columns: int
    links: int
    gain: np.ndarray

    @property
    def name(self) -> str:
        return self.pair[0].name

    @property
    def total(self) -> float:
        return float(self.gain.mean())


def links_a_node(columns: int) -> tuple[int, int]:
    """How many of each node's strongest links a map is drawn from: few, and many."""
    return 2 * columns, 3 * columns + 2


def choose(court: Court) -> Choice:
    """Let the couplings compete, then judge a full map by the winner.

    Each candidate (:func:`scge_pyg.discovery.coupling.candidates.candidates`) sketches maps from one side of the
    samples, from few and many links a node, in 1 to 4 columns. The coupling whose sketches predict best wins; the
    number of columns is the smallest within two standard errors over nodes of the best. Chains and rings are tried
    apart (:mod:`scge_pyg.discovery.judgement.closing`). Full maps, with their local stress, have the last word: columns
    beyond two go as long as a full map does without, and what is judged in the end is a map as it will be drawn. Where
    that predicts well but a few factors explain all (:mod:`scge_pyg.discovery.judgement.few_factors`), there is no
    geometry either.

    Cost: :math:`O(S n^2)` for the moments of the n rows of the court, and :math:`O(n^3)` a partial correlation.
    """
    ridge, _ = choose_ridge(*(side.correlation for side in court.sides))
    threshold = beyond_noise(4.0, court.signals.effective / 2)
    pairs = _both_sides(court, (2 * ridge, max(0.1, 8 * ridge)))
    ranked = {p[0].name: [ranked_partners(one.value, max(_PARTNERS, court.few)) for one in p] for p in pairs}
    without = {name: [r[:, : court.few] for r in both] for name, both in ranked.items()}
    court.set_ceiling(max(without.values(), key=lambda partners: float(court.gains(partners).mean())))
    found, share = _compete(court, pairs, ranked, threshold)
    best = {d: max((e for e in found if e.columns == d), key=_total) for d in range(1, MAX_COLUMNS + 1)}
    top = max(best.values(), key=_total)
    chosen = _plainest(next(best[d] for d in sorted(best) if _as_good(best[d].gain, top.gain)), found)
    columns = dim = chosen.columns
    if columns <= 2:
        chain, ring, straight = _chain(court, chosen.pair[0])
        if straight and _as_good(chain, chosen.gain):
            dim, columns = 1, 2 if ring else 1
        elif columns == 1 and best[2].total > chosen.total:  # what is no chain is no line
            chosen = _plainest(best[2], found)
            columns = dim = 2
    near, gain = _full_map(court, chosen, columns, threshold, dim == 1)
    while dim == columns > 2:
        fewer, lower = _full_map(court, chosen, columns - 1, threshold)
        if not _as_good(lower, gain):
            break
        dim, columns, near, gain = dim - 1, columns - 1, fewer, lower
    verdict = court.verdict([rows[:, : court.few] for rows in near])
    if verdict.verdict == "geometry":
        factors = few_factors(court, near)
        verdict = replace(verdict, verdict="no geometry", factors=factors) if factors else verdict
    return Choice(
        coupling=chosen.name,
        direct=chosen.pair[0].direct,
        absolute=chosen.pair[0].absolute,
        partial_share=share,
        columns=columns,
        dim=dim,
        gain_by_columns=tuple(best[d].total for d in sorted(best)),
        near=near,
        verdict=verdict,
    )


def _total(entry: _Entry) -> float:
    return entry.total


def _both_sides(court: Court, ridges: tuple[float, ...]) -> list[tuple[Candidate, Candidate]]:
    """Candidates that exist on both sides, paired by name."""
    first, second = (candidates(side.correlation, ridges) for side in court.sides)
    other = {c.name: c for c in second}
    return [(c, other[c.name]) for c in first if c.name in other]


def _compete(
    court: Court, pairs: list[tuple[Candidate, Candidate]], ranked: dict[str, list[np.ndarray]], threshold: float
) -> tuple[list[_Entry], float]:
    """Gains of the sketches of candidates that keep up with the best first one, and the share of it of partial ones."""

    trees = {
        pair[0].name: [spanning_tree(c.value, r) for c, r in zip(pair, ranked[pair[0].name], strict=True)]
        for pair in pairs
    }

    def sketches(pair: tuple[Candidate, Candidate], links: tuple[int, ...], halves: int) -> list[_Entry]:
        entries = []
        for k in links:
            drawn = [
                scale_geodesics(strongest_links(c.value, r, min(k, r.shape[1]), threshold, c.direct, t), MAX_COLUMNS)
                for c, r, t in list(zip(pair, ranked[pair[0].name], trees[pair[0].name], strict=True))[:halves]
            ]
            for d in range(1, MAX_COLUMNS + 1):
                if halves == 1 or k in links_a_node(d):
                    gain = court.gains([nearest(pos[:, :d], court.few) for pos in drawn])
                    entries.append(_Entry(pair, d, k, gain))
        return entries

    first = {p[0].name: max(e.total for e in sketches(p, (8,), 1)) for p in pairs}
    bar = max(first.values())
    pairs = sorted(pairs, key=lambda pair: -first[pair[0].name])
    kept = [p for p in pairs[:_MOST_KEPT] if first[p[0].name] >= min(_SHORTLIST * bar, bar)]
    links = tuple(sorted({k for d in range(1, MAX_COLUMNS + 1) for k in links_a_node(d)}))
    direct = max(first[p[0].name] for p in pairs if p[0].direct)
    return [entry for pair in kept for entry in sketches(pair, links, 2)], direct / max(bar, 1e-9)


def _full_map(
    court: Court, chosen: _Entry, columns: int, threshold: float, chain: bool = False
) -> tuple[list[np.ndarray], np.ndarray]:
    """Nearest rows ``[n, k]`` on the maps that both sides draw, and their gains ``[n]``, by the best way to draw one.

    Calibrated maps (:func:`calibrated_places`) are drawn of all but chains and rings; maps of links, from few and from
    many, of those, where partial correlation says more than correlation does, and where the sketch predicted better.
    """
    noise = unexplained(chosen.gain)
    direct = chosen.pair[0].direct
    many = chosen.links if chosen.columns == columns else links_a_node(columns)[1]
    chance = beyond_noise(CHANCE, court.signals.effective / 2)

    def drawn(k: int, calibrated: bool) -> tuple[list[np.ndarray], np.ndarray]:
        near = []
        for side, coupling in zip(court.sides, chosen.pair, strict=True):
            whole = np.abs(side.correlation) if coupling.absolute else side.correlation
            ranked = ranked_partners(coupling.value, _PARTNERS)
            links = strongest_links(coupling.value, ranked, min(k, ranked.shape[1]), threshold, direct)
            lengths = without_noise(links.pairs, whole[links.pairs[0], links.pairs[1]], links.num_nodes, noise)
            pos = _calibrated(lengths, whole, columns, chance) if calibrated else draw_places(lengths, columns)
            near.append(nearest(pos, min(_WIDE * court.few // 2, links.num_nodes - 1)))
        return near, court.gains([rows[:, : court.few] for rows in near])

    found = [] if chain else [drawn(many, True)]  # a calibrated map hardly depends on the links that it starts from
    if chain or direct or float(found[0][1].mean()) < _SKETCHY * chosen.total:
        found += [drawn(k, False) for k in links_a_node(columns)]
    return max(found, key=lambda entry: float(entry[1].mean()))


def _calibrated(links: Links, correlation: np.ndarray, columns: int, chance: float) -> np.ndarray:
    """The map of one side, drawn as the one of all samples will be."""
    value = correlation.copy()
    np.fill_diagonal(value, -np.inf)
    ranked = ranked_partners(value, PARTNERS)
    strong = np.stack([np.repeat(np.arange(len(ranked)), ranked.shape[1]), ranked.ravel()])
    strong = strong[:, value[strong[0], strong[1]] > chance]
    return calibrated_places(links, strong, columns, lambda pairs: 1 - correlation[pairs[0], pairs[1]])


def _as_good(gain: np.ndarray, best: np.ndarray) -> bool:
    """Whether gains ``[n]`` fall short of the best by no more than two standard errors over nodes, nor by 1.5 %."""
    short = best - gain
    error = float(short.std()) / np.sqrt(len(short))
    scale = abs(float(best.mean()))
    return bool(short.mean() <= min(max(2 * error, _TOLERANCE * scale), _SHORT * scale))


def _plainest(chosen: _Entry, found: list[_Entry]) -> _Entry:
    """Signed rather than absolute, where that predicts as well in as many columns."""
    if not chosen.pair[0].absolute:
        return chosen
    plain = [e for e in found if e.columns == chosen.columns and not e.pair[0].absolute]
    plain = [e for e in plain if e.total >= (1 - _TOLERANCE) * chosen.total]
    return max(plain, key=_total) if plain else chosen


def _chain(court: Court, coupling: Candidate) -> tuple[np.ndarray, bool, bool]:
    """Gain of each node from its nearest on a chain or ring, whether that closes, and that it doesn't branch."""

    def value(correlation: np.ndarray) -> np.ndarray:
        result = np.abs(correlation) if coupling.absolute else correlation.copy()
        np.fill_diagonal(result, -np.inf)
        return result

    whole = value(court.signals.correlation)
    order = chain_order(whole)
    ring = closes(order, whole, court.signals.effective)
    partners = [nearest_along(chain_order(value(side.correlation)), court.few, ring) for side in court.sides]
    return court.gains(partners), ring, follows(order, whole)
