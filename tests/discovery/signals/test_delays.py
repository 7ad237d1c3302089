from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from scge_pyg.discovery.signals import delays
from scge_pyg.discovery.signals.delays import aligned_in_time, node_delays
from scge_pyg.discovery.signals.lags import Links
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.discovery.signals.scores import normal_scores


def places(num_nodes, seed=0):
    return np.random.default_rng(seed).uniform(0, np.sqrt(num_nodes), (num_nodes, 2))


def field(num_nodes=40, num_samples=3000, rho=0.8, length=3.0, seed=0, delay=None):
    """A field on random places of a square that remembers itself in time, ``[S, N]``, each node behind by its delay."""
    rng = np.random.default_rng(seed)
    points = places(num_nodes, seed)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    root = np.linalg.cholesky(np.exp(-distance / length) + 1e-9 * np.eye(num_nodes))
    noise = rng.standard_normal((num_samples + 500, num_nodes)) @ root.T
    x = lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=0)
    delay = np.zeros(num_nodes, dtype=int) if delay is None else delay
    return np.stack([x[500 - behind : 500 - behind + num_samples, node] for node, behind in enumerate(delay)], 1)


def random_delays(num_nodes=40, longest=3, seed=1):
    return np.random.default_rng(seed).integers(0, longest + 1, num_nodes)


@pytest.mark.parametrize(
    "options",
    [{}, {"seed": 5}, {"rho": 0.6}, {"longest": 4}, {"num_nodes": 12}, {"inverted": True}, {"channels": True}],
)
def test_true_delays_are_found(options):
    options = {"num_nodes": 40, "longest": 3, "inverted": False, "channels": False, **options}
    longest, inverted, channels = (options.pop(key) for key in ("longest", "inverted", "channels"))
    delay = random_delays(options["num_nodes"], longest)
    x = field(delay=delay, **options)
    if inverted:
        x *= np.random.default_rng(2).choice([-1, 1], x.shape[1])
    if channels:
        x = np.stack([x, field(delay=delay, **{**options, "seed": 77})], -1)
    signals = prepare(read(x))
    true = delay[signals.order]
    found = node_delays(signals)
    assert found.dtype == np.int64
    assert found.min() == 0
    assert np.array_equal(found, true - true.min())


def test_a_wrong_lag_is_outvoted_by_the_others():
    """The strongest tree is a star; one of its links is wrong by two steps, the weaker links of its end are not."""
    delay = random_delays(10)
    pairs = np.stack(np.nonzero(~np.eye(10, dtype=bool)))
    weight = np.where((pairs == 0).any(0), 0.9, 0.5)
    lag = delay[pairs[1]] - delay[pairs[0]]
    lag[(pairs[0] == 0) & (pairs[1] == 5)] += 2
    lag[(pairs[0] == 5) & (pairs[1] == 0)] -= 2
    found = delays._settle(Links(pairs, lag, weight, 4), 10)
    assert np.array_equal(found - found[0], delay - delay[0])


def test_delays_add_up_along_a_wave():
    """Neighbours differ by a step or two, the ends by more than the longest lag that is looked at."""
    delay = np.round(1.2 * places(80)[:, 0]).astype(int)
    assert np.ptp(delay) > 8
    signals = prepare(read(field(80, length=2.0, delay=delay)))
    true = delay[signals.order]
    assert np.array_equal(node_delays(signals), true - true.min())


@pytest.mark.parametrize("step", [3, 6, 9])
def test_waves_that_run_far_between_neighbours(step):
    delay = np.round(step * places(40)[:, 0]).astype(int)
    signals = prepare(read(field(40, delay=delay, num_samples=4000)))
    true = delay[signals.order]
    assert np.array_equal(node_delays(signals), true - true.min())


@pytest.mark.parametrize(("num_nodes", "late"), [(40, {7: 2}), (40, {3: 1, 30: 3}), (12, {5: 4}), (120, {50: 7})])
@pytest.mark.parametrize("seed", [3000, 3001])
def test_few_late_sensors_are_found(num_nodes, late, seed):
    """Links of all the others are no stronger for it."""
    delay = np.zeros(num_nodes, dtype=int)
    delay[list(late)] = list(late.values())
    x = field(num_nodes, delay=delay, seed=seed)
    signals = prepare(read(x + 0.2 * np.random.default_rng(seed).standard_normal(x.shape)))
    assert np.array_equal(node_delays(signals), delay[signals.order])


