r"""The trilinear form of a fixed kernel and its derivatives, of any order, under autograd and ``torch.func``.

For features :math:`\mathbf{X}`, matrices :math:`\mathbf{W}_p`, values at the targets :math:`\mathbf{G}` and fixed
tables :math:`\phi_p`, all derivatives of

.. math::
    T = \sum_p \langle \mathbf{G},\ \phi_p \mathbf{X} \mathbf{W}_p \rangle

are of two kinds: :func:`tap_values`, :math:`\sum_p \phi_p \mathbf{X} \mathbf{W}_p`, with the adjoint tables also the
gradient of the features, and :func:`tap_matrices`, :math:`(\phi_p \mathbf{X})^\top \mathbf{G}` for each tap.
Under ``torch.func.vmap`` features of more samples become more columns, and more matrices more channels; where both are
mapped, a plain form in native operators takes over.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Block", "signed", "tap_matrices", "tap_values"]

_MIN_INNER = 64


class Block(NamedTuple):
    """Targets ``first`` to ``last - 1``, and where their entries of each tap begin and end."""

    first: int
    last: int
    begin: tuple[int, ...]
    end: tuple[int, ...]


def tap_values(columns: Tensor, weight: Tensor, *tables: Any) -> Tensor:
    """``[N, B C']`` of features ``[M, B C]`` and matrices ``[P, C, C']``.

    Args:
        columns: Features, for each source those of all samples.
        weight: Matrices of the taps.
        tables: Index, pointer and weights of the map, the same of its adjoint, blocks of both, and N.
    """
    return (_CompiledValues if torch.compiler.is_compiling() else _Values).apply(columns, weight, *tables)


def tap_matrices(columns: Tensor, rows: Tensor, size: tuple[int, int, int], *tables: Any) -> Tensor:
    """What each tap gathers of ``columns [M, B C]`` times ``rows [N, B C']``: matrices of ``size``, ``[P, C, C']``."""
    return (_CompiledMatrices if torch.compiler.is_compiling() else _Matrices).apply(columns, rows, size, *tables)


def signed(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A ``forward`` that keeps its signature: torch asks for it in each call, which takes longer than the call."""
    forward.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    return forward


def _adjoint(tables: tuple[Any, ...], targets: int) -> tuple[Any, ...]:
    """Tables of the map in the other direction."""
    return *tables[3:6], *tables[:3], tables[7], tables[6], targets


def _values(columns: Tensor, weight: Tensor, *tables: Any) -> Tensor:
    index, pointer, phi, *_, blocks, _, targets = tables
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


def _gradients_of_values(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    columns, weight, *tables = ctx.saved_tensors
    tables = (*tables, *ctx.rest)
    rows = grad.contiguous()
    grad_columns = grad_weight = None
    if ctx.needs_input_grad[0]:
        grad_columns = tap_values(rows, weight.transpose(1, 2), *_adjoint(tables, len(columns)))
    if ctx.needs_input_grad[1]:
        grad_weight = tap_matrices(columns, rows, tuple(weight.shape), *tables)
    return grad_columns, grad_weight, *[None] * 9


class _Values(torch.autograd.Function):
    @staticmethod
    @signed
    def forward(*inputs: Any) -> Tensor:
        return _values(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:8])
        ctx.save_for_forward(*inputs[:8])
        ctx.rest = inputs[8:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _gradients_of_values(ctx, grads[0])

    @staticmethod
    def jvp(ctx: Any, columns: Tensor | None, weight: Tensor | None, *_: None) -> Tensor:
        own_columns, own_weight, *tables = ctx.saved_tensors
        parts = ((columns, own_weight), (own_columns, weight))
        return _total([tap_values(x, w, *tables, *ctx.rest) for x, w in parts if x is not None and w is not None])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], columns: Tensor, weight: Tensor, *tables: Any) -> tuple[Tensor, int]:
        of_columns, of_weight = in_dims[:2]
        if of_weight is None:
            samples = columns.movedim(of_columns, 1).flatten(1)
            return tap_values(samples, weight, *tables).unflatten(1, (info.batch_size, -1)), 1
        if of_columns is None:
            wide = weight.movedim(of_weight, 2)
            y = tap_values(columns, wide.flatten(2), *tables).unflatten(1, (-1, *wide.shape[2:]))
            return y.transpose(1, 2).flatten(2), 1
        index, pointer, phi, *_, targets = tables

        def plain(columns: Tensor, weight: Tensor) -> Tensor:
            taps, channels, _ = weight.shape
            if len(columns) < targets:
                products = torch.einsum("mbc,pcf->pmbf", columns.unflatten(1, (-1, channels)), weight)
                return _plain_sums(products.flatten(0, 1).flatten(1), index, pointer, phi)
            met = _plain_sums(columns, index, pointer, phi).view(taps, targets, -1, channels)
            return torch.einsum("pnbc,pcf->nbf", met, weight).flatten(1)

        return torch.vmap(plain, (of_columns, of_weight))(columns, weight), 0


