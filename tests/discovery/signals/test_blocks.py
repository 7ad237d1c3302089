import itertools

import numpy as np
import pytest
from scipy.signal import lfilter

from scge_pyg.discovery.signals.blocks import (
    autocorrelation,
    correlation_time,
    effective_samples,
    split_blocks,
)


def autoregressive(rho, num_nodes=20, num_samples=4000, seed=0):
    """Stationary AR(1) rows of variance 1."""
    noise = np.random.default_rng(seed).standard_normal((num_nodes, num_samples + 500))
    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=1)[:, 500:].astype(np.float32)


def standardised(x):
    return ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("num_samples", [5, 64, 101])
def test_autocorrelation_is_the_mean_lagged_product(num_samples):
    z = standardised(autoregressive(0.6, 3, num_samples))
    rho = autocorrelation(z)
    assert rho.shape == z.shape
    trusted = num_samples - num_samples // 4
    for lag in range(trusted):
        np.testing.assert_allclose(rho[:, lag], (z[:, : num_samples - lag] * z[:, lag:]).mean(1), atol=1e-5)
    assert (rho[:, trusted:] == 0).all()


def test_autocorrelation_of_a_row_without_a_signal_is_zero():
    assert (autocorrelation(np.zeros((1, 30), dtype=np.float32)) == 0).all()


@pytest.mark.parametrize("rho", [0.5, 0.9, -0.8])
def test_autocorrelation_of_an_autoregression_falls_geometrically(rho):
    found = autocorrelation(standardised(autoregressive(rho, 40, 8000)))[:, :12].mean(0)
    np.testing.assert_allclose(found, rho ** np.arange(12), atol=0.03)


def fades(rho, level):
    """Lag from which on a geometric fall stays below a level."""
    return int(np.ceil(np.log(level) / np.log(rho)))


@pytest.mark.parametrize("rho", [0.5, 0.8, 0.93])
def test_correlation_time_is_where_the_geometric_fall_passes_a_tenth(rho):
    exact = rho ** np.arange(6000.0)[None]
    independent = np.eye(1, 6000)
    assert correlation_time(exact) == fades(rho, 0.1)
    assert correlation_time(np.concatenate([-exact, exact, independent])) == fades(rho, 0.1)  # the median of sizes
    measured = autocorrelation(standardised(autoregressive(rho, 60, 8000)))
    assert correlation_time(measured) == pytest.approx(fades(rho, 0.1), rel=0.15)


@pytest.mark.parametrize("num_samples", [600, 1500])
def test_what_few_samples_give_by_chance_is_no_memory(num_samples):
    """One over the root of the effective samples, in closed form, takes the place of a tenth; up to a quarter."""
    for rho in (0.9, 0.95):
        effective = num_samples * (1 - rho**2) / (1 + rho**2)
        level = min(max(0.1, 1 / np.sqrt(effective)), 0.25)
        assert correlation_time(rho ** np.arange(float(num_samples))[None]) == pytest.approx(fades(rho, level), abs=1)
    assert correlation_time(0.99 ** np.arange(float(num_samples))[None]) >= fades(0.99, 0.25)


def test_correlation_time_of_independent_and_of_endless_samples():
    assert correlation_time(autocorrelation(standardised(autoregressive(0.0)))) == 1
    assert correlation_time(np.ones((4, 50))) == 50


@pytest.mark.parametrize("num_recordings", [2, 5])
def test_interlaced_recordings_are_remembered_as_long_as_each(num_recordings):
    """Between memories of the same recording lie lags without any."""
    exact = np.zeros((1, 2000))
    exact[0, ::num_recordings] = 0.8 ** np.arange(2000 // num_recordings)
    assert correlation_time(exact) == num_recordings * int(np.log(0.1) / np.log(0.8)) + 1
    rows = [standardised(autoregressive(0.8, 30, 1600, seed)) for seed in range(num_recordings)]
    z = np.stack(rows, 2).reshape(30, -1)
    found = split_blocks(z, np.arange(z.shape[1])).time
    assert found == pytest.approx(num_recordings * np.log(0.1) / np.log(0.8), rel=0.2)


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9, -0.7])
def test_effective_samples_of_an_autoregression(rho):
    """The geometric series in closed form."""
    expected = 5000 * (1 - rho**2) / (1 + rho**2)
    exact = rho ** np.arange(5000.0)[None]
    assert effective_samples(exact, correlation_time(np.abs(exact))) == pytest.approx(expected, rel=0.02)
    split = split_blocks(standardised(autoregressive(rho, 60, 5000)), np.arange(5000))
    assert split.effective == pytest.approx(expected, rel=0.1)


