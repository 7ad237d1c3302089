"""Images as node sets, and node sets as images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from scge_pyg.graph import Lattice, SharedGraph

__all__ = ["ImageToNodes", "NodesToImage"]


class ImageToNodes(BaseTransform):
    """Pixels in row-major order become nodes: ``[..., C, H, W]`` to ``[..., H * W, C]``.

    Takes a tensor, or a PyG ``Data`` whose ``x`` is one image, ``[C, H, W]`` or ``[1, C, H, W]``.

    Raises:
        ValueError: If there are fewer than three axes, or the ``x`` of a ``Data`` holds several images.

    Example:
        >>> import torch
        >>> ImageToNodes()(torch.rand(8, 3, 4, 5)).shape
        torch.Size([8, 20, 3])
    """

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The node set of an image or of a batch of images."""
        if isinstance(data, Data):
            if data.x is None or (data.x.dim() != 3 and (data.x.dim() != 4 or data.x.shape[0] != 1)):
                came = "nothing" if data.x is None else f"{list(data.x.shape)}"
                raise ValueError(f"ImageToNodes: x of a Data must be one image [C, H, W], got {came}")
            data.x = self.forward(data.x.view(data.x.shape[-3:]))
            return data
        if data.dim() < 3:
            raise ValueError(f"ImageToNodes: an image must be [..., C, H, W], got {list(data.shape)}")
        return data.flatten(-2).transpose(-1, -2)


class NodesToImage(BaseTransform):
    """Nodes become pixels: ``[S, N, C]`` to ``[S, C, H, W]``, and ``[N, C]`` to ``[C, H, W]``.

    The ``x`` of a PyG ``Data`` becomes ``[1, C, H, W]``, so that a batch of them holds ``[B, C, H, W]``.

    Args:
        grid: Where each node belongs: a lattice, a graph that has one, or the shape ``(H, W)`` of nodes in row-major
            order. Any number of axes will do.
        fill: Value of cells that hold no node.

    Raises:
        ValueError: If the graph has no lattice, or the number of nodes doesn't fit.

    Example:
        >>> import torch
        >>> images = torch.rand(8, 3, 4, 5)
        >>> torch.equal(NodesToImage((4, 5))(ImageToNodes()(images)), images)
        True
    """

    def __init__(self, grid: Sequence[int] | Lattice | SharedGraph, fill: float = 0.0) -> None:
        if not isinstance(grid, (Lattice, SharedGraph)):
            grid = SharedGraph.from_grid(grid)
        lattice = grid.lattice if isinstance(grid, SharedGraph) else grid
        if lattice is None:
            raise ValueError("NodesToImage: this graph has no lattice, so its nodes have no pixels to go to")
        self.lattice = lattice
        self.fill = fill

    def forward(self, data: Tensor | Data) -> Tensor | Data:
        """The image of a node set or of a batch of node sets."""
        if isinstance(data, Data):
            data.x = self.lattice.to_grid(data.x.unsqueeze(0), self.fill)
            return data
        return self.lattice.to_grid(data, self.fill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'x'.join(map(str, self.lattice.shape))})"
