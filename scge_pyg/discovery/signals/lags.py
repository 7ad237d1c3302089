"""The strongest links of each node over all lags, and how long a lag has to be looked for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

__all__ = ["LONGEST_LAG", "Links", "lagged_correlation", "strongest_links_over_lags"]

LONGEST_LAG = 16
_FIRST = 4
_LINKS = 8
_AT_LIMIT = 0.25  # share of a node's links at the longest lag above which true ones may be longer


class Links(NamedTuple):
    """Each node's strongest partners over all lags.

    Attributes:
        pairs: Node and partner ``[2, N k]``, ``k`` in a row for each node.
        lag: Steps by which the partner runs behind, ``[N k]``.
        correlation: Correlation at that lag, ``[N k]``.
        reach: Longest lag that was looked at.
    """

    pairs: np.ndarray
    lag: np.ndarray
    correlation: np.ndarray
    reach: int


def lagged_correlation(score: torch.Tensor, lag: int) -> torch.Tensor:
    r"""Correlation of each node with each other ``lag`` steps later, ``[N, N]``.

    .. math::
        R^{(l)}_{ij} = \frac{1}{n} \sum_t z_i(t) z_j(t + l) , \qquad R^{(-l)} = R^{(l)\top}

    Cost: :math:`O(N^2 S)`.

    Args:
        score: Scores ``[N, C, S]``, 0 where a sample is not used.
        lag: Steps, at least 0.

    Example:
        >>> z = torch.tensor([[[1.0, -1.0, 2.0, -2.0]], [[0.0, 1.0, -1.0, 2.0]]])
        >>> [round(float(lagged_correlation(z, lag)[0, 1]), 2) for lag in (0, 1)]
        [-0.9, 0.77]
    """
    size = score.square().sum((1, 2)).clamp_min(1e-9).sqrt()
    product = torch.einsum("ics,jcs->ij", score[:, :, : score.shape[2] - lag], score[:, :, lag:])
    return product / size[:, None] / size[None, :]


def strongest_links_over_lags(scores: list[torch.Tensor], evident: float, reach: int = _FIRST) -> list[Links]:
    """Each node's eight strongest links on each side of the samples, over lags of at most 4 steps, or 8, or 16.

    Lags are looked for up to 4 steps; twice as far for as long as, on every side, some node has more than a quarter of
    its links at the longest lag, and evident ones.

    Cost: :math:`O(N^2 S)` a lag.

    Args:
        scores: Scores ``[N, C, S]`` of each side, 0 where a sample is not used.
        evident: Correlation that no pair of unrelated nodes reaches by chance.
        reach: Longest lag to begin with.
    """
    best = [_Best(score) for score in scores]
    while True:
        found = [one.links(reach) for one in best]
        if reach >= LONGEST_LAG or not all(_ends_at_the_limit(links, evident) for links in found):
            return found
        reach *= 2


def _ends_at_the_limit(links: Links, evident: float) -> bool:
    """Whether some node has more than a quarter of its links at the longest lag, and evident ones."""
    late = (np.abs(links.lag) == links.reach) & (np.abs(links.correlation) > evident)
    nodes = int(links.pairs[0].max()) + 1
    return bool((late.reshape(nodes, -1).mean(1) > _AT_LIMIT).any())


class _Best:
    """The strongest correlation of each pair over the lags so far."""

    def __init__(self, score: torch.Tensor) -> None:
        self.score, self.reach = score, 0
        self.correlation = lagged_correlation(score, 0).fill_diagonal_(0)
        self.lag = torch.zeros_like(self.correlation, dtype=torch.int64)

    def links(self, reach: int) -> Links:
        """Links over lags of at most ``reach`` steps."""
        for lag in range(self.reach + 1, reach + 1):
            later = lagged_correlation(self.score, lag).fill_diagonal_(0)
            for correlation, steps in ((later, lag), (later.T, -lag)):
                stronger = correlation.abs() > self.correlation.abs()
                self.correlation = torch.where(stronger, correlation, self.correlation)
                self.lag = self.lag.masked_fill(stronger, steps)
        self.reach = reach
        count = len(self.lag)
        k = min(_LINKS, count - 1)
        strength = self.correlation.abs().fill_diagonal_(-1)
        col = strength.topk(k, dim=1).indices.flatten()
        row = torch.arange(count).repeat_interleave(k)
        return Links(
            torch.stack([row, col]).numpy(),
            self.lag[row, col].numpy(),
            self.correlation[row, col].double().numpy(),
            reach,
        )
