"""Prototypes whose pattern has been learned off the middle of their window, and so cut at its border, are moved."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.models.cgae.canvas import GridCanvas
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.decoders import Decoder

__all__ = ["recentre"]

_WORTH = 1.03  # energy within the window after a move against that before


@torch.no_grad()
def recentre(decoder: Decoder, x: Tensor, gone: Tensor, state: State, codes: State) -> Tensor:
    """Move each prototype by the pixel that takes most of its pattern's energy into its window, and its places back.

    The pattern is the mean, over the uses of the prototype, of what is left of the image without it, in a window one
    pixel wider on each side.

    Args:
        decoder: Its prototypes are changed.
        x: Images ``[B, C, N]``.
        gone: What their codes leave of them.
        state: Their codes.
        codes: Codes of all images; those places are changed.

    Returns:
        Which prototypes were moved, ``[K]`` bool.
    """
    canvas, count = decoder.canvas, decoder.num_prototypes
    moved = torch.zeros(count, dtype=torch.bool, device=x.device)
    if not isinstance(canvas, GridCanvas) or canvas.padding == "valid":
        return moved
    pattern = _pattern(decoder, canvas, gone, state)
    size = canvas.size
    energy = torch.stack([pattern[..., a : a + size, b : b + size].square().sum((1, 2, 3)) for a in range(3) for b in range(3)])  # fmt: skip
    best = energy.argmax(0)
    best = torch.where(energy.amax(0) > _WORTH * energy[4], best, 4)
    down, right = best // 3 - 1, best % 3 - 1
    for kind in (best != 4).nonzero().flatten().tolist():
        a, b = int(down[kind]), int(right[kind])
        decoder.weight[kind] = pattern[kind, :, 1 + a : 1 + a + size, 1 + b : 1 + b + size]
        wide = F.pad(decoder.basis[kind], (1, 1, 1, 1))
        decoder.basis[kind] = wide[..., 1 + a : 1 + a + size, 1 + b : 1 + b + size]
    rows, columns = canvas.place_shape
    step, kind = canvas.subpixel, codes.kind.clamp_min(0)
    row = (codes.place // columns + step * down[kind]).clamp(0, rows - 1)
    column = (codes.place % columns + step * right[kind]).clamp(0, columns - 1)
    codes.place.copy_(torch.where(codes.kind >= 0, row * columns + column, 0))
    return best != 4


def _pattern(decoder: Decoder, canvas: GridCanvas, gone: Tensor, state: State) -> Tensor:
    """Mean of residual and prototype over the uses of each, ``[K, C, R + 2, R + 2]``."""
    size, step, columns = canvas.size, canvas.subpixel, canvas.place_shape[1]
    margin = size + 1
    (height, width), before = canvas.shape, (size - 1) // 2
    padded = F.pad(gone.unflatten(2, canvas.shape), (margin,) * 4).flatten(2)
    inside = F.pad(canvas.observed.to(gone.dtype).view(1, height, width), (margin,) * 4).flatten()
    row = state.place // columns // step - before - 1 + margin
    column = state.place % columns // step - before - 1 + margin
    window = torch.arange(size + 2, device=gone.device)
    wide = width + 2 * margin
    index = (row * wide + column)[..., None] + (window[:, None] * wide + window).flatten()
    values = padded.unsqueeze(1).expand(-1, index.shape[1], -1, -1).gather(3, index.unsqueeze(2).expand(-1, -1, gone.shape[1], -1))  # fmt: skip
    used = (state.kind >= 0).to(gone.dtype)[..., None]
    seen = inside[index] * used
    kind = state.kind.clamp_min(0).flatten()
    total = gone.new_zeros(decoder.num_prototypes, *values.shape[2:]).index_add_(0, kind, (values * seen.unsqueeze(2)).flatten(0, 1))  # fmt: skip
    number = gone.new_zeros(decoder.num_prototypes, index.shape[2]).index_add_(0, kind, seen.flatten(0, 1))
    mean = (total / number.clamp_min(1).unsqueeze(1)).unflatten(2, (size + 2, size + 2))
    return mean + F.pad(decoder.weight, (1, 1, 1, 1))
