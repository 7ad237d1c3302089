"""A density of parts in order, one on each slot of a tree."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.models.cgae.density.placement import Parts, Placement

__all__ = ["Slot", "SlotTree"]


class Slot(NamedTuple):
    r"""The density of the part on a slot, given the part on the slot's parent.

    .. math::
        p(k, y \mid k', x) = p(k \mid k') \Big(\alpha\, \mathcal N_{\text{beside}}(y \mid k, x, k')
            + \beta\, \mathcal N_{\text{alone}}(y \mid k) + \frac{\gamma}{I J}\Big)

    "Alone" does not look at the parent: it serves the root and slots whose parent is not used, where it takes the
    share of the other too, and with the uniform rest those images in which a slot strays. A part that is not used is
    prototype K here and has no place.

    Attributes:
        parent: Slot of the part before, -1 at the root.
        prototype: Probabilities of prototypes 0 to K, K for none, after each of them and, in the last row, at the root,
            ``[K + 2, K + 1]``.
        beside: Gaussian of the place, given the parent's part; not there at the root.
        alone: Gaussian of the place.
        share: :math:`\alpha, \beta, \gamma` ``[3]``.
    """

    parent: int
    prototype: Tensor
    beside: Placement | None
    alone: Placement
    share: Tensor

    def probability(self, part: Parts, before: Parts | None) -> Tensor:
        """Of parts, given those before them."""
        last = self.prototype.shape[1] - 1
        shown = torch.where(part.used, part.k, last)
        alone = self.alone.probability(part, None)
        if before is None or self.beside is None:
            given, table = alone, self.prototype[-1][shown]
        else:
            given = torch.where(before.used, self.beside.probability(part, before), alone)
            table = self.prototype[torch.where(before.used, before.k, last), shown]
        beside, apart, anywhere = self.share
        placed = beside * given + apart * alone + anywhere / (self.alone.grid[0] * self.alone.grid[1])
        return torch.where(part.used, placed, 1.0) * table

    def sample(self, before: Parts | None, n: int, generator: torch.Generator) -> Parts:
        """``n`` parts, each given the one before it."""
        last = self.prototype.shape[1] - 1
        row = torch.full((n,), last + 1) if before is None else torch.where(before.used, before.k, last)
        k = torch.multinomial(self.prototype[row], 1, generator=generator)[:, 0]
        used, k = k < last, k.clamp_max(last - 1)
        kind = torch.multinomial(self.share.expand(n, -1), 1, generator=generator)[:, 0]
        place = self.alone.sample(k, None, generator)
        if before is not None and self.beside is not None:
            beside = self.beside.sample(k, before, generator)
            place = torch.where(((kind == 0) & before.used).unsqueeze(1), beside, place)
        anywhere = torch.stack([torch.randint(size, (n,), generator=generator) for size in self.alone.grid], 1)
        place = torch.where((kind == 2).unsqueeze(1), anywhere, place)
        return Parts(place.double(), k, used)


class SlotTree(NamedTuple):
    r"""Slots whose parents make a tree: :math:`p(z_1, \dots, z_H) = \prod_v p_v(z_v \mid z_{u(v)})`.

    Attributes:
        slots: H slots.
    """

    slots: tuple[Slot, ...]

    @property
    def parent(self) -> tuple[int, ...]:
        """Of each slot, -1 for the root."""
        return tuple(slot.parent for slot in self.slots)

    def factors(self, parts: Parts) -> tuple[Tensor, Tensor]:
        """Probability of each part on the root ``[B, H]``, and on each slot given each before it ``[B, H, H, H]``.

        Args:
            parts: ``[B, H]`` parts, in any order.
        """
        part = Parts(parts.place.unsqueeze(1), parts.k.unsqueeze(1), parts.used.unsqueeze(1))
        before = Parts(parts.place.unsqueeze(2), parts.k.unsqueeze(2), parts.used.unsqueeze(2))
        edge = torch.ones(*parts.k.shape, parts.k.shape[1], parts.k.shape[1], dtype=torch.double)
        for v, slot in enumerate(self.slots):
            if slot.parent < 0:
                root = slot.probability(parts, None)
            else:
                edge[:, v] = slot.probability(part, before)
        return root, edge

    def sample(self, n: int, generator: torch.Generator) -> Parts:
        """``n`` times H parts, in the order of the slots."""
        found: dict[int, Parts] = {}
        while len(found) < len(self.slots):
            for v, slot in enumerate(self.slots):
                if v not in found and (slot.parent < 0 or slot.parent in found):
                    found[v] = slot.sample(found.get(slot.parent), n, generator)
        ordered = [found[v] for v in range(len(self.slots))]
        return Parts(*(torch.stack(field, 1) for field in zip(*ordered, strict=True)))
