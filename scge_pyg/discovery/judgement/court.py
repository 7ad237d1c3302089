"""Two sides of the samples, and the gain of any map on the side that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from scge_pyg.discovery.coupling.lacking import filled, lacking
from scge_pyg.discovery.judgement.jurors import jurors
from scge_pyg.discovery.judgement.prediction import (
    block_gains,
    moment_gains,
    num_partners,
    random_partners,
    regression,
)
from scge_pyg.discovery.signals.moments_of_scores import correlation_of, second_moments
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["Court", "Side", "Verdict"]

_MOST_NODES = 384
_MOST_COLUMNS = 2048  # samples that are looked at one by one, for the error
_RANDOM_DRAWS = 3
_RATIO = 0.8  # fields 0.95 and more, smooth ones without noise 0.82; random graphs and factors at most 0.77
_BEYOND_CHANCE = 3.0
_NEGLIGIBLE = 0.005  # nats


@dataclass(frozen=True)
class Side:
    """One side of the samples.

    Attributes:
        columns: Its columns ``[n]``.
        moments: Second moments ``[N, N]``.
        correlation: Correlation ``[N, N]``.
    """

    columns: np.ndarray
    moments: np.ndarray
    correlation: np.ndarray


@dataclass(frozen=True)
class Verdict:
    """What held-out samples say about partners that a map gave.

    Attributes:
        gain: Gain in nats a node, averaged over both directions.
        ceiling: Gain of the best partners without a map.
        chance: Gain of random partners.
        ratio: ``(gain - chance) / (ceiling - chance)``.
        error: Standard error of the ratio over blocks.
        verdict: ``"geometry"``, ``"no geometry"`` or ``"undecided"``.
        node_gain: Gain of each row, ``[n]``.
        factors: Factors that explain as much without any geometry, else 0.
    """

    gain: float
    ceiling: float
    chance: float
    ratio: float
    error: float
    verdict: str
    node_gain: np.ndarray
    factors: int = 0


class Court:
    r"""Judges partners of each node by predictions of samples that had no part in choosing them.

    Each node is predicted by ridge regression on its partners, fitted on one side and scored on the other, both ways
    round. With random partners as the zero of the scale and the best partners without a map as the one,

    .. math::
        \text{ratio} = \frac{g_\text{map} - g_\text{random}}{g_\text{best} - g_\text{random}} ,

    with its jackknife error over blocks. A geometry has a ratio of at least 0.8 within two errors, and predicts better
    than chance by three errors, and than nothing. A common mode, or a few factors, predict from any partners alike:
    that is chance.

    At most 384 nodes (:func:`scge_pyg.discovery.judgement.jurors.jurors`) sit in judgement. Directions that their
    signals lack, as after an average reference, hold noise before the court
    (:func:`scge_pyg.discovery.coupling.lacking.filled`).

    Args:
        signals: Signals of a connected part.
        seed: Seed of the random partners and of that noise.
    """

    def __init__(self, signals: Signals, seed: int = 0) -> None:
        self.rows = jurors(signals, _MOST_NODES)
        count = len(self.rows)
        own = signals if count == signals.num_nodes else signals.take(self.rows)
        score = filled(own.score, own.observed, lacking(own.correlation), seed)
        self.signals = own if score is own.score else replace(own, score=score)
        self.sides = [self._side(which) for which in (0, 1)]
        self.few = num_partners(count)
        self._seed = seed
        self._free = np.zeros(0)
        self.ceiling: list[np.ndarray] = []

    def _side(self, which: int) -> Side:
        signals = self.signals
        columns = signals.split.side(which)
        moments = second_moments(signals.score, columns)
        if signals.observed is None:
            scale = np.sqrt(np.maximum(np.diag(moments), 1e-9))
            correlation = moments / scale[:, None] / scale[None, :]
            np.fill_diagonal(correlation, 1.0)
        else:
            correlation = correlation_of(signals.score, signals.observed, columns, signals.fewest // 2)
        return Side(columns, moments / max(1, len(columns)), correlation)

    def gains(self, partners: list[np.ndarray]) -> np.ndarray:
        """Gain of each row from the partners ``[n, k]`` that each side gave it, over the sides given, ``[n]``."""
        sides = self.sides
        result: np.ndarray = np.mean(
            [moment_gains(p, sides[w].moments, sides[1 - w].moments) for w, p in enumerate(partners)], 0
        )
        return result

    def set_ceiling(self, partners: list[np.ndarray]) -> None:
        """Tell the court the best partners that there are without a map."""
        self.ceiling = partners
        self._free = self._by_block(partners)

    @cached_property
    def _chance(self) -> np.ndarray:
        generator = np.random.default_rng(self._seed)
        draws = [random_partners(len(self.rows), self.few, generator) for _ in range(_RANDOM_DRAWS)]
        result: np.ndarray = np.mean([self._by_block([draw, draw]) for draw in draws], 0)
        return result

    def _by_block(self, partners: list[np.ndarray]) -> np.ndarray:
        """Mean gain over rows in each block of both sides, ``[B]``."""
        gains = []
        for which in (0, 1):
            columns = self.sides[1 - which].columns
            columns = columns[:: -(-len(columns) // _MOST_COLUMNS)]
            block = np.unique(self.signals.split.block[columns], return_inverse=True)[1]
            observed = None if self.signals.observed is None else self.signals.observed[:, columns]
            beta = regression(self.sides[which].moments, partners[which])
            gains.append(block_gains(self.signals.score[:, columns], observed, block, partners[which], beta).mean(1))
        return np.concatenate(gains)

    def verdict(self, partners: list[np.ndarray]) -> Verdict:
        """The verdict on partners ``[n, k]`` that a map from each side gave."""
        mapped, chance = self._by_block(partners), self._chance
        ratio, error = _ratio(mapped, self._free, chance)
        beyond = mapped - chance
        doubt = float(beyond.std(ddof=1) / np.sqrt(len(beyond)))
        node_gain = self.gains(partners)
        helps = float(node_gain.mean()) > 0  # chance may be worse than nothing
        evident = helps and float(beyond.mean()) > max(_NEGLIGIBLE, _BEYOND_CHANCE * doubt)
        if not self.signals.split.judged:
            verdict = "undecided"
        else:
            verdict = "geometry" if evident and ratio + 2 * error >= _RATIO else "no geometry"
        ceiling = float(self.gains(self.ceiling).mean())
        return Verdict(float(node_gain.mean()), ceiling, float(chance.mean()), ratio, error, verdict, node_gain)


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
