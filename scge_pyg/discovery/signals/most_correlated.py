"""The most correlated signals of each node, at any number of nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.discovery.sharing.shared_blocks import blocks_of, shared_blocks

__all__ = ["most_correlated"]

_SAMPLES = 1024
_SPARE = 32
_BLOCK_VALUES = 2**25
_BLOCK_ROWS = 256  # so that many workers get a block each
_ROWS = 8  # whose candidates' signals are gathered at once: larger buffers would be mapped anew each time


def most_correlated(signal: Tensor, k: int, *, signed: bool = False) -> tuple[Tensor, Tensor]:
    r"""The ``k`` nodes with the largest :math:`|r|` (or r) to each node, by falling strength, and these r, ``[N, k]``.

    .. math::
        r_{ij} = \frac{\sum_s z_{is} z_{js}}{\lVert z_i \rVert \lVert z_j \rVert}

    Exact up to 1,024 samples. With more, 1,024 of them, evenly spread, name 32 candidates beyond k, and all samples
    decide among these: what is missed is a partner whose two correlations differ by several of its standard errors.

    Cost: :math:`O(N^2 \min(S, 1024))` in blocks of rows for the candidates, then :math:`O(N k S)`; memory
    :math:`O(N \min(S, 1024) + N k)` besides blocks of 128 MiB.

    Args:
        signal: Centred signals ``[N, S]`` float32, 0 where missing.
        k: Partners a node, at most N - 1.
        signed: Whether strongly negative correlations are no similarity.

    Example:
        >>> wave = torch.tensor([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [-2.0, 1.0, -1.0, 2.0]])
        >>> [most_correlated(wave, 1, signed=signed)[0].flatten().tolist() for signed in (False, True)]
        [[2, 2, 0], [1, 0, 1]]
    """
    num_nodes, samples = signal.shape
    few = samples > _SAMPLES
    part = signal[:, torch.linspace(0, samples - 1, _SAMPLES).long()] if few else signal
    part = part / part.square().sum(1, keepdim=True).sqrt().clamp_min(1e-6)
    wide = min(k + _SPARE, num_nodes - 1) if few else k
    length = signal.square().sum(1).sqrt().clamp_min(1e-6)
    index = torch.empty((num_nodes, k), dtype=torch.long)
    value = torch.empty((num_nodes, k))

    def compute(rows: Tensor) -> tuple[Tensor, Tensor]:
        near, found = _strongest(part[rows] @ part.T, rows, wide, signed)
        return _decided(signal, length, rows, near, k, signed) if few else (near, found)

    blocks = blocks_of(num_nodes, min(_BLOCK_ROWS, _BLOCK_VALUES // num_nodes))
    shared_blocks(blocks, "neighbours", compute, [index, value])
    return index, value


def _strongest(correlation: Tensor, rows: Tensor, k: int, signed: bool) -> tuple[Tensor, Tensor]:
    strength = correlation.clone() if signed else correlation.abs()
    strength[torch.arange(len(rows)), rows] = -torch.inf
    near = strength.topk(k, dim=1).indices
    return near, correlation.gather(1, near)


def _decided(signal: Tensor, length: Tensor, rows: Tensor, near: Tensor, k: int, signed: bool) -> tuple[Tensor, Tensor]:
    """The ``k`` strongest of the candidates ``near [n, m]`` by all samples."""
    index, value = [], []
    for own, wide in zip(rows.split(_ROWS), near.split(_ROWS), strict=True):
        product = torch.bmm(signal[wide], signal[own].unsqueeze(2)).squeeze(2)
        correlation = product / (length[own].unsqueeze(1) * length[wide])
        best = (correlation if signed else correlation.abs()).topk(k, dim=1).indices
        index.append(wide.gather(1, best))
        value.append(correlation.gather(1, best))
    return torch.cat(index), torch.cat(value)