def test_a_sensor_that_runs_ahead_of_all_others():
    delay = np.full(40, 2)
    delay[11] = 0
    signals = prepare(read(field(delay=delay, seed=3002)))
    assert np.array_equal(node_delays(signals), delay[signals.order])


def test_gains_are_differences_of_shifted_products():
    rng = np.random.default_rng(0)
    score = rng.standard_normal((3, 2, 47))
    score[:, :, 20:30] = 0
    links = Links(np.array([[0, 1, 2], [1, 2, 0]]), np.zeros(3), np.array([0.5, -0.5, 0.1]), 4)
    delay = np.array([2, 0, 5])
    found = delays._gains(torch.from_numpy(score), links, delay, 10)
    for column, first in enumerate((0, 10, 30)):
        for i, j, sign in ((0, 1, 1), (1, 2, -1), (2, 0, 1)):
            terms = [
                sign * (score[i, c, t + delay[i]] * score[j, c, t + delay[j]] - score[i, c, t] * score[j, c, t])
                for t in range(first, first + 10)
                for c in range(2)
            ]
            assert found[i, column] == pytest.approx(np.mean(terms), abs=1e-6)
    assert found.shape == (3, 3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["field", "noise", "walks", "shuffled"])
def test_where_there_is_no_delay_none_is_found(kind, seed):
    if kind == "field":
        x = field(seed=seed)
    elif kind == "shuffled":
        x = np.random.default_rng(seed).permutation(field(seed=seed, delay=random_delays()))
    else:
        x = field(seed=seed, length=1e-3, rho=0.9 if kind == "noise" else 0.999)
    found = node_delays(prepare(read(x)))
    assert found.dtype == np.int64
    assert np.array_equal(found, np.zeros(40))


def test_too_many_nodes_are_not_looked_at(monkeypatch):
    signals = prepare(read(field(12, delay=random_delays(12))))
    assert node_delays(signals).any()
    monkeypatch.setattr(delays, "_MOST_NODES", 11)
    assert not node_delays(signals).any()


def test_two_nodes_have_no_delay():
    signals = prepare(read(field(12, delay=random_delays(12)))).take(np.arange(2))
    assert node_delays(signals).tolist() == [0, 0]


@pytest.mark.parametrize("channels", [False, True])
def test_nodes_are_shifted_back(channels):
    delay = random_delays()
    x, plain = field(delay=delay), field()
    if channels:
        x, plain = (np.stack([a, a**3], -1) for a in (x, plain))
    signals = prepare(read(x))
    aligned = aligned_in_time(signals, delay[signals.order])
    steps = 3000 - 3
    assert aligned.score.shape == (40, steps * (2 if channels else 1))
    assert len(aligned.split.block) == aligned.score.shape[1]
    assert np.array_equal(aligned.number, np.arange(steps))
    assert np.array_equal(aligned.delay, delay[signals.order])
    expected = normal_scores(np.moveaxis(plain, 0, -1)).reshape(40, -1, 3000)[signals.order, :, :steps]
    np.testing.assert_allclose(aligned.score, expected.reshape(40, -1), atol=0.05)  # ranks among other samples


def test_gaps_and_roots_are_shifted_along():
    delay = random_delays(12)
    x = np.maximum(field(12, delay=delay), 0)
    x[np.random.default_rng(0).random(x.shape) < 0.05] = np.nan
    signals = prepare(read(x))
    aligned = aligned_in_time(signals, delay[signals.order])
    steps = len(signals.number) - 3
    for before, after in ((signals.observed, aligned.observed), (signals.rooted, aligned.rooted)):
        for row, behind in enumerate(delay[signals.order]):
            assert np.array_equal(after[row], before[row, behind : behind + steps])


def test_no_delay_leaves_the_signals_as_they_are():
    signals = prepare(read(field(12, 300)))
    assert aligned_in_time(signals, np.zeros(12, dtype=int)) is signals


def test_a_recording_of_two_sides_must_agree():
    """Delays that only one side of the samples shows are not believed."""
    x = field(30)
    signals = prepare(read(x))
    late = prepare(read(field(30, delay=random_delays(30))))
    side = signals.split.block % 2 == 0
    mixed = replace(
        signals, score=np.where(side, late.score[np.argsort(late.order)], signals.score[np.argsort(signals.order)])
    )
    assert not node_delays(mixed).any()
