"""Shared by all tests: samples of Gaussian fields whose geometry is known."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
import torch

torch.set_num_threads(2)


class Field(NamedTuple):
    """Samples ``[S, N]`` of shuffled nodes, their true cells ``[N, D]`` and the true edges in both directions."""

    x: torch.Tensor
    cells: torch.Tensor
    edge_index: torch.Tensor


def _adjacency(cells, shape, periodic):
    step = np.abs(cells[:, None] - cells[None])
    step = np.where(periodic, np.minimum(step, np.array(shape) - step), step)
    return step.sum(-1) == 1


@pytest.fixture(scope="session")
def grid_field():
    """Maker of Gaussian Markov fields on a grid: only axis neighbours are directly coupled."""

    def make(shape, num_samples=1500, seed=0, periodic=False, mask=None, coherence=0.1):
        rng = np.random.default_rng(seed)
        cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))
        if mask is not None:
            cells = cells[mask.ravel()]
        cells = cells[rng.permutation(len(cells))]
        adjacency = _adjacency(cells, shape, np.broadcast_to(periodic, len(shape)))
        precision = np.diag(adjacency.sum(1) + coherence) - adjacency
        root = np.linalg.cholesky(precision)
        x = np.linalg.solve(root.T, rng.standard_normal((len(cells), num_samples))).T
        edge_index = torch.from_numpy(np.stack(adjacency.nonzero()))
        return Field(torch.from_numpy(x).float(), torch.from_numpy(cells), edge_index)

    return make


@pytest.fixture(scope="session")
def grid_coupling():
    """Maker of couplings as measured on a grid: strong edges, weaker diagonals, and noise of 0.01 everywhere."""

    def make(cells, shape=None, periodic=False, seed=0):
        rng = np.random.default_rng(seed)
        dim = cells.shape[1]
        step = np.abs(cells[:, None] - cells[None])
        if shape is not None:
            step = np.where(np.broadcast_to(periodic, dim), np.minimum(step, np.array(shape) - step), step)
        square = (step**2).sum(-1)
        value = np.where(square == 1, 0.2, np.where(square == 2, 0.04, 0.0)) * rng.uniform(0.7, 1.3, square.shape)
        value = np.triu(value + 0.01 * rng.standard_normal(square.shape), 1)
        return sp.csr_matrix(np.maximum(value + value.T, 0))

    return make
