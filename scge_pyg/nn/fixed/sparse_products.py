"""The products of a layer on a CPU whose neighbours may change at every step: sums over what counts, and no more."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.fixed.entries import Entries

__all__ = ["pair_products", "tap_products"]

_BLOCK = 300_000  # values that the taps of a block of targets or samples meet: to stay in the cache


def tap_products(x: Tensor, value: Tensor, weight: Tensor, entries: Entries) -> Tensor:
    r""":math:`\mathbf{Y}_{bih} = \sum_p \bigl(\sum_{e \in (i, p)} v_{bhe} \mathbf{X}_{b, j(e)}\bigr) \mathbf{W}_{hp}`.

    Differentiable in ``x``, ``value`` and ``weight``, any number of times.

    Cost: :math:`O(H B (E C + N P C C'))` time; memory for input, output and what the taps of one sample meet,
    :math:`N P C` values.

    Args:
        x: Features ``[B, N_s, C]``.
        value: Weight of each entry ``[B, H, E]``, or ``[1, H, E]`` where all samples have the same.
        weight: Matrices ``[H, P * C, F]``, tap by tap.
        entries: One sum for each target and tap, target by target.

    Returns:
        ``[B, N_t, H, F]``.
    """
    y: Tensor = _TapProducts.apply(x, value, weight, *entries)
    return y


def pair_products(query: Tensor, key: Tensor, entries: Entries) -> Tensor:
    r""":math:`s_{bhe} = \mathbf{q}_{hb, i(e)}^{\top} \mathbf{k}_{hb, j(e)}`.

    Differentiable in ``query`` and ``key``, any number of times.

    Cost: :math:`O(H B E C)` time, and no memory but the result.

    Args:
        query: Of each target ``[H, B, N_t, C]``.
        key: Of each source ``[H, B, N_s, C]``, or ``[1, B, N_s, C]`` where all heads have the same.
        entries: One sum for each target.

    Returns:
        ``[B, H, E]``.
    """
    scores: Tensor = _PairProducts.apply(query, key, *entries)
    return scores


def _blocks(count: int, size: int) -> list[slice]:
    """Ranges of things with ``size`` values each."""
    step = max(1, _BLOCK // max(1, size))
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]


class _TapProducts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, value: Tensor, weight: Tensor, source: Tensor, pointer: Tensor, count: int
    ) -> Tensor:
        x, known = x.contiguous(), Entries(source, pointer, count)
        ctx.save_for_backward(x, value, weight, source, pointer)
        ctx.save_for_forward(x, value, weight, source, pointer)
        heads, inner, width = weight.shape
        taps = inner // x.shape[2]
        targets = (len(known.pointer) - 1) // taps
        y = x.new_empty(len(x), targets, heads, width)
        for few in _blocks(targets, inner):
            part, own = known.part(few.start * taps, few.stop * taps)
            for some in _blocks(len(x), targets * inner):
                samples = some.stop - some.start
                rows, sums = x[some].flatten(0, 1), part.times(samples)
                for head, out in enumerate(y[some, few].flatten(0, 1).unbind(1)):
                    met = sums.sums(rows, _of(value, some, head, own)).view(-1, inner)
                    torch.mm(met, weight[head], out=out)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, value, weight, source, pointer = ctx.saved_tensors
        known, upstream = Entries(source, pointer, x.shape[1]), grads[0].contiguous()
        if torch.is_grad_enabled():  # the gradient itself is to be differentiated
            return *_differentiable(_plain_taps, (x, value, weight), known, upstream), None, None, None
        inner, channels, targets = weight.shape[1], x.shape[2], upstream.shape[1]
        taps = inner // channels
        grad_x, grad_value, grad_weight = (
            torch.zeros_like(tensor) if needed else None
            for tensor, needed in zip((x, value, weight), ctx.needs_input_grad[:3], strict=True)
        )
        blocks = _blocks(targets, inner)
        adjoints = known.adjoints(taps * (blocks[0].stop if blocks else 1)) if grad_x is not None else []
        for number, few in enumerate(blocks):
            part, own = known.part(few.start * taps, few.stop * taps)
            for some in _blocks(len(x), targets * inner):
                samples = some.stop - some.start
                rows, sums = x[some].flatten(0, 1), part.times(samples)
                for head, up in enumerate(upstream[some, few].flatten(0, 1).unbind(1)):
                    share = _of(value, some, head, own)
                    if grad_weight is not None:
                        grad_weight[head].addmm_(sums.sums(rows, share).view(-1, inner).t(), up)
                    if grad_x is None and grad_value is None:
                        continue
                    told = (up @ weight[head].t()).view(-1, channels)
                    if grad_value is not None:
                        dots = sums.products(told, rows).view(samples, -1)
                        shared = len(value) == 1
                        grad_value[slice(1) if shared else some, head, own] += dots.sum(0) if shared else dots
                    if grad_x is not None:
                        adjoints[number].add(grad_x[some], told, share)
        return grad_x, grad_value, grad_weight, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        x, value, weight, source, pointer = ctx.saved_tensors
        return _tangent(tap_products, (x, value, weight), tangents[:3], Entries(source, pointer, x.shape[1]))


class _PairProducts(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, source: Tensor, pointer: Tensor, count: int) -> Tensor:
        query, key, known = query.contiguous(), key.contiguous(), Entries(source, pointer, count)
        ctx.save_for_backward(query, key, source, pointer)
        ctx.save_for_forward(query, key, source, pointer)
        scores = query.new_empty(query.shape[1], len(query), len(known.source))
        for some in _blocks(query.shape[1], query.shape[2:].numel()):
            sums = known.times(some.stop - some.start)
            for head, one in enumerate(query):
                keys = key[head % len(key), some].flatten(0, 1)
                scores[some, head] = sums.products(one[some].flatten(0, 1), keys).view(some.stop - some.start, -1)
        return scores

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        query, key, source, pointer = ctx.saved_tensors
        known = Entries(source, pointer, key.shape[2])
        if torch.is_grad_enabled():
            return *_differentiable(_plain_pairs, (query, key), known, grads[0]), None, None, None
        grad_query = torch.empty_like(query) if ctx.needs_input_grad[0] else None
        grad_key = torch.zeros_like(key) if ctx.needs_input_grad[1] else None
        (back,) = known.adjoints(query.shape[2])
        for some in _blocks(query.shape[1], query.shape[2:].numel()):
            samples = some.stop - some.start
            for head, own in enumerate(grads[0][some].unbind(1)):
                if grad_query is not None:
                    rows = key[head % len(key), some].flatten(0, 1)
                    told = known.times(samples).sums(rows, own.flatten())
                    grad_query[head, some] = told.view_as(grad_query[head, some])
                if grad_key is not None:
                    back.add(grad_key[head % len(key), some], query[head, some].flatten(0, 1), own)
        return grad_query, grad_key, None, None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        query, key, source, pointer = ctx.saved_tensors
        return _tangent(pair_products, (query, key), tangents[:2], Entries(source, pointer, key.shape[2]))


def _of(value: Tensor, some: slice, head: int, own: slice) -> Tensor:
    """Weights of some entries in a block of samples, one sample after another."""
    if len(value) > 1:
        return value[some, head, own].flatten()
    return value[0, head, own].expand(some.stop - some.start, -1).flatten()


def _plain_taps(x: Tensor, value: Tensor, weight: Tensor, entries: Entries) -> Tensor:
    """By plain indexing, all of whose derivatives torch knows."""
    row = torch.repeat_interleave(entries.pointer.diff())
    near = x[:, None, entries.source] * value.unsqueeze(3)
    met = near.new_zeros(*near.shape[:2], len(entries.pointer) - 1, x.shape[2]).index_add(2, row, near)
    return torch.einsum("bhiq,hqf->bihf", met.view(*near.shape[:2], -1, weight.shape[1]), weight)


def _plain_pairs(query: Tensor, key: Tensor, entries: Entries) -> Tensor:
    row = torch.repeat_interleave(entries.pointer.diff())
    return (query[:, :, row] * key[:, :, entries.source]).sum(3).transpose(0, 1)


def _differentiable(
    function: Any, tensors: tuple[Tensor, ...], entries: Entries, upstream: Tensor
) -> list[Tensor | None]:
    """Gradients that can be differentiated: partial ones, also where a tensor was made from another, as scores are."""
    tensors = tuple(t.view_as(t) for t in tensors)
    wanted = [t for t in tensors if t.requires_grad]
    found = iter(torch.autograd.grad(function(*tensors, entries), wanted, upstream, create_graph=True))
    return [next(found) if t.requires_grad else None for t in tensors]


def _tangent(function: Any, tensors: tuple[Tensor, ...], tangents: tuple[Any, ...], entries: Entries) -> Tensor:
    """Of a product that is linear in each of its tensors."""
    parts = [
        function(*tensors[:place], tangent, *tensors[place + 1 :], entries)
        for place, tangent in enumerate(tangents)
        if tangent is not None
    ]
    return functools.reduce(torch.add, parts)
