import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals import most_correlated as module
from scge_pyg.discovery.signals.most_correlated import most_correlated


def field(num_samples, num_nodes=60, seed=0):
    """Normalised signals on a chain, every third one inverted."""
    rng = np.random.default_rng(seed)
    step = np.abs(np.subtract.outer(np.arange(num_nodes), np.arange(num_nodes)))
    x = rng.standard_normal((num_samples, num_nodes)) @ np.linalg.cholesky(0.9**step).T
    x *= np.where(np.arange(num_nodes) % 3 == 0, -1, 1)
    return torch.from_numpy((x - x.mean(0)).T).float().contiguous()


def expected(signal, k, signed):
    correlation = np.corrcoef(signal.double().numpy())
    np.fill_diagonal(correlation, -np.inf if signed else 0)
    strength = correlation if signed else np.abs(correlation)
    index = np.argsort(-strength, axis=1)[:, :k]
    return index, np.take_along_axis(correlation, index, 1)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("num_samples", [300, 1024])
@pytest.mark.parametrize("block", [2**25, 700])
def test_the_strongest_of_all_pairs(num_samples, signed, block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_VALUES", block)
    signal = field(num_samples)
    index, value = most_correlated(signal, 5, signed=signed)
    true_index, true_value = expected(signal, 5, signed)
    assert np.array_equal(index, true_index)
    np.testing.assert_allclose(value, true_value, atol=1e-5)


@pytest.mark.parametrize("signed", [False, True])
def test_all_samples_decide_among_candidates_of_a_few(signed, monkeypatch):
    """Eighty samples name the candidates here; by themselves they would get the order wrong."""
    monkeypatch.setattr(module, "_SAMPLES", 80)
    signal = field(4000)
    index, value = most_correlated(signal, 5, signed=signed)
    true_index, true_value = expected(signal, 5, signed)
    assert np.array_equal(index, true_index)
    np.testing.assert_allclose(value, true_value, atol=1e-5)
    monkeypatch.setattr(module, "_SPARE", 0)
    assert not np.array_equal(most_correlated(signal, 5, signed=signed)[0], true_index)


def test_nodes_without_a_signal_correlate_with_none():
    signal = torch.cat([field(200), torch.zeros(1, 200)])
    index, value = most_correlated(signal, 4)
    assert (value[-1] == 0).all()
    assert value.isfinite().all()
    assert not (index[:-1] == 60).any()
