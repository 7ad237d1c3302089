"""Sparse as a convolution, but nothing is shared: each pair of neighbours has a weight matrix of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from scge_pyg.graph import SharedGraph
from scge_pyg.models.autoencoders.hierarchy import HierarchicalAutoEncoder
from scge_pyg.nn.kernel import kernel_points
from scge_pyg.nn.tap_table import build_taps

__all__ = ["LocallyConnected", "LocallyConnectedAutoEncoder"]


class LocallyConnected(nn.Module):
    r"""Each target has weight matrices of its own for the sources inside the window of kernel points around it.

    .. math::
        \mathbf{y}_i = \mathbf{b}_i + \sum_{j \in \mathcal{N}(i)} \mathbf{W}_{ij} \mathbf{x}_j

    Cost: :math:`O(B M K C C')` time and :math:`M K C C'` weights for M targets of at most K sources.

    Args:
        in_channels: Channels C of a source.
        out_channels: Channels C' of a target.
        source: Node set of the input.
        target: Node set of the output, in the same frame.
        kernel_size: Extent of the window along each axis, in spacings of the finer node set.
    """

    near: Tensor
    present: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, source: SharedGraph, target: SharedGraph, kernel_size: int
    ) -> None:
        super().__init__()
        taps = build_taps(source, target, kernel_points(kernel_size, source.pos.shape[1]))
        row, col = torch.unique(torch.stack([taps.target, taps.source]), dim=1)
        count = torch.bincount(row, minlength=target.num_nodes)
        column = torch.arange(row.numel()) - (count.cumsum(0) - count)[row]
        near = torch.zeros(target.num_nodes, max(1, int(count.max())), dtype=torch.long)
        present = torch.zeros(near.shape)
        near[row, column], present[row, column] = col, 1.0
        self.register_buffer("near", near, persistent=False)
        self.register_buffer("present", present, persistent=False)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.weight = nn.Parameter(torch.empty(*near.shape, in_channels, out_channels))
        self.bias = nn.Parameter(torch.empty(target.num_nodes, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights of each target as ``nn.Linear`` would from as many inputs."""
        fan_in = self.present.sum(1).clamp_min(1) * self.in_channels
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -1.0, 1.0)
            scale = fan_in.rsqrt().view(-1, *[1] * (parameter.dim() - 1))
            parameter.data.mul_(scale.to(parameter))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, M, C']`` of ``[B, N, C]``."""
        heard = x.transpose(0, 1)[self.near] * self.present.to(x.dtype)[:, :, None, None]
        flat = heard.transpose(1, 2).flatten(2)  # [M, B, K C]
        return torch.baddbmm(self.bias.unsqueeze(1), flat, self.weight.flatten(1, 2)).transpose(0, 1)

    def extra_repr(self) -> str:
        targets, width = self.near.shape
        return f"{self.in_channels}, {self.out_channels}, targets={targets}, window={width}"


class LocallyConnectedAutoEncoder(HierarchicalAutoEncoder):
    r"""The levels and windows of :class:`SCGEAutoEncoder` without weight sharing: locality alone.

    Args:
        graph: The modality, on a lattice or not.
        in_channels: Channels of a node.
        latent: Size of the code.
        channels: Channels of each coarser level. Default: ``(32, 64)``.
        hidden: Width of the dense layer before and after the code. Default: 256.
        kernel_size: Extent of the windows. Default: 4.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** :math:`(B, N, C)`

    Example:
        >>> model = LocallyConnectedAutoEncoder(SharedGraph.from_grid((8, 8)), 1, 4, channels=(3, 5), hidden=32)
        >>> model(torch.rand(2, 64, 1)).shape
        torch.Size([2, 64, 1])
    """

    def __init__(
        self,
        graph: SharedGraph,
        in_channels: int,
        latent: int,
        *,
        channels: Sequence[int] = (32, 64),
        hidden: int = 256,
        kernel_size: int = 4,
    ) -> None:
        layer = partial(_layer, kernel_size=kernel_size)
        super().__init__(graph, in_channels, latent, channels, hidden, layer)


def _layer(
    in_channels: int, out_channels: int, source: SharedGraph, target: SharedGraph, _: int, *, kernel_size: int
) -> nn.Module:
    return LocallyConnected(in_channels, out_channels, source, target, kernel_size)
