r"""The linear map behind the layers: one sparse gather and one accumulating matrix product per tap."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scge_pyg.nn.kernel import TapTable

__all__ = ["TapProduct"]

_MIN_INNER = 64


class TapProduct(torch.nn.Module):
    r"""Applies :math:`y_i = \sum_p \left(\sum_j \phi_{pij} x_j\right) W_p` to a batch, with fixed :math:`\phi`.

    The batch is handled node-major, as ``[N, B C]``: a gather then copies long rows, and an activation that comes
    from another such layer is in this order already. Few channels are gathered for several taps at once, so that
    the products stay efficient. Tables have static shapes; they are buffers that ``state_dict`` leaves out.

    Cost: :math:`O(P N B C (S + C'))` time for :math:`C` to :math:`C'` channels, P taps and S sources per tap (1 on a
    lattice); memory for the input, the output and one gathered tap.

    Args:
        table: Interpolation weights from :func:`scge_pyg.nn.kernel.build_taps`.
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
        starts = table.pointer[:: self.targets] if self.targets else torch.zeros(self.taps + 1)
        self.starts = tuple(int(s) for s in starts)

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """Map ``[B, M, C]`` with weights ``[P, C, C']`` to ``[B, N, C']``; the result is node-major in memory."""
        columns = x.transpose(0, 1).reshape(self.sources, -1)
        phi, back_phi = self.phi.to(x.dtype), self.back_phi.to(x.dtype)
        forth = (self.index, self.pointer, phi)
        back = (self.back_index, self.back_pointer, back_phi)
        y = _Taps.apply(columns, weight, *forth, *back, self.starts)
        return y.view(self.targets, x.shape[0], weight.shape[2]).transpose(0, 1)


def _gather(columns: Tensor, channels: int, index: Tensor, pointer: Tensor, phi: Tensor, starts: tuple[int, ...],
            first: int, last: int) -> Tensor:
    """Tap values ``[N * B, (last - first) * C]`` of taps ``first`` to ``last - 1``."""
    taps, rows = last - first, (pointer.numel() - 1) // (len(starts) - 1)
    begin, end = starts[first], starts[last]
    offsets = pointer[first * rows : last * rows + 1]
    bags = F.embedding_bag(
        index[begin:end],
        columns,
        offsets - begin if begin else offsets,
        mode="sum",
        per_sample_weights=phi[begin:end],
        include_last_offset=True,
    )
    if taps == 1:
        return bags.view(-1, channels)
    return bags.view(taps, -1, channels).transpose(0, 1).reshape(-1, taps * channels)


def _taps_per_product(channels: int, taps: int) -> int:
    return min(taps, max(1, _MIN_INNER // max(1, channels)))


class _Taps(torch.autograd.Function):
    """``[M, B C]`` to ``[N * B, C']``; its backward is the same map with the adjoint tables."""

    @staticmethod
    def forward(
        ctx: Any, columns: Tensor, weight: Tensor, index: Tensor, pointer: Tensor, phi: Tensor,
        back_index: Tensor, back_pointer: Tensor, back_phi: Tensor, starts: tuple[int, ...],
    ) -> Tensor:
        ctx.save_for_backward(columns, weight, index, pointer, phi, back_index, back_pointer, back_phi)
        ctx.starts = starts
        taps, channels, out_channels = weight.shape
        targets = (pointer.numel() - 1) // taps
        y = columns.new_zeros(targets * (columns.shape[1] // channels), out_channels)
        step = _taps_per_product(channels, taps)
        for first in range(0, taps, step):
            last = min(first + step, taps)
            z = _gather(columns, channels, index, pointer, phi, starts, first, last)
            y = y.addmm_(z, weight[first:last].reshape(-1, out_channels))
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        columns, weight, index, pointer, phi, back_index, back_pointer, back_phi = ctx.saved_tensors
        taps, channels, out_channels = weight.shape
        grad = grads[0].contiguous()
        grad_columns = grad_weight = None
        if ctx.needs_input_grad[0]:
            sources = (back_pointer.numel() - 1) // taps
            rows = grad.view((pointer.numel() - 1) // taps, -1)
            grad_columns = _Taps.apply(
                rows, weight.transpose(1, 2), back_index, back_pointer, back_phi, index, pointer, phi, ctx.starts
            ).view(sources, -1)
        if ctx.needs_input_grad[1]:
            step = _taps_per_product(channels, taps)
            parts = []
            for first in range(0, taps, step):
                last = min(first + step, taps)
                z = _gather(columns, channels, index, pointer, phi, ctx.starts, first, last)
                parts.append((z.t() @ grad).view(last - first, channels, out_channels))
            grad_weight = torch.cat(parts)
        return grad_columns, grad_weight, None, None, None, None, None, None, None
