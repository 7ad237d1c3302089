"""The autoencoder of the package: it is told nothing about its nodes but their places, found or learned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from scge_pyg.graph import SharedGraph
from scge_pyg.models.autoencoders.hierarchy import HierarchicalAutoEncoder, coarsened, regroup, spaced
from scge_pyg.nn import ClusterPool, ClusterUnpool, NodeEmbedding, SCGEConv
from scge_pyg.nn.fixed.neighbor_attention import NeighborAttention

__all__ = ["SCGEAutoEncoder"]

_TAU = 8.0  # of the score of places, in squared spacings: wide enough for all taps to be heard


class SCGEAutoEncoder(HierarchicalAutoEncoder):
    r"""Strided :class:`SCGEConv` layers down to a dense bottleneck, and transposed ones back.

    * ``SCGEAutoEncoder(discover(x), ...)`` on a lattice: :func:`scge_pyg.lower_to_conv` turns it into dense
      convolutions; on a full grid it is :class:`ConvAutoEncoder` with the same weights.
    * ``discover(x, snap=False)``: coordinates alone, coarser levels by k-means, taps interpolated.
    * a :class:`NodeEmbedding`: places learned from the task and, beside it, from :class:`scge_pyg.HebbianLoss`;
      :meth:`regroup` renews the coarse levels while the places travel.
    * ``content="dot"`` (or another score), on a graph: the weights of the neighbours become the sample's. A coarse node
      asks with the mean of its block, a fine node with the value of the block it is in.

    Args:
        nodes: The modality.
        in_channels: Channels of a node.
        latent: Size of the code.
        channels: Channels of each coarser level. Default: ``(32, 64)``.
        hidden: Width of the dense layer before and after the code. Default: 256.
        kernel_size: Taps along each axis, a multiple of 2. Default: 4.
        content: Score of features for :class:`SCGEConv`. Default: none.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **code:** :math:`(B, \text{latent})`
        - **output:** :math:`(B, N, C)`

    Raises:
        ValueError: If ``kernel_size`` is odd, an embedding comes with ``content``, or ``latent`` exceeds :math:`N C`.

    Example:
        >>> import torch
        >>> model = SCGEAutoEncoder(SharedGraph.from_grid((8, 8)), 1, 4, channels=(8, 16), hidden=32)
        >>> model.encode(torch.rand(3, 64, 1)).shape, model(torch.rand(3, 64, 1)).shape
        (torch.Size([3, 4]), torch.Size([3, 64, 1]))
    """

    def __init__(
        self,
        nodes: SharedGraph | NodeEmbedding,
        in_channels: int,
        latent: int,
        *,
        channels: Sequence[int] = (32, 64),
        hidden: int = 256,
        kernel_size: int = 4,
        content: str | None = None,
    ) -> None:
        if kernel_size < 2 or kernel_size % 2:
            raise ValueError(
                f"SCGEAutoEncoder: kernel_size must be even and at least 2, so that the taps of a coarse node in the "
                f"middle of its block meet cells, got {kernel_size}"
            )
        if content is not None and isinstance(nodes, NodeEmbedding):
            raise ValueError(
                f"SCGEAutoEncoder: content={content!r} needs nodes with fixed blocks, a SharedGraph, "
                f"got a NodeEmbedding"
            )
        layer = partial(_layer, kernel_size=kernel_size, content=content)
        super().__init__(nodes, in_channels, latent, channels, hidden, layer)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Parameters with their learning rates: those of layers whose attention weights sum to 1 are larger.

        The matrices of such layers start larger by ``SCGEConv.gain``, while Adam's steps don't grow with what they
        change. Their rate is larger by the root of it: on a true grid that trains them as fast as interpolated taps,
        while the whole factor diverged.
        """
        fast = {
            layer.weight: lr * math.sqrt(layer.gain)
            for layer in self.modules()
            if isinstance(layer, SCGEConv) and isinstance(layer.product, NeighborAttention) and not layer.product.means
        }
        rest = [parameter for parameter in self.parameters() if parameter not in fast]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": lr}]
        return groups + [{"params": [weight], "lr": rate} for weight, rate in fast.items()]

    def regroup(self) -> None:
        """Place the coarse levels of a :class:`NodeEmbedding` anew (:func:`regroup`)."""
        regroup(self, self.levels)


class _WithContent(nn.Module):
    """A layer between two levels whose targets ask with the features of their blocks."""

    def __init__(self, conv: SCGEConv, resample: nn.Module) -> None:
        super().__init__()
        self.conv, self.resample = conv, resample

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv((x, self.resample(x)))
        return y


def _draw_as_transposed(conv: SCGEConv, dim: int) -> None:
    """Start a layer towards more nodes as ``nn.ConvTranspose2d`` does, whose bound looks at the outputs.

    The last layer, of few channels, starts louder than others, as in the convolutional autoencoder, which the lattice
    form equals.
    """
    bound = 1 / math.sqrt(conv.out_channels * conv.product.taps)
    assert conv.bias is not None
    nn.init.uniform_(conv.bias, -bound, bound)
    if isinstance(conv.product, NeighborAttention):
        bound *= conv.gain / 2 ** (dim / 2)  # of its taps, one in two along each axis meets a node
    nn.init.uniform_(conv.weight, -bound, bound)


def _layer(
    in_channels: int, out_channels: int, source: Any, target: Any, level: int, *, kernel_size: int, content: str | None
) -> nn.Module:
    options: dict[str, Any] = {"kernel_size": kernel_size, "content": content}
    strided = source.num_nodes > target.num_nodes
    if isinstance(source, NodeEmbedding):
        options["neighbors"] = "support"  # what a fixed geometry computes at the same places
    elif content is not None and source.lattice is None:
        # on a lattice the nearest are often tied, and its layer hears the whole support
        window = (kernel_size if strided else kernel_size // 2) ** source.dim
        options |= {"k": min(window, int(source.live.sum())), "tau": _TAU}
    conv = SCGEConv(in_channels, out_channels, spaced(source, target, level), **options)
    if not strided:
        _draw_as_transposed(conv, source.dim)
    if content is None:
        return conv
    fine, coarse = (source, target) if strided else (target, source)
    _, cluster = coarsened(fine)
    resample = ClusterPool(fine, coarse, cluster, "mean") if strided else ClusterUnpool(fine, coarse, cluster)
    return _WithContent(conv, resample)
