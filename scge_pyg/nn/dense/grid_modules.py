"""What a dense grid needs besides torch's own layers to equal a layer on nodes: padding, holes and node-wise maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.nn.fixed.norm import masked_batch_norm
from scge_pyg.nn.fixed.tables import Tabled

__all__ = ["CentreTap", "ChannelsLast", "GridBatchNorm", "GridFill", "GridMean", "GridMeanOf", "GridPad", "GridSize"]


class GridFill(Tabled):
    """Sets the holes of a grid ``[B, C, *shape]`` to one value.

    Args:
        mask: Cells that hold a node ``[*shape]`` bool.
        value: Value of the others. Default: 0.
    """

    hole: Tensor

    def __init__(self, mask: Tensor, value: float = 0.0) -> None:
        super().__init__()
        self.value = value
        self.register_table("hole", ~mask)

    def forward(self, x: Tensor) -> Tensor:
        return x.masked_fill(self.hole, self.value)

    def extra_repr(self) -> str:
        return f"value={self.value}, holes={int(self.hole.sum())}"


class GridPad(torch.nn.Module):
    """Pads each axis of a grid before and after: zeros, or the other end where the axis is periodic.

    Args:
        before: Cells added in front along each axis; negative numbers cut off.
        after: Cells added behind.
        periodic: Whether each axis closes on itself.
    """

    def __init__(self, before: Sequence[int], after: Sequence[int], periodic: Sequence[bool]) -> None:
        super().__init__()
        self.before, self.after, self.periodic = tuple(before), tuple(after), tuple(periodic)

    def forward(self, x: Tensor) -> Tensor:
        zeros: list[int] = []
        for axis, (lo, hi, wraps) in enumerate(zip(self.before, self.after, self.periodic, strict=True)):
            if wraps:
                size = x.shape[2 + axis]
                x = x.index_select(2 + axis, torch.arange(-lo, size + hi, device=x.device) % size)
            zeros = ([0, 0] if wraps else [lo, hi]) + zeros
        return F.pad(x, zeros) if any(zeros) else x

    def extra_repr(self) -> str:
        return f"before={self.before}, after={self.after}, periodic={self.periodic}"


class GridSize(torch.nn.Module):
    """Cuts a grid to ``shape``, from its first cell.

    Args:
        shape: Cells to keep along each axis.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        for axis, size in enumerate(self.shape):
            x = x.narrow(2 + axis, 0, size)
        return x

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


class GridMeanOf(Tabled):
    """Turns the mean over all cells of a window into the mean over those that hold a node.

    Args:
        count: Cells with a node in each window ``[*shape]`` int64; a window without any becomes 0.
        cells: Cells of a window.
    """

    count: Tensor

    def __init__(self, count: Tensor, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.register_table("count", count)

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.cells / self.count.clamp_min(1).to(x.dtype))

    def extra_repr(self) -> str:
        return f"cells={self.cells}"


class GridMean(Tabled):
    """Mean over the cells that hold a node, ``[B, C]``.

    Args:
        mask: Those cells ``[*shape]`` bool.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_table("mask", mask)
        self.count = int(mask.sum())
        self.full = self.count == mask.numel()

    def forward(self, x: Tensor) -> Tensor:
        cells = x.flatten(2)
        return cells.mean(2) if self.full else cells.masked_fill(~self.mask.flatten(), 0.0).sum(2) / self.count


class GridBatchNorm(Tabled):
    """Batch normalisation of a grid with holes by the statistics of the other cells.

    Args:
        norm: The normalisation; its parameters and running statistics are used.
        mask: Cells that hold a node ``[*shape]`` bool.
    """

    mask: Tensor

    def __init__(self, norm: torch.nn.modules.batchnorm._BatchNorm, mask: Tensor) -> None:
        super().__init__()
        self.norm = norm
        self.count = int(mask.sum())
        self.register_table("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        cells, copies = x.movedim(1, -1), x.shape[0]
        mask = self.mask.flatten().repeat(copies)
        y = masked_batch_norm(self.norm, cells.flatten(0, -2), mask, copies * self.count)
        return y.view(cells.shape).movedim(-1, 1)


class ChannelsLast(torch.nn.Module):
    """Applies a module of the last axis, such as ``torch.nn.LayerNorm``, to the channels of a grid.

    Args:
        module: The module.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.module(x.movedim(1, -1))
        return y.movedim(-1, 1)


class CentreTap(torch.nn.Module):
    """The centre tap and the bias of a dense convolution, for nodes outside the grid.

    Args:
        conv: The convolution; its parameters are shared.
    """

    def __init__(self, conv: Any) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        weight = self.conv.weight.flatten(2)
        if all(size % 2 for size in self.conv.kernel_size):
            return F.linear(x, weight[:, :, weight.shape[2] // 2], self.conv.bias)
        # without a centre tap only the bias is left
        return F.linear(x, torch.zeros_like(weight[:, :, 0]), self.conv.bias)
