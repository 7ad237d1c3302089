r"""Content scores: how much a target wants to hear a source, from their features.

They join the score of the places inside the softmax, so that the graph stays the modality's and the weights become the
sample's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.nn.fixed.entries import pair_entries, suits
from scge_pyg.nn.fixed.sparse_products import pair_products

__all__ = ["CONTENT", "ContentScore", "gathered"]

CONTENT = ("gat", "gatv2", "dot")


def gathered(x: Tensor, index: Tensor | None) -> Tensor:
    """Values ``[B, N_t, K, ...]`` of the neighbours ``index [N_t, K]`` of ``x [B, N_s, ...]``; all sources for None."""
    return x.unsqueeze(1) if index is None else x[:, index]


def _each(x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    """Products of ``x [B, N, C]`` with the matrices ``[H, C, F]`` of each head, plus bias ``[H, 1, F]``."""
    flat = x.flatten(0, 1).expand(len(matrix), -1, -1)
    return torch.baddbmm(bias, flat, matrix).unflatten(1, x.shape[:2])


class ContentScore(torch.nn.Module):
    r"""Score of each neighbour and head from the features of both ends.

    .. math::
        \text{gat:}\quad & s_{ij}^h =
            \mathrm{LeakyReLU}(\mathbf{a}_h^{\top} \mathbf{x}_j + \mathbf{b}_h^{\top} \mathbf{x}_i) \\
        \text{gatv2:}\quad & s_{ij}^h = \mathbf{a}_h^{\top}\,
            \mathrm{LeakyReLU}(\mathbf{A}_h \mathbf{x}_j + \mathbf{B}_h \mathbf{x}_i + \mathbf{c}_h) \\
        \text{dot:}\quad & s_{ij}^h = (\mathbf{B}_h \mathbf{x}_i + \mathbf{c}_h)^{\top}
            (\mathbf{A}_h \mathbf{x}_j + \mathbf{d}_h) / \sqrt{F}

    as in Veličković et al. (2018), Brody et al. (2022) and Vaswani et al. (2017). In ``gat`` the vectors stand for the
    product of that paper's attention vectors and weight matrix, which is the same function.

    Args:
        kind: ``"gat"``, ``"gatv2"`` or ``"dot"``.
        in_channels: Channels C of the features.
        heads: Heads H.
        head_channels: Channels F of a head's projection; ``gat`` needs none.
        negative_slope: Slope of LeakyReLU below zero.

    Shapes:
        - **input:** source features :math:`(B, N_s, C)`, target features :math:`(B, N_t, C)`, neighbours
          :math:`(N_t, K)` or None for all sources
        - **output:** scores :math:`(B, N_t, K, H)`
    """

    def __init__(
        self, kind: str, in_channels: int, heads: int, head_channels: int, negative_slope: float = 0.2
    ) -> None:
        super().__init__()
        if kind not in CONTENT:
            raise ValueError(f"content must be one of {CONTENT} or None, got {kind!r}")
        self.kind, self.heads, self.negative_slope = kind, heads, negative_slope
        width = heads if kind == "gat" else heads * head_channels
        self.source = torch.nn.Linear(in_channels, width, bias=kind == "dot")
        self.target = torch.nn.Linear(in_channels, width, bias=kind != "gat")
        self.vector = torch.nn.Parameter(torch.empty(heads, head_channels)) if kind == "gatv2" else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot's start for projections and vectors, zero for biases."""
        for linear in (self.source, self.target):
            torch.nn.init.xavier_uniform_(linear.weight)
            if linear.bias is not None:
                torch.nn.init.zeros_(linear.bias)
        if self.vector is not None:
            torch.nn.init.xavier_uniform_(self.vector)

    def forward(self, source: Tensor, target: Tensor, index: Tensor | None) -> Tensor:
        """Scores ``[B, N_t, K, H]``."""
        if self.kind == "dot" and index is not None and suits(source):
            return self._products(source, target, index)
        key = self.source(source).unflatten(-1, (self.heads, -1))
        query = self.target(target).unflatten(-1, (self.heads, -1))
        if self.kind == "dot":
            query = query / math.sqrt(query.shape[-1])
            if index is None:
                return torch.einsum("bihf,bjhf->bijh", query, key)
            return (query.unsqueeze(2) * gathered(key, index)).sum(-1)
        hidden = F.leaky_relu(gathered(key, index) + query.unsqueeze(2), self.negative_slope)
        return hidden.squeeze(-1) if self.vector is None else (hidden * self.vector).sum(-1)

    def _products(self, source: Tensor, target: Tensor, index: Tensor) -> Tensor:
        """The scores of ``dot``, without gathered keys.

        Features that are no wider than their keys stand for these: the queries take the keys' matrices, and the keys'
        biases add the same to all scores of a target.
        """
        across, bias = (tensor.unflatten(0, (self.heads, -1)) for tensor in (self.source.weight, self.source.bias))
        into, own = (tensor.unflatten(0, (self.heads, -1)) for tensor in (self.target.weight, self.target.bias))
        into, own = into / math.sqrt(into.shape[1]), own.unsqueeze(1) / math.sqrt(into.shape[1])
        alike = source.shape[2] <= across.shape[1]
        matrix, offset = (into.mT @ across, own @ across) if alike else (into.mT, own)
        query = _each(target, matrix, offset)
        key = source.unsqueeze(0) if alike else _each(source, across.mT, bias.unsqueeze(1))
        scores = pair_products(query, key, pair_entries(index, source.shape[1]))
        if alike:
            shared = _each(target, into.mT @ bias.unsqueeze(2), own @ bias.unsqueeze(2))  # [H, B, N, 1]
            scores = scores + shared.transpose(0, 1).expand(-1, -1, -1, index.shape[1]).flatten(2)
        return scores.unflatten(2, index.shape).permute(0, 2, 3, 1)

    def extra_repr(self) -> str:
        return f"{self.kind!r}, heads={self.heads}"
