"""Where the estimation of trees of slots starts: around codes that look different."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scge_pyg.models.cgae.density.placement import Parts, Placement
from scge_pyg.models.cgae.density.slot_tree import Slot, SlotTree

__all__ = ["SHARES", "first_slot_trees"]

SHARES = (0.6, 0.35, 0.05)  # of beside, alone and anywhere
_START = 0.1  # of the grid: spread of a slot's place
_COARSE = 7  # rows and columns of the picture by which constellations are told apart


def first_slot_trees(
    parts: Parts, background: Tensor, grid: tuple[int, int], num_components: int, generator: torch.Generator
) -> tuple[SlotTree, ...]:
    """One tree around each of so many codes that look different (k-means++ of coarse pictures), fewer if fewer do.

    Args:
        parts: ``[n, H]``.
        background: Probabilities of prototypes over all slots, K for none, ``[K + 1]``.
        grid: Rows and columns of places.
        num_components: Most trees.
        generator: Of the draws.
    """
    centers = [torch.linspace(0, size - 1, _COARSE, dtype=torch.double) for size in grid]
    near = [
        (-0.5 * ((parts.place[..., axis].unsqueeze(2) - centers[axis]) * _COARSE / grid[axis]).square()).exp()
        for axis in range(2)
    ]
    picture = torch.einsum("bha,bhc,bh->bac", *near, parts.used.double()).flatten(1)
    chosen = [int(torch.randint(len(picture), (1,), generator=generator))]
    distance = torch.full((len(picture),), math.inf, dtype=torch.double)
    while len(chosen) < num_components:
        distance = torch.minimum(distance, (picture - picture[chosen[-1]]).square().sum(1))
        if not distance.max() > 0:
            break
        chosen.append(int(torch.multinomial(distance, 1, generator=generator)))
    return tuple(_around(Parts(*(field[c] for field in parts)), background, grid) for c in chosen)


def _around(example: Parts, background: Tensor, grid: tuple[int, int]) -> SlotTree:
    """Slots that don't look at each other, around the places of one constellation of ``[H]`` parts."""
    count, last = len(example.k), len(background) - 1
    size = torch.tensor(grid, dtype=torch.double)
    center = torch.where(example.used.unsqueeze(1), example.place, (size - 1) / 2)
    none = torch.zeros(last, 2, dtype=torch.double)
    share = torch.tensor([0.0, *SHARES[1:]], dtype=torch.double)
    slots = [
        Slot(
            v - 1,
            background.expand(last + 2, -1),
            None,
            Placement(grid, center[v], none.new_zeros(2, 2), none, none, none.new_zeros(()), _START * size),
            share / share.sum(),
        )
        for v in range(count)
    ]
    return SlotTree(tuple(slots))
