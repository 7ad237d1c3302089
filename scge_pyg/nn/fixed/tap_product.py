r"""The linear map behind the layers: one sparse gather and one accumulating matrix product per tap."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.nn.fixed.tables import Tabled
from scge_pyg.nn.fixed.tap_function import tap_values
from scge_pyg.nn.fixed.tap_sums import Block
from scge_pyg.nn.fixed.tap_table import TapTable

__all__ = ["TapProduct", "Wiring"]

_NUM_BLOCKS = 8
_MIN_BLOCK = 64


class Wiring(NamedTuple):
    """A layer's edges ``[2, E]``, attention weights ``[E]`` or ``[B, E, H]``, and kernel weights ``[E, P]`` or None."""

    edge_index: Tensor
    alpha: Tensor
    phi: Tensor | None


class TapProduct(Tabled):
    r"""Applies :math:`y_i = \sum_p \left(\sum_j \phi_{pij} x_j\right) W_p` to a batch, with fixed :math:`\phi`.

    The batch is handled node-major, as ``[N, B C]``: a gather then copies long rows, and an activation that comes
    from another such layer is in this order already. Few channels are gathered for several taps at once, so that
    the products stay efficient. Towards more nodes, as in a transposed layer and in the gradient of a strided one, the
    matrices are applied at the sources and their products are summed at the targets. Tables have static shapes.

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
                self.register_table(f"{prefix}{name}", entries)
        self.blocks = tuple(_blocks(one, max(_MIN_BLOCK, -(-one.size[1] // _NUM_BLOCKS))) for one in tables)
        self.whole = tuple(_blocks(one, max(1, one.size[1])) for one in tables)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Map ``[B, M, C]`` with weights ``[P, C, C']`` to ``[B, N, C']``; the result is node-major in memory."""
        columns = x.transpose(0, 1).reshape(self.sources, -1)
        forth = (self.index, self.pointer, self.phi.to(x.dtype))
        back = (self.back_index, self.back_pointer, self.back_phi.to(x.dtype))
        # blocks serve a processor's cache; a compiled graph would unroll the loop, a GPU has kernels to launch
        blocks = self.whole if torch.compiler.is_compiling() or x.is_cuda else self.blocks
        y = tap_values(columns, weight, *forth, *back, *blocks, self.targets).reshape(-1, weight.shape[2])
        if bias is not None:
            y = y + bias  # in place on a view, the gradient would be copied
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


def _blocks(table: TapTable, step: int) -> tuple[Block, ...]:
    """Ranges of ``step`` targets: small ones keep what a tap gathers in the cache, and out of fresh memory."""
    taps, targets, _ = table.size
    pointer = table.pointer.tolist()
    blocks = []
    for first in range(0, targets, step):
        last = min(first + step, targets)
        rows = range(0, taps * targets, targets)
        begin, end = (tuple(pointer[row + edge] for row in rows) for edge in (first, last))
        blocks.append(Block(first, last, begin, end))
    return tuple(blocks)
