"""Grouping nodes into a coarser node set: blocks of a lattice, or k-means centres of coordinates."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.neighbors import knn

__all__ = ["block_count", "coarsen_lattice", "coarsen_points", "farthest_points"]

_MESH_DIMENSIONS = 3
_RAGGED = 1.25
_ALIKE = 1.05  # errors of shifts that lie as well, but for jitter
_SHIFTS = torch.arange(4) / 4


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


def coarsen_points(pos: Tensor, count: int, steps: int = 50, stride: int | None = None) -> tuple[Tensor, Tensor]:
    r"""k-means from the best of several starts: no random number, and the order of the points changes no bit.

    Starts are farthest points and, up to three dimensions, the fullest cells of square meshes. Farthest points settle
    in uneven groups (mean squared distance 0.74 for four pixels of a 28 x 28 grid each, where blocks of 2 x 2 have
    0.5); a mesh laid along the rows of the points finds the blocks.

    Cost: :math:`O(N M d)` a step for ``M = count`` centres.

    Args:
        pos: Points ``[N, d]``.
        count: Number of centres.
        steps: Most steps of Lloyd's algorithm.
        stride: Side of the mesh's cells in spacings of the points. Default: so that ``N / M`` points fill one.

    Returns:
        Centres ``[M, d]`` and the centre of each point ``[N]``.
    """
    order = np.lexsort(pos.detach().cpu().numpy().T)
    canonical = torch.from_numpy(order).to(pos.device)
    pos = pos[canonical]
    starts = [pos[farthest_points(pos, count)]]
    if pos.shape[1] <= _MESH_DIMENSIONS and count < pos.shape[0]:
        starts += _meshes(pos, count, stride or (pos.shape[0] / count) ** (1 / pos.shape[1]))
    centres, assignment = min((_lloyd(pos, start, steps) for start in starts), key=lambda found: _inertia(pos, *found))
    return centres, torch.empty_like(assignment).index_copy_(0, canonical, assignment)


def _lloyd(pos: Tensor, centres: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    count = centres.shape[0]
    assignment = knn(pos, centres, 1)[1].squeeze(1)
    for _ in range(steps):
        total = torch.zeros_like(centres).index_add_(0, assignment, pos)
        size = torch.bincount(assignment, minlength=count).unsqueeze(1)
        centres = torch.where(size > 0, total / size.clamp_min(1), centres)
        renewed = knn(pos, centres, 1)[1].squeeze(1)
        if torch.equal(renewed, assignment):
            break
        assignment = renewed
    return centres, assignment


def _inertia(pos: Tensor, centres: Tensor, assignment: Tensor) -> float:
    return float((pos - centres[assignment]).square().sum())


def block_count(pos: Tensor, stride: int) -> int:
    r"""How many blocks of ``stride`` spacings along each axis the points fill.

    Those of the best mesh, but at most a quarter more than :math:`N / \text{stride}^d`, which irregular places exceed:
    ragged borders fill some blocks in part.

    Example:
        >>> block_count(torch.cartesian_prod(torch.arange(6.0), torch.arange(5.0)), 2)
        9
    """
    num_nodes, dim = pos.shape
    usual = num_nodes / stride**dim
    spacing = _spacing(pos)
    if stride == 1 or spacing == 0:
        return max(1, round(usual))
    return max(1, min(_mesh_start(pos, 1, stride * spacing)[1], round(_RAGGED * usual)))


def _spacing(pos: Tensor) -> float:
    """Median distance to the ``2 d`` nearest, which on a grid are the neighbours along the axes."""
    neighbors = min(2 * pos.shape[1], pos.shape[0] - 1)
    return float(knn(pos, pos, neighbors, exclude_self=True)[0].median()) if neighbors else 0.0


def _meshes(pos: Tensor, count: int, stride: float) -> list[Tensor]:
    """Starts on two meshes: cells of ``stride`` spacings, and as many cells as wanted."""
    spacing = _spacing(pos)
    if spacing == 0:
        return []
    side = spacing * stride
    fitted, cells = _mesh_start(pos, count, side)
    return [fitted, _mesh_start(pos, count, side * (cells / count) ** (1 / pos.shape[1]))[0]]


def _mesh_start(pos: Tensor, count: int, side: float) -> tuple[Tensor, int]:
    """Middles of the ``count`` fullest cells of the best mesh, and the number of its cells that hold points.

    The best mesh has the least sum of squared distances from the points to the middles of their cells, over rotations
    of the plane in steps of one degree and shifts of a quarter cell. It has no rotations in other dimensions. A grid
    lies as well in meshes half a cell apart on each axis; the one with the fewest cells is taken.
    """
    shifts = _SHIFTS.to(pos)
    best, turn = math.inf, pos
    for candidate in _turns(pos.shape[1]):
        rotation = candidate.to(pos)
        error = _mesh_error(pos @ rotation / side, shifts)
        if float(error.amin(1).sum()) < best:
            best, turn = float(error.amin(1).sum()), rotation
    at = pos @ turn / side
    error = _mesh_error(at, shifts)
    alike = error <= _ALIKE * error.amin(1, keepdim=True) + 1e-9 * pos.shape[0]
    meshes = []
    for choice in torch.cartesian_prod(*[torch.arange(len(shifts))] * pos.shape[1]).view(-1, pos.shape[1]):
        axis = torch.arange(pos.shape[1])
        if bool(alike[axis, choice].all()):
            shift = shifts[choice]
            meshes.append((shift, *torch.unique((at - shift).round(), dim=0, return_counts=True)))
    shift, cell, size = min(meshes, key=lambda mesh: mesh[1].shape[0])
    fullest = size.argsort(descending=True, stable=True)[:count]
    start = (cell[fullest] + shift) * side @ turn.T
    while start.shape[0] < count:
        distance = knn(pos, start, 1)[0].squeeze(1)
        start = torch.cat([start, pos[distance.argmax()].unsqueeze(0)])
    return start, cell.shape[0]


def _mesh_error(at: Tensor, shifts: Tensor) -> Tensor:
    """Sum of squared distances to the middles of cells of side 1, for each axis and shift ``[d, 4]``."""
    offset = at.unsqueeze(-1) - shifts
    return (offset - offset.round()).square().sum(0)


def _turns(dim: int) -> list[Tensor]:
    if dim != 2:
        return [torch.eye(dim)]
    angles = [math.radians(degree) for degree in range(90)]
    return [torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) for a in angles]
