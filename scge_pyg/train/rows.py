"""Training samples that are indexed by lists: a batch is one gather, not one call for each sample."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.utils.data import Dataset

__all__ = ["Rows", "SampleRows", "WindowRows"]


class Rows(Dataset[tuple[Tensor, ...]], ABC):
    """What a loader needs: a length, and batches by lists of numbers."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def __getitem__(self, chosen: list[int]) -> tuple[Tensor, ...]:
        """A batch."""


class SampleRows(Rows):
    """Samples ``[S, N, C]``, and their classes ``[S]`` if there are some.

    Example:
        >>> [part.tolist() for part in SampleRows(torch.arange(3.0).view(3, 1, 1), torch.arange(3))[[2, 0]]]
        [[[[2.0]], [[0.0]]], [2, 0]]
    """

    def __init__(self, x: Tensor, y: Tensor | None = None) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, chosen: list[int]) -> tuple[Tensor, ...]:
        rows = torch.tensor(chosen)
        return (self.x[rows],) if self.y is None else (self.x[rows], self.y[rows])


class WindowRows(Rows):
    """Windows ``[N, W]`` of a series ``[T, N]``, the H steps that follow, and the number of the newest step.

    Args:
        series: Values.
        window: Steps W.
        horizon: Steps H.
        start: Number of the first step on the clock.
        part: What the series is for, for the message.

    Raises:
        ValueError: If the series has steps, but none with a whole window and a whole future.

    Example:
        >>> [part.tolist() for part in WindowRows(torch.arange(5.0).view(5, 1), 2, 1)[[0, 2]]]
        [[[[0.0, 1.0]], [[2.0, 3.0]]], [[[2.0]], [[4.0]]], [1, 3]]
    """

    def __init__(self, series: Tensor, window: int, horizon: int, start: int = 0, part: str = "train") -> None:
        length = window + horizon
        if len(series) < length and (len(series) or part == "train"):
            raise ValueError(
                f"NodesDataModule: the part to {part} has {len(series)} steps, and window={window} and "
                f"horizon={horizon} take {length}; give a longer series, shorter windows or other shares val and test"
            )
        self.cuts = series.unfold(0, length, 1) if len(series) else series.new_empty(0, series.shape[1], length)
        self.window, self.horizon, self.start = window, horizon, start

    def __len__(self) -> int:
        return len(self.cuts)

    def __getitem__(self, chosen: list[int]) -> tuple[Tensor, ...]:
        rows = torch.tensor(chosen)
        x, y = self.cuts[rows].split([self.window, self.horizon], 2)
        return x, y, rows + self.window - 1 + self.start
