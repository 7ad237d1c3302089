"""Turning places so that their rows lie along the axes, as the taps of a kernel do."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph.neighbors import knn

__all__ = ["upright"]


def upright(pos: Tensor) -> Tensor:
    r"""Coordinates ``[N, 2]`` turned so that rows and columns, if there are any, run along the axes; others stay.

    A map knows no axes, while taps lie along them: at an angle each tap would fall between nodes. The angle is that of
    the mean of :math:`e^{4 i \theta}` over the directions of the four nearest (Nelson and Halperin, 1979), which are a
    quarter turn apart on a grid.

    Example:
        >>> turned = upright(torch.tensor([[0.0, 0.0], [3.0, 4.0], [-4.0, 3.0], [-1.0, 7.0]]))
        >>> (turned[1] - turned[0]).abs().sort().values.round(decimals=4).tolist()
        [0.0, 5.0]
    """
    if pos.shape[1] != 2 or len(pos) < 2:
        return pos
    nearest = knn(pos, pos, min(4, len(pos) - 1), exclude_self=True)[1]
    offset = torch.view_as_complex((pos[nearest] - pos.unsqueeze(1)).double())
    angle = torch.sgn(offset).pow(4).sum().angle() / 4
    cos, sin = angle.cos(), angle.sin()
    return pos @ torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])]).to(pos)
