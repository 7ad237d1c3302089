"""Samples over a node set, read from a file block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Measurements", "rows_per_block", "to_tensor"]

_BLOCK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Measurements:
    """What an input file holds, without its values in memory.

    Attributes:
        read: Starts a new pass and yields blocks ``[s, N]`` or ``[s, N, C]``.
        num_nodes: Number of nodes N.
        num_channels: Number of channels C per node.
        num_samples: Number of samples, or None where only reading tells.
        shape: Height and width if the nodes are the pixels of images, in row-major order.
        names: Names of the nodes, if they have any.
    """

    read: Callable[[], Iterator[Tensor]]
    num_nodes: int
    num_channels: int = 1
    num_samples: int | None = None
    shape: tuple[int, int] | None = None
    names: tuple[str, ...] | None = None

    @property
    def cells(self) -> Tensor | None:
        """True places ``[N, 2]`` of the nodes, where they are known."""
        if self.shape is None:
            return None
        return torch.cartesian_prod(*map(torch.arange, self.shape)).view(-1, 2)

    def first(self, count: int) -> Tensor:
        """The first ``count`` samples ``[count, N, C]`` as floats."""
        taken, blocks = 0, []
        for block in self.read():
            blocks.append(block[: count - taken].float())
            taken += blocks[-1].shape[0]
            if taken >= count:
                break
        samples = torch.cat(blocks)
        return samples.unsqueeze(2) if samples.dim() == 2 else samples


def rows_per_block(values_per_row: int, itemsize: int = 4) -> int:
    """How many rows fill a block of 32 MiB."""
    return max(1, _BLOCK_BYTES // max(1, values_per_row * itemsize))


def to_tensor(block: NDArray[Any]) -> Tensor:
    """A float tensor of the block that holds its values exactly, if float64 can."""
    narrow = block.dtype.kind in "biu" and block.dtype.itemsize <= 2
    small_float = block.dtype.kind == "f" and block.dtype.itemsize <= 4
    return torch.from_numpy(np.array(block, dtype=np.float32 if narrow or small_float else np.float64, order="C"))
