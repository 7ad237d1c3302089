"""Pairs of nodes that go together at some lag."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.coupling.similar import evident
from scge_pyg.discovery.signals.blocks import autocorrelation, correlation_time, effective_samples
from scge_pyg.discovery.signals.lags import LONGEST_LAG, strongest_links_over_lags

__all__ = ["lagged_partners"]

_MOST_NODES = 2048


def lagged_partners(score: Tensor, recording: Tensor) -> tuple[Tensor, int]:
    """Each node and those of its eight strongest partners at any lag whose correlation is evident, and a lag.

    The lag is the longest between a node and its strongest partner.

    Cost: :math:`O(N^2 T)` for each lag, 4, 8 or 16 either way.

    Args:
        score: Standardised series ``[T, N]``.
        recording: Number of the recording of each step ``[T]`` ascending; no lag reaches from one into another.

    Returns:
        Pairs ``[2, E]`` in no order, and the lag.

    Raises:
        ValueError: If there are fewer than 2 or more than 2,048 nodes.

    Example:
        >>> noise = torch.randn(1000, 6, generator=torch.Generator().manual_seed(0))
        >>> x = torch.stack([noise[2:, 0], noise[:-2, 0], noise[2:, 1]], 1)
        >>> pairs, lag = lagged_partners(x, torch.zeros(998, dtype=torch.long))
        >>> pairs.tolist(), lag
        ([[0, 1], [1, 0]], 2)
    """
    nodes = score.shape[1]
    if not 2 <= nodes <= _MOST_NODES:
        raise ValueError(
            f"lagged_coupling: without a graph, x must have 2 to {_MOST_NODES} nodes, got {nodes}; pass discover(x), "
            f"whose edges are looked at"
        )
    rows = score.T.contiguous()
    rho = autocorrelation(rows.numpy())
    least = evident(nodes, effective_samples(rho, correlation_time(rho)))
    apart = rows.new_zeros(nodes, len(score) + LONGEST_LAG * int(recording[-1]))  # zeros between recordings
    apart[:, torch.arange(len(score)) + LONGEST_LAG * recording] = rows
    links = strongest_links_over_lags([apart[:, None]], least)[0]
    strength = np.abs(links.correlation)
    kept = strength > least
    first = np.arange(0, len(strength), len(strength) // nodes)  # strongest of each node
    lag = np.abs(links.lag[first][kept[first]])
    return torch.from_numpy(links.pairs[:, kept]), int(lag.max(initial=0))
