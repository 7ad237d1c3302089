"""Patches of images and space-time patches of videos as nodes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from scge_pyg.transforms.pieces import blocks, checked_count, checked_sample, checked_tensor, join_blocks

__all__ = ["ImageToPatches", "VideoToPatches"]


class ImageToPatches(BaseTransform):
    """Patches in row-major order become nodes: ``[..., C, H, W]`` to ``[..., n, C * h * w]``.

    The channels of a node are its pixels, in the order channel, row, column: those of ``torch.nn.functional.unfold``
    with a stride of the patch's size.

    Takes a tensor, or a PyG ``Data`` whose ``x`` is one image.

    Args:
        patch: Height and width of a patch, or one number for both.

    Raises:
        ValueError: If ``patch`` is no size, or patches don't fill the image.

    Example:
        >>> import torch
        >>> cut = ImageToPatches((2, 5))
        >>> images = torch.rand(8, 3, 4, 10)
        >>> cut(images).shape
        torch.Size([8, 4, 30])
        >>> torch.equal(cut.inverse(cut(images), (4, 10)), images)
        True
    """

    def __init__(self, patch: int | Sequence[int]) -> None:
        self.patch = _size(patch, 2, "ImageToPatches: patch")

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The patches of an image or of a batch of images."""
        if isinstance(data, Data):
            data.x = self.forward(checked_sample(data, "ImageToPatches", "[C, H, W]", 3))
            return data
        return blocks(checked_tensor(data, "ImageToPatches", "[..., C, H, W]", 3), self.patch, "ImageToPatches")

    def inverse(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Images ``[..., C, H, W]`` of ``size`` (H, W) from patches ``[..., n, C * h * w]``."""
        return join_blocks(x, self.patch, size, "ImageToPatches.inverse")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'x'.join(map(str, self.patch))})"


class VideoToPatches(BaseTransform):
    """Space-time patches become nodes: ``[..., T, C, H, W]`` to ``[..., n, C * t * h * w]``.

    Nodes are in the order time, row, column; the channels of a node in the order channel, time, row, column.

    Takes a tensor, or a PyG ``Data`` whose ``x`` is one video.

    Args:
        patch: Frames, height and width of a patch, or one number for all three.

    Raises:
        ValueError: If ``patch`` is no size, or patches don't fill the video.

    Example:
        >>> import torch
        >>> cut = VideoToPatches((2, 4, 4))
        >>> videos = torch.rand(5, 6, 3, 8, 12)
        >>> cut(videos).shape
        torch.Size([5, 18, 96])
        >>> torch.equal(cut.inverse(cut(videos), (6, 8, 12)), videos)
        True
    """

    def __init__(self, patch: int | Sequence[int]) -> None:
        self.patch = _size(patch, 3, "VideoToPatches: patch")

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The patches of a video or of a batch of videos."""
        if isinstance(data, Data):
            data.x = self.forward(checked_sample(data, "VideoToPatches", "[T, C, H, W]", 4))
            return data
        video = checked_tensor(data, "VideoToPatches", "[..., T, C, H, W]", 4)
        return blocks(video.transpose(-4, -3), self.patch, "VideoToPatches")

    def inverse(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Videos ``[..., T, C, H, W]`` of ``size`` (T, H, W) from patches ``[..., n, C * t * h * w]``."""
        return join_blocks(x, self.patch, size, "VideoToPatches.inverse").transpose(-4, -3)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'x'.join(map(str, self.patch))})"


def _size(patch: int | Sequence[int], dim: int, name: str) -> tuple[int, ...]:
    sides = list(patch) if isinstance(patch, Sequence) else [patch] * dim
    if len(sides) != dim:
        raise ValueError(f"{name} must be one number or {dim}, got {patch!r}")
    return tuple(checked_count(side, name) for side in sides)
