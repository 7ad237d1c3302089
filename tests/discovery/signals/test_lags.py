import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals.lags import lagged_correlation, strongest_links_over_lags
from scge_pyg.discovery.signals.scores import normal_scores


@pytest.mark.parametrize("channels", [1, 2])
def test_lagged_correlation_is_a_sum_of_shifted_products(channels):
    z = np.random.default_rng(0).standard_normal((5, channels, 60))
    z[:, :, 20:30] = 0
    for lag in range(4):
        found = lagged_correlation(torch.from_numpy(z), lag).numpy()
        for i in range(5):
            for j in range(5):
                product = sum(z[i, c, t] * z[j, c, t + lag] for c in range(channels) for t in range(60 - lag))
                expected = product / np.sqrt((z[i] ** 2).sum() * (z[j] ** 2).sum())
                assert found[i, j] == pytest.approx(expected, abs=1e-12)


def test_no_lag_is_the_correlation():
    z = normal_scores(np.random.default_rng(0).standard_normal((12, 400)).cumsum(0))
    np.testing.assert_allclose(lagged_correlation(torch.from_numpy(z[:, None]), 0), np.corrcoef(z), atol=1e-5)


def chain(step, num_nodes=6, num_samples=2000, seed=0):
    """One signal that passes node after node, ``step`` samples later each, with noise, ``[N, 1, S]``."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal(num_samples + step * num_nodes)
    z = np.stack([signal[step * (num_nodes - i) :][:num_samples] for i in range(num_nodes)])
    return torch.from_numpy(normal_scores(z + 0.5 * rng.standard_normal(z.shape))[:, None])


@pytest.mark.parametrize(("step", "reach"), [(1, 4), (2, 8), (4, 16), (20, 4)])
def test_lags_are_looked_for_as_far_as_links_end_at_the_longest(step, reach):
    """Those in the middle have two of five links at the limit; links that no lag within reach shows say nothing."""
    (links,) = strongest_links_over_lags([chain(step)], 0.2)
    assert links.reach == reach
    lag = step * (links.pairs[1] - links.pairs[0])
    within = np.abs(lag) <= reach
    assert np.array_equal(links.lag[within], lag[within])
    assert (np.abs(links.correlation[within]) > 0.7).all()
    assert (np.abs(links.correlation[~within]) < 0.2).all()


def test_one_side_alone_is_no_evidence():
    assert [links.reach for links in strongest_links_over_lags([chain(4), chain(1)[:, :, :60] * 0], 0.2)] == [4, 4]
