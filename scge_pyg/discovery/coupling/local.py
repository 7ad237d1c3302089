"""Direct coupling of many nodes: each is regressed on the few whose signals are most like its own."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
import torch

from scge_pyg.discovery.coupling.candidate_regression import (
    RIDGES,
    CandidateMoments,
    best_ridge,
    candidate_moments,
    held_out_gain,
    ridge_regression,
)
from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.sharing.shared_blocks import blocks_of, shared_blocks
from scge_pyg.discovery.signals.most_correlated import most_correlated

__all__ = ["local_coupling"]

_CANDIDATES = 32
_PROBED = 1024
_ROWS = 512
_PROBED_ROWS = 64
_PAIRS = 1024


def local_coupling(
    signal: torch.Tensor, seed: int = 0, candidates: int = _CANDIDATES, index: torch.Tensor | None = None
) -> Coupling:
    r"""Neighbourhood selection (Meinshausen and Bühlmann, 2006) that never forms an N x N matrix.

    Each node is regressed, with a ridge, on the nodes with the most similar standardised signals;
    :math:`P_{ij} = \sqrt{\beta_{ij} \beta_{ji}}` where both coefficients are positive, else 0. On the full candidate
    set this is the partial correlation. The ridge has the best squared error on the odd samples after a fit on the
    even ones, over at most 1,024 nodes.

    Cost: :math:`O(N k^2 S + N k^3)` besides the candidates (:func:`.most_correlated`); memory :math:`O(N (S + k))`.

    Args:
        signal: Standardised node signals ``[N, S]``: mean 0, variance 1, channels side by side.
        seed: Seed of the nodes on which the ridge is chosen.
        candidates: Number of candidates k per node.
        index: The candidates ``[N, k]``. Default: the nodes with the largest correlation.
    """
    num_nodes = signal.shape[0]
    if index is None:
        index = most_correlated(signal, min(candidates, num_nodes - 1), signed=True)[0]
    even, odd = signal[:, ::2].contiguous(), signal[:, 1::2].contiguous()
    generator = torch.Generator().manual_seed(seed)
    probe = torch.randperm(num_nodes, generator=generator)[:_PROBED].sort().values
    fit, check = (_shared_moments(half, probe, index[probe]) for half in (even, odd))
    step, gain = best_ridge(lambda ridge: held_out_gain(fit, check, ridge))
    ridge = float(RIDGES[step]) / 2
    beta = torch.empty(index.shape, dtype=torch.float64)

    def compute(rows: torch.Tensor) -> tuple[torch.Tensor]:
        return (ridge_regression(candidate_moments(signal, rows, index[rows]), ridge)[0],)

    shared_blocks(blocks_of(num_nodes, _ROWS), "coupling", compute, [beta])
    row = np.repeat(np.arange(num_nodes), index.shape[1])
    shape = (num_nodes, num_nodes)
    forward = sp.csr_matrix((np.maximum(beta.numpy(), 0).ravel(), (row, index.numpy().ravel())), shape)
    matrix = forward.multiply(forward.T).sqrt().tocsr()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    noise = math.sqrt(float(beta[:, index.shape[1] // 2 :].square().median())) / 0.6745

    def dissimilarity(pairs: np.ndarray) -> np.ndarray:
        return _half_square_distance(signal, torch.from_numpy(pairs))

    return Coupling(f"partial {ridge:.2g}", matrix, noise, ridge, gain, dissimilarity)


def _shared_moments(signal: torch.Tensor, rows: torch.Tensor, index: torch.Tensor) -> CandidateMoments:
    """Moments of the candidates ``index [n, m]`` of ``rows [n]``, which workers share."""
    count, many = index.shape
    gram, cross, own = (torch.empty((count, *shape), dtype=torch.float64) for shape in ((many, many), (many,), ()))

    def compute(part: torch.Tensor) -> CandidateMoments:
        return candidate_moments(signal, rows[part], index[part])

    shared_blocks(blocks_of(count, _PROBED_ROWS), "probes", compute, [gram, cross, own])
    return gram, cross, own


def _half_square_distance(signal: torch.Tensor, pairs: torch.Tensor) -> np.ndarray:
    """One minus the correlation of pairs ``[2, E]`` of standardised signals ``[N, S]``."""
    parts = [(signal[i] - signal[j]).square().mean(1, dtype=torch.float64) / 2 for i, j in pairs.split(_PAIRS, 1)]
    return torch.cat(parts).numpy() if parts else np.zeros(0)
