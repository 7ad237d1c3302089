"""Pairs of nodes with a known distance, sampled by walks on partners: straight ahead, one turn, straight ahead."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.graph.drawing.wiring import TRIANGULATED

__all__ = ["Pairs", "StraightWalks"]

_BLOCK = 1024


class Pairs(NamedTuple):
    """Nodes ``start [M]`` and ``end [M]`` and the distance between them, ``length [M]``."""

    start: Tensor
    end: Tensor
    length: Tensor


class StraightWalks:
    r"""Distances that local wiring implies, without any coordinates.

    Two nodes with one partner in common lie straight across it; with two in common they lie across a corner. So a
    walk can keep its direction although no node knows where it is: it goes on to a partner of the node ahead that has
    only that node in common with the one behind. A walk of ``a`` steps, one turn at a corner and ``b`` further steps
    spans a triangle, whose third side is

    .. math::
        \ell = \sqrt{a^2 + b^2 + 2 c\, a b}

    with c = 0 where corners are right angles (few triangles among partners) and c = 1/2 where partners form triangles.
    Among irregular places walks waver, and lengths are a little too long.

    A wrong or a missing partner on the way misleads a walk. One that **closes**, because the other way round its
    parallelogram, ``b`` steps and then ``a``, leads to the same node, was hardly misled.

    Args:
        partner: Partners of each node ``[N, K]``, symmetric, -1 where there are fewer.

    Example:
        >>> import torch
        >>> ring = torch.stack([(torch.arange(20) - 1) % 20, (torch.arange(20) + 1) % 20], 1)
        >>> start, end, length = StraightWalks(ring).sample(1, 5, torch.Generator().manual_seed(0))
        >>> gap = (start - end).abs()
        >>> bool((torch.minimum(gap, 20 - gap) == length).all())
        True
    """

    def __init__(self, partner: Tensor) -> None:
        num_nodes, width = partner.shape
        self.partner = partner
        onward, corner, back, closed, paths = [], [], [], 0, 0
        for rows in torch.arange(num_nodes, device=partner.device).split(_BLOCK):
            ahead = partner[rows]
            around = torch.where(ahead.unsqueeze(2) >= 0, partner[ahead.clamp_min(0)], -1)
            back.append((around == rows[:, None, None]).to(torch.uint8).argmax(2))
            end = around.flatten(1)
            end = torch.where(end == rows.unsqueeze(1), -1, end)
            beside = (end.unsqueeze(2) == ahead.unsqueeze(1)).any(2) & (end >= 0)
            paths += int((end >= 0).sum())
            closed += int(beside.sum())
            common = (end.unsqueeze(2) == end.unsqueeze(1)).sum(2)
            apart = (end >= 0) & ~beside
            onward.append((apart & (common == 1)).view(-1, width))
            corner.append((apart & (common > 1)).view(-1, width))
        self.onward, self.corner = torch.cat(onward), torch.cat(corner)  # [N * K, K]: by directed edge, next partner
        self.reverse = (partner.clamp_min(0) * width + torch.cat(back)).flatten()
        self.cosine = 0.5 if closed > TRIANGULATED * paths else 0.0

    def sample(self, walks: int, reach: int, generator: torch.Generator, closed: bool = False) -> Pairs:
        """Ends and lengths of about ``walks`` walks from each node that has a partner.

        Each leg has up to ``reach`` steps, uniformly; it is cut short where there is no way straight on.

        Args:
            walks: Walks from each node.
            reach: Longest leg.
            generator: Source of the choices.
            closed: Only those that were seen to close, about a quarter of those that turn on a perfect sheet.
        """
        pairs, _, chance = self._walk(walks, reach, generator)
        kept = pairs.start != pairs.end
        if closed:
            kept &= chance > 0
        return Pairs(*(one[kept] for one in pairs))

    def closure(self, walks: int, reach: int, generator: torch.Generator) -> float:
        """Share of the walks with two legs of two steps or more that would close, 1 on a perfect grid."""
        _, leg, chance = self._walk(walks, reach, generator)
        tried = (chance >= 0) & (leg >= 2)
        return float(chance[tried].float().mean()) if bool(tried.any()) else 0.0

    def _walk(self, walks: int, reach: int, generator: torch.Generator) -> tuple[Pairs, Tensor, Tensor]:
        """Walks, shorter legs, and how many ways back one could choose from if it closed, else 0; -1 if untried."""
        num_nodes, width = self.partner.shape
        flat = self.partner.flatten()
        device = flat.device
        turn = self._following(self.corner, generator)
        jumps = [self._following(self.onward, generator)]
        while 2 ** len(jumps) < reach:
            jumps.append(torch.where(jumps[-1] >= 0, jumps[-1][jumps[-1].clamp_min(0)], -1))

        def advance(edge: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
            taken = torch.zeros_like(steps)
            for power in reversed(range(len(jumps))):
                landing = jumps[power][edge]
                go = (landing >= 0) & (steps - taken >= 2**power)
                edge, taken = torch.where(go, landing, edge), taken + go * 2**power
            return edge, taken

        start = torch.arange(num_nodes, device=device).repeat(walks)
        slot = self._chosen((self.partner >= 0)[start], generator)
        start, first = start[slot >= 0], (start * width + slot)[slot >= 0]
        wanted = torch.randint(0, reach, (2, first.numel()), generator=generator, device=device)
        edge, more = advance(first, wanted[0])
        along = 1 + more
        turned = turn[edge]
        turns = (turned >= 0) & (torch.rand(edge.shape, generator=generator, device=device) > 1 / (reach + 1))
        edge, more = advance(torch.where(turns, turned, edge), wanted[1] * turns)
        across = more + turns
        length = (along.square() + across.square() + 2 * self.cosine * along * across).sqrt()
        # the other way round: from the start across, a corner, and along
        behind = self.reverse[first]
        other = self._step(behind, generator)
        closes = turns & (other >= 0)
        other, taken = advance(other.clamp_min(0), (across - 1).clamp_min(0))
        closes &= taken == across - 1
        corner = other
        other = self._step(corner, generator)
        closes &= other >= 0
        other, taken = advance(other.clamp_min(0), along - 1)
        closes &= (taken == along - 1) & (flat[other] == flat[edge])
        ways = self.corner[behind].sum(1) * self.corner[corner].sum(1)
        chance = torch.where(turns, closes * ways, -1)
        return Pairs(start, flat[edge], length), torch.minimum(along, across), chance

    def _following(self, allowed: Tensor, generator: torch.Generator) -> Tensor:
        """For each directed edge one that goes on from it, -1 where there is none, ``[N * K]``."""
        slot = self._chosen(allowed, generator)
        return torch.where(slot >= 0, self.partner.flatten().clamp_min(0) * self.partner.shape[1] + slot, -1)

    def _step(self, edge: Tensor, generator: torch.Generator) -> Tensor:
        """A corner after each of the directed edges ``[M]``, drawn for each of them."""
        slot = self._chosen(self.corner[edge], generator)
        return torch.where(slot >= 0, self.partner.flatten()[edge].clamp_min(0) * self.partner.shape[1] + slot, -1)

    def _chosen(self, allowed: Tensor, generator: torch.Generator) -> Tensor:
        score = torch.rand(allowed.shape, generator=generator, device=allowed.device).masked_fill(~allowed, -1.0)
        best, slot = score.max(1)
        return torch.where(best >= 0, slot, -1)
