"""The samples that discovery works on, read in one pass from any input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from scge_pyg.discovery.sharing.workers import current
from scge_pyg.discovery.signals.dask_arrays import is_of_dask, keep_blocks, shape_of
from scge_pyg.discovery.signals.joint import merged, numbered_part
from scge_pyg.discovery.signals.kept_blocks import KeptBlocks
from scge_pyg.discovery.signals.numbered import Numbered
from scge_pyg.discovery.signals.reading import blocks

__all__ = ["Samples", "read"]

_KEPT_BYTES = 2**29
_MOST = 2**18  # samples: of a long recording of few nodes; what is computed from them takes 16 times their memory
_FEW = 4096  # samples: with 2,048 of them 0.958 of 65,536 pixels were in their cell, with 4,096 all
_UNNUMBERED = (
    "discover: with a group, batches must say which samples they hold, discover.Numbered(batch, numbers), for instance "
    "Numbered(x, range(rank, len(dataset), workers)); or x is one array on each worker, the parts in order of ranks"
)


@dataclass(frozen=True)
class Samples:
    """A sample of the samples of a stream.

    Attributes:
        values: The kept samples by rising number ``[S, N, C]``, float32 or float64 on the CPU, ``NaN`` where a
            value is missing.
        number: Number of each kept sample in the stream ``[S]``; it jumps where blocks were left out.
        count: How many samples were seen.
        live: Which nodes take at least two different values over all samples seen ``[N]``.
        names: Names of the nodes, where the input has some.
        notes: What the reader left out, a sentence each.
    """

    values: Tensor
    number: Tensor
    count: int
    live: Tensor
    names: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def read(x: Any, *, missing_value: float | None = None, seed: int = 0) -> Samples:
    """Read any input that :func:`~scge_pyg.discovery.signals.reading.blocks` takes, once.

    All samples are kept up to 262,144 and up to 512 MiB of float32 values (where that holds less than 4,096 samples, up
    to these, or 1 GiB), beyond it blocks of 256 contiguous samples, see
    :class:`~scge_pyg.discovery.signals.kept_blocks.KeptBlocks`; how ``x`` is split into batches does not
    matter, nor their order if they are :class:`~scge_pyg.discovery.signals.numbered.Numbered`.

    Workers that share a discovery (:mod:`scge_pyg.discovery.sharing`) read a part each and hold the samples of all.

    Args:
        x: Samples ``[S, N]`` or ``[S, N, C]``, or an iterable of such batches.
        missing_value: What marks a missing value, besides ``NaN`` and masks.
        seed: Seed of the choice among blocks.

    Raises:
        TypeError: If ``x``, one of its batches or a column is no array of numbers.
        ValueError: If shapes or names disagree, values are infinite, or workers disagree or give no numbers.

    Example:
        >>> import torch
        >>> samples = read([torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 2.0]])], missing_value=0)
        >>> samples.values.squeeze(2).tolist(), samples.count, samples.live.tolist()
        ([[1.0, 2.0], [nan, 2.0]], 2, [False, False])
    """
    workers = current()
    x = numbered_part(x, workers)
    kept = KeptBlocks(budget=_KEPT_BYTES, few=_FEW, most=_MOST, seed=seed)
    notes: dict[str, None] = {}
    with workers.agreeing() as facts:
        own = x.values if isinstance(x, Numbered) else x
        if is_of_dask(own):
            shape = shape_of(own)
            number = x.number if isinstance(x, Numbered) else 0
            names = keep_blocks(own, kept, number, shape, missing_value)
        else:
            names, notes = _keep(x, kept, missing_value)
        facts |= {"N": len(kept.low), "C": kept.low.shape[1], "the names of the nodes": names}
    if workers.size == 1:
        values, number = kept.samples()
        return Samples(values, number, kept.count, kept.live, names, tuple(notes))
    notes = dict.fromkeys(note for own in workers.tell(list(notes)) for note in own)
    return Samples(*merged(kept, workers), names, tuple(notes))


def _keep(x: Any, kept: KeptBlocks, missing_value: float | None) -> tuple[tuple[str, ...] | None, dict[str, None]]:
    """Read all blocks; names of the nodes, and what was left out."""
    names: tuple[str, ...] | None = None
    notes: dict[str, None] = {}
    for block in blocks(x, missing_value=missing_value):
        if current().size > 1 and block.number is None:
            raise ValueError(_UNNUMBERED)
        kept.update(block.values, block.number)
        names = block.names or names
        notes |= dict.fromkeys(block.notes)
    return names, notes
