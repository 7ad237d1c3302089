import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scge_pyg.discovery.signals.distinct import distinct_rows
from scge_pyg.discovery.signals.moments import Moments


def normal(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def correlated(num_samples, num_nodes, seed=0):
    return normal(num_samples, num_nodes, seed=seed) @ normal(num_nodes, num_nodes, seed=seed + 1)


def in_one_pass(x, size):
    moments = Moments(*x.shape[1:])
    for block in x.split(size):
        moments.update(block)
    return moments


def assert_close(moments, other):
    assert moments.count == other.count
    np.testing.assert_allclose(moments.mean, other.mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(moments.covariance(), other.covariance(), rtol=1e-10, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(1, 12), st.integers(1, 25))
def test_equals_torch_cov_for_any_blocks(seed, num_samples, num_nodes, size):
    x = correlated(num_samples, num_nodes, seed)
    moments = in_one_pass(x, size)
    expected = torch.cov(x.T).reshape(1, num_nodes, num_nodes)
    torch.testing.assert_close(moments.covariance(), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(moments.mean[:, 0], x.mean(0), atol=1e-12)
    assert moments.count == num_samples


def test_large_offset_costs_no_accuracy():
    noise = normal(1000, 20)
    x = noise + 1e6
    moments = in_one_pass(x, 64)
    torch.testing.assert_close(moments.covariance()[0], torch.cov((x - 1e6).T), rtol=1e-8, atol=1e-9)


def test_drift_of_the_mean_between_batches_counts():
    x = normal(400, 6) + torch.linspace(-1e3, 1e3, 400, dtype=torch.float64).unsqueeze(1)
    torch.testing.assert_close(in_one_pass(x, 10).covariance()[0], torch.cov(x.T), rtol=1e-10, atol=1e-6)


def test_float32_is_accumulated_in_float64():
    x = normal(3000, 8).float() + 100
    torch.testing.assert_close(in_one_pass(x, 100).covariance()[0], torch.cov(x.double().T), rtol=1e-12, atol=1e-10)


def test_merging_equals_one_pass():
    x = correlated(500, 9)
    parts = [Moments(9).update(part) for part in x.split([3, 250, 1, 246])]
    merged = Moments(9)
    for part in parts:
        merged.merge(part)
    assert_close(merged, Moments(9).update(x))


def test_merging_leaves_the_other_alone():
    first, second = Moments(4).update(normal(30, 4)), Moments(4).update(normal(20, 4, seed=1))
    before = second.scatter.copy()
    empty = Moments(4).merge(second)
    empty.merge(first)
    assert second.count == 20
    assert np.array_equal(second.scatter, before)


def test_order_of_batches_does_not_matter():
    x = correlated(300, 7)
    blocks = list(x.split(40))
    backwards = Moments(7)
    for block in reversed(blocks):
        backwards.update(block)
    assert_close(backwards, in_one_pass(x, 40))


def test_empty_blocks_change_nothing():
    x = correlated(50, 5)
    moments = Moments(5).update(x[:0]).update(x).update(x[:0])
    assert_close(moments, Moments(5).update(x))


def test_nothing_seen():
    assert torch.equal(Moments(3, 2).covariance(), torch.zeros(2, 3, 3, dtype=torch.float64))


def test_one_covariance_per_channel():
    x = torch.stack([correlated(200, 6, seed) for seed in (0, 7, 9)], 2)
    moments = in_one_pass(x, 33)
    assert (moments.num_nodes, moments.num_channels) == (6, 3)
    for channel in range(3):
        torch.testing.assert_close(moments.covariance()[channel], torch.cov(x[..., channel].T), rtol=1e-10, atol=1e-10)


def test_correlation_equals_corrcoef():
    x = correlated(200, 6)
    np.testing.assert_allclose(Moments(6).update(x).correlation(), np.corrcoef(x.T), atol=1e-12)


def test_correlation_averages_the_channels_in_which_both_nodes_vary():
    x = torch.stack([correlated(200, 4, seed) for seed in (0, 5)], 2)
    x[:, 2, 1] = 3.0
    x[:, 3] = -1.0
    first, second = np.corrcoef(x[:, :3, 0].T), np.corrcoef(x[:, :2, 1].T)
    expected = np.eye(4)
    expected[:3, :3] = first
    expected[:2, :2] = (first[:2, :2] + second) / 2
    np.testing.assert_allclose(Moments(4, 2).update(x).correlation(), expected, atol=1e-12)


@pytest.mark.parametrize("num_nodes", [1, 2, 5, 64, 129])
def test_shuffling_the_nodes_changes_no_bit(num_nodes):
    x = torch.stack([normal(150, num_nodes, seed=seed) for seed in (0, 1)], 2)
    moments = in_one_pass(x, 47)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(num_nodes)
        shuffled = in_one_pass(x[:, order], 47)
        assert np.array_equal(shuffled.mean, moments.mean[order])
        assert np.array_equal(shuffled.scatter, moments.scatter[:, order][:, :, order])
        assert np.array_equal(shuffled.rank, moments.rank[order])
        assert np.array_equal(shuffled.correlation(), moments.correlation()[order][:, order])


def test_shuffling_duplicated_nodes_changes_no_bit():
    x = normal(100, 40)[:, torch.arange(90) % 40]
    order = torch.randperm(90, generator=torch.Generator().manual_seed(0))
    moments, shuffled = in_one_pass(x, 30), in_one_pass(x[:, order], 30)
    assert np.array_equal(shuffled.scatter, moments.scatter[:, order][:, :, order])
    assert np.array_equal(moments.scatter[0, :40], moments.scatter[0, 40:80])


def test_scatter_is_exactly_symmetric():
    scatter = in_one_pass(correlated(100, 50), 30).scatter[0]
    assert np.array_equal(scatter, scatter.T)


def test_rank_separates_exactly_the_distinct_signals():
    """Nodes 0 and 2 differ in the last batch alone; nodes 1 and 3 never do."""
    x = normal(90, 4)
    x[:, 2] = x[:, 0]
    x[:, 3] = x[:, 1]
    x[80, 2] += 1
    rank = in_one_pass(x, 30).rank
    assert rank[1] == rank[3]
    assert len(np.unique(rank)) == 3
    assert len(np.unique(in_one_pass(x[:60], 30).rank)) == 2
    assert len(np.unique(Moments(4).merge(in_one_pass(x[:60], 30)).merge(in_one_pass(x[60:], 30)).rank)) == 3


def test_rank_looks_at_every_channel():
    x = normal(50, 3, 2)
    x[:, 1] = x[:, 0]
    x[7, 1, 1] += 1
    assert len(np.unique(Moments(3, 2).update(x).rank)) == 3


def test_zeros_of_both_signs_are_one_signal():
    x = torch.zeros(20, 3)
    x[:, 1] = -0.0
    x[:, 2] = 1.0
    rank = Moments(3).update(x).rank
    assert rank[0] == rank[1] != rank[2]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=30))
def test_distinct_rows(rows):
    array = np.array(rows, dtype=np.float64)
    first, inverse = distinct_rows(array)
    assert len(first) == len(set(rows))
    assert np.array_equal(array[first][inverse], array)


@pytest.mark.parametrize("shape", [(10,), (10, 4), (10, 3, 2), (10, 3, 1, 1)])
def test_update_names_the_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"x must be \[S, 3, 1\], got"):
        Moments(3).update(torch.zeros(shape))


def test_merge_needs_the_same_nodes():
    with pytest.raises(ValueError, match="same nodes and channels"):
        Moments(3).merge(Moments(4))
