"""p-values are uniform where the layout is right, and misfit widens what is expected by chance."""

import numpy as np
import pytest
from scipy.stats import kstest

from scge_pyg.discovery.layouts.case import Case
from scge_pyg.discovery.layouts.chance import Chance, Exchanges, exchanges_by_chance, largest_blocks, looseness
from scge_pyg.discovery.layouts.gains import referenced
from scge_pyg.discovery.layouts.related import unrelated
from scge_pyg.discovery.layouts.search import exchanges_of
from scge_pyg.discovery.layouts.spectra import spectra_of

ORDER = np.arange(12)


def chance_of(drawn):
    return Chance(Case(drawn.places, ORDER, np.corrcoef(drawn.x.T)), ORDER, spectra_of(drawn.x.T))


def test_p_values_of_right_layouts_are_uniform(recording):
    """70 short, noisy recordings, in which some exchange gains by chance."""
    p = []
    for seed in range(300, 370):
        chance = chance_of(recording((3, 4), seed=seed, samples=150, length=1.0, noise=1.5))
        chance = chance._replace(loose=looseness(chance, seed))
        exchanges = exchanges_by_chance(chance, 99, np.random.default_rng(seed))
        strongest = exchanges.strength(exchanges_of(chance.case, ORDER), ORDER[:, None], ORDER).max()
        p.append((1 + (exchanges.largest >= strongest).sum()) / 100)
    assert kstest(p, "uniform").pvalue > 0.05
    assert np.mean(np.array(p) <= 0.1) < 0.2


def test_mean_and_largest_are_those_of_plain_draws(recording):
    chance = chance_of(recording((3, 4), samples=150, length=1.0, noise=1.5))
    exchanges = exchanges_by_chance(chance, 99, np.random.default_rng(0))
    drawn = referenced(chance.draw(400, np.random.default_rng(1)))
    gains = np.stack([exchanges_of(Case(chance.case.places, ORDER, one), ORDER) for one in drawn])
    off = ~np.eye(12, dtype=bool)
    gains[:, ~off] = -1
    np.testing.assert_allclose(exchanges.mean[off], gains.mean(0)[off], atol=0.03)
    np.testing.assert_allclose(exchanges.deviation[off], gains.std(0)[off], rtol=0.4)
    largest = exchanges.strength(gains, ORDER[:, None], ORDER).max((1, 2))
    finite = np.isfinite(exchanges.largest).mean()
    assert finite == pytest.approx(np.isfinite(largest).mean(), abs=0.1)
    assert np.median(exchanges.largest) == pytest.approx(np.median(largest), abs=0.3)


def test_what_no_draw_gains_needs_no_deviations():
    none = Exchanges(np.full((2, 2), -1.0), np.ones((2, 2)), np.full(5, -np.inf))
    assert none.threshold(1).tolist() == [[0, 0], [0, 0]]
    assert none.strength(np.array([-0.1, 0.5]), np.array([0, 0]), np.array([1, 1])).tolist() == [-np.inf, 1.5]
    some = none._replace(largest=np.array([3.0, 1.5]))
    assert some.threshold(1)[0, 1] == 2
    assert some.threshold(2)[0, 1] == 0.5


def test_scattered_places_look_loose(recording):
    drawn = recording((4, 6), samples=20_000, noise=0.05)
    order = np.arange(24)
    straight = Chance(Case(drawn.places, order, np.corrcoef(drawn.x.T)), order, spectra_of(drawn.x.T))
    rng = np.random.default_rng(0)
    moved = Case(drawn.places + 0.4 * rng.standard_normal(drawn.places.shape), order, straight.case.correlation)
    assert looseness(straight, 0) <= 0.1
    assert looseness(straight._replace(case=moved), 0) == 0.3


def test_no_block_gains_in_a_right_layout(recording):
    assert (largest_blocks(chance_of(recording((3, 4))), 20, np.random.default_rng(0)) == 0).all()


def test_unrelated_layouts_are_told_by_a_permutation_test(recording):
    drawn = recording((4, 5))
    order = np.arange(20)
    right = Case(drawn.places, order, np.corrcoef(drawn.x.T))
    assert unrelated(right, 199, np.random.default_rng(0)) == 1 / 200
    noise = np.random.default_rng(1).standard_normal((500, 20))
    p = unrelated(Case(drawn.places, order, np.corrcoef(noise.T)), 199, np.random.default_rng(0))
    assert p > 0.05
