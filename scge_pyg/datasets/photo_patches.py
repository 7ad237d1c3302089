"""Random patches of two photographs: natural images of any size and outline, without a download."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from scge_pyg.datasets.node_dataset import NodeDataset
from scge_pyg.importing import import_extra
from scge_pyg.transforms import ImageToNodes

__all__ = ["PhotoPatches"]

_LUMA = (0.299, 0.587, 0.114)


class PhotoPatches(NodeDataset):
    """Patches at random places of the two photographs (427x640) that ship inside scikit-learn.

    The nodes are the patch's pixels in row-major order, those of ``mask``, or values interpolated bilinearly between
    pixels at ``points``. The label says which photograph a patch was cut from.

    Args:
        height: Rows of a patch.
        width: Columns of a patch.
        num_samples: Number of patches.
        seed: Determines the places.
        gray: One channel of luma (ITU-R BT.601) instead of three colours.
        mask: Pixels to keep, ``[height, width]`` bool: discs, L-shapes, holes.
        points: Places ``[N, 2]`` as (row, column) within the patch, for irregular node sets; ``cells`` is None then
            and ``pos`` holds the points.
        transform: Applied to each ``Data`` on access.

    Raises:
        ImportError: Without the extra ``demo``.
        ValueError: If the patch doesn't fit into the photographs, or ``mask`` or ``points`` don't fit the patch.

    Example:
        >>> import torch
        >>> ds = PhotoPatches(8, 12, num_samples=100)
        >>> ds.x.shape, ds.cells.shape
        (torch.Size([100, 96, 1]), torch.Size([96, 2]))
        >>> PhotoPatches(8, 8, 10, points=torch.tensor([[0.5, 1.25], [3.0, 7.0]])).x.shape
        torch.Size([10, 2, 1])
    """

    def __init__(
        self,
        height: int = 32,
        width: int = 32,
        num_samples: int = 5000,
        seed: int = 0,
        gray: bool = True,
        mask: Tensor | None = None,
        points: Tensor | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        photos = _photographs(gray)
        tall, wide = photos.shape[2:]
        if not (1 <= height <= tall and 1 <= width <= wide):
            raise ValueError(
                f"PhotoPatches: a patch may have 1..{tall} rows and 1..{wide} columns, got {height}x{width}"
            )
        if num_samples < 1:
            raise ValueError(f"PhotoPatches: num_samples must be at least 1, got {num_samples}")
        if mask is not None and points is not None:
            raise ValueError("PhotoPatches: give mask or points, not both")
        if mask is not None and (mask.shape != (height, width) or mask.dtype != torch.bool or not mask.any()):
            raise ValueError(
                f"PhotoPatches: mask must be bool [{height}, {width}] with a pixel to keep, "
                f"got {mask.dtype} {list(mask.shape)}"
            )
        generator = torch.Generator().manual_seed(seed)
        which, top, left = (
            torch.randint(size, (num_samples,), generator=generator)
            for size in (2, tall - height + 1, wide - width + 1)
        )
        windows = np.lib.stride_tricks.sliding_window_view(photos.numpy(), (height, width), axis=(2, 3))
        patches = torch.from_numpy(windows[which.numpy(), :, top.numpy(), left.numpy()])
        x = ImageToNodes()(patches)
        cells = torch.cartesian_prod(torch.arange(height), torch.arange(width))
        if points is not None:
            x = _interpolated(x, points.float(), height, width)
            super().__init__(x, which, None, points.float(), transform)
        else:
            kept = slice(None) if mask is None else mask.flatten()
            super().__init__(x[:, kept].contiguous(), which, cells[kept], transform=transform)


def _photographs(gray: bool) -> Tensor:
    """Both photographs, ``[2, C, H, W]`` in [0, 1]."""
    import_extra("PIL", "demo", "PhotoPatches")
    images = import_extra("sklearn.datasets", "demo", "PhotoPatches").load_sample_images().images
    photos = torch.from_numpy(np.stack(images)).float().div_(255).permute(0, 3, 1, 2)
    return (photos * torch.tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True) if gray else photos


def _interpolated(x: Tensor, points: Tensor, height: int, width: int) -> Tensor:
    """Values of row-major pixels ``[S, height * width, C]`` at ``points``."""
    last = torch.tensor([height - 1, width - 1])
    if points.dim() != 2 or points.shape[1] != 2 or not bool(((points >= 0) & (points <= last)).all()):
        raise ValueError(
            f"PhotoPatches: points must be [N, 2] within 0..{height - 1} rows and 0..{width - 1} columns, "
            f"got {list(points.shape)}; scale or shift them into the patch"
        )
    corner = points.floor().long()
    fraction = points - corner
    result = x.new_zeros(x.shape[0], points.shape[0], x.shape[2])
    for step in torch.cartesian_prod(torch.arange(2), torch.arange(2)):
        weight = torch.where(step.bool(), fraction, 1 - fraction).prod(1, keepdim=True)
        row, col = torch.minimum(corner + step, last).unbind(1)
        result += weight * x[:, row * width + col]
    return result
