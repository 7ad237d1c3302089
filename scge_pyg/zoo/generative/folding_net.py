"""`FoldingNet`: a point cloud as a folded sheet of paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scge_pyg.graph.checks import whole_number

__all__ = ["FoldingNet", "chamfer_distance", "local_covariance"]


def chamfer_distance(a: Tensor, b: Tensor) -> Tensor:
    r"""The larger of the mean distances from each point of one cloud to the nearest of the other ``[B]``.

    .. math::
        \max\Bigl\{ \frac{1}{|a|} \sum_{x \in a} \min_{y \in b} \lVert x - y \rVert,\
            \frac{1}{|b|} \sum_{y \in b} \min_{x \in a} \lVert x - y \rVert \Bigr\}

    Args:
        a: Points ``[B, P, d]``.
        b: Points ``[B, Q, d]``.

    Cost: O(B P Q d) time, O(B P Q) memory.

    Source: Yang and others, FoldingNet, CVPR 2018, eq. 1; note 003, (53).

    Example:
        >>> chamfer_distance(torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[0.0], [4.0]]]))
        tensor([1.5000])
    """
    alike = a.dim() == b.dim() == 3 and a.shape[::2] == b.shape[::2]
    if not alike or not a.shape[1] or not b.shape[1]:
        raise ValueError(
            f"chamfer_distance: a and b must be [B, P, d] and [B, Q, d] with points, got {list(a.shape)} and "
            f"{list(b.shape)}"
        )
    with torch.no_grad():
        distance = torch.cdist(a, b)
        there, back = distance.argmin(2), distance.argmin(1)
    dim = a.shape[2]
    one = _norm(a - b.gather(1, there[..., None].expand(-1, -1, dim))).mean(1)
    other = _norm(b - a.gather(1, back[..., None].expand(-1, -1, dim))).mean(1)
    return torch.maximum(one, other)


def _norm(offset: Tensor) -> Tensor:
    """Lengths whose gradient at zero is zero."""
    square = offset.square().sum(-1)
    return torch.where(square > 0, square, 1.0).sqrt() * (square > 0)


def local_covariance(pos: Tensor, index: Tensor) -> Tensor:
    """Covariances of the neighbourhoods ``index [B, P, k]`` of ``pos [B, P, 3]``, flat ``[B, P, 9]``.

    Example:
        >>> local_covariance(torch.eye(3)[None], torch.tensor([[[0, 1], [0, 1], [1, 2]]]))[0, 0].tolist()
        [0.25, -0.25, 0.0, -0.25, 0.25, 0.0, 0.0, 0.0, 0.0]
    """
    near = _gathered(pos, index)
    centred = near - near.mean(2, keepdim=True)
    return (centred.transpose(2, 3) @ centred / index.shape[2]).flatten(2)


def _gathered(x: Tensor, index: Tensor) -> Tensor:
    """Features ``[B, P, k, C]`` of neighbours ``[B, P, k]``."""
    batch, points, k = index.shape
    return x.gather(1, index.view(batch, -1, 1).expand(-1, -1, x.shape[2])).view(batch, points, k, -1)


class FoldingNet(nn.Module):
    r"""An autoencoder of point clouds, whose decoder folds a square sheet twice.

    Encoder: place and covariance of the k nearest points, a perceptron for each point, two layers that take the
    maximum over neighbours, the maximum over all points, a perceptron. Decoder: each point of the sheet beside the
    codeword goes through a perceptron to a place, and that beside the codeword through another. The codeword doesn't
    hang on the order of the points.

    Args:
        code: Size of the codeword.
        hidden: Units.
        k: Neighbours.
        side: Points along a side of the sheet.

    Shapes:
        - **input:** points :math:`(B, P, 3)` of more than k points each
        - **output:** points :math:`(B, \text{side}^2, 3)`

    Cost: O(B P^2) for neighbours, O(B (P + side^2) hidden^2).

    Source: Yang, Feng, Shen, Tian, FoldingNet, CVPR 2018; note 003, section 7.

    Example:
        >>> net = FoldingNet(code=32, hidden=16, k=8, side=6)
        >>> cloud = torch.randn(2, 40, 3)
        >>> net(cloud).shape, net.encode(cloud).shape
        (torch.Size([2, 36, 3]), torch.Size([2, 32]))
        >>> chamfer_distance(net(cloud), cloud).shape
        torch.Size([2])
    """

    sheet: Tensor

    def __init__(self, code: int = 128, hidden: int = 64, k: int = 16, side: int = 16) -> None:
        super().__init__()
        self.code = whole_number("FoldingNet", "code", code, 1)
        hidden = whole_number("FoldingNet", "hidden", hidden, 1)
        self.k = whole_number("FoldingNet", "k", k, 2)
        side = whole_number("FoldingNet", "side", side, 2)
        self.points = _perceptron(12, hidden, hidden)
        self.first, self.second = nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, self.code)
        self.codeword = _perceptron(self.code, 2 * hidden, self.code)
        self.folds = nn.ModuleList(
            [_perceptron(self.code + 2, 2 * hidden, 3), _perceptron(self.code + 3, 2 * hidden, 3)]
        )
        line = torch.linspace(-1, 1, side)
        self.register_buffer("sheet", torch.cartesian_prod(line, line))

    def encode(self, pos: Tensor) -> Tensor:
        """Codewords ``[B, code]``."""
        if pos.dim() != 3 or pos.shape[2] != 3 or pos.shape[1] <= self.k:
            raise ValueError(
                f"FoldingNet: pos must be [B, P, 3] with more than k={self.k} points, got {list(pos.shape)}"
            )
        if not bool(torch.isfinite(pos).all()):
            raise ValueError("FoldingNet: pos must be finite, got NaN or infinity; leave missing points out")
        with torch.no_grad():
            index = torch.cdist(pos, pos).topk(self.k + 1, largest=False).indices  # and the point itself
        h = self.points(torch.cat([pos, local_covariance(pos, index)], 2))
        for layer in (self.first, self.second):
            h = layer(_gathered(h, index).amax(2).relu())
        code: Tensor = self.codeword(h.amax(1))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Points ``[B, side^2, 3]``."""
        told = code[:, None].expand(-1, len(self.sheet), -1)
        y = self.sheet.to(code).expand(len(code), -1, -1)
        for fold in self.folds:
            y = fold(torch.cat([told, y], 2))
        return y

    def forward(self, pos: Tensor) -> Tensor:
        """The cloud as it is folded."""
        return self.decode(self.encode(pos))


def _perceptron(inner: int, hidden: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inner, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outer)
    )
