"""Prototypes whose pattern has been learned off the middle of their window, and so cut at its border, are moved."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoding.canvas import GridCanvas
from scge_pyg.models.cgae.decoding.decoders import Decoder

__all__ = ["move_places", "recentre"]

_WORTH = 1.03  # energy within the window after a move against that before


@torch.no_grad()
def recentre(decoder: Decoder, gone: Tensor, state: State, *others: State) -> Tensor:
    """Move each prototype so that its window holds most of its pattern's energy, and its places back.

    The pattern is the mean, over the uses of the prototype, of what is left of the image without it, in a window wider
    by half a prototype on each side.

    Args:
        decoder: Its prototypes are changed.
        gone: What is left of images ``[B, C, N]``.
        state: Their codes; places are changed.
        others: Codes of other images, likewise.

    Returns:
        Which prototypes were moved, ``[K]`` bool.
    """
    canvas, count = decoder.canvas, decoder.num_prototypes
    moved = torch.zeros(count, dtype=torch.bool, device=gone.device)
    if not isinstance(canvas, GridCanvas) or canvas.padding == "valid":
        return moved
    size, margin = canvas.size, (canvas.size + 1) // 2
    pattern = _pattern(decoder, canvas, margin, gone, state)
    energy = F.avg_pool2d(pattern.square().sum(1, keepdim=True), size, 1).flatten(1)
    middle = energy.shape[1] // 2
    most, best = energy.max(1)
    best = torch.where(most > _WORTH * energy[:, middle], best, middle)
    down, right = best // (2 * margin + 1) - margin, best % (2 * margin + 1) - margin
    moved = best != middle
    for kind in moved.nonzero().flatten().tolist():
        top, left = margin + int(down[kind]), margin + int(right[kind])
        decoder.weight[kind] = pattern[kind, :, top : top + size, left : left + size]
        wide = F.pad(decoder.basis[kind], (margin,) * 4)
        decoder.basis[kind] = wide[..., top : top + size, left : left + size]
    for codes in (state, *others):
        move_places(canvas, codes, down, right)
    return moved


def move_places(canvas: GridCanvas, codes: State, down: Tensor, right: Tensor) -> None:
    """Move the places of every prototype by its number of pixels ``[K]``, in place, at most to the border."""
    rows, columns = canvas.place_shape
    kind = codes.kind.clamp_min(0)
    row = (codes.place // columns + canvas.subpixel * down[kind]).clamp(0, rows - 1)
    column = (codes.place % columns + canvas.subpixel * right[kind]).clamp(0, columns - 1)
    codes.place.copy_(torch.where(codes.kind >= 0, row * columns + column, 0))


def _pattern(decoder: Decoder, canvas: GridCanvas, margin: int, gone: Tensor, state: State) -> Tensor:
    """Mean of residual and prototype over the uses of each, ``[K, C, R + 2 margin, R + 2 margin]``."""
    size, step, columns = canvas.size, canvas.subpixel, canvas.place_shape[1]
    width, frame = size + 2 * margin, size + margin
    side = canvas.shape[1] + 2 * frame
    padded = F.pad(gone.unflatten(2, canvas.shape), (frame,) * 4).flatten(2)
    inside = F.pad(canvas.observed.to(gone.dtype).view(1, *canvas.shape), (frame,) * 4).flatten()
    corner = frame - margin - (size - 1) // 2
    row, column = state.place // columns // step + corner, state.place % columns // step + corner
    window = torch.arange(width, device=gone.device)
    index = (row * side + column)[..., None] + (window[:, None] * side + window).flatten()
    seen = inside[index] * (state.kind >= 0)[..., None]
    kind = state.kind.clamp_min(0).flatten()
    number = gone.new_zeros(decoder.num_prototypes, width**2).index_add_(0, kind, seen.flatten(0, 1)).clamp_min(1)
    total = [
        torch.zeros_like(number).index_add_(
            0, kind, (one.gather(1, index.flatten(1)).view_as(seen) * seen).flatten(0, 1)
        )
        for one in padded.unbind(1)
    ]
    mean = torch.stack(total, 1) / number.unsqueeze(1)
    return mean.unflatten(2, (width, width)) + F.pad(decoder.weight, (margin,) * 4)
