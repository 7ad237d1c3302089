"""A sample of the samples: blocks contiguous in time, chosen by a hash of their number alone."""

from __future__ import annotations

import heapq

import torch
from torch import Tensor

__all__ = ["KeptBlocks"]

_LENGTH = 256  # samples in a block


class KeptBlocks:
    r"""At most R samples of a stream ``[S, N, C]``, in blocks contiguous in time, and the range of all samples.

    Block :math:`b` holds the samples :math:`256 b` to :math:`256 b + 255` of the stream. Sorted by a seeded 64-bit hash
    of their number, blocks are kept from the smallest on for as long as they hold at most

    .. math::
        R = \max(256, \min(\text{most}, \max(B, \min(\text{few}, 2 B)))), \qquad
        B = \lfloor \text{budget} / (4 N C) \rfloor

    samples together: everything where :math:`S \le R`. What was dropped once is never needed again, so one pass is
    enough, and the result is the same for any split of the stream into batches and for any order of merging. Nodes may
    join on the way; samples before lack them.

    Cost: :math:`O(S N C)` time and :math:`O(R N C)` memory.

    Args:
        budget: Bytes of float32 values that may be kept.
        few: Samples that may take up to twice the budget.
        most: Samples that are kept at most, however few nodes there are.
        seed: Seed of the hash.
        start: Number of the first sample in the stream, for an accumulator that reads a later part of it.

    Example:
        >>> import torch
        >>> x = torch.randn(1000, 4, 1, generator=torch.Generator().manual_seed(0))
        >>> kept = KeptBlocks(budget=4 * 4 * 600).update(x[:300]).update(x[300:])
        >>> values, number = kept.samples()
        >>> kept.count, len(number) <= 600, torch.equal(values, x[number])
        (1000, True, True)
    """

    def __init__(self, *, budget: int = 2**29, few: int = 0, most: int = 2**63, seed: int = 0, start: int = 0) -> None:
        self.budget = budget
        self.few = few
        self.most = most
        self.seed = seed
        self.count = 0
        self._next = start
        self._salt = _mix(seed)
        self._pieces: dict[int, list[tuple[int, Tensor]]] = {}
        self._largest: list[tuple[int, int]] = []  # heap of (-hash, block)
        self._bar = 2**64  # smallest hash that was dropped
        self._held = 0
        self._low = torch.empty(0, 0)
        self._high = torch.empty(0, 0)

    @property
    def capacity(self) -> int:
        """Samples R that may be kept, given the nodes seen so far."""
        within = self.budget // (4 * max(1, self._low.numel()))
        return max(_LENGTH, min(self.most, max(within, min(self.few, 2 * within))))

    @property
    def live(self) -> Tensor:
        """Which nodes took at least two different values over all samples seen, ``[N]``."""
        return (self._high > self._low).any(1)

    def update(self, values: Tensor) -> KeptBlocks:
        """Add the next samples ``[S, N, C]`` of the stream, ``NaN`` where missing; returns ``self``."""
        if values.dim() != 3:
            raise ValueError(f"KeptBlocks.update: values must be [S, N, C], got {list(values.shape)}")
        if values.shape[0] == 0:
            self._widen(values.new_full(values.shape[1:], torch.inf), values.new_full(values.shape[1:], -torch.inf))
            return self
        missing = values.isnan()
        self._widen(values.masked_fill(missing, torch.inf).amin(0), values.masked_fill(missing, -torch.inf).amax(0))
        self.count += values.shape[0]
        while values.shape[0]:
            block, inside = divmod(self._next, _LENGTH)
            piece, values = values[: _LENGTH - inside], values[_LENGTH - inside :]
            if self._hash(block) < self._bar:
                self._add(block, self._next, piece.clone())
            self._next += piece.shape[0]
        return self

    def merge(self, other: KeptBlocks) -> KeptBlocks:
        """Add what another accumulator has kept of another part of the stream; returns ``self``."""
        own, others = ((kept.budget, kept.few, kept.most, kept.seed) for kept in (self, other))
        if own != others:
            raise ValueError(
                f"KeptBlocks.merge: both must have the same budget, few, most and seed, got {own} and {others}"
            )
        self._widen(other._low, other._high)
        self.count += other.count
        self._next = max(self._next, other._next)
        self._bar = min(self._bar, other._bar)
        self._shrink()
        for block, pieces in other._pieces.items():
            for start, piece in pieces:
                if self._hash(block) < self._bar:
                    self._add(block, start, piece)
        return self

    def samples(self) -> tuple[Tensor, Tensor]:
        """The kept samples ``[R, N, C]`` in order of arrival and their numbers in the stream ``[R]``."""
        num_nodes = self._low.shape[0]
        pieces = sorted((pair for found in self._pieces.values() for pair in found), key=lambda pair: pair[0])
        values = [self._low.new_empty(0, *self._low.shape)] + [_padded(piece, num_nodes, 1) for _, piece in pieces]
        number = [torch.arange(0)] + [torch.arange(start, start + piece.shape[0]) for start, piece in pieces]
        return torch.cat(values), torch.cat(number)

    def _widen(self, low: Tensor, high: Tensor) -> None:
        """Take in the range ``[N, C]`` of further samples, of which there may be none (``inf`` and ``-inf``)."""
        if self._low.numel() == 0:
            self._low, self._high = low, high
        elif low.numel():
            if low.shape[1] != self._low.shape[1]:
                raise ValueError(f"KeptBlocks: samples must have {self._low.shape[1]} channels, got {low.shape[1]}")
            num_nodes = max(low.shape[0], self._low.shape[0])
            low, high = _padded(low, num_nodes, 0, torch.inf), _padded(high, num_nodes, 0, -torch.inf)
            self._low = torch.minimum(_padded(self._low, num_nodes, 0, torch.inf), low)
            self._high = torch.maximum(_padded(self._high, num_nodes, 0, -torch.inf), high)
        self._shrink()

    def _add(self, block: int, start: int, piece: Tensor) -> None:
        if block not in self._pieces:
            heapq.heappush(self._largest, (-self._hash(block), block))
            self._pieces[block] = []
        pieces = self._pieces[block]
        for before, held in pieces:
            if before < start + piece.shape[0] and start < before + held.shape[0]:
                raise ValueError(f"KeptBlocks.merge: both hold sample {max(before, start)} of the stream")
        pieces.append((start, piece))
        self._held += piece.shape[0]
        if len(pieces) > 1 and sum(held.shape[0] for _, held in pieces) == _LENGTH:
            pieces.sort(key=lambda pair: pair[0])
            num_nodes = max(held.shape[1] for _, held in pieces)
            pieces[:] = [(pieces[0][0], torch.cat([_padded(held, num_nodes, 1) for _, held in pieces]))]
        self._shrink()

    def _shrink(self) -> None:
        while self._largest and (self._held > self.capacity or -self._largest[0][0] >= self._bar):
            negative, block = heapq.heappop(self._largest)
            self._bar = min(self._bar, -negative)
            self._held -= sum(piece.shape[0] for _, piece in self._pieces.pop(block))

    def _hash(self, block: int) -> int:
        return _mix(self._salt + block)


def _mix(number: int) -> int:
    """The step of SplitMix64 (Steele, Lea and Flood, 2014): a bijection of 64-bit integers."""
    mask = 2**64 - 1
    number = (number + 0x9E3779B97F4A7C15) & mask
    number = ((number ^ number >> 30) * 0xBF58476D1CE4E5B9) & mask
    number = ((number ^ number >> 27) * 0x94D049BB133111EB) & mask
    return number ^ number >> 31


def _padded(values: Tensor, num_nodes: int, axis: int, fill: float = torch.nan) -> Tensor:
    """``values`` with further nodes along ``axis``."""
    if values.shape[axis] == num_nodes:
        return values
    shape = list(values.shape)
    shape[axis] = num_nodes - shape[axis]
    return torch.cat([values, values.new_full(shape, fill)], axis)
