"""Whom the targets of a layer hear, and the products over that alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.nn.fixed.entries import pair_entries, tap_entries
from scge_pyg.nn.fixed.sparse_products import tap_products
from scge_pyg.nn.fixed.tap_product import Wiring
from scge_pyg.nn.fixed.tap_table import ENOUGH
from scge_pyg.nn.layer.kernel import Kernel

__all__ = ["Heard"]


class Heard(NamedTuple):
    """Whom the targets hear, and how.

    Attributes:
        source: Sources ``[N_t, K]``, or None if every target hears all sources in their order.
        valid: Entries that count ``[N_t, K]``.
        alpha: Attention weights ``[N_t, K]``, or ``[B, N_t, K, H]`` where they depend on the sample.
        offset: From target to source ``[N_t, K, d]``.
        kernel: Kernel of the offset, or None for 1 everywhere.
        means: Whether each tap is the mean of the sources that it meets.
    """

    source: Tensor | None
    valid: Tensor
    alpha: Tensor
    offset: Tensor
    kernel: Kernel | None
    means: bool = False

    @property
    def phi(self) -> Tensor | None:
        """Kernel weights ``[N_t, K, P]``, or None for a kernel that is 1 everywhere."""
        if self.kernel is None:
            return None
        phi: Tensor = self.kernel(self.offset)
        if not self.means:
            return phi
        phi = phi * self.valid.unsqueeze(-1)
        return phi / phi.sum(1, keepdim=True).clamp_min(ENOUGH)

    def wiring(self) -> Wiring:
        """As a list of edges, sorted by target."""
        phi = self.phi
        heard = (phi > 0).any(-1) if self.means and phi is not None else self.valid
        target, slot = heard.nonzero(as_tuple=True)
        source = slot if self.source is None else self.source[target, slot]
        alpha = self.alpha[target, slot] if self.alpha.dim() == 2 else self.alpha[:, target, slot]
        return Wiring(torch.stack([source, target]), alpha, None if phi is None else phi[target, slot])

    def poison(self, x: Tensor, phi: Tensor | None) -> Tensor:
        """Summands ``[B, N_t, H or 1, 1]``: NaN where a NaN or an infinity of ``x [B, N_s, C]`` is heard, 0 elsewhere.

        It is heard with a weight other than 0, for kernel weights ``phi``, or where a score has made the weights NaN.
        """
        bad, counts = ~x.isfinite().all(2), self.valid
        if phi is not None:
            counts = counts & (phi != 0).any(2)
        if self.alpha.dim() == 2:
            counts = counts & (self.alpha != 0)
            if self.source is None:
                told = (bad.to(x.dtype) @ counts.to(x.dtype).t() > 0).unsqueeze(2)
            else:
                told = (counts & bad[:, self.source]).any(2, keepdim=True)
        else:
            near = bad.unsqueeze(1) if self.source is None else bad[:, self.source]
            told = ((counts & near).unsqueeze(3) & (self.alpha != 0) | self.alpha.isnan()).any(2)
        return torch.where(told, torch.nan, 0.0).to(x.dtype).unsqueeze(3)

    def products(self, x: Tensor, weight: Tensor) -> Tensor:
        """Products of ``x [B, N_s, C]`` with ``weight [P, C, H, F]`` over what counts alone ``[B, N_t, H, F]``."""
        assert self.source is not None
        heads = weight.shape[2]
        alpha = self.alpha.unsqueeze(0).unsqueeze(3) if self.alpha.dim() == 2 else self.alpha
        value = alpha.to(x.dtype).permute(0, 3, 1, 2).flatten(2).expand(-1, heads, -1)
        if self.kernel is None:
            entries = pair_entries(self.source, x.shape[1])
        else:
            support = self.kernel.support(self.offset) & self.valid.unsqueeze(1)
            entries, pair, tap = tap_entries(self.source, support, x.shape[1])
            phi = self.kernel.at(self.offset, pair, tap)
            if self.means:
                row = torch.repeat_interleave(entries.pointer.diff())
                total = phi.new_zeros(len(entries.pointer) - 1).index_add(0, row, phi)
                phi = phi / total.clamp_min(ENOUGH).index_select(0, row)
            value = value.gather(2, pair.expand(*value.shape[:2], -1)) * phi.to(x.dtype)
        return tap_products(x, value, weight.permute(2, 0, 1, 3).flatten(1, 2), entries)
