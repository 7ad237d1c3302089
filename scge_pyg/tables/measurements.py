"""Samples over a node set, read from a file block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scge_pyg.tables.columns import LeftOut
from scge_pyg.tables.header import NUMERIC_IDS

__all__ = ["Measurements", "Table", "rows_per_block", "to_tensor"]

_BLOCK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Table:
    """How a table was read.

    Attributes:
        header: What the first line holds: ``"names"``, ``"numeric ids"``, or None if it is a sample.
        left_out: Columns that are no nodes.
        names: Names of all columns, if they have any.
        told: What the reader says about the file, a line each.
    """

    header: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    names: tuple[str, ...] | None = None
    told: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """What was decided without being asked for, and the columns that were taken for times, a line each."""
        notes = list(self.told)
        if self.header == NUMERIC_IDS and self.names is not None:
            shown = [name for name in self.names if name][:3]
            notes.append(f"header of numeric ids ({', '.join(shown)}, ...); --no-header reads it as a sample")
        return notes + [str(left) for left in self.left_out if left.why not in ("--drop", "target")]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        left_out = [{"column": left.column, "name": left.name, "why": left.why} for left in self.left_out]
        return {"header": self.header, "left_out": left_out} | ({"notes": list(self.told)} if self.told else {})


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
        table: How the table was read, if the nodes are columns of one.
    """

    read: Callable[[], Iterator[Tensor]]
    num_nodes: int
    num_channels: int = 1
    num_samples: int | None = None
    shape: tuple[int, int] | None = None
    names: tuple[str, ...] | None = None
    table: Table | None = None

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
