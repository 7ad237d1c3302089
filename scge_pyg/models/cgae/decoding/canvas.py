"""Where parts can lie: all placements of a kernel on a grid, as one correlation."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scge_pyg.graph.checks import whole_number

__all__ = ["Canvas", "GridCanvas"]


class Canvas(nn.Module, ABC):
    """N pixels and P places. A *bank* holds the values of kernels at every place, in the canvas's own layout, in which
    banks can be added and multiplied; kernels share the leading dimensions ``[K, E]``.

    Args:
        observed: Pixels that count, ``[N]`` bool.
        place_shape: Rows and columns of places, ``P = rows * columns``.
        kernel_shape: Trailing dimensions of a kernel of one channel.
    """

    observed: Tensor

    def __init__(self, observed: Tensor, place_shape: tuple[int, int], kernel_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("observed", observed, persistent=False)
        self.place_shape, self.kernel_shape = place_shape, kernel_shape

    @property
    def num_pixels(self) -> int:
        """N."""
        return self.observed.shape[0]

    @property
    def num_places(self) -> int:
        """P."""
        return self.place_shape[0] * self.place_shape[1]

    @abstractmethod
    def bank(self, kernels: Tensor) -> Tensor:
        """Bank of kernels ``[K, E, C, *kernel_shape]``."""

    @abstractmethod
    def correlate(self, x: Tensor, bank: Tensor) -> Tensor:
        """Inner products ``[B, K, E, P]`` of images ``[B, C, N]`` with every kernel at every place."""

    @abstractmethod
    def pick(self, bank: Tensor, kind: Tensor, place: Tensor) -> Tensor:
        """Values ``[B, H, E, C, W]`` of kernels ``kind [B, H]`` at ``place [B, H]``, for :meth:`paint`."""

    @abstractmethod
    def paint(self, values: Tensor, place: Tensor) -> Tensor:
        """Images ``[B, H, E, C, N]`` of picked values, each at its place, zero elsewhere."""


class GridCanvas(Canvas):
    r"""Places on a grid of pixels: kernel :math:`k` centred at :math:`(i, j)`, cut at the border.

    With ``subpixel`` :math:`s`, places are :math:`1/s` pixel apart and kernels are shifted by bilinear interpolation.
    A correlation costs :math:`B\,C\,K E\,P R^2` products.

    Args:
        shape: Rows and columns of the image.
        size: R, of the square kernels.
        padding: ``"same"``: the centre of a kernel is any pixel; ``"valid"``: all of it lies within the image.
        subpixel: s.
        observed: Pixels that count, ``[N]`` bool. Default: all.

    Raises:
        ValueError: If the kernel is larger than the image.

    Example:
        >>> canvas = GridCanvas((4, 4), 2, padding="valid")
        >>> bank = canvas.bank(torch.ones(1, 1, 1, 2, 2))
        >>> canvas.correlate(torch.ones(1, 1, 16), bank).view(3, 3).tolist()
        [[4.0, 4.0, 4.0], [4.0, 4.0, 4.0], [4.0, 4.0, 4.0]]
    """

    def __init__(
        self,
        shape: tuple[int, int],
        size: int,
        *,
        padding: str = "same",
        subpixel: int = 1,
        observed: Tensor | None = None,
    ) -> None:
        rows, columns = shape
        size = whole_number("CGAE", "prototype_size", size, 1)
        step = whole_number("CGAE", "subpixel", subpixel, 1)
        if size > min(shape):
            raise ValueError(
                f"CGAE: prototype_size must be at most the image's shorter side, got {size} for images of "
                f"{rows} x {columns}"
            )
        if padding not in ("same", "valid"):
            raise ValueError(f"CGAE: padding must be 'same' or 'valid', got {padding!r}")
        inside = (rows, columns) if padding == "same" else (rows - size + 1, columns - size + 1)
        if observed is None:
            observed = torch.ones(rows * columns, dtype=torch.bool)
        super().__init__(observed, (step * inside[0], step * inside[1]), (size, size))
        self.shape, self.size, self.padding, self.subpixel = (rows, columns), size, padding, step
        self.width = size + (step > 1)
        before = (size - 1) // 2 if padding == "same" else 0
        after = size - 1 - before if padding == "same" else 0
        self._pad = (before, after + (step > 1))

    def bank(self, kernels: Tensor) -> Tensor:
        """``[s^2, K, E, C, W, W]``, W = R, or R + 1 with sub-pixel places."""
        s = self.subpixel
        if s == 1:
            return kernels.unsqueeze(0)
        steps = torch.arange(s, dtype=kernels.dtype, device=kernels.device) / s
        padded = F.pad(kernels, (1, 1, 1, 1))
        lower = torch.stack([(1 - t) * padded[..., 1:, :] + t * padded[..., :-1, :] for t in steps])
        moved = torch.stack([(1 - t) * lower[..., 1:] + t * lower[..., :-1] for t in steps], 1)
        return moved.flatten(0, 1)

    def correlate(self, x: Tensor, bank: Tensor) -> Tensor:
        """Inner products ``[B, K, E, P]``."""
        s, (kinds, each) = self.subpixel, bank.shape[1:3]
        if not each:
            return x.new_zeros(len(x), kinds, 0, self.num_places)
        image = F.pad(x.unflatten(2, self.shape), self._pad * 2)
        y = F.conv2d(image, bank.flatten(0, 2))
        if s == 1:
            return y.view(len(x), kinds, each, self.num_places)
        rows, columns = y.shape[-2:]
        y = y.view(len(x), s, s, kinds, each, rows, columns).permute(0, 3, 4, 5, 1, 6, 2)
        return y.reshape(len(x), kinds, each, self.num_places)

    def pick(self, bank: Tensor, kind: Tensor, place: Tensor) -> Tensor:
        """Values ``[B, H, E, C, W * W]``."""
        s, columns = self.subpixel, self.place_shape[1]
        fraction = (place // columns) % s * s + place % columns % s
        return bank[fraction, kind].flatten(-2)

    def paint(self, values: Tensor, place: Tensor) -> Tensor:
        """Images ``[B, H, E, C, N]``."""
        s, columns, side = self.subpixel, self.place_shape[1], sum(self._pad)
        rows, wide = self.shape[0] + side, self.shape[1] + side
        row, column = place // columns // s, place % columns // s
        window = torch.arange(self.width, device=place.device)
        index = (row * wide + column)[..., None] + (window[:, None] * wide + window).flatten()
        index = index[:, :, None, None].expand(values.shape)
        padded = values.new_zeros(*values.shape[:-1], rows * wide).scatter(-1, index, values)
        before = self._pad[0]
        inside = padded.unflatten(-1, (rows, wide))[
            ..., before : before + self.shape[0], before : before + self.shape[1]
        ]
        return inside.flatten(-2)
