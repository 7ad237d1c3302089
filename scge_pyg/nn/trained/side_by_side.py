"""Pieces of a learned wiring, laid out so that none lies in another."""

from __future__ import annotations

import math

import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from scge_pyg.graph.upright import upright

__all__ = ["side_by_side"]

_FEWEST = 8  # nodes of a piece that is laid out by itself
_CLOSE = 0.25  # spacings between nodes of the heap, about: it takes one coarse node, not many
_GAP = 8.0  # spacings between pieces, twice what makes nodes a part of their own


def side_by_side(place: Tensor, partner: Tensor) -> Tensor:
    """Places ``[N, d]`` with the rows of each piece along the axes, and the pieces in a row, the largest first.

    What no chain of partners joins may lie anywhere, also in the midst of others: nothing says where. A layer would
    take such nodes for neighbours, and a decoder would draw on them what their neighbours show: on MNIST, nine pixels
    that are lit in one to three images of 60,000. Nodes of pieces of less than eight go to one heap at the end.

    Cost: :math:`O(N (K + d))` for K partners.

    Args:
        place: Places ``[N, d]``, in node spacings.
        partner: Partners of each node ``[N, K]``, -1 where there are fewer.

    Example:
        >>> place, alone = torch.arange(9.0).unsqueeze(1), torch.tensor([-1])
        >>> partner = torch.cat([torch.arange(1, 8), torch.tensor([6]), alone]).unsqueeze(1)
        >>> side_by_side(place, partner).squeeze(1).tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 15.0]
    """
    piece, size = _pieces(partner)
    large = (size >= _FEWEST).nonzero().squeeze(1)
    if not len(large):
        return upright(place)
    laid, start = place.clone(), place.new_zeros(())
    for number in large[size[large].argsort(descending=True, stable=True)].tolist():
        own = piece == number
        turned = upright(place[own])
        if int(size[number]) < len(place):
            turned = turned - turned.amin(0)
            turned[:, 0] += start
            start = turned[:, 0].max() + _GAP
        laid[own] = turned
    few = (size[piece] < _FEWEST).nonzero().squeeze(1)
    few = few[place[few, 0].argsort(stable=True)]
    laid[few] = _heap(len(few), laid)
    laid[few, 0] += start
    return laid


def _heap(count: int, like: Tensor) -> Tensor:
    """Places ``[count, d]`` close together, but on no grid: a spiral of golden angles (Vogel, 1979), or in a row."""
    heap = like.new_zeros(count, like.shape[1])
    number = torch.arange(count, device=like.device, dtype=like.dtype)
    if like.shape[1] == 1:
        heap[:, 0] = _CLOSE * number
    else:
        radius, angle = _CLOSE * number.sqrt(), math.pi * (3 - math.sqrt(5)) * number
        heap[:, 0], heap[:, 1] = radius * angle.cos(), radius * angle.sin()
        heap[:, 0] += radius.max() if count else 0.0
    return heap


def _pieces(partner: Tensor) -> tuple[Tensor, Tensor]:
    """The piece of each node ``[N]``, and the number of nodes in each."""
    node, slot = (partner >= 0).nonzero(as_tuple=True)
    pairs = torch.stack([node, partner[node, slot]]).numpy(force=True)
    joined = coo_array((torch.ones(len(node)).numpy(), tuple(pairs)), (len(partner),) * 2)
    piece = torch.from_numpy(connected_components(joined, directed=False)[1]).long()
    return piece.to(partner.device), torch.bincount(piece).to(partner.device)
