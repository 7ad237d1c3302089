"""Samples of Gaussian fields whose geometry is known."""

from typing import NamedTuple

import numpy as np
import pytest
import torch


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
