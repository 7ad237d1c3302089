"""What exchanges and blocks gain by chance where the layout is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from scge_pyg.discovery.layouts.case import Case
from scge_pyg.discovery.layouts.curve import falling_curve
from scge_pyg.discovery.layouts.gains import exchange_gains, referenced
from scge_pyg.discovery.layouts.search import best_block
from scge_pyg.discovery.layouts.spectra import Spectra, drawn_correlations

__all__ = ["Chance", "Exchanges", "exchanges_by_chance", "largest_blocks", "looseness"]

_LOOSE = (0.0, 0.1, 0.2, 0.3)  # spacings; beyond, neighbours would change places
_TRIES = 6
_MOMENTS = 64
_VALUES = 2**20


class Chance(NamedTuple):
    """A layout that is right: what coupling it would show.

    Attributes:
        case: The places under the order that fits, and the measured coupling.
        order: That order ``[P]``.
        spectra: Spectra of the judged channels.
        loose: How far true places lie from the claimed ones, standard deviation in spacings.
    """

    case: Case
    order: np.ndarray
    spectra: Spectra
    loose: float = 0.0

    def draw(self, count: int, rng: Generator) -> np.ndarray:
        """Correlations ``[count, n, n]`` of recordings, each at places that scatter anew about the claimed ones."""
        curve = falling_curve(self.case.correlation, self.case.apart(self.order))
        places = self.case.places[self.order[self.case.judged]]
        scattered = places + self.loose * self.case.spacing * rng.standard_normal((count, *places.shape))
        model = curve(np.sqrt(((scattered[:, :, None] - scattered[:, None]) ** 2).sum(-1)))
        model[:, np.arange(len(places)), np.arange(len(places))] = 1.0
        return drawn_correlations(model, self.spectra, rng)


def looseness(chance: Chance, seed: int) -> float:
    """Scatter of places about the claimed ones at which couplings lie as far from the curve as the measured ones do.

    The median distance of the coupling from the curve, over all pairs, hardly notices a few misplaced channels. It
    grows with the scatter, for which the first value is taken that reaches it.
    """
    apart = chance.case.apart(chance.order)
    measured = float(_misfit(chance.case.coupling, apart))
    for loose in _LOOSE:
        drawn = referenced(chance._replace(loose=loose).draw(_TRIES, np.random.default_rng(seed)))
        if np.median(_misfit(drawn, apart)) >= measured:
            return loose
    return _LOOSE[-1]


def _misfit(coupling: np.ndarray, apart: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(len(apart), 1)
    off = np.abs(coupling - falling_curve(coupling, apart)(apart))[..., first, second]
    return np.asarray(np.median(off, -1))


class Exchanges(NamedTuple):
    """What exchanges gain by chance.

    Attributes:
        mean: Mean gain of exchanging the channels at two places, ``[P, P]``; those next to each other lose least.
        deviation: Its standard deviation.
        largest: Most deviations above the mean of any exchange that gains something, one a draw, descending; -inf where
            none gains.
    """

    mean: np.ndarray
    deviation: np.ndarray
    largest: np.ndarray

    def strength(self, gain: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Deviations of gains above the mean of those places; -inf where nothing gains."""
        above = (gain - self.mean[first, second]) / self.deviation[first, second]
        return np.where(gain > 0, above, -np.inf)

    def threshold(self, draws: int) -> np.ndarray:
        """Gain ``[P, P]`` that at most ``draws - 1`` of the draws reach anywhere."""
        level = self.largest[draws - 1]
        return np.maximum(np.where(np.isfinite(level), self.mean + level * self.deviation, 0.0), 0.0)


def exchanges_by_chance(chance: Chance, count: int, rng: Generator) -> Exchanges:
    """Gains of exchanges in ``count`` draws, against mean and deviation of 64 others."""
    apart, at = chance.case.apart(chance.order), chance.order[chance.case.judged]
    step = max(1, _VALUES // apart.size)

    def gains(total: int) -> Iterator[np.ndarray]:
        for first in range(0, total, step):
            drawn = referenced(chance.draw(min(step, total - first), rng))
            yield exchange_gains(drawn, falling_curve(drawn, apart)(apart))

    moments = np.zeros((2, *apart.shape))
    for gain in gains(_MOMENTS):
        np.einsum("bii->bi", gain)[:] = 0
        moments += gain.sum(0), (gain**2).sum(0)
    mean = moments[0] / _MOMENTS
    size = len(chance.order)
    result = Exchanges(np.zeros((size, size)), np.ones((size, size)), np.zeros(0))
    result.mean[np.ix_(at, at)] = mean
    result.deviation[np.ix_(at, at)] = np.sqrt(np.maximum(moments[1] / _MOMENTS - mean**2, 1e-12)) + np.eye(len(at))
    strongest = [result.strength(gain, at[:, None], at).max((1, 2)) for gain in gains(count)]
    return result._replace(largest=-np.sort(-np.concatenate(strongest)))


def largest_blocks(chance: Chance, count: int, rng: Generator) -> np.ndarray:
    """Largest gain of a block in each of ``count`` draws, descending; 0 where none gains."""
    largest = []
    for correlation in chance.draw(count, rng):
        drawn = replace(chance.case, correlation=correlation)
        block = best_block(drawn, chance.order)
        largest.append(0.0 if block is None else block.gain)
    return -np.sort(-np.array(largest))
