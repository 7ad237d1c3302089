"""Voxel volumes and windows of videos as nodes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from scge_pyg.transforms.pieces import checked_count, checked_sample, checked_tensor, overlap_mean, windows

__all__ = ["VideoToNodes", "VolumeToNodes"]


class VolumeToNodes(BaseTransform):
    """Voxels in row-major order become nodes: ``[..., C, D, H, W]`` to ``[..., D * H * W, C]``.

    Takes a tensor, or a PyG ``Data`` whose ``x`` is one volume, ``[C, D, H, W]`` or ``[1, C, D, H, W]``. The way back
    is ``NodesToImage((D, H, W))``.

    Raises:
        TypeError: If it is no tensor.
        ValueError: If there are fewer than four axes.

    Example:
        >>> import torch
        >>> from scge_pyg.transforms import NodesToImage
        >>> volumes = torch.rand(8, 2, 3, 4, 5)
        >>> nodes = VolumeToNodes()(volumes)
        >>> nodes.shape
        torch.Size([8, 60, 2])
        >>> torch.equal(NodesToImage((3, 4, 5))(nodes), volumes)
        True
    """

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The node set of a volume or of a batch of volumes."""
        if isinstance(data, Data):
            data.x = self.forward(checked_sample(data, "VolumeToNodes", "[C, D, H, W]", 4))
            return data
        return checked_tensor(data, "VolumeToNodes", "[..., C, D, H, W]", 4).flatten(-3).transpose(-1, -2)


class VideoToNodes(BaseTransform):
    """Windows of frames become samples, their pixels nodes: ``[..., T, C, H, W]`` to ``[..., S, length * H * W, C]``.

    Nodes are in the order time, row, column. With ``length=1`` the frames are the samples and the pixels the nodes.

    Args:
        length: Frames of a window.
        hop: Frames from one window to the next. Default: ``length``, windows side by side.

    Raises:
        TypeError: If the video is no tensor.
        ValueError: If a window is longer than the video.

    Example:
        >>> import torch
        >>> cut = VideoToNodes(4, hop=2)
        >>> video = torch.rand(10, 3, 6, 7)
        >>> cut(video).shape
        torch.Size([4, 168, 3])
        >>> torch.equal(cut.inverse(cut(video), (6, 7)), video)
        True
    """

    def __init__(self, length: int, hop: int | None = None) -> None:
        self.length = checked_count(length, "VideoToNodes: length")
        self.hop = self.length if hop is None else checked_count(hop, "VideoToNodes: hop")

    def forward(self, video: Tensor) -> Tensor:
        """The windows of a video or of a batch of videos of the same size."""
        video = checked_tensor(video, "VideoToNodes", "[..., T, C, H, W]", 4)
        cut = windows(video.movedim(-4, -1), self.length, self.hop, "VideoToNodes")  # [..., C, H, W, S, length]
        return cut.movedim((-2, -1, -5), (-5, -4, -1)).flatten(-4, -2)

    def inverse(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """The video ``[..., T, C, H, W]`` of ``size`` (H, W); overlaps are averaged.

        A rest at the end that filled no window lacks.

        Raises:
            ValueError: If windows leave gaps (``hop > length``), or don't fit the size.
        """
        height, width = size
        if x.dim() < 3 or x.shape[-2] != self.length * height * width:
            raise ValueError(
                f"VideoToNodes.inverse: x must be [..., S, {self.length * height * width}, C] for windows of "
                f"{self.length} frames of {height}x{width}, got {list(x.shape)}"
            )
        cut = x.unflatten(-2, (self.length, height, width)).movedim((-5, -4, -1), (-2, -1, -5))
        return overlap_mean(cut, self.hop, "VideoToNodes.inverse").movedim(-1, -4)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(length={self.length}, hop={self.hop})"
