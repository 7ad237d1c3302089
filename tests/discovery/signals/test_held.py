from itertools import groupby

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from scge_pyg.discovery.signals.held import held_values
from scge_pyg.discovery.signals.hints import hint
from scge_pyg.discovery.signals.samples import read


def slow(rng, steps, shape=(2000, 12)):
    x = gaussian_filter1d(rng.standard_normal(shape), steps, axis=0)
    return x / x.std()


def gaps(x, rng, length, fill):
    """Each node off once for ``length`` samples."""
    x = x.copy()
    for node, first in enumerate(rng.integers(1, len(x) - length, x.shape[1])):
        x[first : first + length, node] = {"zero": 0.0, "before": x[first - 1, node]}[fill]
    return x


@pytest.mark.parametrize("fill", ["zero", "before"])
@pytest.mark.parametrize("steps", [0.3, 5, 50])
@pytest.mark.parametrize("length", [60, 600])
def test_filled_gaps_are_found_with_their_share(fill, steps, length):
    rng = np.random.default_rng(3000)
    x = gaps(slow(rng, steps), rng, length, fill)
    longest = [max(((len(list(group)), value) for value, group in groupby(column))) for column in x.T]
    inside = [node for node, (_, value) in enumerate(longest) if x[:, node].min() < value < x[:, node].max()]
    found = held_values(read(x))
    assert [one.node for one in found] == inside
    assert len(inside) > 10
    assert [one.share for one in found] == pytest.approx([longest[node][0] / 2000 for node in inside])
    assert [one.value for one in found] == [longest[node][1] for node in inside]


def ordinary(rng, steps):
    """Signals of other kinds that stay at one value for long."""
    x = slow(rng, steps)
    yield x
    yield x.clip(-1, 0.5)
    yield np.maximum(x - 0.5, 0)
    yield np.round(3 * x)
    yield np.round(x, 1)
    yield (x > 0) * 1.0
    yield rng.poisson(np.exp(x - 1))
    yield (x > 0.3) * rng.gamma(1, 1, x.shape)
    yield np.repeat(x[: len(x) // 50], 50, axis=0)
    yield np.where(np.arange(len(x))[:, None] < 600, x[:1], x)  # all nodes at once: copies, which count once


@pytest.mark.parametrize("steps", [0.3, 5, 30, 200])
def test_ordinary_signals_are_left_alone(steps):
    for kind in ordinary(np.random.default_rng(3001), steps):
        assert held_values(read(kind.astype(np.float32))) == []


def test_nodes_and_call_are_named():
    rng = np.random.default_rng(3002)
    x = rng.standard_normal((2000, 12))
    one = x.copy()
    one[300:500, 4] = 0.25
    (text,) = hint(read(one))
    assert "node 4 (10%) stays at exactly 0.25 for long stretches" in text
    assert text.endswith("discover(x, missing_value=0.25)")
    filled = gaps(x, rng, 300, "before")
    (text,) = hint(read(filled))
    assert "12 nodes, 0 (15%), 1 (15%), 2 (15%), 3 (15%), 4 (15%), 5 (15%), 6 (15%), 7 (15%), ..., stay at" in text
    call = text[text.rindex("discover(") + len("discover(") : -1]
    mended = eval(call, {"numpy": np, "x": filled})
    assert np.isnan(mended).sum(0).tolist() == [299 + int(np.isnan(column).sum() == 300) for column in mended.T]
    assert np.array_equal(mended[~np.isnan(mended)], filled[~np.isnan(mended)])
    assert held_values(read(mended)) == []


def test_nodes_of_data_frames_are_named():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(3003)
    frame = pandas.DataFrame(gaps(rng.standard_normal((1000, 6)), rng, 100, "before"), columns=list("abcdef"))
    (text,) = hint(read(frame))
    assert "6 nodes, a (10%), b (10%), c (10%)," in text
    assert "discover(x.mask(x.diff() == 0))" in text
    assert held_values(read(frame.mask(frame.diff() == 0))) == []


def test_channels_count_as_one_node():
    x = np.random.default_rng(3005).standard_normal((500, 4, 2))
    x[100:200, 3], x[300:350, 3, 0] = 0.0, 1.0
    (found,) = held_values(read(x))
    assert (found.node, found.share) == (3, pytest.approx(150 / 500))


def test_blocks_of_a_stream_do_not_run_into_each_other():
    """A sampled stream has jumps; a stretch ends there."""
    rng = np.random.default_rng(3004)
    samples = read(rng.standard_normal((200, 4)))
    samples.values[90:110, 2] = 0
    assert [one.node for one in held_values(samples)] == [2]
    samples.number[100:] += 500
    assert held_values(samples) == []
