"""Bits of the linear codes: whole steps, counted by how often each came up in training."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from scge_pyg.models.cgae.code import Code

__all__ = ["Coefficients", "steps"]

_COUNTED = ("counts", "center", "width")


def steps(code: Code, step: float) -> Tensor:
    """Linear codes in whole steps ``[B, H, q]``, still of their floating type."""
    if not code.b.isfinite().all():
        raise ValueError("code: b must be finite, got NaN or infinity; encode the images again")
    return (code.b / step).round()


class Coefficients:
    r"""An entropy code of rounded linear codes, one histogram for each prototype and coefficient.

    .. math::
        p_{kd}(n) = \frac{c_{kd}(n) + g_{kd}(n)}{\sum_m c_{kd}(m) + 1}

    with :math:`c_{kd}(n)` the training parts of prototype k whose d-th coefficient is n steps, and g a Cauchy
    distribution on whole numbers as wide as they are: any number can be coded, and bits on other codes are a cross
    entropy, never less than what a decoder needs that knows the training codes alone.

    Args:
        step: Width of a step.
        num_prototypes: Prototypes K.
    """

    def __init__(self, step: float, num_prototypes: int) -> None:
        self.step, self.num_prototypes = step, num_prototypes

    def fit(self, code: Code) -> Coefficients:
        """Count the linear codes of used parts."""
        used = code.k >= 0
        n, k = steps(code, self.step)[used].long(), code.k[used]
        lowest, highest = (int(n.min()), int(n.max())) if n.numel() else (0, 0)
        flat = (k.unsqueeze(1) * n.shape[1] + torch.arange(n.shape[1])) * (highest - lowest + 1) + n - lowest
        shape = (self.num_prototypes, n.shape[1], highest - lowest + 1)
        self.lowest, self.counts = lowest, torch.bincount(flat.flatten(), minlength=math.prod(shape)).view(shape)
        values = torch.arange(lowest, highest + 1, dtype=torch.double)
        number = self.counts.sum(2)
        self.center = (self.counts * values).sum(2) / number.clamp_min(1)
        spread = (self.counts * (values - self.center.unsqueeze(2)).square()).sum(2) / number.clamp_min(1)
        self.width = (spread + 1).sqrt()
        return self

    def bits(self, code: Code) -> Tensor:
        """Of each part's linear code ``[B, H]``, 0 where a part is not used."""
        n, k = steps(code, self.step).long(), code.k.clamp_min(0)
        inside = (n >= self.lowest) & (n < self.lowest + self.counts.shape[2])
        at = (n - self.lowest).clamp(0, self.counts.shape[2] - 1).unsqueeze(3)
        seen = torch.where(inside, self.counts[k].gather(3, at).squeeze(3), 0)
        a = n - self.center[k]
        w = self.width[k]
        wide = torch.atan2(1 / w, 1 + (a.square() - 0.25) / w.square()) / math.pi  # of a half step to either side
        bits = -((seen + wide) / (self.counts.sum(2)[k] + 1)).log2()
        return torch.where(code.k >= 0, bits.sum(2), 0.0)

    def sample(self, k: Tensor, generator: torch.Generator) -> Tensor:
        """Linear codes ``[..., q]`` of parts with prototypes k, drawn from the histograms."""
        table = (self.counts + (self.counts.sum(2, keepdim=True) == 0)).double()[k]
        drawn = torch.multinomial(table.flatten(0, -2), 1, generator=generator).view(table.shape[:-1])
        return (drawn + self.lowest) * self.step

    def state_dict(self) -> dict[str, Tensor]:
        """What was counted."""
        return {"lowest": torch.tensor(self.lowest), **{name: getattr(self, name) for name in _COUNTED}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take what another one counted; a ``KeyError`` names an entry that is missing."""
        self.lowest = int(state["lowest"])
        self.counts, self.center, self.width = (state[name] for name in _COUNTED)
