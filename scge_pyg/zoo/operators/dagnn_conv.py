"""`DAGNNConv`: many hops at once, each node choosing how far it looks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from scge_pyg.graph.checks import whole_number

__all__ = ["DAGNNConv"]


class DAGNNConv(MessagePassing):
    r"""Propagation without transformation, and a gate for each hop of each node.

    .. math::
        \mathbf{H}_\ell = \hat{\mathbf{A}}^\ell \mathbf{Z}, \qquad
        \mathbf{y}_i = \sum_{\ell=0}^{K} \sigma(\mathbf{s}^\top \mathbf{h}_{\ell i})\, \mathbf{h}_{\ell i}, \qquad
        \hat{\mathbf{A}} = \tilde{\mathbf{D}}^{-1/2} (\mathbf{A} + \mathbf{I}) \tilde{\mathbf{D}}^{-1/2}

    The MLP that makes Z comes before it and a softmax after it, where wanted; no matrix stands between the hops, so
    depth costs no weights. The result has C channels; the (K + 1) C of the note's (272) are a slip.

    Args:
        channels: C.
        K: Hops.
        **kwargs: Further arguments of ``MessagePassing``.

    Shapes:
        - **input:** ``x`` :math:`(N, C)`, ``edge_index`` :math:`(2, E)`, ``edge_weight`` :math:`(E)`
        - **output:** :math:`(N, C)`

    Cost: O(K (E + N) C) time; memory for K + 1 times the input in training.

    Source: Liu, Gao, Ji, Towards Deeper Graph Neural Networks, KDD 2020; note 003, section 26.3.

    Example:
        >>> from scge_pyg import OnSharedGraph, SharedGraph
        >>> layer = OnSharedGraph(DAGNNConv(8, K=10), SharedGraph.from_grid((4, 5)))
        >>> layer(torch.randn(2, 20, 8)).shape
        torch.Size([2, 20, 8])
    """

    def __init__(self, channels: int, K: int, **kwargs: object) -> None:
        kwargs.setdefault("aggr", "add")
        super().__init__(**kwargs)
        self.channels = whole_number("DAGNNConv", "channels", channels, 1)
        self.K = whole_number("DAGNNConv", "K", K, 0)
        self.gate = torch.nn.Linear(self.channels, 1, bias=False)

    def reset_parameters(self) -> None:
        """Draw the gate anew."""
        super().reset_parameters()
        self.gate.reset_parameters()

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Apply to ``x [N, C]``."""
        edge_index, edge_weight = gcn_norm(edge_index, edge_weight, len(x), dtype=x.dtype)
        total = self.gate(x).sigmoid() * x
        for _ in range(self.K):
            x = self.propagate(edge_index, x=x, edge_weight=edge_weight)
            total = total + self.gate(x).sigmoid() * x
        return total

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Neighbours times their weight."""
        return edge_weight[:, None] * x_j

    def __repr__(self) -> str:
        return f"DAGNNConv({self.channels}, K={self.K})"
