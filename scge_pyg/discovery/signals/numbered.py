"""Samples that say which ones of the stream they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Numbered", "refuse_twice"]


@dataclass(frozen=True, eq=False)
class Numbered:
    """A batch of samples with their numbers in the whole stream, for readers that see it in pieces or out of order.

    Which samples are kept depends on their numbers alone, so that any order and any split over workers gives the graph
    of one reader that sees all of them in order, bit for bit. Numbers that are left out belong to no one.

    Args:
        values: What :func:`~scge_pyg.discovery.discover` takes as a batch, S samples.
        number: Number of the first sample of contiguous ones, or of each sample, int64 ``[S]`` in any order.

    Raises:
        TypeError: If ``number`` is neither an integer nor a vector of them.
        ValueError: If a number is negative, is given twice, or there are not as many as samples.

    Example:
        >>> import torch
        >>> from scge_pyg import discover
        >>> x = torch.randn(500, 40, generator=torch.Generator().manual_seed(0)).cumsum(1)
        >>> odd, even = (Numbered(x[k::2], torch.arange(k, 500, 2)) for k in (1, 0))
        >>> torch.equal(discover([odd, even]).pos, discover(x).pos)
        True
    """

    values: Any
    number: int | Tensor | np.ndarray

    def numbers(self, count: int) -> Tensor:
        """Number of each of so many samples, ``[S]`` int64."""
        given = self.number.detach().cpu() if isinstance(self.number, Tensor) else self.number
        if hasattr(given, "__index__") and not isinstance(given, bool | Tensor | np.ndarray):
            given = np.arange(int(given), int(given) + count)
        try:
            number = np.asarray(given)
        except (TypeError, ValueError, RuntimeError):
            number = np.empty(0)
        if isinstance(given, bool) or number.dtype.kind not in "iu":
            got = number.dtype if hasattr(given, "dtype") else type(given).__name__
            raise TypeError(f"Numbered: number must be an integer or integers [S], got {got}")
        if number.shape != (count,):
            raise ValueError(
                f"Numbered: number must be one integer, or one for each of the {count} samples, got {number.shape}"
            )
        if count and number.min() < 0:
            raise ValueError(f"Numbered: numbers count from 0, got {number.min()}")
        found, times = np.unique(number, return_counts=True)
        if len(found) < count:
            raise ValueError(f"Numbered: sample {found[times > 1][0]} is there {times.max()} times")
        return torch.from_numpy(number.astype(np.int64))


def refuse_twice(number: np.ndarray) -> None:
    """Refuse rising sample numbers ``[S]`` of which two are the same."""
    twice = np.flatnonzero(number[1:] == number[:-1])
    if len(twice):
        raise ValueError(
            f"discover: sample {number[twice[0]]} was handed over twice; each number belongs to one sample of one "
            f"worker (a DistributedSampler repeats samples so that all workers get as many: drop_last=True, or "
            f"range(rank, len(x), workers))"
        )
