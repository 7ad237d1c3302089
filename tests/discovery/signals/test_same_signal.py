import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals.hints import hint
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.same_signal import same_signals
from scge_pyg.discovery.signals.samples import read
from scge_pyg.discovery.signals.twins import without_near_twins


def same(x):
    return same_signals(read(x).values)


@pytest.fixture
def recording():
    """Twelve electrodes against their average; 3 and 8 had come off, at levels of their own."""
    x = np.random.default_rng(3000).standard_normal((1000, 12))
    x[:, 3], x[:, 8] = 0.25, -1.5
    return x - x.mean(1, keepdims=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_electrodes_that_came_off_before_an_average_reference(recording, dtype):
    x = recording.astype(dtype)
    assert same(x) == [[3, 8]]
    (text,) = hint(read(x))
    assert "carry the same signal and share a place: 3 = 8; is there a bridge" in text
    twins = without_near_twins(prepare(read(x))).twins
    assert sorted(twins[:, 0].tolist()) == [3, 8]


def test_a_bridge_in_another_unit_and_turned(recording):
    recording[:, 5] = 32 - 1.8 * recording[:, 1]
    recording[:, 7] = recording[:, 1] + 1e-4 * np.random.default_rng(0).standard_normal(1000)
    assert same(recording) == [[1, 5, 7], [3, 8]]
    recording[:, 7] += 0.01 * np.random.default_rng(0).standard_normal(1000)
    assert same(recording) == [[1, 5], [3, 8]]
    recording[::7, [3, 8]] = np.nan
    assert same(recording) == [[1, 5], [3, 8]]


def test_at_most_eight_nodes_are_named(recording):
    x = np.concatenate([recording] * 3, 1)
    (text,) = hint(read(x))
    assert "0 = 12 = 24, 1 = 13 = 25, 2 = 14 and more, 36 nodes in all;" in text


def test_values_that_repeat_are_alike_by_chance():
    rng = np.random.default_rng(3001)
    lit = np.maximum(rng.standard_normal((400, 5)) - 2, 0)
    for x in (lit, rng.standard_normal((400, 5)) > 1, rng.poisson(3, (400, 5)), rng.integers(0, 100, (400, 5))):
        assert same(np.concatenate([x, x[:, :3]], 1).astype(float)) == []


def test_a_broken_sample_makes_no_signals_the_same(recording):
    recording[7] = 1e6 * np.arange(12)
    assert same(recording[:, [0, 1, 2, 4, 5]]) == []


def test_channels_must_all_agree():
    x = torch.randn(100, 4, 2, generator=torch.Generator().manual_seed(0))
    x[:, 2, 0] = x[:, 0, 0]
    assert same(x) == []
    x[:, 2, 1] = 2 * x[:, 0, 1]
    assert same(x) == [[0, 2]]
