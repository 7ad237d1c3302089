import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm

from scge_pyg.discovery.coupling.thresholds import discoveries, split_threshold


@pytest.mark.parametrize("many", [2, 3, 8])
def test_the_split_explains_most_of_the_variance(many):
    """Otsu by trying all cuts."""
    value = -np.sort(-np.random.default_rng(0).random((40, many)), axis=1)
    for row, threshold in zip(value, split_threshold(value), strict=True):
        within = [row[:cut].var() * cut + row[cut:].var() * (many - cut) for cut in range(1, many)]
        cut = int(np.argmin(within))
        assert threshold == pytest.approx((row[cut] + row[cut + 1]) / 2)


def test_one_value_has_nothing_to_be_split_from():
    assert split_threshold(np.array([[3.0], [1.0]])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_discoveries_are_those_of_scipy(share):
    rng = np.random.default_rng(3000)
    value = np.r_[rng.standard_normal(900), 3 + rng.standard_normal(100)]
    expected = false_discovery_control(norm.sf(value)) <= share
    assert expected.any()
    assert np.array_equal(discoveries(value, 1000, share), expected)
    largest = np.sort(value)[-300:]  # what is known to be small needs only to be counted
    assert discoveries(largest, 1000, share).sum() == expected.sum()


def test_noise_is_seldom_discovered():
    rng = np.random.default_rng(3000)
    found = [discoveries(rng.standard_normal(500), 500).any() for _ in range(400)]
    assert 0.02 < np.mean(found) < 0.08
    assert discoveries(np.zeros(0), 10).shape == (0,)
