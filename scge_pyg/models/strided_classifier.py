"""A classifier whose levels are strided layers: on a lattice, on places, or on places that are learned."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.models.autoencoders.hierarchy import node_levels, regroup, spaced
from scge_pyg.nn import NodeBatchNorm, NodeEmbedding, SCGEConv
from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.layer.batching import as_batch

__all__ = ["StridedClassifier"]


class StridedClassifier(Tabled):
    r"""A strided :class:`SCGEConv`, batch normalisation and ReLU for each level, then one linear layer.

    As every level is reached by places alone, they may be learned: with a :class:`NodeEmbedding` the coarse levels are
    k-means centres, which :meth:`regroup` renews. On a lattice :func:`scge_pyg.lower_to_conv` makes it a network of
    ``nn.Conv2d(kernel_size, stride=2)`` and ``BatchNorm2d``.

    Args:
        in_channels: Channels of a node.
        num_classes: Number of classes.
        nodes: The modality.
        channels: Channels of each coarser level. Default: ``(32, 64, 128)``.
        kernel_size: Taps along each axis, even, so that those of a coarse node in the middle of its block meet cells.
            Default: 4.
        **options: Further arguments of :class:`SCGEConv`. Default for a table: ``neighbors="support"``.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** logits :math:`(B, \text{classes})`

    Raises:
        ValueError: If ``kernel_size`` is odd.

    Example:
        >>> import torch
        >>> model = StridedClassifier(3, 10, NodeEmbedding(64, 2), channels=(8, 16))
        >>> model(torch.randn(2, 64, 3)).shape
        torch.Size([2, 10])
    """

    active: Tensor

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        nodes: SharedGraph | NodeEmbedding,
        *,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 4,
        **options: Any,
    ) -> None:
        super().__init__()
        if kernel_size < 2 or kernel_size % 2:
            raise ValueError(f"StridedClassifier: kernel_size must be even and at least 2, got {kernel_size}")
        self.num_nodes, self.in_channels = nodes.num_nodes, in_channels
        active, self.levels = node_levels(nodes, len(channels))
        self.register_table("active", active)
        self.whole = bool(active.all())
        if isinstance(nodes, NodeEmbedding):
            options = {"neighbors": "support", **options}
        layers: list[torch.nn.Module] = []
        for level, (ends, width) in enumerate(zip(pairwise(self.levels), channels, strict=True)):
            conv = SCGEConv(in_channels, width, spaced(*ends, level), kernel_size=kernel_size, bias=False, **options)
            layers += [conv, NodeBatchNorm(width, ends[1]), torch.nn.ReLU()]
            in_channels = width
        self.body = torch.nn.Sequential(*layers)
        self.head = torch.nn.Linear(self.levels[-1].num_nodes * in_channels, num_classes)

    def regroup(self) -> None:
        """Place the coarse levels of a :class:`NodeEmbedding` anew (:func:`regroup`)."""
        regroup(self, self.levels)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]``."""
        batch = as_batch(x, self.num_nodes, self.in_channels, "StridedClassifier")
        batch = batch if self.whole else batch[:, self.active]
        logits: Tensor = self.head(self.body(batch).flatten(1))
        return logits
