import numpy as np
import pytest
import torch

from scge_pyg.discovery.coupling.candidate_regression import (
    RIDGES,
    best_ridge,
    candidate_moments,
    held_out_gain,
    ridge_regression,
)


@pytest.fixture
def problem():
    """Signals ``[N, S]`` of 90 nodes, some of them as rows, and four candidates of each."""
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((90, 90)) @ rng.standard_normal((90, 300)) / 9
    rows = rng.choice(90, 70, replace=False)
    index = np.stack([rng.choice(np.delete(np.arange(90), row), 4, replace=False) for row in rows])
    return signal, rows, index


def moments(problem, columns=slice(None)):
    signal, rows, index = problem
    chosen = torch.from_numpy(signal[:, columns].copy())
    return candidate_moments(chosen, torch.from_numpy(rows), torch.from_numpy(index))


def test_moments_are_mean_products(problem):
    signal, rows, index = problem
    gram, cross, own = (part.numpy() for part in moments(problem))
    for place, (row, near) in enumerate(zip(rows, index, strict=True)):
        np.testing.assert_allclose(gram[place], signal[near] @ signal[near].T / 300, rtol=1e-10)
        np.testing.assert_allclose(cross[place], signal[near] @ signal[row] / 300, rtol=1e-10, atol=1e-12)
        assert own[place] == pytest.approx((signal[row] ** 2).mean())


@pytest.mark.parametrize("ridge", [1e-3, 0.5])
def test_ridge_regression_is_least_squares_with_pseudo_samples(problem, ridge):
    signal, rows, index = problem
    beta, variance = (part.numpy() for part in ridge_regression(moments(problem), ridge))
    for place, (row, near) in enumerate(zip(rows, index, strict=True)):
        sample = np.concatenate([signal[near].T, np.sqrt(ridge * 300) * np.eye(4)])
        target = np.r_[signal[row], np.zeros(4)]
        expected = np.linalg.lstsq(sample, target, rcond=None)[0]
        np.testing.assert_allclose(beta[place], expected, rtol=1e-8, atol=1e-10)
        residual = ((target - sample @ expected) ** 2).sum() / 300
        assert variance[place] == pytest.approx(residual + ridge, rel=1e-8)


def test_gain_is_the_log_likelihood_of_the_other_half(problem):
    signal, rows, index = problem
    fit, check = moments(problem, slice(0, 150)), moments(problem, slice(150, 300))
    beta, variance = (part.numpy() for part in ridge_regression(fit, 0.1))
    gains = []
    for place, (row, near) in enumerate(zip(rows, index, strict=True)):
        error = ((signal[row, 150:] - beta[place] @ signal[near, 150:]) ** 2).mean()
        gains.append((-np.log(variance[place]) - error / variance[place] + 1) / 2)
    assert held_out_gain(fit, check, 0.1) == pytest.approx(np.mean(gains), rel=1e-10)


@pytest.mark.parametrize("best", [0, 3, 6, 11, len(RIDGES) - 1])
def test_the_walk_climbs_to_the_peak_from_anywhere(best):
    seen = []

    def score(ridge):
        seen.append(ridge)
        return -abs(np.log10(ridge / RIDGES[best]))

    step, value = best_ridge(score)
    assert step == best
    assert value == pytest.approx(0, abs=1e-12)
    assert len(seen) == len(set(seen)) <= abs(best - 6) + 3
