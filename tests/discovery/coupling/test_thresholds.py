import numpy as np
import pytest

from scge_pyg.discovery.coupling.thresholds import split_threshold


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
