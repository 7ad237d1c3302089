"""Irregular places for the nodes of a patch: blue noise, a fovea, a hexagonal mosaic."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["blue_noise_points", "foveated_points", "hexagonal_points"]

_CANDIDATES = 32
_RIM_SPACING = 4.0


def _best_candidates(count: int, draw: Callable[[int], Tensor], spacing: Callable[[Tensor], Tensor]) -> Tensor:
    """Mitchell's algorithm: of several random places, take the one farthest from all before it, in local spacings."""
    points = draw(1)
    for _ in range(count - 1):
        candidates = draw(_CANDIDATES)
        nearest = torch.cdist(candidates, points).amin(1) / spacing(candidates)
        points = torch.cat([points, candidates[nearest.argmax()].unsqueeze(0)])
    return points


def _extent(name: str, count: int, size: tuple[int, int]) -> Tensor:
    if count < 1:
        raise ValueError(f"{name}: count must be at least 1, got {count}")
    if min(size) < 2:
        raise ValueError(f"{name}: size must be (rows, columns) of at least 2 each, got {size}")
    return torch.tensor(size, dtype=torch.float) - 1


def blue_noise_points(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Random places that keep a distance from each other (Mitchell, 1991).

    Args:
        count: Number of places.
        size: Rows and columns of the patch.
        seed: Determines the places.

    Returns:
        ``[count, 2]`` as (row, column), within ``0..rows - 1`` and ``0..columns - 1``.

    Raises:
        ValueError: If ``count`` or ``size`` is too small.

    Example:
        >>> blue_noise_points(50, (16, 24)).shape
        torch.Size([50, 2])
    """
    extent = _extent("blue_noise_points", count, size)
    generator = torch.Generator().manual_seed(seed)
    return _best_candidates(
        count,
        lambda number: torch.rand(number, 2, generator=generator) * extent,
        lambda places: torch.ones(places.shape[0]),
    )


def foveated_points(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Blue noise in an ellipse, dense at its centre; at the rim places are four times as far apart.

    Args:
        count: Number of places.
        size: Rows and columns of the patch.
        seed: Determines the places.

    Returns:
        ``[count, 2]`` as (row, column), within the ellipse that fills the patch.

    Raises:
        ValueError: If ``count`` or ``size`` is too small.

    Example:
        >>> foveated_points(50, (32, 32)).shape
        torch.Size([50, 2])
    """
    extent = _extent("foveated_points", count, size)
    generator = torch.Generator().manual_seed(seed)

    def spacing(disc: Tensor) -> Tensor:
        return 1 + (_RIM_SPACING - 1) * disc.norm(dim=1)

    def draw(number: int) -> Tensor:
        kept = torch.empty(0, 2)
        while kept.shape[0] < number:
            disc = 2 * torch.rand(64 * number, 2, generator=generator) - 1
            accepted = torch.rand(64 * number, generator=generator) < spacing(disc) ** -2
            kept = torch.cat([kept, disc[accepted & (disc.norm(dim=1) <= 1)]])
        return kept[:number]

    return (_best_candidates(count, draw, spacing) + 1) / 2 * extent


def hexagonal_points(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """The places of a hexagonal mosaic nearest to a random centre, turned at random, in the largest disc that fits.

    Args:
        count: Number of places.
        size: Rows and columns of the patch.
        seed: Determines centre and direction.

    Returns:
        ``[count, 2]`` as (row, column); each place has six neighbours at equal distance, at the rim fewer.

    Raises:
        ValueError: If ``count`` or ``size`` is too small.

    Example:
        >>> hexagonal_points(50, (32, 32)).shape
        torch.Size([50, 2])
    """
    extent = _extent("hexagonal_points", count, size)
    generator = torch.Generator().manual_seed(seed)
    turn, *shift = torch.rand(3, generator=generator).tolist()
    reach = 3 + math.isqrt(2 * count)
    steps = torch.cartesian_prod(*[torch.arange(-reach, reach + 1.0)] * 2) + torch.tensor(shift)
    mosaic = steps @ torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]])
    places = mosaic[mosaic.norm(dim=1).argsort()[:count]]
    angle = 2 * math.pi * turn
    rotation = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    radius = places.norm(dim=1).max().clamp_min(1.0)
    return (places @ rotation / radius).clamp(-1, 1) * extent.min() / 2 + extent / 2
