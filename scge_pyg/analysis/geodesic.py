r"""The Jacobian-shortest path between two codes: a geodesic of the metric that the decoder pulls back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.analysis.derivatives import Function, SampleFunction, check_chunk_size, evaluate
from scge_pyg.analysis.jacobian import jacobian
from scge_pyg.analysis.path_length import l2_path_length
from scge_pyg.analysis.paths import check_ends, straight

__all__ = ["Geodesic", "geodesic"]

_FIRST_DAMPING = 1e-3
_LAST_DAMPING = 1e8


class Geodesic(NamedTuple):
    """Shortest paths found, and how short they are in data space.

    Args:
        path: Points ``[T, E]`` or ``[B, T, E]``.
        length: Discrete length in data space, scalar or ``[B]``.
        straight_length: That of the straight path, never less than ``length``.
        converged: Whether the energy had stopped falling, bool; otherwise allow more ``iterations``.
    """

    path: Tensor
    length: Tensor
    straight_length: Tensor
    converged: Tensor


def _normal_equations(jac: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Half the gradient ``[B, n, E]``; blocks ``[B, n, E, E]`` on the diagonal, ``[B, n - 1, E, E]`` right of it."""
    jac, values = jac.double(), values.double()
    bend = 2 * values[:, 1:-1] - values[:, :-2] - values[:, 2:]
    gradient = (jac.transpose(2, 3) @ bend.unsqueeze(3)).squeeze(3)
    return gradient, 2 * jac.transpose(2, 3) @ jac, -jac[:, :-1].transpose(2, 3) @ jac[:, 1:]


def _solved(matrix: Tensor, side: Tensor) -> Tensor:
    return torch.linalg.solve_ex(matrix, side)[0]  # a singular system gives a step that isn't finite, and is rejected


def _solve(diagonal: Tensor, right: Tensor, gradient: Tensor, damping: Tensor) -> Tensor:
    """Solution of the damped block-tridiagonal system, block after block."""
    size = diagonal.diagonal(dim1=2, dim2=3).mean((1, 2)).clamp_min(torch.finfo(diagonal.dtype).tiny ** 0.5)
    eye = torch.eye(diagonal.shape[2], dtype=diagonal.dtype, device=diagonal.device)
    diagonal = diagonal + (damping * size).view(-1, 1, 1, 1) * eye
    blocks, sides = [diagonal[:, 0]], [gradient[:, 0].unsqueeze(2)]
    for i in range(1, diagonal.shape[1]):
        back = _solved(blocks[-1], right[:, i - 1]).transpose(1, 2)
        blocks.append(diagonal[:, i] - back @ right[:, i - 1])
        sides.append(gradient[:, i].unsqueeze(2) - back @ sides[-1])
    found = [_solved(blocks[-1], sides[-1])]
    for i in range(diagonal.shape[1] - 2, -1, -1):
        found.append(_solved(blocks[i], sides[i] - right[:, i] @ found[-1]))
    return torch.stack(found[::-1], 1).squeeze(3)


def _shorten(
    decoder: Function, path: Tensor, iterations: int, tolerance: float, chunk_size: int, bar: tqdm
) -> tuple[Tensor, Tensor]:
    """Paths ``[B, T, E]`` of less energy with the same ends, and which of them converged."""

    def decode(points: Tensor) -> Tensor:
        return evaluate("geodesic", decoder, points.flatten(0, 1), chunk_size).unflatten(0, points.shape[:2])

    path, values = path.clone(), decode(path)
    energy = values.diff(dim=1).square().sum((1, 2))
    damping = torch.full_like(energy, _FIRST_DAMPING, dtype=torch.float64)
    moving, converged = energy > 0, energy == 0
    for _ in range(iterations):
        bar.update()
        rows = moving.nonzero().squeeze(1)
        if rows.numel() == 0:
            continue
        inner = path[rows, 1:-1]
        jac = jacobian(decoder, inner.flatten(0, 1), chunk_size=chunk_size).unflatten(0, inner.shape[:2])
        gradient, diagonal, right = _normal_equations(jac, values[rows])
        step = _solve(diagonal, right, gradient, damping[rows]).to(path.dtype)
        trial = path[rows]
        trial[:, 1:-1] -= step
        found = decode(trial)
        reached = found.diff(dim=1).square().sum((1, 2))
        better = reached < energy[rows]
        gain = 1 - reached / energy[rows]
        path[rows] = torch.where(better.view(-1, 1, 1), trial, path[rows])
        values[rows] = torch.where(better.view(-1, 1, 1), found, values[rows])
        energy[rows] = torch.where(better, reached, energy[rows])
        damping[rows] *= torch.where(better, 0.2, 5.0)
        stuck = damping[rows] >= _LAST_DAMPING
        converged[rows] = (better & (gain <= tolerance)) | (stuck & step.isfinite().all(2).all(1))
        moving[rows] = ~(stuck | converged[rows])
    return path, converged


