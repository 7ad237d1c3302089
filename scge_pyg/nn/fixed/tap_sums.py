"""What a fixed kernel gathers and multiplies, in blocks of targets, with no derivative of its own.

:mod:`scge_pyg.nn.fixed.tap_function` has the derivatives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Block", "matrices", "plain_sums", "values"]

_MIN_INNER = 64


class Block(NamedTuple):
    """Targets ``first`` to ``last - 1``, and where their entries of each tap begin and end."""

    first: int
    last: int
    begin: tuple[int, ...]
    end: tuple[int, ...]


def values(columns: Tensor, weight: Tensor, *tables: Any) -> Tensor:
    """Values at the targets ``[N, B C']`` of features ``[M, B C]`` and matrices ``[P, C, C']``."""
    index, pointer, phi, *_, blocks, _, targets = tables
    taps, channels, out_channels = weight.shape
    batch = columns.shape[1] // channels
    if columns.shape[0] < targets:
        products = torch.bmm(columns.reshape(-1, channels).expand(taps, -1, -1), weight)
        return _sums(products.unflatten(1, (columns.shape[0], -1)).flatten(2).flatten(0, 1), index, pointer, phi)
    y = columns.new_zeros(targets, batch * out_channels)
    for block in blocks:
        rows = y[block.first : block.last].view(-1, out_channels)
        for part in _taps_per_product(channels, taps):
            z = _gather(columns, channels, index, pointer, phi, block, part)
            rows.addmm_(z, weight[part.start : part.stop].reshape(-1, out_channels))
    return y


def matrices(columns: Tensor, rows: Tensor, size: tuple[int, int, int], *tables: Any) -> Tensor:
    """What each tap gathers of ``columns [M, B C]`` times ``rows [N, B C']``: matrices of ``size``, ``[P, C, C']``."""
    if len(columns) < len(rows):  # the entries are those of the adjoint map, one sum for each tap and source
        found = _gathered_product(rows, columns, (size[0], size[2], size[1]), tables[3:6], tables[7])
        return found.transpose(1, 2)
    return _gathered_product(columns, rows, size, tables[:3], tables[6])


def plain_sums(rows: Tensor, index: Tensor, pointer: Tensor, phi: Tensor) -> Tensor:
    """Sums of the weighted rows of each stretch of entries, in operators that have all derivatives."""
    total = torch.repeat_interleave(pointer.diff())
    entries = rows.index_select(0, index) * phi.unsqueeze(1)
    return rows.new_zeros(pointer.numel() - 1, rows.shape[1]).index_add(0, total, entries)


def _gather(
    columns: Tensor, channels: int, index: Tensor, pointer: Tensor, phi: Tensor, block: Block, taps: range
) -> Tensor:
    """Tap values ``[targets * B, len(taps) * C]`` of the targets of a block."""
    if columns.shape[1] == 0:
        return columns.new_zeros(0, channels * len(taps))
    targets = (pointer.numel() - 1) // len(block.begin)
    found = []
    for tap in taps:
        entries = slice(block.begin[tap], block.end[tap])
        offsets = pointer[tap * targets + block.first : tap * targets + block.last + 1] - block.begin[tap]
        found.append(_sums(columns, index[entries], offsets, phi[entries]).view(-1, channels))
    return found[0] if len(found) == 1 else torch.cat(found, 1)


def _sums(rows: Tensor, index: Tensor, pointer: Tensor, phi: Tensor) -> Tensor:
    return F.embedding_bag(index, rows, pointer, mode="sum", per_sample_weights=phi, include_last_offset=True)


def _taps_per_product(channels: int, taps: int) -> list[range]:
    step = max(1, _MIN_INNER // max(1, channels))
    return [range(first, min(first + step, taps)) for first in range(0, taps, step)]


def _gathered_product(
    columns: Tensor,
    grad: Tensor,
    size: tuple[int, int, int],
    table: tuple[Tensor, Tensor, Tensor],
    blocks: tuple[Block, ...],
) -> Tensor:
    taps, channels, out_channels = size
    parts: list[Tensor] = []
    for number, part in enumerate(_taps_per_product(channels, taps)):
        for block in blocks:
            z = _gather(columns, channels, *table, block, part)
            product = z.t() @ grad[block.first : block.last].reshape(-1, out_channels)
            if number == len(parts):
                parts.append(product)
            else:
                parts[number] = parts[number] + product
    return torch.cat(parts).view(taps, channels, out_channels)
