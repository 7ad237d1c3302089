"""`SGWTConv`: one matrix for each band of the spectral graph wavelet transform."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number
from scge_pyg.zoo.operators.sgwt import SGWT

__all__ = ["SGWTConv"]


class SGWTConv(torch.nn.Module):
    r"""A convolution whose filters are sums of wavelets, low pass included.

    .. math::
        \mathbf{Y} = \sum_{j=0}^{J} p_j(L) \mathbf{X} \mathbf{W}_j + \mathbf{b}

    It is ``ChebConv`` of degree ``order`` with J + 1 matrices in place of ``order`` + 1: long reach, few weights. Bands
    are divided by the square root of the upper frame bound, so that together they keep at most the signal's energy.

    Args:
        in_channels: C.
        out_channels: C'.
        graph: The graph.
        num_scales: J.
        bias: Whether to add one.
        **kwargs: Further arguments of :class:`~scge_pyg.zoo.operators.SGWT`.

    Shapes:
        - **input:** :math:`(B, N, C)`, flat :math:`(B N, C)` or one sample :math:`(N, C)`
        - **output:** the same with C'

    Cost: O(order (E + J N) B C + J B N C C').

    Source: note 003, section 16.

    Example:
        >>> layer = SGWTConv(3, 8, SharedGraph.from_grid((6, 7)))
        >>> layer(torch.randn(2, 42, 3)).shape
        torch.Size([2, 42, 8])
    """

    def __init__(
        self, in_channels: int, out_channels: int, graph: SharedGraph, num_scales: int = 4, *, bias: bool = True,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_channels = whole_number("SGWTConv", "in_channels", in_channels, 1)
        self.out_channels = whole_number("SGWTConv", "out_channels", out_channels, 1)
        self.transform = SGWT(graph, num_scales, **kwargs)
        self.lin = torch.nn.Linear((self.transform.num_scales + 1) * self.in_channels, self.out_channels, bias=bias)
        self.scale = self.transform.frame_bounds().upper ** -0.5

    def reset_parameters(self) -> None:
        """Draw the matrices anew."""
        self.lin.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Apply to ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        if isinstance(x, Tensor) and x.dim() and x.shape[-1] != self.in_channels:
            raise ValueError(f"SGWTConv: x must have {self.in_channels} channels, got {list(x.shape)}")
        y: Tensor = self.lin(self.scale * self.transform(x).flatten(-2))
        return y
