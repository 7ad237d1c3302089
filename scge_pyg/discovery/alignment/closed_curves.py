"""Closed curves: angles along a ring, also where a gap made a chain of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph

__all__ = ["around", "circle", "tie"]

_SURE = 3.0  # standard errors
_FEWEST = 8  # nodes of a chain whose ends can be told
_WINDOWS = 40  # running means of pairs by distance


def circle(graph: SharedGraph, gap: float | None, length: float) -> Tensor:
    """Places of live nodes on a circle of a length, ``[n, 2]``.

    The map of a closed curve has two columns, and what counts is the angle around the middle of the circle nearest to
    its places (Kasa's least squares). A chain of one column with a ``gap`` is bent until its ends are so far apart.
    """
    pos = graph.pos[graph.live].cpu().double()
    if pos.shape[1] == 1:
        along = pos[:, 0] - pos.min()
        angle = 2 * torch.pi * along / (float(along.max()) + (gap or 0.0))
    else:
        right = torch.cat([2 * pos, torch.ones(len(pos), 1).double()], 1)
        middle = torch.linalg.lstsq(right, pos.square().sum(1, keepdim=True), driver="gelsd").solution[:2, 0]
        offset = pos - middle
        angle = torch.atan2(offset[:, 1], offset[:, 0])
    return torch.stack([angle.cos(), angle.sin()], 1).float() * length / (2 * torch.pi)


def around(own: Tensor, other: Tensor) -> list[Tensor]:
    """All ways to lay equally many places around a circle on each other, node by node in their order, ``[n]`` each."""
    first, second = (torch.atan2(one[:, 1], one[:, 0]).argsort() for one in (own, other))
    ways = []
    for line in (second, second.flip(0)):
        for shift in range(len(line)):
            ways.append(torch.empty_like(line).scatter(0, first, line.roll(shift)))
    return ways


def tie(graph: SharedGraph, blocks: Tensor) -> float | None:
    r"""The length of the gap between the two ends of a chain, in the unit of its map; None where they are not tied.

    On an open chain the ends are the least alike of all. They are tied if the correlation of the last nodes at one end
    with those at the other, one or two at each, is above that of pairs half the chain apart by three standard errors
    over the blocks. The gap is as long as the distance along the chain at which nodes are as much alike.

    Args:
        graph: A chain of one column.
        blocks: Standardised samples in blocks ``[B, s, N]``.
    """
    pos = graph.pos[:, 0].cpu().double()
    live = graph.live.cpu().nonzero().squeeze(1)
    order = live[pos[live].argsort()]
    nodes = len(order)
    if nodes < _FEWEST:
        return None
    z, place = blocks[:, :, order], pos[order]
    along = (z.mT @ z) / z.shape[1]
    half = torch.arange(nodes - nodes // 2)
    apart = along[:, half, half + nodes // 2].mean(1)
    more = torch.stack([along[:, :ends, -ends:].mean((1, 2)) - apart for ends in (1, 2)])
    if not bool((more.mean(1) > _SURE * more.std(1) / more.shape[1] ** 0.5).any()):
        return None
    mean = along.mean(0)
    row, column = torch.triu_indices(nodes, nodes, 1)
    distance, nearest = (place[column] - place[row]).sort()
    width = max(1, len(distance) // _WINDOWS)
    falling = np.convolve(mean[row, column][nearest], np.ones(width) / width, "valid")
    reached = int((torch.from_numpy(falling).cummin(0).values > float(mean[0, -1])).sum())
    return float(distance[min(reached + width // 2, len(distance) // 2)])
