"""Sparse as a convolution, but nothing is shared: each pair of neighbours has a weight matrix of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from scge_pyg.graph import SharedGraph
from scge_pyg.models.autoencoders.hierarchy import HierarchicalAutoEncoder
from scge_pyg.nn.fixed.neighborhood import edge_table
from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.fixed.tap_table import build_taps
from scge_pyg.nn.layer.kernel import kernel_points

__all__ = ["LocallyConnected", "LocallyConnectedAutoEncoder"]


class LocallyConnected(Tabled):
    r"""Each target has weight matrices of its own for the sources inside the window of kernel points around it.

    .. math::
        \mathbf{y}_i = \mathbf{b}_i + \sum_{j \in \mathcal{N}(i)} \mathbf{W}_{ij} \mathbf{x}_j

    The weights are kept, and the products taken, at the end with fewer nodes: for each of its M nodes those of its K
    partners, or fewer, of the other end.

    Cost: :math:`O(B M K C C')` time and :math:`M K C C'` weights.

    Args:
        in_channels: Channels C of a source.
        out_channels: Channels C' of a target.
        source: Node set of the input.
        target: Node set of the output, in the same frame.
        kernel_size: Extent of the window along each axis, in spacings of the finer node set.
    """

    near: Tensor
    present: Tensor
    fan_in: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, source: SharedGraph, target: SharedGraph, kernel_size: int
    ) -> None:
        super().__init__()
        taps = build_taps(source, target, kernel_points(kernel_size, source.pos.shape[1]))
        target_of, source_of = torch.unique(torch.stack([taps.target, taps.source]), dim=1)
        self.num_targets, self.at_targets = target.num_nodes, target.num_nodes <= source.num_nodes
        ends = (source_of, target_of) if self.at_targets else (target_of, source_of)
        near, present = edge_table(torch.stack(ends), min(target.num_nodes, source.num_nodes))
        fan_in = torch.bincount(target_of, minlength=target.num_nodes).clamp_min(1) * in_channels
        self.register_table("near", near)
        self.register_table("present", present)
        self.register_table("fan_in", fan_in)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.weight = nn.Parameter(torch.empty(*near.shape, in_channels, out_channels))
        self.bias = nn.Parameter(torch.empty(target.num_nodes, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights of each target as ``nn.Linear`` would from as many inputs."""
        bound = self.fan_in.to(self.weight.dtype).rsqrt().unsqueeze(1)
        of_weight = bound.unsqueeze(2) if self.at_targets else bound[self.near]
        for parameter, scale in ((self.weight, of_weight.unsqueeze(-1)), (self.bias, bound)):
            nn.init.uniform_(parameter, -1.0, 1.0)
            parameter.data.mul_(scale.to(parameter.device))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, M, C']`` of ``[B, N, C]``."""
        nodes = x.transpose(0, 1)
        weight = torch.where(self.present[:, :, None, None], self.weight, 0)
        if self.at_targets:
            heard = nodes.index_select(0, self.near.flatten()).unflatten(0, self.near.shape)
            flat = heard.transpose(1, 2).flatten(2)  # [M, B, K C]
            return torch.baddbmm(self.bias.unsqueeze(1), flat, weight.flatten(1, 2)).transpose(0, 1)
        told = nodes @ weight.transpose(1, 2).flatten(2)  # [M, B, K C']
        told = told.unflatten(2, (self.near.shape[1], -1)).transpose(1, 2).flatten(0, 1)
        bias = self.bias.to(told.dtype).unsqueeze(1).expand(-1, len(x), -1)
        return bias.index_add(0, self.near.flatten(), told).transpose(0, 1)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, targets={self.num_targets}, window={self.near.shape[1]}"


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
