"""`SqueezeExcitation`: channels gated by what the whole sample says."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.nn.fixed.pool import NodeMean
from scge_pyg.nn.layer.batching import as_batch, as_given

__all__ = ["SqueezeExcitation"]


class SqueezeExcitation(torch.nn.Module):
    r"""Multiplies each channel by a gate that is read off the means of all channels.

    .. math::
        \mathbf{z}_b = \frac{1}{N} \sum_i \mathbf{x}_{bi}, \qquad
        \mathbf{y}_{bi} = \sigma(\mathbf{W}_2\, \mathrm{ReLU}(\mathbf{W}_1 \mathbf{z}_b + \mathbf{b}_1) + \mathbf{b}_2)
            \odot \mathbf{x}_{bi}

    Means are over the nodes of ``graph`` that are live and, where it has a lattice, placed on it. Apart from that it
    needs no geometry: on a lattice it is the block on images, whatever the order of the nodes.

    Args:
        channels: C.
        graph: Node set of the input.
        reduction: The hidden layer has ``max(1, C // reduction)`` units.

    Shapes:
        - **input and output:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`

    Cost: O(B N C + B C^2 / reduction).

    Source: Hu, Shen, Sun, Squeeze-and-Excitation Networks, CVPR 2018; note 003, section 43.

    Example:
        >>> block = SqueezeExcitation(8, SharedGraph.from_grid((4, 5)), reduction=4)
        >>> block(torch.randn(2, 20, 8)).shape
        torch.Size([2, 20, 8])
    """

    def __init__(self, channels: int, graph: SharedGraph, reduction: int = 16) -> None:
        super().__init__()
        self.channels = whole_number("SqueezeExcitation", "channels", channels, 1)
        self.reduction = whole_number("SqueezeExcitation", "reduction", reduction, 1)
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"SqueezeExcitation: graph must be a SharedGraph, got {type(graph).__name__}")
        self.num_nodes = graph.num_nodes
        self.mean = NodeMean(graph)
        hidden = max(1, self.channels // self.reduction)
        self.squeeze = torch.nn.Linear(self.channels, hidden)
        self.excite = torch.nn.Linear(hidden, self.channels)

    def reset_parameters(self) -> None:
        """Draw both matrices anew."""
        self.squeeze.reset_parameters()
        self.excite.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Gate ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        batch = as_batch(x, self.num_nodes, self.channels, "SqueezeExcitation")
        gate = self.excite(self.squeeze(self.mean(batch)).relu()).sigmoid()
        return as_given(gate[:, None] * batch, x)

    def extra_repr(self) -> str:
        return f"{self.channels}, nodes={self.num_nodes}, reduction={self.reduction}"
