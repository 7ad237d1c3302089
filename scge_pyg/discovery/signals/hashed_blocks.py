"""Which blocks of a stream are kept: those with the smallest hashes, for as long as there is room for their samples."""

from __future__ import annotations

import numpy as np

__all__ = ["LENGTH", "HashedBlocks", "block_of", "contiguous_blocks", "mix"]

LENGTH = 256  # samples in a block
_ALL = np.uint64(2**64 - 1)


class HashedBlocks:
    """Hashes of the kept blocks of a stream, and how many samples of each were seen.

    Attributes:
        hash: Hashes ``[K]`` uint64, ascending.
        size: Samples of each ``[K]``.
        dropped: Smallest hash that is not kept, for good.
    """

    def __init__(self) -> None:
        self.hash = np.empty(0, dtype=np.uint64)
        self.size = np.empty(0, dtype=np.int64)
        self.dropped = _ALL

    @property
    def held(self) -> int:
        """Samples of all kept blocks."""
        return int(self.size.sum())

    def add(self, code: np.ndarray, capacity: int) -> np.uint64:
        """Add samples by the hashes ``[S]`` of their blocks; returns the smallest hash that is not kept.

        Example:
            >>> blocks = HashedBlocks()
            >>> int(blocks.add(np.array([5, 3, 5], dtype=np.uint64), capacity=2))
            5
            >>> blocks.hash.tolist(), blocks.size.tolist()
            ([3], [1])
        """
        return self.add_blocks(*np.unique(code, return_counts=True), capacity)

    def add_blocks(self, code: np.ndarray, size: np.ndarray, capacity: int) -> np.uint64:
        """The same of whole blocks: their hashes ``[K]``, ascending, and how many samples of each there are."""
        place = np.searchsorted(self.hash, code)
        known = np.zeros(len(code), dtype=bool)
        inside = place < len(self.hash)
        known[inside] = self.hash[place[inside]] == code[inside]
        self.size[place[known]] += size[known]
        self.hash = np.insert(self.hash, place[~known], code[~known])
        self.size = np.insert(self.size, place[~known], size[~known])
        return self.shrink(capacity)

    def shrink(self, capacity: int) -> np.uint64:
        """Drop blocks from the largest hash on until the samples of the others fit."""
        fit = int(np.searchsorted(self.size.cumsum(), capacity, side="right"))
        return self.drop_from(self.hash[fit]) if fit < len(self.hash) else self.dropped

    def drop_from(self, first: np.uint64) -> np.uint64:
        """Drop blocks from this hash on."""
        self.dropped = min(self.dropped, first)
        keep = int(np.searchsorted(self.hash, self.dropped))
        self.hash, self.size = self.hash[:keep], self.size[:keep]
        return self.dropped


def block_of(salt: int, number: np.ndarray) -> np.ndarray:
    """Hash of the block of each sample number ``[S]``, uint64."""
    block, place = np.unique(number // LENGTH, return_inverse=True)
    return _mixed(block.astype(np.uint64) + np.uint64(salt))[place]


def contiguous_blocks(salt: int, start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ascending hashes of the blocks of so many samples from ``start`` on, and how many each has, ``[K]``."""
    first = np.arange(start // LENGTH, -(-(start + count) // LENGTH)) * LENGTH
    size = np.minimum(first + LENGTH, start + count) - np.maximum(first, start)
    code = _mixed((first // LENGTH).astype(np.uint64) + np.uint64(salt))
    order = code.argsort()
    return code[order], size[order]


def mix(number: int) -> int:
    """The step of SplitMix64 of one number."""
    return int(_mixed(np.array([number % 2**64], dtype=np.uint64))[0])


def _mixed(number: np.ndarray) -> np.ndarray:
    """The step of SplitMix64 (Steele, Lea and Flood, 2014), a bijection of 64-bit integers, of each ``[n]`` uint64."""
    number = number + np.uint64(0x9E3779B97F4A7C15)
    number = (number ^ number >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ number >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return number ^ number >> np.uint64(31)
