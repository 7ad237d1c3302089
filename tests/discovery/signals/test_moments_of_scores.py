import numpy as np
import pytest

from scge_pyg.discovery.signals import moments_of_scores
from scge_pyg.discovery.signals.moments_of_scores import (
    correlation_of,
    correlations_by_side,
    positive_definite,
    second_moments,
)
from scge_pyg.discovery.signals.scores import normal_scores


def field(num_nodes=9, num_samples=400, missing=0.0, seed=0):
    """Correlated rows ``[N, S]`` with some values missing."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(num_nodes) + rng.standard_normal((num_nodes, num_nodes)) / np.sqrt(num_nodes)
    x = mixing @ rng.standard_normal((num_nodes, num_samples))
    x[rng.random(x.shape) < missing] = np.nan
    return x


def pairwise(score, seen, columns, fewest):
    """Cosines over common samples, pair by pair."""
    num_nodes = len(score)
    result = np.eye(num_nodes)
    for i in range(num_nodes):
        for j in range(num_nodes):
            common = [s for s in columns if seen[i, s] and seen[j, s]]
            a, b = score[i, common].astype(float), score[j, common].astype(float)
            if i != j and len(common) >= fewest and (a @ a) * (b @ b) > 0:
                result[i, j] = a @ b / np.sqrt((a @ a) * (b @ b))
    return result


@pytest.mark.parametrize("columns", [None, np.arange(3, 300, 2)])
@pytest.mark.parametrize("most", [8192, 37])
def test_second_moments_are_a_matrix_product(columns, most, monkeypatch):
    monkeypatch.setattr(moments_of_scores, "_COLUMNS", most)
    first, second = (field(num_nodes, seed=num_nodes).astype(np.float32) for num_nodes in (9, 5))
    chosen = slice(None) if columns is None else columns
    left, right = first[:, chosen].astype(float), second[:, chosen].astype(float)
    moments = second_moments(first, columns)
    np.testing.assert_allclose(moments, left @ left.T, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(second_moments(first, columns, second), left @ right.T, rtol=1e-4, atol=1e-3)
    assert np.array_equal(moments, moments.T)
    assert moments.dtype == np.float64


def test_complete_rows_correlate_as_in_numpy():
    score = normal_scores(field())
    np.testing.assert_allclose(correlation_of(score, None), np.corrcoef(score.astype(float)), atol=1e-6)


def test_a_row_that_never_changes_is_uncorrelated_with_gaps_between_the_sides_too():
    score = normal_scores(field())
    score[0] = 1.0
    for found in correlations_by_side(score, (np.arange(190), np.arange(210, 400))):
        assert np.array_equal(found[0], np.eye(9)[0])
        assert np.abs(found[1, 2:]).min() > 0


def test_a_choice_of_columns():
    score, columns = normal_scores(field()), np.arange(50, 400, 3)
    found = correlation_of(score, None, columns)
    np.testing.assert_allclose(found, pairwise(score, np.ones(score.shape, bool), columns, 0), atol=1e-6)


@pytest.mark.parametrize("columns", [None, np.arange(100, 400)])
def test_gaps_are_left_out_pair_by_pair(columns):
    x = field(missing=0.2)
    score, seen = normal_scores(x), ~np.isnan(x)
    expected = pairwise(score, seen, range(400) if columns is None else columns, 50)
    assert np.linalg.eigvalsh(expected)[0] > 1e-3  # nothing to mend
    np.testing.assert_allclose(correlation_of(score, seen, columns), expected, atol=1e-6)


def test_gaps_hide_little_of_the_correlation():
    x = field(missing=0.1, num_samples=5000)
    whole = np.corrcoef(normal_scores(field(num_samples=5000)).astype(float))
    np.testing.assert_allclose(correlation_of(normal_scores(x), ~np.isnan(x)), whole, atol=0.03)


def test_pairs_with_few_common_samples_are_uncorrelated():
    x = field()
    x[0, 60:], x[1, :20] = np.nan, np.nan  # 40 in common; with others 60 and 380
    score, seen = normal_scores(x), ~np.isnan(x)
    for fewest in (40, 41):
        expected = pairwise(score, seen, range(400), fewest)
        assert (expected[0, 1] == 0) == (fewest == 41)
        np.testing.assert_allclose(correlation_of(score, seen, fewest=fewest), positive_definite(expected), atol=1e-6)


def test_rows_that_do_not_vary_are_uncorrelated():
    x = field()
    x[3] = 7.0
    for seen in (None, np.ones(x.shape, dtype=bool)):
        found = correlation_of(normal_scores(x), seen)
        assert np.array_equal(found[3], np.eye(9)[3])
        assert np.array_equal(found[:, 3], np.eye(9)[3])


def test_rows_that_vary_in_other_columns_alone_are_uncorrelated():
    """Events so rare that one side of the samples has none: what is left is not alike, it is nothing."""
    x = field()
    x[2, :200] = x[5, :200] = x[7, :199] = -9.0
    score, columns = normal_scores(x), np.arange(200)
    for seen in (None, np.ones(x.shape, dtype=bool)):
        found = correlation_of(score, seen, columns)
        assert np.array_equal(found[[2, 5]], np.eye(9)[[2, 5]])
        assert (found[7, [0, 1, 3, 4, 6, 8]] != 0).all()


def test_few_samples_with_gaps_give_a_positive_definite_matrix():
    x = field(30, 40, missing=0.5)
    score, seen = normal_scores(x), ~np.isnan(x)
    assert np.linalg.eigvalsh(pairwise(score, seen, range(40), 5))[0] < -0.1
    found = correlation_of(score, seen, fewest=5)
    assert np.linalg.eigvalsh(found)[0] > 0
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-12)


@pytest.mark.parametrize("num_nodes", [3, 25])
def test_clipped_eigenvalues_with_a_diagonal_of_one(num_nodes):
    rng = np.random.default_rng(0)
    broken = np.clip(np.eye(num_nodes) + np.triu(rng.uniform(-1, 1, (num_nodes, num_nodes)), 1), -1, 1)
    broken = np.triu(broken, 1) + np.triu(broken, 1).T + np.eye(num_nodes)
    value, vector = np.linalg.eigh(broken)
    assert value[0] < 0
    clipped = vector @ np.diag(np.maximum(value, 1e-3)) @ vector.T
    expected = clipped / np.sqrt(np.outer(np.diag(clipped), np.diag(clipped)))
    found = positive_definite(broken)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.linalg.eigvalsh(found)[0] > 0
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-12)
    assert np.array_equal(found, found.T)


def test_a_positive_definite_matrix_stays_as_it_is():
    step = np.abs(np.subtract.outer(np.arange(9), np.arange(9)))
    correlation = 0.7**step
    assert np.array_equal(positive_definite(correlation), correlation)


@pytest.mark.parametrize("gap", [0, 7])
def test_correlations_by_side_are_those_of_each_side(gap):
    score = normal_scores(field())
    score[3] = 0
    half = score.shape[1] // 2
    sides = np.arange(half - gap), np.arange(half + gap, score.shape[1])
    found = correlations_by_side(score, sides)
    for own, columns in zip(found, (None, *sides), strict=True):
        np.testing.assert_allclose(own, correlation_of(score, None, columns), atol=1e-6)
