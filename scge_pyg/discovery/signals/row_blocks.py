"""Large tables turned and reordered a few rows or columns at a time, so that no second one is needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["count_of", "node_blocks", "reordered", "rows_of"]

_VALUES = 2**20  # that are moved at once


def node_blocks(values: np.ndarray, nodes: np.ndarray) -> Iterator[np.ndarray]:
    """Nodes ``[n]`` of samples ``[S, N, C]``, as many at once as have a few million values."""
    step = max(1, _VALUES // max(1, values.shape[0] * values.shape[2]))
    yield from (nodes[first : first + step] for first in range(0, max(1, len(nodes)), step))


def rows_of(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Signals ``[n, C, S]`` of some nodes of samples ``[S, N, C]``.

    Example:
        >>> rows_of(np.arange(6).reshape(2, 3, 1), np.array([2, 0])).tolist()
        [[[2, 5]], [[0, 3]]]
    """
    result = np.empty((len(nodes), values.shape[2], len(values)), dtype=values.dtype)
    place = 0
    for some in node_blocks(values, nodes):
        result[place : place + len(some)] = values[:, some].transpose(1, 2, 0)
        place += len(some)
    return result


def reordered(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows ``order [n]`` of contiguous ``rows [N, S]``, each at most once, written over them.

    Example:
        >>> reordered(np.array([[1, 2], [3, 4], [5, 6]]), np.array([2, 0])).tolist()
        [[5, 6], [1, 2]]
    """
    step = max(1, _VALUES // max(1, len(rows)))
    for first in range(0, rows.shape[1], step):
        rows[: len(order), first : first + step] = rows[order, first : first + step]
    return rows[: len(order)]


def count_of(mask: Tensor, axes: int | tuple[int, ...]) -> Tensor:
    """True values along some axes; torch would make integers of all of them first.

    Example:
        >>> count_of(torch.tensor([[True, False], [True, True]]), 0).tolist()
        [2, 1]
    """
    return torch.from_numpy(np.count_nonzero(mask.numpy(), axis=axes))
