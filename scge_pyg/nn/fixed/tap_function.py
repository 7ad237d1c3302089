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
from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.fixed.tap_sums import matrices, plain_sums, values

__all__ = ["signed", "tap_matrices", "tap_values"]


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
        return values(*inputs)

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
                return plain_sums(products.flatten(0, 1).flatten(1), index, pointer, phi)
            met = plain_sums(columns, index, pointer, phi).view(taps, targets, -1, channels)
            return torch.einsum("pnbc,pcf->nbf", met, weight).flatten(1)

        return torch.vmap(plain, (of_columns, of_weight))(columns, weight), 0


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
        return matrices(*inputs)

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
                met = plain_sums(rows, back_index, back_pointer, back_phi).view(taps, len(columns), -1, widths[1])
                return torch.einsum("pmbf,mbc->pcf", met, columns.unflatten(1, (-1, widths[0])))
            met = plain_sums(columns, index, pointer, phi).view(taps, targets, -1, widths[0])
            return torch.einsum("pnbc,nbf->pcf", met, rows.unflatten(1, (-1, widths[1])))

        return torch.vmap(plain, (of_columns, of_rows))(columns, rows), 0


class _CompiledValues(torch.autograd.Function):
    """The same for the compiler, which takes no function with a derivative forwards."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        ctx.save_for_backward(*inputs[:8])
        ctx.rest = inputs[8:]
        return values(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _gradients_of_values(ctx, grads[0])


class _CompiledMatrices(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        ctx.save_for_backward(*inputs[:2], *inputs[3:9])
        ctx.rest = inputs[9:]
        return matrices(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return _gradients_of_matrices(ctx, grads[0])


def _total(parts: list[Tensor]) -> Tensor:
    return functools.reduce(torch.add, parts)
