"""A loop over blocks of rows that workers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from scge_pyg.discovery.progress import tracked
from scge_pyg.discovery.sharing.workers import current

__all__ = ["blocks_of", "shared_blocks"]


def blocks_of(count: int, rows: int) -> list[Tensor]:
    """Row numbers 0 to ``count - 1`` in blocks of so many.

    Example:
        >>> [block.tolist() for block in blocks_of(5, 2)]
        [[0, 1], [2, 3], [4]]
    """
    return list(torch.arange(count).split(max(1, rows))) if count else []


def shared_blocks(
    blocks: Sequence[Tensor], stage: str, compute: Callable[[Tensor], tuple[Tensor, ...]], into: Sequence[Tensor]
) -> None:
    """Fill tables ``into [N, ...]`` block of rows by block of rows; of W workers each computes every W-th block.

    Blocks stay whole, so that products of matrices have the bits that one worker gives them. Afterwards all workers
    hold all rows, or all raise the error of the first that failed.

    Cost: what ``compute`` costs over W; each worker receives all rows but its own, a block of each worker at a time.

    Args:
        blocks: Row numbers of each block, all but the last of one length.
        stage: What a progress bar says.
        compute: Values of one block for each table.
        into: Tables to fill.

    Example:
        >>> table = torch.empty(5)
        >>> shared_blocks(blocks_of(5, 2), "squares", lambda rows: (rows.float() ** 2,), [table])
        >>> table.tolist()
        [0.0, 1.0, 4.0, 9.0, 16.0]
    """
    workers = current()
    with workers.agreeing() as facts:
        for block in tracked(blocks[workers.rank :: workers.size], stage):
            for table, values in zip(into, compute(block), strict=True):
                table[block[0] : block[-1] + 1] = values
        facts[f"rows of the {stage}"] = sum(map(len, blocks))
    if workers.size == 1:
        return
    most = max(map(len, blocks), default=0)
    for first in range(0, len(blocks), workers.size):
        these = blocks[first : first + workers.size]
        own = these[min(workers.rank, len(these) - 1)]
        for table in into:
            sent = table.new_zeros((most, *table.shape[1:]))
            sent[: len(own)] = table[own[0] : own[-1] + 1]
            for block, found in zip(these, workers.gather(sent), strict=False):
                table[block[0] : block[-1] + 1] = found[: len(block)]
