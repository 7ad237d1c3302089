"""`SimpleView`: six depth images of a point cloud, and a small residual network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scge_pyg.graph.checks import whole_number

__all__ = ["SimpleView", "depth_images"]

_VIEWS = ((0, 1, 2), (1, 0, 2), (2, 0, 1))  # axis to look along, and those of the image


def depth_images(pos: Tensor, resolution: int) -> Tensor:
    r"""How near the nearest point of each pixel is, along both ways of each axis: ``[B, 6, resolution, resolution]``.

    The cloud is moved to its centre and scaled to fit the cube :math:`[-1, 1]^3`. A pixel has :math:`1 - \text{depth}
    / 2`, from 1 for a point at the near side to 0 for one at the far side, where :math:`1 / \text{resolution}` is
    added so that an empty pixel, 0, differs from it. Views: along x, against x, y, against y, z, against z; against an
    axis the image isn't mirrored.

    Args:
        pos: Points ``[B, P, 3]``.
        resolution: Pixels a side.

    Cost: O(B P + B resolution^2).

    Source: Goyal and others (2021) project in perspective; these are parallel projections.

    Example:
        >>> depth_images(torch.tensor([[[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]]), 2)[0, 4:].amax((1, 2))
        tensor([1.5000, 1.5000])
    """
    if not isinstance(pos, Tensor) or pos.dim() != 3 or pos.shape[2] != 3 or not pos.is_floating_point():
        got = f"{pos.dtype} {list(pos.shape)}" if isinstance(pos, Tensor) else type(pos).__name__
        raise ValueError(f"depth_images: pos must be float [B, P, 3], got {got}")
    if not pos.shape[1] or not bool(torch.isfinite(pos).all()):
        raise ValueError(
            "depth_images: pos must be finite and hold at least one point a cloud; leave missing points out"
        )
    low, high = pos.amin(1, keepdim=True), pos.amax(1, keepdim=True)
    extent = (high - low).amax(2, keepdim=True).clamp_min(torch.finfo(pos.dtype).tiny)
    moved = (2 * (pos - (low + high) / 2) / extent).clamp(-1, 1)
    cell = ((moved + 1) / 2 * resolution).long().clamp_max(resolution - 1)
    images = pos.new_zeros(len(pos), 6, resolution * resolution)
    for number, (along, row, column) in enumerate(_VIEWS):
        pixel = cell[..., row] * resolution + cell[..., column]
        for way, sign in enumerate((1, -1)):
            near = (1 + sign * moved[..., along]) / 2 + 1 / resolution
            images[:, 2 * number + way].scatter_reduce_(1, pixel, near, "amax")
    return images.unflatten(2, (resolution, resolution))


class SimpleView(nn.Module):
    r"""Classifies point clouds by a residual network on six depth images, which share its weights.

    The network is ResNet18 with a quarter of the filters (``width`` 16 in place of 64); features of the views are
    concatenated.

    Args:
        num_classes: Classes.
        resolution: Pixels a side.
        width: Filters of the first stage.

    Shapes:
        - **input:** points :math:`(B, P, 3)`, in any order and number
        - **output:** scores :math:`(B, K)`

    Source: Goyal, Law, Liu, Newell, Deng, Revisiting Point Cloud Shape Classification with a Simple and Effective
    Baseline, ICML 2021; note 003, section 22.

    Example:
        >>> SimpleView(4, resolution=16, width=4)(torch.randn(2, 50, 3)).shape
        torch.Size([2, 4])
    """

    def __init__(self, num_classes: int, resolution: int = 32, width: int = 16) -> None:
        super().__init__()
        self.num_classes = whole_number("SimpleView", "num_classes", num_classes, 1)
        self.resolution = whole_number("SimpleView", "resolution", resolution, 4)
        width = whole_number("SimpleView", "width", width, 1)
        stages: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        for stage in range(4):
            wide = width * 2**stage
            stages += [_Block(max(width, wide // 2), wide, 1 if stage == 0 else 2), _Block(wide, wide, 1)]
        self.backbone = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(6 * width * 8, self.num_classes)

    def forward(self, pos: Tensor) -> Tensor:
        """Scores of clouds ``[B, P, 3]``."""
        images = depth_images(pos, self.resolution)
        features = self.backbone(images.flatten(0, 1).unsqueeze(1))
        scores: Tensor = self.head(features.view(len(pos), -1))
        return scores


class _Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        same = stride == 1 and in_channels == out_channels
        projected = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
        )
        self.shortcut = nn.Identity() if same else projected

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = (self.layers(x) + self.shortcut(x)).relu()
        return y
