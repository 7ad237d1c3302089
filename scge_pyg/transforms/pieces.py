"""Windows along time and blocks of a grid: cut out and put together again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

__all__ = ["blocks", "checked_count", "checked_sample", "checked_tensor", "join_blocks", "overlap_mean", "windows"]


def checked_count(value: Any, name: str) -> int:
    """``value`` as a whole number of at least 1; ``name`` is the argument in messages."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def checked_tensor(x: Any, who: str, axes: str, least: int) -> Tensor:
    """``x`` if it is a tensor of at least ``least`` axes; ``axes`` says which."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{who}: x must be a tensor {axes}, got {type(x).__name__}; convert it with torch.as_tensor")
    if x.dim() < least:
        raise ValueError(f"{who}: x must be {axes}, got {list(x.shape)}")
    return x


def checked_sample(data: Data, who: str, axes: str, count: int) -> Tensor:
    """The ``x`` of a ``Data`` with one sample of ``count`` axes, possibly behind a first axis of size 1."""
    x = data.x
    if x is None or (x.dim() != count and (x.dim() != count + 1 or x.shape[0] != 1)):
        came = "nothing" if x is None else f"{list(x.shape)}"
        raise ValueError(f"{who}: x of a Data must be one sample {axes}, got {came}; convert before batching")
    return x.view(x.shape[-count:])


def windows(x: Tensor, length: int, hop: int, who: str) -> Tensor:
    """Windows of ``length`` steps, one every ``hop``: ``[..., T]`` to ``[..., S, length]``.

    There are (T - length) // hop + 1 of them, views of ``x``.

    Raises:
        ValueError: If the recording is shorter than a window.
    """
    if x.shape[-1] < length:
        raise ValueError(
            f"{who}: length is {length}, but the recording has {x.shape[-1]} steps; "
            "give a shorter length, leave the recording out, or pad it"
        )
    return x.unfold(-1, length, hop)


def overlap_mean(pieces: Tensor, hop: int, who: str) -> Tensor:
    """Windows ``[..., S, length]`` laid where they were, overlaps averaged: ``[..., (S - 1) * hop + length]``.

    The mean is taken around the smallest value at a step, so that equal values give this very value, to the bit.

    Raises:
        ValueError: If windows leave gaps.
    """
    count, length = pieces.shape[-2:]
    if hop > length and count > 1:
        raise ValueError(f"{who}: windows of {length} steps every {hop} leave gaps; the inverse needs hop <= length")
    place = (hop * torch.arange(count).unsqueeze(1) + torch.arange(length)).flatten().to(pieces.device)
    flat = (pieces if pieces.is_floating_point() else pieces.double()).flatten(-2)
    steps = (count - 1) * hop + length
    at = place.expand(flat.shape)
    least = flat.new_empty(*flat.shape[:-1], steps).scatter_reduce(-1, at, flat, "amin", include_self=False)
    excess = torch.zeros_like(least).scatter_add(-1, at, flat - least.gather(-1, at))
    return (least + excess / torch.bincount(place, minlength=steps)).to(pieces.dtype)


def blocks(x: Tensor, size: Sequence[int], who: str) -> Tensor:
    """Blocks of a grid in row-major order: ``[..., C, *grid]`` to ``[..., n, C * prod(size)]``.

    Raises:
        ValueError: If blocks don't fill the grid.
    """
    dim = len(size)
    grid = x.shape[-dim:]
    if any(whole % part for whole, part in zip(grid, size, strict=True)):
        raise ValueError(
            f"{who}: patches of {'x'.join(map(str, size))} don't fill {'x'.join(map(str, grid))}; "
            "choose sizes that divide it, or crop or pad first"
        )
    lead = x.shape[: -dim - 1]
    split = [n for whole, part in zip(grid, size, strict=True) for n in (whole // part, part)]
    apart = x.reshape(*lead, x.shape[-dim - 1], *split)
    first = len(lead)
    order = [first + 1 + 2 * axis for axis in range(dim)], [first + 2 + 2 * axis for axis in range(dim)]
    apart = apart.permute(*range(first), *order[0], first, *order[1])
    return apart.flatten(first + dim).flatten(first, first + dim - 1)


def join_blocks(x: Tensor, size: Sequence[int], grid: Sequence[int], who: str) -> Tensor:
    """The inverse of :func:`blocks`: ``[..., n, C * prod(size)]`` to ``[..., C, *grid]``.

    Raises:
        ValueError: If number or size of the blocks don't fit the grid.
    """
    dim, volume = len(size), math.prod(size)
    if len(grid) != dim or any(whole % part for whole, part in zip(grid, size, strict=True)):
        raise ValueError(f"{who}: patches of {'x'.join(map(str, size))} don't fill size={tuple(grid)}")
    count = [whole // part for whole, part in zip(grid, size, strict=True)]
    if x.dim() < 2 or x.shape[-2] != math.prod(count) or x.shape[-1] % volume:
        raise ValueError(
            f"{who}: size={tuple(grid)} has {math.prod(count)} patches of {volume} values a channel, "
            f"but x is {list(x.shape)}"
        )
    lead = x.shape[:-2]
    first = len(lead)
    apart = x.reshape(*lead, *count, x.shape[-1] // volume, *size)
    pairs = [place for axis in range(dim) for place in (first + axis, first + dim + 1 + axis)]
    return apart.permute(*range(first), first + dim, *pairs).reshape(*lead, -1, *grid)
