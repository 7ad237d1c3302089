r"""Paths between codes: straight and spherical ones."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.analysis.derivatives import check_finite

__all__ = ["as_paths", "check_ends", "interpolate_spherical", "spherical", "straight"]


def check_ends(where: str, z1: Tensor, z2: Tensor) -> None:
    """Raise a ``ValueError`` unless both are finite, floating and alike, ``[E]`` or ``[B, E]``."""
    check_finite(where, "z1", z1)
    check_finite(where, "z2", z2)
    if z1.shape != z2.shape or z1.dim() not in (1, 2) or z1.numel() == 0 or z1.dtype != z2.dtype:
        raise ValueError(
            f"{where}: z1 and z2 must be codes of one shape and dtype, [E] or [B, E], "
            f"got {z1.dtype} {list(z1.shape)} and {z2.dtype} {list(z2.shape)}"
        )


def as_paths(where: str, path: Tensor) -> Tensor:
    """A path ``[T, E]`` or paths ``[B, T, E]`` as ``[B, T, E]``; a ``ValueError`` for anything else."""
    check_finite(where, "path", path)
    if path.dim() not in (2, 3) or path.numel() == 0:
        raise ValueError(f"{where}: path must be [T, E] or [B, T, E], got {list(path.shape)}")
    if path.shape[-2] < 2:
        raise ValueError(f"{where}: a path needs at least 2 points, got {list(path.shape)}, that is {path.shape[-2]}")
    return path.detach().reshape(-1, *path.shape[-2:])


def _times(where: str, z1: Tensor, steps: int) -> Tensor:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise ValueError(f"{where}: steps is the number of points and must be an integer of at least 2, got {steps!r}")
    return torch.linspace(0, 1, steps, dtype=z1.dtype, device=z1.device)


def straight(z1: Tensor, z2: Tensor, steps: int) -> Tensor:
    r"""Evenly spaced points of the straight line, ends included.

    .. math::
        z(t) = (1 - t)\, z_1 + t\, z_2

    Args:
        z1: First code ``[E]`` or codes ``[B, E]``.
        z2: Last code, of the same shape.
        steps: Number of points T, at least 2, as in ``torch.linspace``.

    Returns:
        ``[T, E]`` or ``[B, T, E]``.

    Raises:
        ValueError: If codes aren't finite and alike, or the path had fewer than two points.

    Example:
        >>> import torch
        >>> straight(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.0]), 3).tolist()
        [[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    """
    check_ends("straight", z1, z2)
    t = _times("straight", z1, steps).unsqueeze(1)
    path = (1 - t) * z1.unsqueeze(-2) + t * z2.unsqueeze(-2)
    path[..., -1, :] = z2
    return path


def interpolate_spherical(where: str, z1: Tensor, z2: Tensor, t: Tensor) -> Tensor:
    """Points ``[..., T, E]`` of :func:`spherical` at the times ``[T]`` or ``[..., T]``."""
    norm1, norm2 = z1.norm(dim=-1, keepdim=True), z2.norm(dim=-1, keepdim=True)
    if not bool((norm1 > 0).all() and (norm2 > 0).all()):
        raise ValueError(f"{where}: a zero vector has no direction to turn from; use a straight path")
    one, two = z1 / norm1, z2 / norm2
    # accurate for all angles, unlike the arc cosine of the inner product
    angle = 2 * torch.atan2((one - two).norm(dim=-1, keepdim=True), (one + two).norm(dim=-1, keepdim=True))
    if bool((torch.pi - angle < torch.finfo(z1.dtype).eps ** 0.5).any()):
        raise ValueError(
            f"{where}: z1 and z2 point in opposite directions, and every great circle between them is as short; "
            "go through a third code, or use a straight path"
        )
    t = t.unsqueeze(-1)
    angle, one, two = angle.unsqueeze(-2), one.unsqueeze(-2), two.unsqueeze(-2)
    # sin(a t) / sin(a) as a ratio of sinc, whose limit for parallel codes is t
    whole = torch.sinc(angle / torch.pi)
    first = (1 - t) * torch.sinc((1 - t) * angle / torch.pi) / whole
    second = t * torch.sinc(t * angle / torch.pi) / whole
    radius = (1 - t) * norm1.unsqueeze(-2) + t * norm2.unsqueeze(-2)
    return radius * (first * one + second * two)


def spherical(z1: Tensor, z2: Tensor, steps: int) -> Tensor:
    r"""Points of the spherical path (slerp): the direction turns evenly along a great circle, the norm grows evenly.

    .. math::
        z(t) = \big((1 - t) \|z_1\| + t \|z_2\|\big)
               \left(\frac{\sin((1 - t)\,\omega)}{\sin \omega} \frac{z_1}{\|z_1\|}
               + \frac{\sin(t\,\omega)}{\sin \omega} \frac{z_2}{\|z_2\|}\right)

    with the angle :math:`\omega` between the codes. Codes of equal norm are joined at constant speed and norm; parallel
    ones by the straight line, the limit :math:`\omega \to 0`.

    Source: Shoemake 1985, "Animating rotation with quaternion curves"; White 2016, "Sampling generative networks".

    Args:
        z1: First code ``[E]`` or codes ``[B, E]``.
        z2: Last code, of the same shape.
        steps: Number of points T, at least 2.

    Returns:
        ``[T, E]`` or ``[B, T, E]``.

    Raises:
        ValueError: If codes aren't finite and alike, one of them is zero, they point in opposite directions, or the
            path had fewer than two points.

    Example:
        >>> import torch
        >>> path = spherical(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), 3)
        >>> [round(number, 3) for number in path[1].tolist()]
        [0.707, 0.707]
    """
    check_ends("spherical", z1, z2)
    path = interpolate_spherical("spherical", z1, z2, _times("spherical", z1, steps))
    path[..., 0, :], path[..., -1, :] = z1, z2
    return path
