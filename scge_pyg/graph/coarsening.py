"""Grouping nodes into a coarser node set: blocks of a lattice, or k-means centres of coordinates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn

__all__ = ["coarsen_lattice", "coarsen_points", "farthest_points"]


def coarsen_lattice(lattice: Lattice, stride: int) -> tuple[Lattice, Tensor]:
    """Merge blocks of ``stride`` cells along each axis; blocks that hold no node vanish.

    Returns:
        The coarse lattice, whose nodes sit on the first cell of their blocks, and ``cluster [N]`` (-1: no cell).
    """
    if stride < 1:
        raise ValueError(f"coarsen: stride must be at least 1, got {stride}")
    for size, wraps in zip(lattice.shape, lattice.periodic, strict=True):
        if wraps and size % stride:
            raise ValueError(f"coarsen: stride={stride} doesn't divide the periodic axis of {size} cells")
    placed = lattice.placed
    block, assignment = torch.unique(lattice.cell[placed] // stride, dim=0, return_inverse=True)
    cluster = torch.full((lattice.cell.shape[0],), -1, device=lattice.cell.device)
    cluster[placed] = assignment
    shape = [-(-size // stride) for size in lattice.shape]
    coarse_stride = [s * stride for s in lattice.stride]
    return Lattice(block, shape, lattice.periodic, lattice.origin, coarse_stride), cluster


def farthest_points(pos: Tensor, count: int) -> list[int]:
    """Indices of ``count`` points, each the farthest from those before it (Gonzalez, 1985), the first from the mean.

    Cost: :math:`O(N M d)` for ``M = count``.

    Example:
        >>> farthest_points(torch.tensor([[0.0], [1.0], [5.0], [9.0]]), 3)
        [3, 0, 2]
    """
    if not 1 <= count <= pos.shape[0]:
        raise ValueError(f"coarsen: num_nodes must lie in 1..{pos.shape[0]} (live nodes), got {count}")
    distance = (pos - pos.mean(0)).square().sum(1)
    chosen: list[int] = []
    nearest = torch.full_like(distance, torch.inf)
    for _ in range(count):
        chosen.append(int(distance.argmax()))
        nearest = torch.minimum(nearest, (pos - pos[chosen[-1]]).square().sum(1))
        distance = nearest
    return chosen


def coarsen_points(pos: Tensor, count: int, steps: int = 20) -> tuple[Tensor, Tensor]:
    """k-means from farthest points: no random number, and the order of the points changes no bit of the result.

    Cost: :math:`O(N M d)` a step for ``M = count`` centres.

    Returns:
        Centres ``[M, d]`` and the centre of each point ``[N]``.
    """
    order = np.lexsort(pos.detach().cpu().numpy().T)
    canonical = torch.from_numpy(order).to(pos.device)
    pos = pos[canonical]
    centres = pos[farthest_points(pos, count)]
    assignment = knn(pos, centres, 1)[1].squeeze(1)
    for _ in range(steps):
        total = torch.zeros_like(centres).index_add_(0, assignment, pos)
        size = torch.bincount(assignment, minlength=count).unsqueeze(1)
        centres = torch.where(size > 0, total / size.clamp_min(1), centres)
        renewed = knn(pos, centres, 1)[1].squeeze(1)
        if torch.equal(renewed, assignment):
            break
        assignment = renewed
    return centres, torch.empty_like(assignment).index_copy_(0, canonical, assignment)
