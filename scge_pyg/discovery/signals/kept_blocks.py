"""A sample of the samples: blocks contiguous in time, chosen by a hash of their number alone."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.signals.hashed_blocks import LENGTH, HashedBlocks, block_of, mix
from scge_pyg.discovery.signals.numbered import refuse_twice

__all__ = ["KeptBlocks", "range_of"]

_FREE = np.uint64(2**64 - 1)
_MOVED = 2**20  # values that are moved at once


class KeptBlocks:
    r"""At most R samples of a stream ``[S, N, C]``, in blocks contiguous in time, and the range of all samples.

    Block :math:`b` holds the samples :math:`256 b` to :math:`256 b + 255` of the stream. Sorted by a seeded 64-bit hash
    of their number, blocks are kept from the smallest on for as long as they hold at most

    .. math::
        R = \max(256, \min(\text{most}, \max(B, \min(\text{few}, 2 B)))), \qquad
        B = \lfloor \text{budget} / (4 N C) \rfloor

    samples together: everything where :math:`S \le R`. What was dropped once is never needed again, so one pass is
    enough, and the result is the same for any split of the stream into batches, in any order, and for any order of
    merging. Nodes may join on the way; samples before lack them.

    Cost: :math:`O(S N C)` time and :math:`O(R N C)` memory, each kept value once.

    Args:
        budget: Bytes of float32 values that may be kept.
        few: Samples that may take up to twice the budget.
        most: Samples that are kept at most, however few nodes there are.
        seed: Seed of the hash.
        start: Number of the first sample in the stream, for an accumulator that reads a later part of it.

    Attributes:
        count: Samples seen.
        low: Smallest value of each node and channel ``[N, C]``, ``inf`` where all are missing.
        high: Largest value of each.
        blocks: Which blocks are kept.

    Example:
        >>> import torch
        >>> x = torch.randn(1000, 4, 1, generator=torch.Generator().manual_seed(0))
        >>> kept = KeptBlocks(budget=4 * 4 * 600).update(x[:300]).update(x[300:])
        >>> values, number = kept.samples()
        >>> kept.count, len(number) <= 600, torch.equal(values, x[number])
        (1000, True, True)
        >>> odd, even = (KeptBlocks(budget=4 * 4 * 600).update(x[k::2], torch.arange(k, 1000, 2)) for k in (1, 0))
        >>> torch.equal(odd.merge(even).samples()[0], values)
        True
    """

    def __init__(self, *, budget: int = 2**29, few: int = 0, most: int = 2**63, seed: int = 0, start: int = 0) -> None:
        self.budget = budget
        self.few = few
        self.most = most
        self.seed = seed
        self.count = 0
        self._next = start
        self.salt = mix(seed)
        self.blocks = HashedBlocks()
        self.low = torch.empty(0, 0)
        self.high = torch.empty(0, 0)
        # a table with a row for each kept sample; free ones have the largest hash
        self._values = torch.empty(0, 0, 0)
        self._number = np.empty(0, dtype=np.int64)
        self._hash = np.empty(0, dtype=np.uint64)
        self._used = 0
        self._lent = False

    @property
    def capacity(self) -> int:
        """Samples R that may be kept, given the nodes seen so far."""
        within = self.budget // (4 * max(1, self.low.numel()))
        return max(LENGTH, min(self.most, max(within, min(self.few, 2 * within))))

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the kept values."""
        return self._values.dtype

    @property
    def live(self) -> Tensor:
        """Which nodes took at least two different values over all samples seen, ``[N]``."""
        return (self.high > self.low).any(1)

    def update(self, values: Tensor, number: Tensor | None = None) -> KeptBlocks:
        """Add samples ``[S, N, C]`` of the stream, ``NaN`` where missing; returns ``self``.

        Args:
            values: The samples.
            number: Their numbers in the stream ``[S]`` int64, in any order. Default: those that follow.
        """
        if values.dim() != 3:
            raise ValueError(f"KeptBlocks.update: values must be [S, N, C], got {list(values.shape)}")
        if number is None:
            number = torch.arange(self._next, self._next + len(values))
            self._next += len(values)
        return self.take_in(values, number.numpy(), range_of(values), len(values))

    def plan(self, code: np.ndarray, size: np.ndarray, shape: tuple[int, ...]) -> np.uint64:
        """Smallest hash of a block that is not kept, if samples of this shape, in blocks of these sizes, are all.

        Those of other blocks may then be left out of :meth:`take_in`.
        """
        none = torch.full((shape[1], math.prod(shape[2:])), torch.inf)
        self._widen(none, -none)
        return self.blocks.drop_from(HashedBlocks().add_blocks(code, size, self.capacity))

    def take_in(self, values: Tensor, number: np.ndarray, extremes: tuple[Tensor, Tensor], count: int) -> KeptBlocks:
        """Add samples ``[S, N, C]`` and their numbers ``[S]``, of so many with this range; returns ``self``."""
        self._widen(*extremes)
        self.count += count
        self._take(values, number)
        return self

    def merge(self, other: KeptBlocks) -> KeptBlocks:
        """Add what another accumulator has kept of another part of the stream; returns ``self``."""
        own, others = ((kept.budget, kept.few, kept.most, kept.seed) for kept in (self, other))
        if own != others:
            raise ValueError(
                f"KeptBlocks.merge: both must have the same budget, few, most and seed, got {own} and {others}"
            )
        self._widen(other.low, other.high)
        self.count += other.count
        self._next = max(self._next, other._next)
        rows = np.flatnonzero(other._hash < self.blocks.drop_from(other.blocks.dropped))
        twice = np.intersect1d(self._number[self._hash < self.blocks.dropped], other._number[rows])
        if len(twice):
            raise ValueError(f"KeptBlocks.merge: both hold sample {twice[0]} of the stream")
        self._take(other._values[torch.from_numpy(rows)], other._number[rows])
        return self

    def samples(self) -> tuple[Tensor, Tensor]:
        """The kept samples ``[R, N, C]`` by rising number, and their numbers in the stream ``[R]``.

        Raises:
            ValueError: If a sample was added twice.
        """
        self._sort()
        number = self._number[: self.blocks.held]
        refuse_twice(number)
        self._lent = True
        return self._values[: len(number), : len(self.low)], torch.from_numpy(number.copy())

    def take_out(self, dropped: np.uint64) -> tuple[Tensor, Tensor]:
        """Samples of blocks below a hash, by rising number, and their numbers; nothing is left here."""
        rows = np.flatnonzero(self._hash < dropped)
        rows = rows[self._number[rows].argsort(kind="stable")]
        values, number = self._values[torch.from_numpy(rows), : len(self.low)], self._number[rows]
        self._values, self._number, self._hash = torch.empty(0, 0, 0), self._number[:0], self._hash[:0]
        return values, torch.from_numpy(number)

    def _widen(self, low: Tensor, high: Tensor) -> None:
        """Take in the range ``[N, C]`` of further samples, of which there may be none (``inf`` and ``-inf``)."""
        if self.low.numel() == 0:
            self.low, self.high = low, high
        elif low.numel():
            if low.shape[1] != self.low.shape[1]:
                raise ValueError(f"KeptBlocks: samples must have {self.low.shape[1]} channels, got {low.shape[1]}")
            num_nodes = max(low.shape[0], self.low.shape[0])
            low, high = _padded(low, num_nodes, torch.inf), _padded(high, num_nodes, -torch.inf)
            self.low = torch.minimum(_padded(self.low, num_nodes, torch.inf), low)
            self.high = torch.maximum(_padded(self.high, num_nodes, -torch.inf), high)
        self.blocks.shrink(self.capacity)

    def _take(self, values: Tensor, number: np.ndarray) -> None:
        """Write those samples into the table whose blocks are kept, over those whose blocks no longer are."""
        code = block_of(self.salt, number)
        dropped = self.blocks.add(code[code < self.blocks.dropped], self.capacity)
        new = np.flatnonzero(code < dropped)
        self._reserve(self.blocks.held, values)
        place = self._room(len(new), dropped)
        self._hash[place], self._number[place] = code[new], number[new]
        width = values.shape[1]
        rows = values if len(new) == len(values) else values[torch.from_numpy(new)]
        if len(place) and place[-1] - place[0] == len(place) - 1:
            target = self._values[place[0] : place[-1] + 1]
            target[:, :width], target[:, width:] = rows, torch.nan
        else:
            self._values[torch.from_numpy(place), :width] = rows.to(self._values.dtype)
            self._values[torch.from_numpy(place), width:] = torch.nan

    def _room(self, rows: int, dropped: np.uint64) -> np.ndarray:
        """Places of so many rows: those never used, as long as there are some, then those of dropped blocks."""
        if self._used + rows <= len(self._hash):
            self._used += rows
            return np.arange(self._used - rows, self._used)
        self._used = len(self._hash)
        return np.flatnonzero(self._hash >= dropped)[:rows]

    def _reserve(self, rows: int, values: Tensor) -> None:
        """Make room for so many samples, as wide as all seen so far and as precise as these."""
        old = self._values
        num_nodes, dtype = len(self.low), torch.promote_types(old.dtype, values.dtype)
        fits = old.shape[1] >= num_nodes and old.shape[2:] == self.low.shape[1:] and old.dtype == dtype
        if fits and len(old) >= rows and not self._lent:
            return
        wide = num_nodes if old.shape[1] in (0, num_nodes) else max(num_nodes, old.shape[1] * 5 // 4)
        rows = len(old) if len(old) >= rows else min(max(rows, 2 * len(old)), max(rows, self.capacity))
        self._values = torch.empty((rows, wide, self.low.shape[1]), dtype=dtype)
        if old.numel():
            self._values[: len(old), : old.shape[1]] = old
            self._values[: len(old), old.shape[1] :] = torch.nan
        more = rows - len(old)
        self._number = np.concatenate([self._number, np.full(more, -1)])
        self._hash = np.concatenate([self._hash, np.full(more, _FREE)])
        self._lent = False

    def _sort(self) -> None:
        """Bring the table in order, the free rows last, a few columns at a time."""
        held = self.blocks.held
        number = np.where(self._hash < self.blocks.dropped, self._number, np.iinfo(np.int64).max)
        order = np.argsort(number, kind="stable")[:held]
        if (order == np.arange(held)).all():
            return
        if self._lent:
            self._values, self._lent = self._values.clone(), False
        rows = torch.from_numpy(order)
        for part in self._values.flatten(1).split(max(1, _MOVED // max(1, held)), dim=1):
            part[:held] = part[rows]
        self._number[:held], self._hash[:held] = self._number[order], self._hash[order]
        self._hash[held:], self._used = _FREE, held


def range_of(values: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of each node and channel of ``[S, N, C]``, ``inf`` and ``-inf`` where all miss."""
    rows = values.numpy()
    low, high = np.fmin.reduce(rows, 0, initial=np.inf), np.fmax.reduce(rows, 0, initial=-np.inf)
    return torch.from_numpy(low), torch.from_numpy(high)


def _padded(values: Tensor, num_nodes: int, fill: float) -> Tensor:
    """A range ``[N, C]`` with further nodes."""
    if len(values) == num_nodes:
        return values
    return torch.cat([values, values.new_full((num_nodes - len(values), values.shape[1]), fill)])
