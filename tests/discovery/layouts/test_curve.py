"""The falling curve against scikit-learn's isotonic regression and a known function, with misplaced channels."""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.isotonic import IsotonicRegression

from scge_pyg.discovery.layouts.curve import decreasing, falling_curve


def test_decreasing_is_isotonic_regression():
    rng = np.random.default_rng(0)
    for _ in range(20):
        value, weight = rng.standard_normal(15), rng.uniform(0.5, 3, 15)
        known = (
            IsotonicRegression(increasing=False).fit(np.arange(15), value, sample_weight=weight).predict(np.arange(15))
        )
        np.testing.assert_allclose(decreasing(value, weight), known, atol=1e-12)


def test_a_batch_has_a_curve_for_each():
    rng = np.random.default_rng(1)
    distance = cdist(*[rng.random((20, 2))] * 2)
    batch = np.stack([np.exp(-distance), np.exp(-3 * distance) - 0.2])
    both = falling_curve(batch, distance)(distance)
    for coupling, curve in zip(batch, both, strict=True):
        np.testing.assert_allclose(curve, falling_curve(coupling, distance)(distance))


def test_a_quarter_of_misplaced_channels_hardly_moves_it():
    rng = np.random.default_rng(2)
    places = rng.random((60, 2))
    distance = cdist(places, places)
    order = np.arange(60)
    order[:14] = np.roll(order[:14], 1)
    right = falling_curve(np.exp(-2 * distance), distance)(distance)
    wrong = falling_curve(np.exp(-2 * distance)[np.ix_(order, order)], distance)(distance)
    off = ~np.eye(60, dtype=bool)
    assert np.abs(right - np.exp(-2 * distance))[off].max() < 0.06
    assert np.abs(wrong - right)[off].mean() < 0.06


def test_places_at_one_distance_give_a_constant():
    corner = 1.0 - np.eye(5)
    assert np.unique(falling_curve(0.3 * corner + np.eye(5), corner)(corner)).tolist() == [0.3]
