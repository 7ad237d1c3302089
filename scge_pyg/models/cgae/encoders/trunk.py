"""Convolutional features of images, and heads that read them off at every place or at one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scge_pyg.models.cgae.decoding.canvas import Canvas, GridCanvas

__all__ = ["Head", "Trunk", "grid_of"]

_LAYERS = 3
_STRIDE = 2


class Trunk(nn.Module):
    """Features of cells of 2 x 2 pixels: one convolution as large as a prototype, then three of 3 x 3 cells with
    residual connections, which see R + 12 pixels: a part and what covers it.

    Args:
        canvas: A grid.
        channels: C.
        width: F.

    Shapes:
        - **input:** pixels :math:`(B, C, N)`
        - **output:** :math:`(B, F, \\lceil I/2 \\rceil, \\lceil J/2 \\rceil)`
    """

    def __init__(self, canvas: GridCanvas, channels: int, width: int) -> None:
        super().__init__()
        self.shape = canvas.shape
        size = canvas.size + 1 - canvas.size % 2
        self.first = nn.Conv2d(channels, width, size, _STRIDE, padding=size // 2)
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(_LAYERS))

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of every cell."""
        y = self.first(pixels.unflatten(2, self.shape))
        for layer in self.layers:
            y = y + layer(F.relu(y))
        return F.relu(y)


class Head(nn.Module):
    """M numbers for a place, linear in the features of its cell and different for the places of a cell.

    Args:
        canvas: A grid.
        width: F.
        outputs: M.
    """

    def __init__(self, canvas: GridCanvas, width: int, outputs: int) -> None:
        super().__init__()
        self.places, self.outputs = canvas.place_shape, outputs
        self.side = _STRIDE * canvas.subpixel
        self.start = (canvas.size - 1) // 2 * canvas.subpixel if canvas.padding == "valid" else 0
        self.linear = nn.Conv2d(width, outputs * self.side**2, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, M, P]`` of features ``[B, F, cells]``."""
        y = F.pixel_shuffle(self.linear(features), self.side)
        rows, columns = (slice(self.start, self.start + count) for count in self.places)
        return y[:, :, rows, columns].flatten(2)

    def at(self, features: Tensor, place: Tensor) -> Tensor:
        """``[B, M]``: the column of :meth:`forward` at ``place [B]``, without the others."""
        row, column = place // self.places[1] + self.start, place % self.places[1] + self.start
        fraction = row % self.side * self.side + column % self.side
        weight = self.linear.weight.view(self.outputs, self.side**2, -1)[:, fraction]
        bias = self.linear.bias.view(self.outputs, -1)[:, fraction]  # type: ignore[union-attr]
        return torch.einsum("bf,mbf->bm", self.glimpse(features, place), weight) + bias.T

    def glimpse(self, features: Tensor, place: Tensor) -> Tensor:
        """Features ``[B, F]`` of the cell of ``place [B]``."""
        row, column = place // self.places[1] + self.start, place % self.places[1] + self.start
        image = torch.arange(len(features), device=features.device)
        return features[image, :, row // self.side, column // self.side]


def grid_of(name: str, canvas: Canvas) -> GridCanvas:
    """The canvas, if it is a grid.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(canvas, GridCanvas):
        raise ValueError(
            f"{name}: the model's places must be a grid, got the {canvas.num_places} nodes of a graph without a "
            f"lattice in 2 dimensions; use CGAE.encode there"
        )
    return canvas
