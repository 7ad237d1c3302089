import numpy as np
import pytest
from scipy.stats import norm, rankdata

from scge_pyg.discovery.signals import scores
from scge_pyg.discovery.signals.scores import normal_scores


def rows(num_samples, ties=False, missing=False, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, num_samples))
    if ties:
        x = np.maximum(np.round(x, 1), -0.5)
    if missing:
        x[rng.random(x.shape) < 0.2] = np.nan
    return x


def reference(row):
    """The definition with ranks of scipy."""
    seen = ~np.isnan(row)
    score = np.zeros(len(row))
    values = norm.ppf((rankdata(row[seen]) - 0.5) / seen.sum())
    score[seen] = (values - values.mean()) / values.std()
    return score


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("num_samples", [20, 301])
def test_quantiles_of_mid_ranks(num_samples, ties, missing):
    x = rows(num_samples, ties, missing)
    found = normal_scores(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [reference(row) for row in x], atol=1e-6)


def test_mean_and_variance_over_the_observed():
    x = rows(500, ties=True, missing=True)
    score = np.where(np.isnan(x), np.nan, normal_scores(x))
    np.testing.assert_allclose(np.nanmean(score, 1), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanvar(score, 1), 1, atol=1e-6)


@pytest.mark.parametrize("row", [[3.0, 3.0, 3.0], [np.nan, np.nan, np.nan], [np.nan, 2.0, np.nan]])
def test_rows_that_never_vary_score_zero(row):
    assert normal_scores(np.array([row, [1.0, 2.0, 3.0]]))[0].tolist() == [0.0, 0.0, 0.0]


def test_two_values_share_their_ranks():
    score = normal_scores(np.array([[0.0, 0.0, 0.0, 1.0]]))
    np.testing.assert_allclose(score, [[-1, -1, -1, 3]] / np.sqrt(3), rtol=1e-6)


def test_negative_zero_is_zero():
    score = normal_scores(np.array([[0.0, -0.0, 1.0]]))[0]
    assert score[0] == score[1] < score[2]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("increasing", [np.exp, lambda x: 3 * x + 20, lambda x: x**3, np.arctan])
def test_increasing_maps_change_no_bit(increasing, ties):
    x = rows(777, ties, missing=True)
    assert np.array_equal(normal_scores(increasing(x)), normal_scores(x))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("num_samples", [7, 100, 101, 1001, 1500])
def test_turning_the_sign_turns_the_scores_bit_for_bit(num_samples, ties, missing):
    x = rows(num_samples, ties, missing)
    assert np.array_equal(normal_scores(-x), -normal_scores(x))


def test_zeros_have_no_sign():
    score = normal_scores(rows(101, missing=True))
    assert (score == 0).any()
    assert not np.signbit(score[score == 0]).any()


def test_order_of_samples_and_rows_changes_nothing_else():
    x = rows(400, ties=True, missing=True)
    rng = np.random.default_rng(1)
    column, row = rng.permutation(400), rng.permutation(12)
    assert np.array_equal(normal_scores(x[row][:, column]), normal_scores(x)[row][:, column])


def test_a_spike_weighs_no_more_than_any_largest_value():
    x = rows(300)
    spiked = x.copy()
    spiked[:, x.argmax(1)] = np.where(np.eye(12, dtype=bool), 1e9, x[:, x.argmax(1)])
    assert np.array_equal(normal_scores(spiked), normal_scores(x))


def test_leading_axes_and_blocks(monkeypatch):
    x = rows(60, ties=True, missing=True).reshape(3, 4, 60)
    whole = normal_scores(x)
    assert whole.shape == x.shape
    monkeypatch.setattr(scores, "_BLOCK_VALUES", 130)
    assert np.array_equal(normal_scores(x), whole)
    assert np.array_equal(normal_scores(x.astype(np.float32).astype(np.float64)[0]), normal_scores(x[0].astype("f4")))


def test_rows_with_and_without_ties_beside_each_other():
    x = np.concatenate([rows(201), rows(201, ties=True), rows(201, missing=True)])
    np.testing.assert_array_equal(normal_scores(x), np.concatenate([normal_scores(row[None]) for row in x]))
