r"""The linear map behind the layers: one sparse gather and one accumulating matrix product per tap."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.nn.fixed.tap_table import TapTable

__all__ = ["TapProduct", "Wiring"]

_MIN_INNER = 64
_NUM_BLOCKS = 8
_MIN_BLOCK = 64


class Wiring(NamedTuple):
    """A layer's edges ``[2, E]``, attention weights ``[E]`` or ``[B, E, H]``, and kernel weights ``[E, P]`` or None."""

    edge_index: Tensor
    alpha: Tensor
    phi: Tensor | None


class TapProduct(torch.nn.Module):
    r"""Applies :math:`y_i = \sum_p \left(\sum_j \phi_{pij} x_j\right) W_p` to a batch, with fixed :math:`\phi`.

    The batch is handled node-major, as ``[N, B C]``: a gather then copies long rows, and an activation that comes
    from another such layer is in this order already. Few channels are gathered for several taps at once, so that
    the products stay efficient. Towards more nodes, as in a transposed layer and in the gradient of a strided one, the
    matrices are applied at the sources and their products are summed at the targets. Tables have static shapes; they
    are buffers that ``state_dict`` leaves out.

    Cost: :math:`O(P B C C' \min(M, N))` time for the matrices of P taps from M sources of C to N targets of
    :math:`C'` channels; one addition of :math:`B C` numbers (:math:`B C'` if :math:`M < N`) for each entry of
    :math:`\phi`. Memory for the input, the output and one gathered tap, or if :math:`M < N` the products
    :math:`P M B C'`.

    Args:
        table: Interpolation weights from :func:`scge_pyg.nn.fixed.tap_table.build_taps`.
    """

    index: Tensor
    pointer: Tensor
    phi: Tensor
    back_index: Tensor
    back_pointer: Tensor
    back_phi: Tensor

    def __init__(self, table: TapTable) -> None:
        super().__init__()
        self.taps, self.targets, self.sources = table.size
        tables = (table, table.transposed())
        for prefix, one in zip(("", "back_"), tables, strict=True):
            for name, entries in zip(("index", "pointer", "phi"), _entries(one), strict=True):
                self.register_buffer(f"{prefix}{name}", entries, persistent=False)
        self.blocks = tuple(_blocks(one, max(_MIN_BLOCK, -(-one.size[1] // _NUM_BLOCKS))) for one in tables)
        self.whole = tuple(_blocks(one, max(1, one.size[1])) for one in tables)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Map ``[B, M, C]`` with weights ``[P, C, C']`` to ``[B, N, C']``; the result is node-major in memory."""
        columns = x.transpose(0, 1).reshape(self.sources, -1)
        forth = (self.index, self.pointer, self.phi.to(x.dtype))
        back = (self.back_index, self.back_pointer, self.back_phi.to(x.dtype))
        # blocks serve a processor's cache; a compiled graph would unroll the loop, a GPU has kernels to launch
        blocks = self.whole if torch.compiler.is_compiling() or x.is_cuda else self.blocks
        y = _Taps.apply(columns, weight, *forth, *back, *blocks, self.targets).view(-1, weight.shape[2])
        if bias is not None:
            y = y.add_(bias)
        return y.view(self.targets, x.shape[0], weight.shape[2]).transpose(0, 1)

    def wiring(self) -> Wiring:
        """Edges with their weights at all taps."""
        row, column = torch.repeat_interleave(self.pointer.diff()), self.index
        if self.sources < self.targets:
            tap, source, target = column // self.sources, column % self.sources, row
        else:
            tap, source, target = row // self.targets, column, row % self.targets
        key, edge = torch.unique(target * self.sources + source, return_inverse=True)
        phi = self.phi.new_zeros(key.numel(), self.taps)
        phi[edge, tap] = self.phi
        edge_index = torch.stack([key % self.sources, key // self.sources])
        return Wiring(edge_index, phi.new_ones(key.numel()), phi)


def _entries(table: TapTable) -> tuple[Tensor, Tensor, Tensor]:
    r"""Index, pointer and weights of the sums to take.

    One sum of sources for each (tap, target); towards more nodes, one sum for each target, of rows (tap, source).
    """
    phi = table.phi.to(torch.get_default_dtype())
    _, targets, sources = table.size
    if sources >= targets:
        return table.source, table.pointer, phi
    order = torch.argsort(table.target, stable=True)
    count = torch.bincount(table.target, minlength=targets)
    rows = (table.tap * sources + table.source)[order]
    return rows, torch.cat([count.new_zeros(1), count.cumsum(0)]), phi[order]


class _Block(NamedTuple):
    """Targets ``first`` to ``last - 1``, and where their entries of each tap begin and end."""

    first: int
    last: int
    begin: tuple[int, ...]
    end: tuple[int, ...]


def _blocks(table: TapTable, step: int) -> tuple[_Block, ...]:
    """Ranges of ``step`` targets: small ones keep what a tap gathers in the cache, and out of fresh memory."""
    taps, targets, _ = table.size
    pointer = table.pointer.tolist()
    blocks = []
    for first in range(0, targets, step):
        last = min(first + step, targets)
        rows = range(0, taps * targets, targets)
        begin, end = (tuple(pointer[row + edge] for row in rows) for edge in (first, last))
        blocks.append(_Block(first, last, begin, end))
    return tuple(blocks)


def _gather(
    columns: Tensor, channels: int, index: Tensor, pointer: Tensor, phi: Tensor, block: _Block, taps: range
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


class _Taps(torch.autograd.Function):
    """``[M, B C]`` to ``[N, B C']``; its backward is the same map with the adjoint tables."""

    @staticmethod
    def forward(
        ctx: Any,
        columns: Tensor,
        weight: Tensor,
        index: Tensor,
        pointer: Tensor,
        phi: Tensor,
        back_index: Tensor,
        back_pointer: Tensor,
        back_phi: Tensor,
        blocks: tuple[_Block, ...],
        back_blocks: tuple[_Block, ...],
        targets: int,
    ) -> Tensor:
        ctx.save_for_backward(columns, weight, index, pointer, phi, back_index, back_pointer, back_phi)
        ctx.blocks = (blocks, back_blocks)
        taps, channels, out_channels = weight.shape
        batch = columns.shape[1] // channels
        if columns.shape[0] < targets:
            products = (columns.reshape(-1, channels) @ weight).view(taps * len(columns), -1)
            return _sums(products, index, pointer, phi)
        y = columns.new_zeros(targets, batch * out_channels)
        for block in blocks:
            rows = y[block.first : block.last].view(-1, out_channels)
            for part in _taps_per_product(channels, taps):
                z = _gather(columns, channels, index, pointer, phi, block, part)
                rows.addmm_(z, weight[part.start : part.stop].reshape(-1, out_channels))
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        columns, weight, index, pointer, phi, back_index, back_pointer, back_phi = ctx.saved_tensors
        blocks, back_blocks = ctx.blocks
        forth, back = (index, pointer, phi), (back_index, back_pointer, back_phi)
        rows = grads[0].contiguous()
        grad_columns = grad_weight = None
        if ctx.needs_input_grad[0]:
            adjoint = weight.transpose(1, 2)
            grad_columns = _Taps.apply(rows, adjoint, *back, *forth, back_blocks, blocks, len(columns))
        if ctx.needs_input_grad[1]:
            if len(columns) < len(rows):
                grad_weight = _weight_gradient(rows, columns, weight.transpose(1, 2).shape, *back, back_blocks)
                grad_weight = grad_weight.transpose(1, 2)
            else:
                grad_weight = _weight_gradient(columns, rows, weight.shape, *forth, blocks)
        return grad_columns, grad_weight, *[None] * 9


def _weight_gradient(
    columns: Tensor,
    grad: Tensor,
    size: torch.Size,
    index: Tensor,
    pointer: Tensor,
    phi: Tensor,
    blocks: tuple[_Block, ...],
) -> Tensor:
    """What the taps gather from ``columns [M, B C]`` times ``grad [N, B C']``, summed over targets and samples."""
    taps, channels, out_channels = size
    parts: list[Tensor] = []
    for number, part in enumerate(_taps_per_product(channels, taps)):
        for block in blocks:
            z = _gather(columns, channels, index, pointer, phi, block, part)
            product = z.t() @ grad[block.first : block.last].reshape(-1, out_channels)
            if number == len(parts):
                parts.append(product)
            else:
                parts[number] = parts[number] + product
    return torch.cat(parts).view(taps, channels, out_channels)
