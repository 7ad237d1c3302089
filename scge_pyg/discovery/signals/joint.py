"""The samples of several workers, each of which has read its own part of the stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.sharing.workers import Workers
from scge_pyg.discovery.signals.dask_arrays import is_of_dask, shape_of
from scge_pyg.discovery.signals.hashed_blocks import HashedBlocks
from scge_pyg.discovery.signals.kept_blocks import KeptBlocks
from scge_pyg.discovery.signals.numbered import Numbered, refuse_twice
from scge_pyg.discovery.signals.tables import is_table

__all__ = ["merged", "numbered_part"]

_SENT_BYTES = 2**23  # of each worker at a time
_DTYPES = {"torch.float32": torch.float32, "torch.float64": torch.float64}


def numbered_part(x: Any, workers: Workers) -> Any:
    """The part of this worker with numbers: its own, or where each has one array, those that follow in order of ranks.

    Raises:
        ValueError: If some workers have numbers and others none.
    """
    if workers.size == 1:
        return x
    with workers.agreeing() as facts:
        shape = shape_of(x) if is_of_dask(x) else getattr(x, "shape", None)
        whole = (shape is not None and len(shape) > 0) or is_table(x)
        facts["x, one array each or numbered batches"] = "one array" if whole else "batches"
    if not whole:
        return x
    rows = workers.tell(int(shape[0]) if shape else len(x))
    return Numbered(x, sum(rows[: workers.rank]))


def merged(kept: KeptBlocks, workers: Workers) -> tuple[Tensor, Tensor, int, Tensor]:
    """What :class:`~scge_pyg.discovery.signals.kept_blocks.KeptBlocks` of all samples would keep, on every worker.

    Cost: each worker receives the kept samples of the others, R N C values in all, and the ranges, 2 W N C values;
    memory: R / W samples of its own beside all R.

    Args:
        kept: What this worker has kept; it is emptied.
        workers: The workers.

    Returns:
        Values ``[R, N, C]``, numbers ``[R]``, how many samples were seen, and which nodes are live ``[N]``.

    Raises:
        ValueError: If a sample came twice.
    """
    told = workers.tell([kept.count, str(kept.dtype)])
    dtype = torch.float64 if any(_DTYPES[name] is torch.float64 for _, name in told) else torch.float32
    low = torch.stack(workers.gather(kept.low.to(dtype))).amin(0)
    high = torch.stack(workers.gather(kept.high.to(dtype))).amax(0)
    blocks = HashedBlocks()
    found = [workers.gather_rows(torch.from_numpy(own.view(np.int64))) for own in (kept.blocks.hash, kept.blocks.size)]
    for code, size in zip(*found, strict=True):
        blocks.add_blocks(code.numpy().view(np.uint64), size.numpy(), kept.capacity)
    bars = workers.gather(torch.tensor([int(kept.blocks.dropped.view(np.int64))]))
    blocks.drop_from(min(bar.numpy().view(np.uint64)[0] for bar in bars))
    values, number = kept.take_out(blocks.shrink(kept.capacity))
    numbers = workers.gather_rows(number)
    order = torch.cat(numbers).argsort()
    ordered = torch.cat(numbers)[order]
    refuse_twice(ordered.numpy())
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    places = place.split([len(part) for part in numbers])
    result = torch.empty((len(ordered), *low.shape), dtype=dtype)
    most = max(map(len, places))
    step = max(1, _SENT_BYTES // max(1, result.element_size() * low.numel()))
    for first in range(0, most, step):
        rows = values[first : first + step]
        sent = rows.new_zeros((min(step, most - first), *low.shape), dtype=dtype)
        sent[: len(rows)] = rows
        for where, part in zip(places, workers.gather(sent), strict=True):
            here = where[first : first + step]
            result[here] = part[: len(here)]
    return result, ordered, sum(count for count, _ in told), (high > low).any(1)