@torch.no_grad()
def geodesic(
    decoder: Function,
    z1: Tensor,
    z2: Tensor,
    steps: int = 16,
    iterations: int = 100,
    tolerance: float = 1e-6,
    chunk_size: int = 1024,
    progress: bool = False,
) -> Geodesic:
    r"""Path between two codes that is short in data space: the discrete geodesic of the metric :math:`J^\top J`.

    .. math::
        \min_{z_2, \dots, z_{T-1}} \sum_{i=1}^{T-1} \|r(z_{i+1}) - r(z_i)\|^2

    from the straight path on, ends fixed. At a minimum the steps in data space are equally long, and the path is as
    short as one in its neighbourhood can be. Minimised by Gauss-Newton steps (:math:`J^\top J` in a block-tridiagonal
    system) whose damping falls after a step that helped and rises after one that didn't. A path that turns out longer
    than the straight one, or isn't finite, is replaced by it. The energy has local minima, and this finds the one near
    the straight path.

    Source: Shao, Kumar and Fletcher 2018, "The Riemannian geometry of deep generative models" (the energy);
    Levenberg 1944 and Marquardt 1963 (the steps).

    Cost: an iteration takes the Jacobian at T - 2 points of each path, and :math:`O(T (D E^2 + E^3))`; paths are
    handled in groups of ``chunk_size`` points, whose Jacobians are kept.

    Args:
        decoder: Maps codes ``[B, E]`` to ``[B, ...]``, each by itself; a module must be in eval mode.
        z1: First code ``[E]`` or codes ``[B, E]``.
        z2: Last code, of the same shape.
        steps: Number of points T, at least 2. Default: 16.
        iterations: Most steps of a path. Default: 100.
        tolerance: A step that lowers the energy by no more than this share ends the search. Default: 1e-6.
        chunk_size: Points, or products with Jacobians, at once. Default: 1024.
        progress: Show a bar.

    Raises:
        ValueError: If codes aren't finite and alike, the path had fewer than two points, a number is out of range, or
            the decoder is refused by :func:`~scge_pyg.analysis.jacobian.jacobian`.

    Example:
        >>> import torch
        >>> def polar(z):
        ...     return torch.stack([z[:, 0] * z[:, 1].cos(), z[:, 0] * z[:, 1].sin()], 1)
        >>> found = geodesic(polar, torch.tensor([1.0, 0.0]), torch.tensor([1.0, torch.pi / 2]))
        >>> round(float(found.straight_length), 2), round(float(found.length), 2)
        (1.57, 1.41)
    """
    check_ends("geodesic", z1, z2)
    check_chunk_size("geodesic", chunk_size)
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise ValueError(f"geodesic: iterations must be a positive integer, got {iterations!r}")
    if not tolerance >= 0:
        raise ValueError(f"geodesic: tolerance must be at least 0, got {tolerance!r}")
    first = straight(z1.detach(), z2.detach(), steps)
    start = first.reshape(-1, *first.shape[-2:])
    SampleFunction("geodesic", decoder, start[:, 0])
    groups = start.split(max(1, chunk_size // steps))
    paths, converged, lengths = [], [], []
    with tqdm(total=len(groups) * iterations, desc="geodesic", disable=not progress) as bar:
        for group in groups:
            path, done = (
                _shorten(decoder, group, iterations, tolerance, chunk_size, bar)
                if steps > 2
                else (group.clone(), group.new_ones(len(group), dtype=torch.bool))
            )
            length = torch.stack([l2_path_length(decoder, one, chunk_size) for one in (path, group)])
            longer = ~(length[0] <= length[1])
            paths.append(torch.where(longer.view(-1, 1, 1), group, path))
            lengths.append(torch.stack([torch.where(longer, length[1], length[0]), length[1]]))
            converged.append(done)
    length, straight_length = torch.cat(lengths, 1)
    shape = first.shape[:-2]
    return Geodesic(
        torch.cat(paths).view(first.shape),
        length.view(shape),
        straight_length.view(shape),
        torch.cat(converged).view(shape),
    )
