"""Moving shapes whose true code is known: what a model of parts is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.models.cgae import CGAE, Code, most_alike
from scge_pyg.models.cgae.code import State

SIDE, SIZE, KINDS, PARTS, NOISE, APART = 28, 7, 8, 3, 0.05, 4.0
_UNLIKE = 0.85  # cosine of two shapes after the best shift


@dataclass
class Shapes:
    """Images ``x [S, 28, 28]`` of up to three of eight shapes, and what they were made of.

    ``kind``, -1 if there is none, and the centres' ``place [S, 3, 2]``; with ``cover`` the shapes hide each other, the
    later the earlier.
    """

    x: Tensor
    shapes: Tensor
    kind: Tensor
    place: Tensor


def shapes(seed: int) -> Tensor:
    """Eight binary blobs ``[8, 7, 7]``, no two of them alike after any shift."""
    generator = torch.Generator().manual_seed(seed)
    kept: list[Tensor] = []
    while len(kept) < KINDS:
        blob = (F.avg_pool2d(torch.randn(1, 1, SIZE + 2, SIZE + 2, generator=generator), 3, 1)[0, 0] > 0).float()
        if blob.sum() >= 8 and float(most_alike(torch.stack([*kept, blob]).unsqueeze(1))[-1].max()) < _UNLIKE:
            kept.append(blob)
    return torch.stack(kept)


def scenes(
    seed: int, count: int, *, part: int, cover: bool = False, apart: float = APART, fewest: int = PARTS
) -> Shapes:
    """``count`` images with the shapes of ``seed``, at least ``fewest`` each; ``part`` tells training (0) from test (1)
    images."""
    blobs = shapes(seed)
    generator = torch.Generator().manual_seed(1000 * (part + 1) + seed)
    kind = torch.rand(count, KINDS, generator=generator).argsort(1)[:, :PARTS]
    inside = SIDE - SIZE + 1
    place = torch.randint(inside, (20 * count, PARTS, 2), generator=generator)
    gaps = torch.cdist(place.float(), place.float()) + 1e3 * torch.eye(PARTS)
    place = place[gaps.amin((1, 2)) >= apart][:count]
    number = torch.randint(fewest, PARTS + 1, (count, 1), generator=torch.Generator().manual_seed(seed))
    kind = torch.where(torch.arange(PARTS) < number, kind, -1)
    bright = (
        0.5 + 0.5 * torch.rand(KINDS, generator=torch.Generator().manual_seed(seed)) if cover else torch.ones(KINDS)
    )
    model = CGAE((SIDE, SIDE), KINDS, PARTS, SIZE, padding="valid", decoder="occluding" if cover else "additive")
    with torch.no_grad():
        model.decoder.weight.copy_((blobs * bright[:, None, None]).unsqueeze(1))
        if cover:
            model.decoder.opacity.copy_(40 * blobs[:, None] - 20)
        flat = place[..., 0] * inside + place[..., 1]
        x = model.decoder(State(flat, kind, torch.zeros(count, PARTS, 0))).view(count, SIDE, SIDE)
    x = x + NOISE * torch.randn(x.shape, generator=generator)
    return Shapes(x, blobs, kind, place + SIZE // 2)


def recovered(model: CGAE, code: Code, truth: Shapes) -> dict[str, float]:
    """Cosine of the least well found shape, and the share of images in which every shape's place is right.

    Prototypes are matched to shapes by cosine after the best shift; that shift is added to the places, one for
    each prototype.
    """
    units = [F.normalize(w.flatten(1)).view(-1, 1, SIZE, SIZE) for w in (truth.shapes, model.prototypes)]
    alike = F.conv2d(units[0], units[1], padding=SIZE - 1).flatten(2)
    best = alike.amax(2)
    match = best.argmax(1)
    shift = alike[torch.arange(KINDS), match].argmax(1)
    width = 2 * SIZE - 1
    moved = torch.stack([shift // width, shift % width], 1) - (SIZE - 1)
    wanted = torch.cat([match[truth.kind].unsqueeze(2), truth.place + moved[truth.kind]], 2)
    found = torch.stack([code.k, code.i, code.j], 2)
    hit = (wanted.unsqueeze(2) == found.unsqueeze(1)).all(3) & (truth.kind >= 0).unsqueeze(2)
    one_each = len(match.unique()) == KINDS
    return {
        "cosine": float(best.amax(1).min()) if one_each else 0.0,
        "exact": float(((hit.any(2) | (truth.kind < 0)).all(1) & (hit.any(1) | (code.k < 0)).all(1)).float().mean()),
    }
