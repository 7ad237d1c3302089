r"""The linear map behind the layers: one sparse gather and one accumulating matrix product per tap."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.nn.tap_table import TapTable

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
    the products stay efficient. Tables have static shapes; they are buffers that ``state_dict`` leaves out.

    Cost: :math:`O(P N B C (S + C'))` time for :math:`C` to :math:`C'` channels, P taps and S sources per tap (1 on a
    lattice); memory for the input, the output and one gathered tap.

    Args:
        table: Interpolation weights from :func:`scge_pyg.nn.tap_table.build_taps`.
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
        for prefix, one in (("", table), ("back_", table.transposed())):
            self.register_buffer(f"{prefix}index", one.source, persistent=False)
            self.register_buffer(f"{prefix}pointer", one.pointer, persistent=False)
            self.register_buffer(f"{prefix}phi", one.phi.to(torch.get_default_dtype()), persistent=False)
        tables = (table, table.transposed())
        self.blocks = tuple(_blocks(one, max(_MIN_BLOCK, -(-one.size[1] // _NUM_BLOCKS))) for one in tables)
        self.whole = tuple(_blocks(one, max(1, one.size[1])) for one in tables)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Map ``[B, M, C]`` with weights ``[P, C, C']`` to ``[B, N, C']``; the result is node-major in memory."""
        columns = x.transpose(0, 1).reshape(self.sources, -1)
        forth = (self.index, self.pointer, self.phi.to(x.dtype))
        back = (self.back_index, self.back_pointer, self.back_phi.to(x.dtype))
        # blocks serve a processor's cache; a compiled graph would unroll the loop, a GPU has kernels to launch
        blocks = self.whole if torch.compiler.is_compiling() or x.is_cuda else self.blocks
        y = _Taps.apply(columns, weight, *forth, *back, *blocks)
        if bias is not None:
            y = y.add_(bias)
        return y.view(self.targets, x.shape[0], weight.shape[2]).transpose(0, 1)

    def wiring(self) -> Wiring:
        """Edges with their weights at all taps."""
        row = torch.repeat_interleave(self.pointer.diff())
        tap, target = row // self.targets, row % self.targets
        key, edge = torch.unique(target * self.sources + self.index, return_inverse=True)
        phi = self.phi.new_zeros(key.numel(), self.taps)
        phi[edge, tap] = self.phi
        edge_index = torch.stack([key % self.sources, key // self.sources])
        return Wiring(edge_index, phi.new_ones(key.numel()), phi)


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
        found.append(
            F.embedding_bag(
                index[entries], columns, offsets, mode="sum", per_sample_weights=phi[entries], include_last_offset=True
            ).view(-1, channels)
        )
    return found[0] if len(found) == 1 else torch.cat(found, 1)


def _taps_per_product(channels: int, taps: int) -> list[range]:
    step = max(1, _MIN_INNER // max(1, channels))
    return [range(first, min(first + step, taps)) for first in range(0, taps, step)]


class _Taps(torch.autograd.Function):
    """``[M, B C]`` to ``[N * B, C']``; its backward is the same map with the adjoint tables."""

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
    ) -> Tensor:
        ctx.save_for_backward(columns, weight, index, pointer, phi, back_index, back_pointer, back_phi)
        ctx.blocks = (blocks, back_blocks)
        taps, channels, out_channels = weight.shape
        batch = columns.shape[1] // channels
        y = columns.new_zeros((pointer.numel() - 1) // taps * batch, out_channels)
        for block in blocks:
            rows = y[block.first * batch : block.last * batch]
            for part in _taps_per_product(channels, taps):
                z = _gather(columns, channels, index, pointer, phi, block, part)
                rows.addmm_(z, weight[part.start : part.stop].reshape(-1, out_channels))
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        columns, weight, index, pointer, phi, back_index, back_pointer, back_phi = ctx.saved_tensors
        blocks, back_blocks = ctx.blocks
        taps, channels, out_channels = weight.shape
        batch = columns.shape[1] // channels
        grad = grads[0].contiguous()
        grad_columns = grad_weight = None
        if ctx.needs_input_grad[0]:
            forth, back = (index, pointer, phi), (back_index, back_pointer, back_phi)
            rows = grad.view((pointer.numel() - 1) // taps, batch * out_channels)
            grad_columns = _Taps.apply(rows, weight.transpose(1, 2), *back, *forth, back_blocks, blocks)
            grad_columns = grad_columns.view_as(columns)
        if ctx.needs_input_grad[1]:
            parts: list[Tensor] = []
            for number, part in enumerate(_taps_per_product(channels, taps)):
                for block in blocks:
                    z = _gather(columns, channels, index, pointer, phi, block, part)
                    product = z.t() @ grad[block.first * batch : block.last * batch]
                    if number == len(parts):
                        parts.append(product)
                    else:
                        parts[number] = parts[number] + product
            grad_weight = torch.cat(parts).view(taps, channels, out_channels)
        return grad_columns, grad_weight, None, None, None, None, None, None, None, None
