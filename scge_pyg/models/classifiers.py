"""Small classifiers of samples over a node set: on a shared graph, and the baselines they are compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import ClusterPool, NodeBatchNorm, SCGEConv
from scge_pyg.nn.layer.batching import as_batch

__all__ = ["GridCNN", "NodeMLP", "SCGEClassifier"]


class SCGEClassifier(torch.nn.Module):
    r"""Convolution, batch normalisation, ReLU and 2x max pooling per level, then one linear layer.

    Levels are ``graph.coarsen(stride=2)``. With a lattice, :func:`scge_pyg.lower_to_conv` turns the whole body into one
    dense grid: on a full grid this is :class:`GridCNN` with the same weights. Without one, the nodes of a level are
    k-means centres of the coordinates, and nothing is ever snapped to a grid.

    Args:
        in_channels: Channels of a node.
        num_classes: Number of classes.
        graph: The modality's graph.
        channels: Output channels of each level. Default: ``(32, 64, 128)``.
        kernel_size: Taps along each axis. Default: 3.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** logits :math:`(B, \text{classes})`

    Example:
        >>> import torch
        >>> from scge_pyg import SharedGraph
        >>> model = SCGEClassifier(3, 10, SharedGraph.from_grid((16, 16)), channels=(8, 16))
        >>> model(torch.randn(2, 256, 3)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        graph: SharedGraph,
        *,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        self.num_nodes, self.in_channels = graph.num_nodes, in_channels
        layers: list[torch.nn.Module] = []
        for width in channels:
            coarse, cluster = graph.coarsen(stride=2)
            layers += [
                SCGEConv(in_channels, width, graph, kernel_size=kernel_size, bias=False),
                NodeBatchNorm(width, graph),
                torch.nn.ReLU(),
                ClusterPool(graph, coarse, cluster, "max"),
            ]
            graph, in_channels = coarse, width
        self.body = torch.nn.Sequential(*layers)
        self.head = torch.nn.Linear(graph.num_nodes * in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]``."""
        batch = as_batch(x, self.num_nodes, self.in_channels, "SCGEClassifier")
        logits: Tensor = self.head(self.body(batch).flatten(1))
        return logits


class GridCNN(torch.nn.Module):
    r"""The same network for nodes that are known to be the row-major pixels of a grid.

    Args:
        in_channels: Channels of a node.
        num_classes: Number of classes.
        shape: Extent of the grid, for instance ``(32, 32)``.
        channels: Output channels of each level. Default: ``(32, 64, 128)``.
        kernel_size: Taps along each axis, odd. Default: 3.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** logits :math:`(B, \text{classes})`

    Example:
        >>> import torch
        >>> GridCNN(3, 10, (16, 16), channels=(8, 16))(torch.randn(2, 256, 3)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        shape: tuple[int, int],
        *,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"GridCNN: kernel_size must be odd, so that the grid keeps its shape, got {kernel_size}")
        self.shape, self.in_channels = shape, in_channels
        layers: list[torch.nn.Module] = []
        for width in channels:
            layers += [
                torch.nn.Conv2d(in_channels, width, kernel_size, padding=kernel_size // 2, bias=False),
                torch.nn.BatchNorm2d(width),
                torch.nn.ReLU(),
                torch.nn.MaxPool2d(2, ceil_mode=True),
            ]
            in_channels = width
        self.body = torch.nn.Sequential(*layers)
        cells = math.prod(-(-n // 2 ** len(channels)) for n in shape)
        self.head = torch.nn.Linear(cells * in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]``."""
        batch = as_batch(x, math.prod(self.shape), self.in_channels, "GridCNN")
        grid = self.body(batch.unflatten(1, self.shape).movedim(-1, 1))
        logits: Tensor = self.head(grid.movedim(1, -1).flatten(1))
        return logits


class NodeMLP(torch.nn.Module):
    r"""Linear layers with batch normalisation and ReLU on all values of a sample, blind to any geometry.

    Args:
        in_channels: Channels of a node.
        num_classes: Number of classes.
        num_nodes: Number of nodes N.
        hidden: Widths of the hidden layers. Default: ``(512, 256)``.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** logits :math:`(B, \text{classes})`

    Example:
        >>> import torch
        >>> NodeMLP(3, 10, num_nodes=256)(torch.randn(2, 256, 3)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, in_channels: int, num_classes: int, num_nodes: int, *, hidden: Sequence[int] = (512, 256)
    ) -> None:
        super().__init__()
        self.num_nodes, self.in_channels = num_nodes, in_channels
        layers: list[torch.nn.Module] = []
        width = num_nodes * in_channels
        for following in hidden:
            layers += [
                torch.nn.Linear(width, following, bias=False),
                torch.nn.BatchNorm1d(following),
                torch.nn.ReLU(),
            ]
            width = following
        self.body = torch.nn.Sequential(*layers)
        self.head = torch.nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]``."""
        batch = as_batch(x, self.num_nodes, self.in_channels, "NodeMLP")
        logits: Tensor = self.head(self.body(batch.flatten(1)))
        return logits
