"""Prototypes that are used together become one: a sum of pieces has no gradient towards one whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.canvas import Canvas, GridCanvas
from scge_pyg.models.cgae.decoding.decoders import Decoder
from scge_pyg.models.cgae.decoding.occluding import OccludingDecoder
from scge_pyg.models.cgae.learning.recentring import move_places
from scge_pyg.models.cgae.learning.upkeep import DEAD

if TYPE_CHECKING:
    from scge_pyg.models.cgae.model import CGAE

__all__ = ["join"]

_MOST = 0.5  # share of the uses of a prototype that lie alike on another
_FITS = 0.9  # share of the energy of a whole that lies in its window


class _Way(NamedTuple):
    """One prototype, or another use of it, lies on another one: which on which, how far off in pixels, how often."""

    kind: int
    other: int
    down: int
    right: int
    uses: int


@torch.no_grad()
def join(model: CGAE, codes: State, *others: State) -> Tensor:
    r"""Let prototypes take in what lies on most of their uses in one and the same way: another one, or another use of
    themselves. Uses that were taken in leave the codes.

    It must pay. Of n uses of a prototype m become one part in place of two, which saves the price each,
    :math:`\log K P` if there is none; the other n - m lose at least :math:`\min(\|w\|^2, \|w'\|^2) / 2 \sigma^2`. They
    count for nothing if they are so few that a prototype of their own would be unused, or if one is free to serve them:
    an unused one, or the other if little is left to it. Nothing is joined that does not fit into one window, nor where
    parts hide each other.

    Args:
        model: Its prototypes are changed.
        codes: Codes of images; places and prototypes are changed.
        others: Other codes, likewise.

    Returns:
        Which prototypes have taken another in, ``[K]`` bool.

    Cost: O(B H^2 log(B H)).
    """
    decoder, number = model.decoder, model.num_prototypes
    joined = torch.zeros(number, dtype=torch.bool, device=codes.kind.device)
    if isinstance(decoder, OccludingDecoder):
        return joined
    uses = torch.bincount(codes.kind[codes.kind >= 0], minlength=number).tolist()
    few = DEAD * sum(uses) / number
    spare = sum(one < few for one in uses)
    price = math.log(number * decoder.canvas.num_places) if model.price is None else model.price
    energy = (decoder.weight.flatten(1).square().sum(1) / (2 * model.noise**2)).tolist()
    touched: set[int] = set()
    for way in _firm_ways(decoder.canvas, codes, number):
        alone, left = uses[way.kind] - way.uses, uses[way.other] - way.uses
        loss = alone * min(energy[way.kind], energy[way.other]) - way.uses * price
        pays = loss <= 0 or alone < few or (way.other != way.kind and left < few)
        allowed = (pays or spare > 0) and touched.isdisjoint((way.kind, way.other))
        if allowed and _take_in(decoder, way, (codes, *others)):
            spare -= not pays
            touched |= {way.kind, way.other}
            joined[way.kind] = True
    return joined


def _firm_ways(canvas: Canvas, codes: State, number: int) -> list[_Way]:
    """In which most uses of a prototype lie, those of the largest share first."""
    image, part, other, down, right = _overlaps(canvas, codes)
    kind, met = codes.kind[image, part], codes.kind[image, other]
    back = torch.where((kind == met) & ((down < 0) | (down == 0) & (right < 0)), -1, 1)
    way = torch.stack([kind, met, back * down, back * right, image, part], 1)
    way, count = torch.unique(torch.unique(way, dim=0)[:, :4], dim=0, return_counts=True)
    share = count / torch.bincount(codes.kind[codes.kind >= 0], minlength=number)[way[:, 0]]
    order = share.argsort(descending=True, stable=True)[: int((share > _MOST).sum())]
    return [_Way(*one) for one in torch.cat([way, count[:, None]], 1)[order].tolist()]


def _take_in(decoder: Decoder, way: _Way, states: tuple[State, ...]) -> bool:
    """Add the other prototype, if the sum fits into a window, and take its uses out of the codes that lie so."""
    canvas, weight, basis = decoder.canvas, decoder.weight, decoder.basis
    moved = torch.zeros(2, len(weight), dtype=torch.long, device=weight.device)
    if isinstance(canvas, GridCanvas):
        size, margin = canvas.size, canvas.size - 1
        beside = (margin + way.right, margin - way.right, margin + way.down, margin - way.down)
        whole = F.pad(weight[way.kind], (margin,) * 4) + F.pad(weight[way.other], beside)
        energy = F.avg_pool2d(whole.square().sum(0, keepdim=True), size, 1)[0] * size**2
        if energy.max() < _FITS * whole.square().sum():
            return False
        top, left = divmod(int(energy.argmax()), energy.shape[1])
        weight[way.kind] = whole[:, top : top + size, left : left + size]
        basis[way.kind] = F.pad(basis[way.kind], (margin,) * 4)[..., top : top + size, left : left + size]
        moved[:, way.kind] = torch.tensor([top - margin, left - margin])
    else:
        weight[way.kind] += weight[way.other]
    for state in states:
        image, part, other, down, right = _overlaps(canvas, state)
        lies_so = (state.kind[image, part] == way.kind) & (state.kind[image, other] == way.other)
        lies_so &= (down == way.down) & (right == way.right)
        if way[:4] == (way.kind, way.kind, 0, 0):
            lies_so &= part < other
        gone = image[lies_so], other[lies_so]
        state.kind[gone], state.place[gone], state.b[gone] = -1, 0, 0
        if isinstance(canvas, GridCanvas):
            move_places(canvas, state, *moved)
    return True


def _overlaps(canvas: Canvas, state: State) -> tuple[Tensor, ...]:
    """Pairs of parts of which the windows overlap: the image, either part, and how far down and right of the first the
    second lies, in pixels. On a graph, parts on one node."""
    columns, step, reach = (
        (canvas.place_shape[1], canvas.subpixel, canvas.size) if isinstance(canvas, GridCanvas) else (1, 1, 1)
    )
    row, column = state.place // columns // step, state.place % columns // step
    down, right = (at.unsqueeze(1) - at.unsqueeze(2) for at in (row, column))
    used = state.kind >= 0
    near = used.unsqueeze(1) & used.unsqueeze(2) & (down.abs() < reach) & (right.abs() < reach)
    image, part, other = (near & ~torch.eye(row.shape[1], dtype=torch.bool, device=row.device)).nonzero(as_tuple=True)
    return image, part, other, down[image, part, other], right[image, part, other]
