import warnings

import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals.moments_of_scores import correlation_of
from scge_pyg.discovery.signals.prepare import distinct_samples, prepare
from scge_pyg.discovery.signals.samples import Samples, read
from scge_pyg.discovery.signals.scores import normal_scores


@pytest.fixture
def x():
    """Correlated samples ``[301, 8]`` without ties; an odd number has a median of its own."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((301, 8)) @ (np.eye(8) + 0.5 * rng.standard_normal((8, 8)))


def prepared(x, **options):
    return prepare(read(x, **options))


def as_set(pairs):
    return set(map(tuple, pairs.T.tolist()))


def test_rows_are_scores_of_the_nodes_named_by_order(x):
    signals = prepared(x)
    assert sorted(signals.order.tolist()) == list(range(8))
    assert np.array_equal(signals.score, normal_scores(x.T[signals.order]))
    assert signals.rooted is None
    assert signals.observed is None
    assert (signals.channels, signals.num_nodes, signals.effective) == (1, 8, signals.split.effective)
    np.testing.assert_allclose(signals.correlation, np.corrcoef(signals.score.astype(float)), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["complete", "gaps", "channels", "counts", "twins", "twins of counts"])
def test_order_of_nodes_changes_no_bit(x, kind, seed):
    rng = np.random.default_rng(seed)
    if kind == "gaps":
        x[rng.random(x.shape) < 0.1] = np.nan
    elif kind == "channels":
        x = np.stack([x, x**2], -1)
    elif "counts" in kind:
        x = np.maximum(np.round(2 * x), 0)
    if "twins" in kind:
        x[:, 5], x[:, 2] = 30 - 2 * x[:, 1], x[:, 4] + 1
    shuffle = rng.permutation(8)
    first, other = prepared(x), prepared(x[:, shuffle])
    assert np.array_equal(first.score, other.score)
    assert np.array_equal(first.split.block, other.split.block)
    assert first.effective == other.effective
    for before, after in ((first.rooted, other.rooted), (first.observed, other.observed)):
        assert (before is None and after is None) or np.array_equal(before, after)
    assert (first.rooted is not None) == ("counts" in kind)
    if "twins" in kind:
        groups = [{frozenset(p) for p in as_set(p)} for p in (first.twins, shuffle[other.twins])]
        assert groups[0] == groups[1] == {frozenset({1, 5}), frozenset({2, 4})}
    else:
        assert np.array_equal(shuffle[other.order], first.order)


def test_units_gains_and_increasing_maps_change_no_bit(x):
    rng = np.random.default_rng(1)
    first = prepared(x)
    for other in (3 * x + 20, x * rng.uniform(0.2, 5, 8) + rng.normal(size=8), np.exp(x)):
        signals = prepared(other)
        assert np.array_equal(signals.score, first.score)
        assert np.array_equal(signals.order, first.order)


def test_inverted_sensors_keep_their_place(x):
    sign = np.array([1, -1, 1, 1, -1, -1, 1, 1])
    first, other = prepared(x), prepared(x * sign)
    assert np.array_equal(first.order, other.order)
    assert np.array_equal(first.score * sign[first.order][:, None], other.score)


@pytest.mark.parametrize("gaps", [False, True])
def test_twins_up_to_shift_scale_and_sign(x, gaps):
    if gaps:
        x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    copies = np.stack([x[:, 2], 4 * x[:, 2] - 7, 1 - 0.5 * x[:, 6], -x[:, 2]], 1)
    signals = prepared(np.concatenate([x, copies], 1))
    assert signals.num_nodes == 8
    expected = {2: 1, 8: 1, 9: 1, 11: -1}, {6: 1, 10: -1}
    twins = signals.twins.T.tolist()
    assert len(twins) == 4
    for (twin, source), sign in zip(twins, signals.twin_sign.tolist(), strict=True):
        group = next(group for group in expected if twin in group)
        assert sign == group[twin] * group[source]
        assert source in signals.order
        assert twin not in signals.order


def test_twins_that_all_begin_below_their_median_run_with_each_other(x):
    low = int(np.flatnonzero(x[0] < np.median(x, 0))[0])
    signals = prepared(np.concatenate([x, 3 * x[:, [low]], x[:, [low]] - 1], 1))
    assert signals.twin_sign.tolist() == [1, 1]
    assert {*signals.twins.flatten().tolist()} == {low, 8, 9}


def test_nodes_that_miss_different_samples_are_no_twins(x):
    copy = x[:, :1].copy()
    copy[:5] = np.nan
    signals = prepared(np.concatenate([x, copy], 1))
    assert signals.num_nodes == 9
    assert signals.twins.shape == (2, 0)
    assert signals.twin_sign.shape == (0,)


def test_constant_nodes_are_left_out(x):
    x[:, [0, 5]] = [3.0, np.nan]
    assert sorted(prepared(x).order.tolist()) == [1, 2, 3, 4, 6, 7]


@pytest.mark.parametrize("floor", [-np.inf, 0.0])
def test_a_node_that_varies_in_samples_left_out_alone_is_left_out(x, floor):
    """``live`` is known from all samples, the scores from those that were kept."""
    x = np.maximum(x, floor)
    x[:, 3] = 1.0
    values = torch.from_numpy(x).unsqueeze(2)
    signals = prepare(Samples(values, torch.arange(301), 10_000, torch.ones(8, dtype=torch.bool), None))
    expected = prepared(np.delete(x, 3, 1))
    assert sorted(signals.order.tolist()) == [0, 1, 2, 4, 5, 6, 7]
    assert np.array_equal(signals.score, expected.score)
    assert signals.rooted is expected.rooted is None or np.array_equal(signals.rooted, expected.rooted)


@pytest.mark.parametrize(("num_samples", "fewest"), [(301, 50), (61, 30)])
def test_nodes_with_too_few_observations_are_left_out(x, num_samples, fewest):
    x = x[:num_samples]
    x[fewest:, 1], x[fewest - 1 :, 4] = np.nan, np.nan
    signals = prepared(x)
    assert signals.fewest == fewest
    assert sorted(signals.order.tolist()) == [0, 1, 2, 3, 5, 6, 7]


def test_gaps_are_marked_and_score_zero(x):
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    signals = prepared(x)
    assert np.array_equal(signals.observed, ~np.isnan(x.T[signals.order]))
    assert (signals.score[~signals.observed] == 0).all()
    expected = correlation_of(signals.score, signals.observed, None, 50)
    assert np.array_equal(signals.correlation, expected)


def test_channels_stand_side_by_side(x):
    second = np.random.default_rng(1).standard_normal(x.shape)
    signals = prepared(np.stack([x, second], -1))
    assert signals.channels == 2
    assert np.array_equal(signals.score[:, :301], normal_scores(x.T[signals.order]))
    assert np.array_equal(signals.score[:, 301:], normal_scores(second.T[signals.order]))
    assert np.array_equal(signals.split.block[:301], signals.split.block[301:])
    assert len(signals.split.block) == 602


def test_a_node_that_varies_in_one_channel_has_the_variance_of_the_others(x):
    second = np.random.default_rng(1).standard_normal(x.shape)
    second[:, 3] = 0.5
    signals = prepared(np.stack([x, second], -1))
    np.testing.assert_allclose((signals.score**2).mean(1), 1, rtol=1e-5)
    assert (signals.score[signals.order == 3, 301:] == 0).all()


def test_roots_of_what_piles_up_at_its_lowest_value(x):
    counts = np.maximum(np.round(2 * x), 0) + 5
    signals = prepared(counts)
    root = np.sqrt(counts - counts.min()).T[signals.order]
    expected = (root - root.mean(1, keepdims=True)) / root.std(1, keepdims=True)
    np.testing.assert_allclose(signals.rooted, expected, atol=1e-5)


def test_roots_with_gaps_and_channels(x):
    counts = np.stack([np.maximum(np.round(2 * x), 0), np.maximum(np.round(3 * x), 0) + 1], -1)
    counts[np.random.default_rng(1).random(counts.shape) < 0.1] = np.nan
    signals = prepared(counts)
    for channel in (0, 1):
        root = np.sqrt(counts[..., channel] - np.nanmin(counts[..., channel])).T[signals.order]
        root = np.nan_to_num(root - np.nanmean(root, 1, keepdims=True))
        expected = root / np.sqrt((root**2).mean(1, keepdims=True))
        np.testing.assert_allclose(signals.rooted[:, channel * 301 : (channel + 1) * 301], expected, atol=1e-5)


@pytest.mark.parametrize("nodes", [[2], slice(None)])
def test_a_channel_that_is_missing_altogether_is_quiet(x, nodes):
    counts = np.stack([np.maximum(np.round(2 * x), 0)] * 2, -1)
    counts[:, nodes, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signals = prepared(counts)
    assert np.isfinite(signals.rooted).all()
    assert (signals.rooted[np.isin(signals.order, np.arange(8)[nodes]), 301:] == 0).all()


def test_repeated_samples_count_once_and_keep_their_numbers(x):
    repeated = x[[0, 1, 1, 2, 0, *range(3, 301)]]
    signals = prepared(repeated)
    assert np.array_equal(signals.score, prepared(x).score)
    assert signals.number.tolist() == [0, 1, 3, *range(5, 303)]


def test_rows_can_be_taken_and_turned(x):
    counts = prepared(np.maximum(np.round(2 * x), 0))
    rows = np.array([1, 3, 4])
    taken = counts.take(rows)
    assert np.array_equal(taken.score, counts.score[rows])
    assert np.array_equal(taken.rooted, counts.rooted[rows])
    assert np.array_equal(taken.order, counts.order[rows])
    np.testing.assert_allclose(taken.correlation, counts.correlation[np.ix_(rows, rows)], atol=1e-6)
    sign = np.array([1, -1, -1])
    turned = taken.scaled(sign)
    np.testing.assert_allclose(turned.correlation, taken.correlation * np.outer(sign, sign), atol=1e-6)
    assert np.array_equal(turned.rooted, taken.rooted * sign[:, None])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.tile(np.arange(5.0), (40, 1)), r"all 5 nodes of x are constant, its 40 samples are the same"),
        (
            np.tile(np.arange(40.0)[:, None], (1, 5)),
            r"at least 3 nodes must vary and differ .* got 1 distinct ones of 5",
        ),
        (np.random.default_rng(0).random((40, 2)), r"got 2 distinct ones of 2; is x really \[samples, nodes\]\?"),
    ],
)
def test_nothing_to_go_by(x, message):
    with pytest.raises(ValueError, match=message):
        prepared(x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_repeats_of_continuous_samples_are_dropped(dtype):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((200, 6, 2)).astype(dtype)
    chosen = rng.integers(0, 200, 350)
    first = np.sort([np.flatnonzero(chosen == sample)[0] for sample in np.unique(chosen)])
    assert distinct_samples(values[chosen]).tolist() == first.tolist()
    assert distinct_samples(values).tolist() == list(range(200))


def test_samples_that_differ_in_one_value_or_in_its_sign_differ():
    values = np.zeros((4, 30, 1))
    values[:, 0] = 0.5
    values[1, 17], values[2, 17], values[3, 16] = 1e-300, -1e-300, 1e-300
    assert len(distinct_samples(np.concatenate([values, np.random.default_rng(0).random((20, 30, 1))]))) == 24


def test_both_zeros_are_one_value_and_gaps_are_values_too():
    values = np.random.default_rng(0).standard_normal((30, 4, 1))
    twice = values[:3].copy()
    values[0, 1], twice[0, 1] = 0.0, -0.0
    values[1, 2] = twice[1, 2] = np.nan
    twice[2, 3] = np.nan
    assert distinct_samples(np.concatenate([values, twice])).tolist() == [*range(30), 32]


def test_discrete_samples_repeat_by_chance_and_all_count():
    values = np.random.default_rng(0).integers(0, 2, (500, 4, 1)).astype(float)
    assert distinct_samples(values).tolist() == list(range(500))


@pytest.mark.parametrize("power", [-500, -75, 75, 500])
def test_roots_of_tiny_and_huge_intensities_are_those_of_plain_ones(x, power):
    counts = np.maximum(np.round(2 * x), 0)
    assert np.array_equal(prepared(counts * 4.0**power).rooted, prepared(counts).rooted)


def test_too_few_values_at_every_node():
    x = np.full((60, 5), np.nan)
    x[np.arange(10), np.arange(10) % 5] = np.arange(10)
    with pytest.raises(ValueError, match="discover: at least 3 nodes must vary and differ in their signal, got 0"):
        prepared(x)


@pytest.mark.parametrize("seed", range(3))
def test_which_of_twins_stands_for_them_is_the_same_in_every_unit(seed):
    x = np.random.default_rng(seed).integers(-9, 9, (3, 16)).astype(float)
    for scale, offset in ((2.0**-4, 0.0), (2.0**9, 0.0), (1.0, 32.0)):
        assert np.array_equal(prepared(x * scale + offset).order, prepared(x).order)
