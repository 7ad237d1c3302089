"""The signals that everything after is computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from scge_pyg.discovery.signals.blocks import Split
from scge_pyg.discovery.signals.moments_of_scores import correlation_of, correlations_by_side
from scge_pyg.discovery.signals.most_correlated import most_correlated

__all__ = ["Signals"]

_SIMILAR = 32


@dataclass(frozen=True)
class Signals:
    """Normal scores of the distinct live nodes, in canonical order.

    Attributes:
        score: Scores ``[N, S * C]`` float32, channels side by side, 0 where missing.
        rooted: Square roots of the values above the floor, standardised, ``[N, S * C]``; ``None`` where values don't
            pile up at the lowest one.
        observed: Mask ``[N, S * C]``, or ``None`` where nothing is missing.
        split: Two sides of the columns.
        order: Number of each row's node in the input, ``[N]``.
        twins: Nodes that equal another one up to unit, offset and sign, and that other one, ``[2, T]``.
        twin_sign: Whether a twin runs with (1) or against (-1) its original, ``[T]``.
        fewest: Common samples that a pair needs.
        number: Number of each sample in the stream, ``[S]``.
        delay: Steps by which each node runs behind others and was shifted back, ``[N]``.
    """

    score: np.ndarray
    rooted: np.ndarray | None
    observed: np.ndarray | None
    split: Split
    order: np.ndarray
    twins: np.ndarray
    twin_sign: np.ndarray
    fewest: int
    number: np.ndarray
    delay: np.ndarray

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return self.score.shape[1] // len(self.number)

    @property
    def num_nodes(self) -> int:
        """Number of rows N."""
        return len(self.score)

    @property
    def effective(self) -> float:
        """Effective number of samples."""
        return self.split.effective

    @cached_property
    def correlation(self) -> np.ndarray:
        """Correlation ``[N, N]`` over all samples."""
        if self.observed is None:
            return self.correlations[0]
        return correlation_of(self.score, self.observed, None, self.fewest)

    @cached_property
    def correlations(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Correlation ``[N, N]`` over all samples, and over those of either side."""
        return self.correlations_of(self.score)

    def correlations_of(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of any standardised ``values [N, S * C]`` with the samples and gaps of these signals."""
        sides = self.split.side(0), self.split.side(1)
        if self.observed is None:
            return correlations_by_side(values, sides)
        first, second = (correlation_of(values, self.observed, side, self.fewest // 2) for side in sides)
        known = values is self.score
        return self.correlation if known else correlation_of(values, self.observed, None, self.fewest), first, second

    @cached_property
    def similar(self) -> tuple[np.ndarray, np.ndarray]:
        """The 32 nodes with the largest absolute correlation to each node, and that correlation, ``[N, k]``."""
        index, value = most_correlated(torch.from_numpy(self.score), min(_SIMILAR, self.num_nodes - 1))
        return index.numpy(), value.double().numpy()

    def take(self, rows: np.ndarray) -> Signals:
        """The signals of some rows alone."""
        observed = None if self.observed is None else self.observed[rows]
        none = self.twins[:, :0]
        return replace(
            self,
            score=self.score[rows],
            rooted=None if self.rooted is None else self.rooted[rows],
            observed=observed,
            order=self.order[rows],
            twins=none,
            twin_sign=none[0],
            delay=self.delay[rows],
        )

    def scaled(self, sign: np.ndarray) -> Signals:
        """The signals with each row multiplied by ``sign [N]``."""
        factor = sign.astype(np.float32)[:, None]
        return replace(self, score=self.score * factor, rooted=None if self.rooted is None else self.rooted * factor)
