from copy import copy

import numpy as np
import pytest
import torch

from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import choose
from scge_pyg.discovery.judgement.prediction import moment_gains, nearest, random_partners


def autoregressive(coefficient, num_samples, num_nodes, seed):
    x = np.random.default_rng(seed).standard_normal((num_samples, num_nodes))
    for step in range(1, num_samples):
        x[step] += coefficient * x[step - 1]
    return x


@pytest.fixture(scope="module")
def plane(places, matern, signals_of):
    """A court over a field on a plane, with the true neighbours of its rows."""
    points = places("plane", 70, 100)
    signals = signals_of(matern(points, 2000, 100))
    court = Court(signals)
    near = nearest(points[signals.order], court.few)
    return court, near


def verdict_of(court, partners, free=None):
    court.set_ceiling([partners, partners] if free is None else free)
    return court.verdict([partners, partners])


@pytest.mark.parametrize(
    ("kind", "seed"), [("line", 100), ("ring", 101), ("plane", 102), ("sphere", 103), ("torus", 104)]
)
def test_fields_have_a_geometry(places, matern, signals_of, kind, seed):
    verdict = choose(Court(signals_of(matern(places(kind, 60, seed), 1500, seed)))).verdict
    assert verdict.verdict == "geometry"
    assert verdict.ratio == pytest.approx(1.0, abs=0.05)
    assert verdict.chance < verdict.gain < 1.05 * verdict.ceiling


def without_components(x, which):
    """Samples without some of their principal components, as artefact cleaning leaves them."""
    way = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][which]
    return x - x @ way.T @ way


@pytest.mark.parametrize(("kind", "seed"), [("sphere", 3200), ("sphere", 3203), ("plane", 3203)])
def test_fields_with_components_removed_have_a_geometry(places, matern, signals_of, kind, seed):
    """Each node is then an exact sum of a few others, near or not; with those sums left in, ratios are 0.4 to 0.5."""
    x = matern(places(kind, 28, seed), 2000, seed, length=2.0, noise=0.3).numpy()
    verdict = choose(Court(signals_of(without_components(x, [0, 2, 5, 7])))).verdict
    assert verdict.verdict == "geometry"
    assert verdict.ratio > 0.9


@pytest.mark.parametrize("seed", [3000, 3001])
def test_random_graphs_with_components_removed_have_none(random_graph_field, signals_of, seed):
    x = without_components(random_graph_field(num_nodes=60, seed=seed), [0, 2, 5, 7])
    assert choose(Court(signals_of(x))).verdict.verdict == "no geometry"


@pytest.mark.parametrize("seed", [100, 101])
def test_markov_fields_on_grids_have_a_geometry(grid_field, signals_of, seed):
    verdict = choose(Court(signals_of(grid_field((7, 8), 1500, seed=seed).x))).verdict
    assert verdict.verdict == "geometry"
    assert verdict.ratio > 0.97


@pytest.mark.parametrize(("degree", "seed"), [(5, 100), (7, 101), (9, 102)])
def test_random_graphs_have_none(random_graph_field, signals_of, degree, seed):
    verdict = choose(Court(signals_of(random_graph_field(degree=degree, seed=seed)))).verdict
    assert verdict.verdict == "no geometry"
    assert verdict.ratio + 2 * verdict.error < 0.8


@pytest.mark.parametrize(("factors", "seed"), [(6, 100), (8, 101), (6, 102), (8, 103)])
def test_a_few_factors_have_none(signals_of, factors, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1500, factors)) @ rng.standard_normal((factors, 60)) + rng.standard_normal((1500, 60))
    assert choose(Court(signals_of(x))).verdict.verdict == "no geometry"


@pytest.mark.parametrize("seed", [100, 101])
def test_a_common_cycle_is_no_geometry(signals_of, seed):
    """Any partners predict it equally well."""
    x = np.sin(np.arange(2000) / 23)[:, None] + np.random.default_rng(seed).standard_normal((2000, 50))
    verdict = choose(Court(signals_of(x))).verdict
    assert verdict.verdict != "geometry"
    assert verdict.gain == pytest.approx(verdict.chance, abs=0.02)


@pytest.mark.parametrize("seed", range(100, 103))
@pytest.mark.parametrize("coefficient", [0.0, 0.9])
def test_noise_has_none(signals_of, coefficient, seed):
    verdict = choose(Court(signals_of(autoregressive(coefficient, 2000, 40, seed)))).verdict
    assert verdict.verdict == "no geometry"
    assert verdict.gain < 0.01


@pytest.mark.parametrize("seed", range(100, 103))
def test_what_hardly_changes_cannot_be_judged(signals_of, seed):
    """A random walk of 2,000 steps is a handful of independent samples; eight blocks don't fit into it."""
    signals = signals_of(autoregressive(1.0, 2000, 40, seed))
    assert signals.effective < 100
    assert choose(Court(signals)).verdict.verdict == "undecided"


@pytest.mark.parametrize("seed", range(100, 104))
def test_slow_noise_is_no_geometry(signals_of, seed):
    assert choose(Court(signals_of(autoregressive(0.99, 2000, 40, seed)))).verdict.verdict != "geometry"