def _matrices(columns: Tensor, rows: Tensor, size: tuple[int, int, int], *tables: Any) -> Tensor:
    if len(columns) < len(rows):  # the entries are those of the adjoint map, one sum for each tap and source
        found = _gathered_product(rows, columns, (size[0], size[2], size[1]), tables[3:6], tables[7])
        return found.transpose(1, 2)
    return _gathered_product(columns, rows, size, tables[:3], tables[6])


def _gradients_of_matrices(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    columns, rows, *tables = ctx.saved_tensors
    tables = (*tables, *ctx.rest)
    grad_columns = grad_rows = None
    if ctx.needs_input_grad[0]:
        grad_columns = tap_values(rows, grad.transpose(1, 2), *_adjoint(tables, len(columns)))
    if ctx.needs_input_grad[1]:
        grad_rows = tap_values(columns, grad, *tables)
    return grad_columns, grad_rows, *[None] * 10


class _Matrices(torch.autograd.Function):
    @staticmethod
    @signed
    def forward(*inputs: Any) -> Tensor:
        return _matrices(*inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        tensors = (*inputs[:2], *inputs[3:9])
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)
        ctx.size, ctx.rest = inputs[2], inputs[9:]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _gradients_of_matrices(ctx, grads[0])

    @staticmethod
    def jvp(ctx: Any, columns: Tensor | None, rows: Tensor | None, *_: None) -> Tensor:
        own_columns, own_rows, *tables = ctx.saved_tensors
        tables = (ctx.size, *tables, *ctx.rest)
        parts = ((columns, own_rows), (own_columns, rows))
        return _total([tap_matrices(x, g, *tables) for x, g in parts if x is not None and g is not None])

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], columns: Tensor, rows: Tensor, size: tuple[int, int, int], *tables: Any
    ) -> tuple[Tensor, int]:
        of_columns, of_rows = in_dims[:2]
        taps, *widths = size
        if of_rows is None:
            columns = columns.movedim(of_columns, 0).unflatten(2, (-1, widths[0])).movedim(0, 2).flatten(1)
            wide = tap_matrices(columns, rows, (taps, info.batch_size * widths[0], widths[1]), *tables)
            return wide.unflatten(1, (info.batch_size, -1)), 1
        if of_columns is None:
            rows = rows.movedim(of_rows, 0).unflatten(2, (-1, widths[1])).movedim(0, 2).flatten(1)
            wide = tap_matrices(columns, rows, (taps, widths[0], info.batch_size * widths[1]), *tables)
            return wide.unflatten(2, (info.batch_size, -1)), 2
        index, pointer, phi, back_index, back_pointer, back_phi, *_, targets = tables

        def plain(columns: Tensor, rows: Tensor) -> Tensor:
            if len(columns) < targets:
                met = _plain_sums(rows, back_index, back_pointer, back_phi).view(taps, len(columns), -1, widths[1])
                return torch.einsum("pmbf,mbc->pcf", met, columns.unflatten(1, (-1, widths[0])))
            met = _plain_sums(columns, index, pointer, phi).view(taps, targets, -1, widths[0])
            return torch.einsum("pnbc,nbf->pcf", met, rows.unflatten(1, (-1, widths[1])))

        return torch.vmap(plain, (of_columns, of_rows))(columns, rows), 0


class _CompiledValues(torch.autograd.Function):
    """The same for the compiler, which takes no function with a derivative forwards."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        ctx.save_for_backward(*inputs[:8])
        ctx.rest = inputs[8:]
        return _values(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _gradients_of_values(ctx, grads[0])


class _CompiledMatrices(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        ctx.save_for_backward(*inputs[:2], *inputs[3:9])
        ctx.rest = inputs[9:]
        return _matrices(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _gradients_of_matrices(ctx, grads[0])


def _total(parts: list[Tensor]) -> Tensor:
    return functools.reduce(torch.add, parts)


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


def _plain_sums(rows: Tensor, index: Tensor, pointer: Tensor, phi: Tensor) -> Tensor:
    """The same in operators that have all derivatives."""
    total = torch.repeat_interleave(pointer.diff())
    entries = rows.index_select(0, index) * phi.unsqueeze(1)
    return rows.new_zeros(pointer.numel() - 1, rows.shape[1]).index_add(0, total, entries)


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
