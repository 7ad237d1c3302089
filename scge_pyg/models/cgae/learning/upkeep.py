"""What keeps prototypes from collapsing: they are kept apart, and those without a use of their own start anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.occluding import OccludingDecoder
from scge_pyg.models.cgae.learning.collapse import most_alike
from scge_pyg.models.cgae.learning.patches import pieces_at, window_energy

if TYPE_CHECKING:
    from scge_pyg.models.cgae.model import CGAE

__all__ = ["DEAD", "crowding", "opacity_of", "revive_unused"]

DEAD = 0.1  # share of an even usage below which a prototype is unused
_TWINS, _CLOSE = 0.95, 0.85  # cosines of prototypes


def crowding(weight: Tensor) -> Tensor:
    """By how much pairs of prototypes are more alike, after the best shift, than they should be."""
    return (most_alike(weight) - _CLOSE).clamp_min(0).sum() / 2


@torch.no_grad()
def revive_unused(model: CGAE, gone: Tensor, state: State, kind: Tensor, generator: torch.Generator) -> Tensor:
    """Start unused prototypes and the less used of twins anew; returns which, ``[K]`` bool.

    Each starts as one use of another prototype, as it is in the image without the other parts, drawn by the error in
    its window: what fits its prototype least gets one of its own.
    """
    decoder, count = model.decoder, model.num_prototypes
    usage = torch.bincount(kind[kind >= 0], minlength=count).double()
    usage = usage / usage.sum().clamp_min(1)
    lost = usage < DEAD / count
    alike = most_alike(decoder.weight) > _TWINS
    rank = usage.argsort(stable=True).argsort(stable=True)
    lost |= (alike & (rank[:, None] < rank[None, :])).any(1)
    error = window_energy(decoder.canvas, gone).gather(1, state.place) * (state.kind >= 0)
    number = min(int(lost.sum()), int((error > 0).sum()))
    if number:
        flat = torch.multinomial(error.flatten(), number, generator=generator)
        image, part = flat // error.shape[1], flat % error.shape[1]
        own = State(*(value[image, part].unsqueeze(1) for value in state))
        pieces = pieces_at(decoder.canvas, gone[image] + decoder(own), own.place[:, 0])
        lost = lost & (lost.cumsum(0) <= number)
        decoder.weight[lost] = pieces
        decoder.basis[lost] = decoder.basis[own.kind[:, 0]]
        if isinstance(decoder, OccludingDecoder):
            decoder.opacity[lost] = opacity_of(pieces)
    return lost if number else torch.zeros_like(lost)


def opacity_of(weight: Tensor) -> Tensor:
    """Logits that make a prototype opaque where it is bright: 3 at its largest value, -3 where it is 0."""
    size = weight.abs().amax(1, keepdim=True)
    return 6 * size / size.flatten(1).amax(1).clamp_min(1e-12).view(-1, *[1] * (size.dim() - 1)) - 3