def test_sides_share_no_sample_and_hold_their_own_moments(plane):
    court, _ = plane
    first, second = court.sides
    assert not np.intersect1d(first.columns, second.columns).size
    for side in court.sides:
        score = court.signals.score[:, side.columns].astype(float)
        np.testing.assert_allclose(side.moments, score @ score.T / len(side.columns), atol=1e-5)
        length = np.linalg.norm(score, axis=1)
        np.testing.assert_allclose(side.correlation, score @ score.T / np.outer(length, length), atol=1e-5)


def test_gains_are_fitted_on_one_side_and_scored_on_the_other(plane):
    court, near = plane
    first, second = (side.moments for side in court.sides)
    expected = (moment_gains(near, first, second) + moment_gains(near, second, first)) / 2
    np.testing.assert_allclose(court.gains([near, near]), expected, rtol=1e-9)
    np.testing.assert_allclose(court.gains([near]), moment_gains(near, first, second), rtol=1e-9)


def test_true_neighbours_win_and_strangers_lose(plane):
    court, near = plane
    truth = verdict_of(court, near)
    assert truth.verdict == "geometry"
    assert truth.ratio == pytest.approx(1.0)
    np.testing.assert_allclose(truth.node_gain, court.gains([near, near]))
    assert truth.gain == pytest.approx(truth.node_gain.mean())
    strangers = random_partners(len(near), court.few, np.random.default_rng(101))
    court.set_ceiling([near, near])
    lost = court.verdict([strangers, strangers])
    assert lost.verdict == "no geometry"
    assert lost.ratio < 0.3
    assert lost.gain == pytest.approx(lost.chance, abs=0.1)


EVEN = np.tile([1.0, -1.0], 8)  # blocks that differ by as much to either side


@pytest.mark.parametrize(
    ("mapped", "free", "expected"),
    [
        (np.full(16, 0.02) + 0.04 * EVEN, np.full(16, 0.02), "no geometry"),  # 2 standard errors beyond chance
        (np.full(16, 0.02) + 0.02 * EVEN, np.full(16, 0.02), "geometry"),  # 4
        (np.full(16, 0.004), np.full(16, 0.004), "no geometry"),
        (np.full(16, 0.006), np.full(16, 0.006), "geometry"),
        (0.78 + 0.01 * EVEN, np.ones(16), "no geometry"),
        (0.78 + 0.06 * EVEN, np.ones(16), "geometry"),  # 0.8 is 1.3 standard errors away
        (0.78 + 0.03 * EVEN, np.ones(16), "no geometry"),  # 2.6
    ],
)
def test_a_geometry_beats_chance_and_keeps_up_with_the_best_partners(plane, mapped, free, expected):
    """Gains a block as they might be, chance being 0."""
    court, near = copy(plane[0]), plane[1]
    court.set_ceiling([near, near])
    court.__dict__.update(_free=free, _chance=np.zeros(16), _by_block=lambda partners: mapped)
    verdict = court.verdict([near, near])
    assert verdict.ratio == pytest.approx(mapped.mean() / free.mean())
    assert verdict.error == pytest.approx(mapped.std(ddof=1) / 4 / free.mean())  # the jackknife of a mean is exact
    assert verdict.verdict == expected


def test_sides_of_a_short_recording_with_gaps_are_correlated(signals_of):
    """Half of the samples must hold half as many common ones."""
    walk = np.random.default_rng(3000).standard_normal((80, 12)).cumsum(1)
    walk[np.random.default_rng(3001).random(walk.shape) < 0.1] = np.nan
    court = Court(signals_of(walk))
    for side in court.sides:
        assert (np.abs(side.correlation) > 0).mean() > 0.95


def test_the_error_shrinks_with_samples(places, matern, signals_of):
    """Four times the samples halve the error of a ratio, by and large."""
    points, errors = places("plane", 60, 100), []
    for count in (500, 8000):
        signals = signals_of(matern(points, count, 100))
        near = nearest(points[signals.order], 4)
        far = random_partners(60, 4, np.random.default_rng(0))
        errors.append(verdict_of(Court(signals), np.concatenate([near[:, :2], far[:, :2]], 1), [near, near]).error)
    assert 1.5 < errors[0] / errors[1] < 12


def test_missing_values_are_left_out_of_the_judgement(places, matern, signals_of):
    """Neighbours that are missing a tenth of their values predict less, yet the verdict stands."""
    points = places("plane", 60, 100)
    x = matern(points, 2000, 100)
    gaps = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.1
    whole = choose(Court(signals_of(x))).verdict
    holed = choose(Court(signals_of(x.masked_fill(gaps, torch.nan)))).verdict
    assert holed.verdict == "geometry"
    assert holed.ratio == pytest.approx(1.0, abs=0.05)
    assert holed.chance < holed.gain < whole.gain


def test_only_some_of_many_nodes_sit_in_judgement(grid_field, signals_of, monkeypatch):
    monkeypatch.setattr("scge_pyg.discovery.judgement.court._MOST_NODES", 50)
    court = Court(signals_of(grid_field((70,), 300).x))
    assert len(court.rows) == court.signals.num_nodes == 50
    assert (court.rows[0], court.rows[-1]) == (0, 69)
    assert np.diff(court.rows).max() <= 2
