"""The product of a layer whose neighbours may change at every step, in blocks of targets that stay in the cache."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.nn.fixed.tap_function import signed

__all__ = ["blended_weights", "neighbor_product"]

_BLOCK, _CUDA_BLOCK = 2**19, 2**26  # values gathered at once: to stay in the cache; to fill a GPU


def neighbor_product(columns: Tensor, index: Tensor, mix: Tensor, weight: Tensor) -> Tensor:
    r"""Node-major :math:`\mathbf{Y}_i = \sum_p \bigl(\sum_k m_{ikp} \mathbf{X}_{n(i,k)}\bigr) \mathbf{W}_p`.

    Differentiable in ``columns``, ``mix`` and ``weight``, any number of times, also under ``torch.func``.

    Cost: :math:`O(N B (K P C + P C C'))` time; memory for input, output and one block of gathered neighbours, where
    plain indexing would hold :math:`N K B C` values until the backward pass. One tap needs no gathered neighbours at
    all: ``embedding_bag`` sums them where they are. Where targets hear few of their taps, as in a transposed layer, the
    matrices are mixed instead of the features: :math:`O(N K C C' (P + B))` time, and memory for the neighbours. Where
    all products of a source are smaller than the source, :math:`P C' < C`, they are what is gathered. Under a compiler,
    which fuses what it can, it is plain indexing.

    Args:
        columns: Features ``[N_s, B * C]``: for each node those of all samples.
        index: Neighbours ``[N_t, K]``.
        mix: Weight of each neighbour at each tap ``[N_t, K, P]``.
        weight: Matrices ``[P * C, F]``, tap by tap.

    Returns:
        ``[N_t, B, F]``.
    """
    if torch.compiler.is_compiling():
        return _plain(columns, index, mix, weight)
    channels = weight.shape[0] // mix.shape[2]
    if mix.shape[2] * weight.shape[1] < channels:
        return _of_products(columns, index, mix, weight)
    if blended_weights(columns.shape[1] // channels, mix.shape[1], mix.shape[2], weight.shape[1]):
        own = (mix.flatten(0, 1) @ weight.view(mix.shape[2], -1)).view(len(index), -1, weight.shape[1])
        near = columns.index_select(0, index.flatten()).view(*index.shape, -1, channels).transpose(1, 2)
        return near.flatten(2) @ own
    return _NeighborProduct.apply(columns, index, mix, weight)


def blended_weights(batch: int, neighbours: int, taps: int, width: int) -> bool:
    """Whether mixing the matrices for each neighbour costs less than mixing the features for each tap.

    Never under a compiler, whose graphs serve batches of all sizes.
    """
    mixed = neighbours * width * (taps + batch)
    return not torch.compiler.is_compiling() and mixed < batch * taps * (neighbours + width)


def _met(columns: Tensor, index: Tensor, mix: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Gathered neighbours ``[n, K, B * C]`` and what the taps meet ``[n * B, P * C]``."""
    near = columns[index]
    met = (mix.transpose(1, 2) @ near).unflatten(2, (-1, channels)).transpose(1, 2)
    return near, met.reshape(-1, met.shape[2] * channels)


