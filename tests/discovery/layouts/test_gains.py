"""Gains of places and exchanges against one small regression after the other."""

import numpy as np
import pytest

from scge_pyg.discovery.layouts.gains import RIDGE, exchange_gains, nats, own_gains, place_correlations, referenced

SIZE = 11


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, SIZE)) @ rng.standard_normal((SIZE, SIZE))
    coupling = np.corrcoef(x.T)
    expected = rng.standard_normal((SIZE, SIZE))
    return coupling, expected + expected.T


def predicted(coupling, profile, channel, others):
    """Correlation of a channel with its prediction from others, by the book."""
    inner = coupling[np.ix_(others, others)]
    weight = np.linalg.solve(inner + RIDGE * np.eye(len(others)), profile[others])
    return weight @ coupling[others, channel] / np.sqrt(weight @ inner @ weight)


def test_every_place_is_a_regression_without_the_two(pair):
    coupling, expected = pair
    there, here = place_correlations(coupling, expected)
    for i in range(SIZE):
        for p in range(SIZE):
            if i != p:
                others = [k for k in range(SIZE) if k not in (i, p)]
                assert there[i, p] == pytest.approx(predicted(coupling, expected[p], i, others), abs=1e-9)
                assert here[i, p] == pytest.approx(predicted(coupling, expected[i], i, others), abs=1e-9)


def test_own_gain_is_a_regression_on_all_others(pair):
    coupling, expected = pair
    for i, gain in enumerate(own_gains(coupling, expected)):
        others = [k for k in range(SIZE) if k != i]
        assert gain == pytest.approx(nats(predicted(coupling, expected[i], i, others)), abs=1e-9)


def test_exchanges_are_symmetric_and_batches_are_loops(pair):
    coupling, expected = pair
    both = exchange_gains(np.stack([coupling, expected / 9 + np.eye(SIZE)]), np.stack([expected, coupling]))
    np.testing.assert_allclose(both[0], both[0].T)
    np.testing.assert_allclose(both[1], exchange_gains(expected / 9 + np.eye(SIZE), coupling))
    assert (np.diagonal(both[0]) == -np.inf).all()


def test_the_gain_of_a_prediction_is_its_mutual_information():
    assert nats(np.array([0.6, -0.6])).tolist() == pytest.approx([-0.5 * np.log(1 - 0.36), 0])


def test_referenced_is_the_correlation_of_signals_less_their_mean():
    x = np.random.default_rng(1).standard_normal((500, 7)) + np.random.default_rng(2).standard_normal((500, 1))
    z = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(referenced(np.corrcoef(x.T)), np.corrcoef((z - z.mean(1, keepdims=True)).T), atol=1e-12)
