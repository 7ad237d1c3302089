"""Images as node sets, and node sets as images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.transforms.pieces import checked_sample, checked_tensor

__all__ = ["ImageToNodes", "NodesToImage"]


class ImageToNodes(BaseTransform):
    """Pixels in row-major order become nodes: ``[..., C, H, W]`` to ``[..., H * W, C]``.

    Takes a tensor, or a PyG ``Data`` whose ``x`` is one image, ``[C, H, W]`` or ``[1, C, H, W]``.

    Args:
        per_channel: Each channel of each pixel is a node of its own, ``[..., C * H * W, 1]``, channel by channel: for
            channels that aren't known to belong together.

    Raises:
        ValueError: If there are fewer than three axes, or the ``x`` of a ``Data`` holds several images.

    Example:
        >>> import torch
        >>> ImageToNodes()(torch.rand(8, 3, 4, 5)).shape
        torch.Size([8, 20, 3])
        >>> ImageToNodes(per_channel=True)(torch.rand(8, 3, 4, 5)).shape
        torch.Size([8, 60, 1])
    """

    def __init__(self, per_channel: bool = False) -> None:
        self.per_channel = per_channel

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The node set of an image or of a batch of images."""
        if isinstance(data, Data):
            data.x = self.forward(checked_sample(data, "ImageToNodes", "[C, H, W]", 3))
            return data
        images = checked_tensor(data, "ImageToNodes", "[..., C, H, W]", 3)
        return images.flatten(-3).unsqueeze(-1) if self.per_channel else images.flatten(-2).transpose(-1, -2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'per_channel=True' if self.per_channel else ''})"


class NodesToImage(BaseTransform):
    """Nodes become pixels: ``[S, N, C]`` to ``[S, C, H, W]``, and ``[N, C]`` to ``[C, H, W]``.

    The ``x`` of a PyG ``Data`` becomes ``[1, C, H, W]``, so that a batch of them holds ``[B, C, H, W]``.

    Args:
        grid: Where each node belongs: a lattice, a graph that has one, or the shape ``(H, W)`` of nodes in row-major
            order. Any number of axes will do.
        fill: Value of cells that hold no node.
        per_channel: Nodes are channels of pixels, as :class:`ImageToNodes` gives them with the same argument.

    Raises:
        ValueError: If the graph has no lattice, or the number of nodes doesn't fit.

    Example:
        >>> import torch
        >>> images = torch.rand(8, 3, 4, 5)
        >>> torch.equal(NodesToImage((4, 5))(ImageToNodes()(images)), images)
        True
    """

    def __init__(
        self, grid: Sequence[int] | Lattice | SharedGraph, fill: float = 0.0, per_channel: bool = False
    ) -> None:
        if not isinstance(grid, (Lattice, SharedGraph)):
            grid = SharedGraph.from_grid(grid)
        lattice = grid.lattice if isinstance(grid, SharedGraph) else grid
        if lattice is None:
            raise ValueError("NodesToImage: this graph has no lattice, so its nodes have no pixels to go to")
        self.lattice = lattice
        self.fill = fill
        self.per_channel = per_channel

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The image of a node set or of a batch of node sets."""
        if isinstance(data, Data):
            data.x = self.forward(data.x.unsqueeze(0))
            return data
        return self.lattice.to_grid(self._by_pixel(data) if self.per_channel else data, self.fill)

    def _by_pixel(self, x: Tensor) -> Tensor:
        """Nodes ``[..., C * N, 1]``, channel by channel, as ``[..., N, C]``."""
        pixels = self.lattice.cell.shape[0]
        if x.dim() < 2 or x.shape[-1] != 1 or x.shape[-2] % pixels:
            raise ValueError(
                f"NodesToImage: with per_channel=True x must be [S, C * {pixels}, 1], one node for each channel of "
                f"{pixels} pixels, got {list(x.shape)}"
            )
        return x.reshape(*x.shape[:-2], -1, pixels).transpose(-1, -2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'x'.join(map(str, self.lattice.shape))})"
