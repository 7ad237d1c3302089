"""Arrays and frames of dask: each block is read by a task of the user's scheduler, which returns what is kept of it."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.signals.hashed_blocks import block_of, contiguous_blocks
from scge_pyg.discovery.signals.kept_blocks import KeptBlocks, range_of
from scge_pyg.discovery.signals.numbered import Numbered
from scge_pyg.discovery.signals.numbers import as_floating
from scge_pyg.discovery.signals.reading import check_finite
from scge_pyg.discovery.signals.tables import from_table

__all__ = ["is_of_dask", "keep_blocks", "shape_of"]


class _Kept(NamedTuple):
    """What a task returns of a block: samples to keep, their numbers, the range of all, and how many there were."""

    values: np.ndarray
    number: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seen: int


def is_of_dask(x: Any) -> bool:
    """Whether ``x`` is an array or a frame of dask; dask is not imported to see that."""
    return type(x).__module__.split(".")[0] in ("dask", "dask_expr") and hasattr(x, "to_delayed")


def shape_of(x: Any) -> tuple[int, ...]:
    """Shape ``(S, N)`` or ``(S, N, C)``; partitions of a frame are counted, which reads them once more.

    Raises:
        TypeError: If ``x`` is a bag, a series or another collection.
        ValueError: If the chunks of an array have unknown sizes, or it has another rank.
    """
    if hasattr(x, "columns"):
        return sum(_lengths(x)), len(x.columns)
    if not hasattr(x, "chunks"):
        raise TypeError(f"discover: x must be an array or a frame of dask, got its {type(x).__name__}")
    if any(math.isnan(size) for size in x.shape):
        raise ValueError(
            f"discover: x is a dask array whose chunks have unknown sizes, {x.shape}; find them, "
            f"x.compute_chunk_sizes()"
        )
    if len(x.shape) not in (2, 3) or 0 in x.shape[1:]:
        raise ValueError(f"discover: x must be [S, N] or [S, N, C], got {list(x.shape)}")
    return tuple(map(int, x.shape))


def keep_blocks(
    x: Any, kept: KeptBlocks, number: int | Tensor | np.ndarray, shape: tuple[int, ...], missing_value: float | None
) -> tuple[str, ...] | None:
    """Fill ``kept`` with the samples of ``x``, and return the names of its nodes.

    Which blocks of 256 samples are kept follows from their numbers alone, so that a task returns these and the range of
    each node. Each chunk of rows is read once, by the scheduler that the user has chosen: threads, processes, or the
    cluster of a ``distributed.Client``.

    Cost: :math:`O(S N C)` in tasks; besides chunks, memory for what is kept.

    Args:
        x: Array ``[S, N]`` or ``[S, N, C]`` or frame.
        kept: What takes the samples in.
        number: Number of the first sample, or of each ``[S]``.
        shape: Its :func:`shape_of`.
        missing_value: What marks a missing value, besides ``NaN`` and masks.

    Raises:
        TypeError: If values or columns are no numbers.
        ValueError: If values are infinite.
    """
    from dask.base import compute
    from dask.delayed import delayed

    frame = hasattr(x, "columns")
    names = from_table(x._meta, "x").names if frame else None
    sizes = _lengths(x) if frame else x.chunks[0]
    blocks = x.to_delayed() if frame else x.rechunk(dict.fromkeys(range(1, len(shape)), -1)).to_delayed().ravel()
    first = np.cumsum([0, *sizes])
    whole = hasattr(number, "__index__") and not isinstance(number, Tensor | np.ndarray)
    if whole:
        start = int(Numbered(None, number).numbers(1)[0])
        dropped = kept.plan(*contiguous_blocks(kept.salt, start, shape[0]), shape)
        numbers: list[Any] = [start + int(place) for place in first[:-1]]
    else:
        every = Numbered(None, number).numbers(shape[0]).numpy()
        dropped = kept.plan(*np.unique(block_of(kept.salt, every), return_counts=True), shape)
        numbers = np.split(every, first[1:-1])
    task = delayed(_keep, pure=False)
    tasks = [
        task(block, own, kept.salt, dropped, names, missing_value) for block, own in zip(blocks, numbers, strict=True)
    ]
    for part in _emptied(list(compute(*tasks))):
        kept.take_in(torch.from_numpy(part.values), part.number, _range(part), part.seen)
    return names


def _keep(
    block: Any,
    own: int | np.ndarray,
    salt: int,
    dropped: np.uint64,
    names: tuple[str, ...] | None,
    missing_value: float | None,
) -> _Kept:
    """The task of one block."""
    if hasattr(block, "columns"):
        block = from_table(block, "x").rows(0, len(block))
    values = as_floating(block if isinstance(block, Tensor) else np.asanyarray(block), missing_value)
    values = values.unsqueeze(-1) if values.dim() == 2 else values
    number = Numbered(None, own).numbers(len(values)).numpy()
    check_finite(values, torch.from_numpy(number), names, "x")
    rows = np.flatnonzero(block_of(salt, number) < dropped)
    low, high = (part.numpy() for part in range_of(values))
    every = np.arange(len(low))
    return _Kept(
        _apart(values.numpy(), rows), _apart(number, rows), _apart(low, every), _apart(high, every), len(values)
    )


def _apart(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some rows in pages of their own, which go back to the system when they are let go: many wait to be taken.

    Even small arrays would hold back the pages below them.
    """
    shape = (len(rows), *values.shape[1:])
    if 0 in shape:
        return values[rows]
    result = np.frombuffer(mmap.mmap(-1, math.prod(shape) * values.itemsize), dtype=values.dtype).reshape(shape)
    return np.take(values, rows, 0, out=result, mode="clip")


def _lengths(frame: Any) -> tuple[int, ...]:
    """Rows of each partition."""
    return tuple(map(int, frame.map_partitions(len).compute()))


def _emptied(parts: list[_Kept]) -> Iterator[_Kept]:
    """The parts in order, each let go of once it is taken."""
    parts.reverse()
    while parts:
        yield parts.pop()


def _range(part: _Kept) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.low), torch.from_numpy(part.high)