def test_effective_samples_say_how_much_correlations_spread():
    """Bartlett: unrelated autoregressions correlate with variance one over the effective samples."""
    z = standardised(autoregressive(0.8, 120, 1500))
    chance = np.corrcoef(z)[np.triu_indices(120, 1)]
    assert split_blocks(z, np.arange(1500)).effective == pytest.approx(1 / chance.var(), rel=0.15)


def test_independent_samples_all_count():
    split = split_blocks(standardised(autoregressive(0.0, 40, 3000)), np.arange(3000))
    assert split.time == 1
    assert split.judged
    assert split.effective == pytest.approx(3000, rel=0.01)
    assert (split.block >= 0).all()


def assert_split(split, num_samples):
    """What a split promises, checked sample by sample."""
    assert len(split.block) == num_samples
    assert split.num_blocks % 2 == 0
    runs = []
    for place, block in enumerate(split.block.tolist()):
        if block >= 0 and (not runs or runs[-1][0] != block):
            runs.append([block, place, place])
        elif block >= 0:
            runs[-1][2] = place
    assert [block for block, _, _ in runs] == list(range(split.num_blocks))  # contiguous, in order
    sides = split.side(0), split.side(1)
    assert all(len(side) > 0 for side in sides)
    assert not set(sides[0]) & set(sides[1])
    for which, side in enumerate(sides):
        assert {split.block[place] % 2 for place in side} == {which}
    assert sum(map(len, sides)) == (split.block >= 0).sum()
    return runs


@pytest.mark.parametrize("num_samples", [2, 3, 7, 8, 9, 50, 333, 1000, 4001])
@pytest.mark.parametrize("rho", [0.0, 0.7, 0.95, 0.999])
def test_blocks_are_contiguous_alternate_and_apart(rho, num_samples):
    z = standardised(autoregressive(rho, 30, num_samples) + 1e-6 * np.arange(num_samples))
    split = split_blocks(z, np.arange(num_samples))
    runs = assert_split(split, num_samples)
    if num_samples >= 8:
        assert 8 <= split.num_blocks <= 16
    if not split.judged:
        return
    starts = [0] + [(before[2] + after[1]) // 2 for before, after in itertools.pairwise(runs)] + [num_samples]
    if split.time > 1:
        times = 3 if num_samples >= 24 * split.time else 2
        assert min(np.diff(starts)) >= times * split.time - 2
    for before, after in itertools.pairwise(runs):
        assert after[1] - before[2] - 1 == (split.time if split.time > 1 else 0)


@pytest.mark.parametrize(("rho", "num_samples", "judged"), [(0.0, 16, True), (0.99, 400, False), (0.9, 4000, True)])
def test_long_enough_to_judge(rho, num_samples, judged):
    split = split_blocks(standardised(autoregressive(rho, 30, num_samples)), np.arange(num_samples))
    assert split.judged == judged
    assert judged == (num_samples >= 16 * split.time)


def test_where_the_stream_jumps_nothing_need_be_left_out():
    """Samples that lie far apart in the stream are independent, however near they are in the array."""
    num_samples = 4000
    z = standardised(autoregressive(0.9, 30, num_samples))
    whole = split_blocks(z, np.arange(num_samples))
    border = [int(np.flatnonzero(whole.block == block)[-1]) for block in range(whole.num_blocks - 1)]
    jump = np.zeros(num_samples, dtype=int)
    jump[np.arange(num_samples) * whole.num_blocks // num_samples >= 3] = 10_000
    parted = split_blocks(z, np.arange(num_samples) + jump)
    gap = slice(border[2] + 1, border[2] + 1 + whole.time)
    assert (whole.block[gap] == -1).all()
    assert (parted.block[gap] == -1).sum() <= whole.time - whole.time // 2
    assert np.array_equal(np.delete(parted.block, np.r_[gap]), np.delete(whole.block, np.r_[gap]))


def test_a_few_nodes_speak_for_all():
    """The split of many nodes comes from 256 of them, evenly spread."""
    z = standardised(autoregressive(0.8, 512, 600))
    chosen = z[np.linspace(0, 511, 256).astype(int)]
    some, every = split_blocks(chosen, np.arange(600)), split_blocks(z, np.arange(600))
    assert np.array_equal(some.block, every.block)
    assert some.effective == every.effective
