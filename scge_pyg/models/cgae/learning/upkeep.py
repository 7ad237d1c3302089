"""What keeps prototypes from collapsing: they are kept apart, and those without a use of their own start anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.decoders import Decoder
from scge_pyg.models.cgae.decoding.occluding import OccludingDecoder
from scge_pyg.models.cgae.learning.collapse import most_alike
from scge_pyg.models.cgae.learning.patches import pieces_at, window_energy

if TYPE_CHECKING:
    from scge_pyg.models.cgae.model import CGAE

__all__ = ["crowding", "double", "opacity_of", "revive_unused"]

_TWINS, _CLOSE, _DEAD = 0.95, 0.85, 0.1  # cosines of prototypes; share of an even usage


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
    lost = usage < _DEAD / count
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


@torch.no_grad()
def double(decoder: Decoder, codes: State, *others: State) -> Tensor:
    """Double the values of prototypes of which most uses lie on another use of the same, ``[K]`` bool.

    A sum of two halves has no gradient towards one whole. Uses that lie on an earlier one are taken out of the codes,
    and of others.
    """
    if isinstance(decoder, OccludingDecoder):
        return torch.zeros(decoder.num_prototypes, dtype=torch.bool, device=codes.kind.device)
    alike = _alike(codes)
    count = decoder.weight.new_zeros(2, decoder.num_prototypes)
    for row, chosen in zip(count, (codes.kind >= 0, alike.sum(2) > 1), strict=True):
        row.index_add_(0, codes.kind.clamp_min(0).flatten(), chosen.flatten().to(row.dtype))
    doubled = count[1] > 0.5 * count[0]
    decoder.weight[doubled] *= 2
    for state in (codes, *others):
        repeated = _alike(state).tril(-1).any(2) & doubled[state.kind.clamp_min(0)]
        state.kind.masked_fill_(repeated, -1)
        state.place.masked_fill_(repeated, 0)
        state.b.masked_fill_(repeated.unsqueeze(2), 0)
    return doubled


def _alike(state: State) -> Tensor:
    """Which uses of an image are of one prototype at one place, ``[B, H, H]`` bool."""
    kind = (state.kind.unsqueeze(1) == state.kind.unsqueeze(2)) & (state.kind >= 0).unsqueeze(2)
    return kind & (state.place.unsqueeze(1) == state.place.unsqueeze(2))


def opacity_of(weight: Tensor) -> Tensor:
    """Logits that make a prototype opaque where it is bright: 3 at its largest value, -3 where it is 0."""
    size = weight.abs().amax(1, keepdim=True)
    return 6 * size / size.flatten(1).amax(1).clamp_min(1e-12).view(-1, *[1] * (size.dim() - 1)) - 3