def _plain(columns: Tensor, index: Tensor, mix: Tensor, weight: Tensor) -> Tensor:
    met = _met(columns, index, mix, weight.shape[0] // mix.shape[2])[1]
    return (met @ weight).view(index.shape[0], -1, weight.shape[1])


def _of_products(columns: Tensor, index: Tensor, mix: Tensor, weight: Tensor) -> Tensor:
    """Multiply at the sources, then gather."""
    taps, width = mix.shape[2], weight.shape[1]
    across = weight.view(taps, -1, width).transpose(0, 1).flatten(1)
    products = (columns.reshape(-1, len(across)) @ across).view(len(columns), -1, taps, width).transpose(1, 2)
    near = products.flatten(1).index_select(0, index.flatten()).view(len(index), index.shape[1] * taps, -1)
    return (mix.flatten(1).unsqueeze(2) * near).sum(1).view(len(index), -1, width)


def _summed(columns: Tensor, index: Tensor, mix: Tensor) -> Tensor:
    """What a single tap meets ``[N_t, B * C]``."""
    return F.embedding_bag(index, columns, per_sample_weights=mix.squeeze(2), mode="sum")


def _one_tap_backward(
    columns: Tensor, index: Tensor, mix: Tensor, weight: Tensor, upstream: Tensor, needs: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    up = upstream.flatten(0, 1)
    with torch.enable_grad():
        leaves = [t.detach().requires_grad_(need) for t, need in ((columns, needs[0]), (mix, needs[2]))]
        met = _summed(leaves[0], index, leaves[1])
    grad_weight = met.detach().view(-1, weight.shape[0]).t() @ up if needs[3] else None
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    found = iter(torch.autograd.grad(met, wanted, (up @ weight.t()).view_as(met)) if wanted else ())
    grad_columns, grad_mix = (next(found) if leaf.requires_grad else None for leaf in leaves)
    return grad_columns, None, grad_mix, grad_weight


class _NeighborProduct(torch.autograd.Function):
    @staticmethod
    @signed
    def forward(columns: Tensor, index: Tensor, mix: Tensor, weight: Tensor) -> Tensor:
        channels = weight.shape[0] // mix.shape[2]
        if mix.shape[2] == 1:
            return (_summed(columns, index, mix).view(-1, channels) @ weight).view(len(index), -1, weight.shape[1])
        y = columns.new_empty(index.shape[0], columns.shape[1] // channels, weight.shape[1])
        for rows in _blocks(columns, index):
            met = _met(columns, index[rows], mix[rows], channels)[1]
            torch.mm(met, weight, out=y[rows].flatten(0, 1))
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        columns, index, mix, weight = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient itself is to be differentiated
            return _plain_backward(columns, index, mix, weight, grads[0], ctx.needs_input_grad)
        if mix.shape[2] == 1:
            return _one_tap_backward(columns, index, mix, weight, grads[0], ctx.needs_input_grad)
        return _blockwise_backward(columns, index, mix, weight, grads[0], ctx.needs_input_grad)

    @staticmethod
    def jvp(ctx: Any, columns: Tensor | None, _: None, mix: Tensor | None, weight: Tensor | None) -> Tensor:
        own_columns, index, own_mix, own_weight = ctx.saved_tensors
        parts = [(columns, own_mix, own_weight), (own_columns, mix, own_weight), (own_columns, own_mix, weight)]
        known = [(x, m, w) for x, m, w in parts if not (x is None or m is None or w is None)]
        return functools.reduce(torch.add, [_NeighborProduct.apply(x, index, m, w) for x, m, w in known])

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Tensor) -> tuple[Tensor, int]:
        """More samples are more columns, more matrices wider ones; anything else goes the plain way."""
        columns, index, mix, weight = inputs
        match in_dims:
            case (int(dim), None, None, None):
                y = _NeighborProduct.apply(columns.movedim(dim, 1).flatten(1), index, mix, weight)
                return y.unflatten(1, (info.batch_size, -1)), 1
            case (None, None, None, int(dim)):
                y = _NeighborProduct.apply(columns, index, mix, weight.movedim(dim, 1).flatten(1))
                return y.unflatten(2, (info.batch_size, -1)), 2
        return torch.vmap(_plain, in_dims)(*inputs), 0


def _plain_backward(
    columns: Tensor, index: Tensor, mix: Tensor, weight: Tensor, upstream: Tensor, needs: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """In operators that have derivatives themselves."""
    taps, up = mix.shape[2], upstream.flatten(0, 1)
    near, met = _met(columns, index, mix, weight.shape[0] // taps)
    back = (up @ weight.t()).view(len(index), -1, taps, weight.shape[0] // taps).transpose(1, 2).flatten(2)
    grad_columns = grad_mix = None
    if needs[0]:
        grad_columns = torch.zeros_like(columns).index_add(0, index.flatten(), (mix @ back).flatten(0, 1))
    if needs[2]:
        grad_mix = near @ back.transpose(1, 2)
    return grad_columns, None, grad_mix, met.t() @ up if needs[3] else None


def _blockwise_backward(
    columns: Tensor, index: Tensor, mix: Tensor, weight: Tensor, upstream: Tensor, needs: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    channels, taps = weight.shape[0] // mix.shape[2], mix.shape[2]
    grad_columns = torch.zeros_like(columns) if needs[0] else None
    grad_mix = torch.empty_like(mix) if needs[2] else None
    grad_weight = torch.zeros_like(weight) if needs[3] else None
    for rows in _blocks(columns, index):
        up = upstream[rows].flatten(0, 1)
        if grad_weight is not None or grad_mix is not None:
            near, met = _met(columns, index[rows], mix[rows], channels)
        if grad_weight is not None:
            grad_weight.addmm_(met.t(), up)
        if grad_columns is None and grad_mix is None:
            continue
        back = (up @ weight.t()).view(len(mix[rows]), -1, taps, channels).transpose(1, 2).flatten(2)
        if grad_mix is not None:
            torch.bmm(near, back.transpose(1, 2), out=grad_mix[rows])
        if grad_columns is not None:
            grad_columns.index_add_(0, index[rows].flatten(), (mix[rows] @ back).flatten(0, 1))
    return grad_columns, None, grad_mix, grad_weight


def _blocks(columns: Tensor, index: Tensor) -> list[slice]:
    step = max(1, (_CUDA_BLOCK if columns.is_cuda else _BLOCK) // max(1, index.shape[1] * columns.shape[1]))
    return [slice(first, first + step) for first in range(0, index.shape[0], step)]
