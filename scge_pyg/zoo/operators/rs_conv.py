"""`RSConv`: a convolution whose weights are read off where two points lie."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn import MLP, MessagePassing
from torch_geometric.nn.inits import reset

from scge_pyg.graph.checks import whole_number

__all__ = ["RSConv"]

_RELATIONS = ("full", "offset", "distance")


class RSConv(MessagePassing):
    r"""Relation-shape convolution: every neighbour times a weight that a perceptron makes of the places of the two.

    .. math::
        \mathbf{y}_i = \mathrm{MLP}_{\text{up}}\Bigl( \mathrm{ReLU}\bigl( \max_{j \in N(i)} \mathcal{M}(\mathbf{h}_{ij})
            \odot \mathbf{x}_j \bigr) \Bigr)

    with :math:`\mathbf{h}_{ij}` = distance, offset and both places (``"full"``, as in the paper), distance and offset
    (``"offset"``, blind to translations), or the distance alone (``"distance"``, blind to rotations too). A point
    without neighbours has the perceptron of zeros.

    Args:
        in_channels: C.
        out_channels: C'.
        dim: Columns of ``pos``.
        relation: What of the places counts.
        hidden: Units of :math:`\mathcal{M}`, of three layers.
        **kwargs: Further arguments of ``MessagePassing``.

    Shapes:
        - **input:** ``x`` :math:`(N, C)`, ``edge_index`` :math:`(2, E)`, ``pos`` :math:`(N, d)`
        - **output:** :math:`(N, C')`

    Cost: O(E (hidden + C) hidden + N C C').

    Source: Liu, Fan, Xiang, Pan, Relation-Shape Convolutional Neural Network, CVPR 2019; note 003, section 21.

    Example:
        >>> from scge_pyg import OnSharedGraph, SharedGraph
        >>> graph = SharedGraph.from_pos(torch.rand(30, 3))
        >>> OnSharedGraph(RSConv(4, 8, dim=3), graph)(torch.randn(2, 30, 4)).shape
        torch.Size([2, 30, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        dim: int = 3,
        relation: str = "full",
        hidden: int = 16,
        **kwargs: object,
    ) -> None:
        kwargs.setdefault("aggr", "max")
        super().__init__(**kwargs)
        self.in_channels = whole_number("RSConv", "in_channels", in_channels, 1)
        self.out_channels = whole_number("RSConv", "out_channels", out_channels, 1)
        self.dim = whole_number("RSConv", "dim", dim, 1)
        if relation not in _RELATIONS:
            raise ValueError(f"RSConv: relation must be one of {', '.join(_RELATIONS)}, got {relation!r}")
        self.relation = relation
        width = 1 + self.dim * {"full": 3, "offset": 1, "distance": 0}[relation]
        hidden = whole_number("RSConv", "hidden", hidden, 1)
        self.mapping = MLP([width, hidden, hidden, self.in_channels], norm=None)
        self.up = torch.nn.Linear(self.in_channels, self.out_channels)

    def reset_parameters(self) -> None:
        """Draw both perceptrons anew."""
        super().reset_parameters()
        reset(self.mapping)
        self.up.reset_parameters()

    def forward(self, x: Tensor, edge_index: Tensor, pos: Tensor) -> Tensor:
        """Apply to ``x [N, C]`` of points at ``pos [N, d]``."""
        if pos.dim() != 2 or pos.shape[1] != self.dim:
            raise ValueError(
                f"RSConv: pos must be [N, {self.dim}], got {list(pos.shape)}; build it with dim={pos.shape[-1]}"
            )
        y: Tensor = self.up(self.propagate(edge_index, x=x, pos=pos).relu())
        return y

    def message(self, x_j: Tensor, pos_i: Tensor, pos_j: Tensor) -> Tensor:
        """A neighbour times its weight."""
        offset = pos_i - pos_j
        distance = offset.norm(dim=1, keepdim=True)
        parts = {"full": [distance, offset, pos_i, pos_j], "offset": [distance, offset], "distance": [distance]}
        weight: Tensor = self.mapping(torch.cat(parts[self.relation], 1))
        return weight * x_j

    def __repr__(self) -> str:
        return f"RSConv({self.in_channels}, {self.out_channels}, dim={self.dim}, relation={self.relation!r})"
