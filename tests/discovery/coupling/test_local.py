import tracemalloc

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from scge_pyg.discovery.coupling.candidate_regression import RIDGES
from scge_pyg.discovery.coupling.direct import partial_correlation
from scge_pyg.discovery.coupling.local import local_coupling
from scge_pyg.discovery.signals import most_correlated


def with_ridge(x, ridge):
    """Pseudo-samples that turn least squares on ``x`` into ridge regression: ``x^T x / S`` gains ``ridge I``."""
    return np.concatenate([x, np.sqrt(ridge * len(x)) * np.eye(x.shape[1])])


def test_noise_has_no_gain():
    independent = torch.randn(30, 600, generator=torch.Generator().manual_seed(0))
    assert local_coupling(independent).gain <= 0


def as_signal(x):
    x = x.double()
    return ((x - x.mean(0)) / x.std(0, correction=0)).T.float().contiguous()


def test_local_coupling_with_every_candidate_is_the_partial_correlation(grid_field):
    x = grid_field((4, 7), 500).x
    coupling = local_coupling(as_signal(x), candidates=27)
    expected = np.maximum(partial_correlation(np.corrcoef(x.double().T.numpy()), coupling.ridge), 0)
    np.testing.assert_allclose(coupling.matrix.toarray(), expected, atol=1e-4)


def test_local_coupling_regresses_on_the_nearest_signals(grid_field):
    """One ridge regression a node, written out."""
    signal = as_signal(grid_field((5, 6), 400).x)
    coupling = local_coupling(signal, candidates=6)
    rows = signal.double().numpy()
    beta, weak = np.zeros((30, 30)), []
    for node in range(30):
        distance = ((rows - rows[node]) ** 2).sum(1)
        near = np.argsort(distance)[1:7]
        sample = with_ridge(rows[near].T, coupling.ridge)
        target = np.r_[rows[node], np.zeros(6)]
        beta[node, near] = np.linalg.lstsq(sample, target, rcond=None)[0]
        weak.append(np.abs(beta[node, near[3:]]))
    assert coupling.noise == pytest.approx(np.median(weak) / 0.6745, rel=0.01)  # mostly those of no neighbours
    beta = np.maximum(beta, 0)
    np.testing.assert_allclose(coupling.matrix.toarray(), np.sqrt(beta * beta.T), atol=1e-4)


@pytest.mark.parametrize("num_samples", [120, 1000])
def test_the_ridge_is_half_of_what_predicts_odd_samples_best(grid_field, num_samples):
    """From inverses of the correlation of a node and its candidates; all samples are twice as many as the even ones."""
    signal = as_signal(grid_field((5, 6), num_samples).x)
    near = np.argsort(-np.corrcoef(signal.numpy()), 1)[:, :13]
    rows = signal.double().numpy()[near]
    even, odd = (half @ half.transpose(0, 2, 1) / half.shape[2] for half in (rows[:, :, ::2], rows[:, :, 1::2]))
    gains = []
    for ridge in RIDGES:
        column = np.linalg.inv(even + ridge * np.eye(13))[:, :, 0]
        precision = column[:, 0]
        error = np.einsum("ni,nij,nj->n", column, odd, column) / precision
        gains.append(float((np.log(precision) - error + 1).mean() / 2))
    coupling = local_coupling(signal, candidates=12)
    assert coupling.ridge == pytest.approx(RIDGES[np.argmax(gains)] / 2)
    assert coupling.gain == pytest.approx(max(gains), abs=1e-4)


def test_local_coupling_finds_the_neighbours_on_a_grid(grid_field):
    field = grid_field((10, 12), 1500)
    coupling = local_coupling(as_signal(field.x), candidates=16).matrix.toarray()
    row, col = field.edge_index.numpy()
    degree = np.bincount(row)
    true = np.zeros((120, 120), dtype=bool)
    true[row, col] = True
    found = [true[node, np.argsort(-coupling[node])[: degree[node]]].mean() for node in range(120)]
    assert np.mean(found) > 0.97


def test_seed_decides_the_probed_nodes_only(grid_field):
    signal = as_signal(grid_field((6, 6), 300).x)
    first, again, other = (local_coupling(signal, seed=seed) for seed in (0, 0, 1))
    assert (first.matrix != again.matrix).nnz == 0
    np.testing.assert_allclose(first.matrix.toarray(), other.matrix.toarray(), atol=1e-6)


class LargestTensor(TorchDispatchMode):
    """Remembers how large a tensor any torch operation returned."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self.numel = max(self.numel, *sizes, 0)
        return result


def test_local_coupling_never_forms_a_matrix_over_all_pairs(monkeypatch):
    monkeypatch.setattr(most_correlated, "_BLOCK_VALUES", 2**16)
    num_nodes = 3000
    signal = torch.randn(num_nodes, 40, generator=torch.Generator().manual_seed(0))
    tracemalloc.start()
    try:
        with LargestTensor() as seen:
            coupling = local_coupling(signal, candidates=8)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < seen.numel < num_nodes**2 / 4
    assert peak < num_nodes**2
    assert coupling.matrix.shape == (num_nodes, num_nodes)
    assert coupling.matrix.nnz <= 8 * num_nodes
