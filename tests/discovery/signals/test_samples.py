import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals import samples as samples_module
from scge_pyg.discovery.signals.kept_blocks import KeptBlocks
from scge_pyg.discovery.signals.samples import read


@pytest.fixture
def x():
    return torch.randn(3000, 6, 1, generator=torch.Generator().manual_seed(0))


def test_everything_is_kept_where_it_fits(x):
    samples = read(x.squeeze(2))
    assert torch.equal(samples.values, x)
    assert torch.equal(samples.number, torch.arange(3000))
    assert (samples.count, samples.names, samples.live.tolist()) == (3000, None, [True] * 6)


def test_a_long_stream_is_sampled_in_blocks(x, monkeypatch):
    monkeypatch.setattr(samples_module, "_KEPT_BYTES", 4 * 6 * 1000)
    assert len(read(x).number) > 1700  # less than 4,096 samples may take twice as much
    monkeypatch.setattr(samples_module, "_MOST", 600)
    assert 300 < len(read(x).number) <= 600
    monkeypatch.setattr(samples_module, "_MOST", 3000)
    monkeypatch.setattr(samples_module, "_FEW", 300)
    samples = read(x)
    values, number = KeptBlocks(budget=4 * 6 * 1000, seed=0).update(x).samples()
    assert torch.equal(samples.values, values)
    assert torch.equal(samples.number, number)
    assert samples.count == 3000
    assert 700 < len(number) <= 1000
    split = read(iter(x.split(77)))
    assert torch.equal(split.values, samples.values)
    assert torch.equal(split.number, samples.number)
    assert not torch.equal(read(x, seed=1).number, samples.number)


def test_a_node_needs_two_observed_values():
    x = torch.tensor([[1.0, 2.0, 0.0, 0.0], [1.0, 0.0, 0.0, 5.0], [1.0, 2.0, 0.0, 7.0]])
    assert read(x).live.tolist() == [False, True, False, True]
    assert read(x, missing_value=0).live.tolist() == [False, False, False, True]


def test_samples_without_a_value_keep_their_number(x):
    x[100:200] = torch.nan
    samples = read(x)
    assert samples.count == len(samples.values) == 3000
    assert samples.values[100:200].isnan().all()


@pytest.mark.parametrize("value", [1e307, -1e307, 5e-324])
def test_the_largest_and_smallest_numbers(value):
    x = np.array([[value, 0.0, 1.0], [0.0, value, 1.0]])
    samples = read(x)
    assert samples.values.squeeze(2).tolist() == x.tolist()
    assert samples.live.tolist() == [True, True, False]


def test_an_empty_tensor_has_no_sample():
    samples = read(torch.zeros(0, 5))
    assert (tuple(samples.values.shape), samples.count, samples.live.tolist()) == ((0, 5, 1), 0, [False] * 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_values_come_to_the_cpu(x):
    assert torch.equal(read(x.cuda()).values, x)
