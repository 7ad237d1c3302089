"""Pairs of nodes with a known distance, sampled by walks on partners: straight ahead, one turn, straight ahead."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph.drawing.wiring import TRIANGULATED

__all__ = ["StraightWalks"]

_BLOCK = 1024


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
        onward, corner, closed, paths = [], [], 0, 0
        for rows in torch.arange(num_nodes, device=partner.device).split(_BLOCK):
            ahead = partner[rows]
            end = torch.where(ahead.unsqueeze(2) >= 0, partner[ahead.clamp_min(0)], -1).flatten(1)
            end = torch.where(end == rows.unsqueeze(1), -1, end)
            beside = (end.unsqueeze(2) == ahead.unsqueeze(1)).any(2) & (end >= 0)
            paths += int((end >= 0).sum())
            closed += int(beside.sum())
            common = (end.unsqueeze(2) == end.unsqueeze(1)).sum(2)
            apart = (end >= 0) & ~beside
            onward.append((apart & (common == 1)).view(-1, width))
            corner.append((apart & (common > 1)).view(-1, width))
        self.onward, self.corner = torch.cat(onward), torch.cat(corner)  # [N * K, K]: by directed edge, next partner
        self.cosine = 0.5 if closed > TRIANGULATED * paths else 0.0

    def sample(self, walks: int, reach: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Ends and lengths of about ``walks`` walks from each node that has a partner.

        Each leg has up to ``reach`` steps, uniformly; it is cut short where there is no way straight on.

        Args:
            walks: Walks from each node.
            reach: Longest leg.
            generator: Source of the choices.

        Returns:
            First nodes ``[M]``, last nodes ``[M]`` and lengths ``[M]``.
        """
        num_nodes, width = self.partner.shape
        flat = self.partner.flatten()
        device = flat.device

        def chosen(allowed: Tensor) -> Tensor:
            score = torch.rand(allowed.shape, generator=generator, device=device).masked_fill(~allowed, -1.0)
            best, slot = score.max(1)
            return torch.where(best >= 0, slot, -1)

        def following(allowed: Tensor) -> Tensor:
            slot = chosen(allowed)
            return torch.where(slot >= 0, flat.clamp_min(0) * width + slot, -1)

        straight, turn = following(self.onward), following(self.corner)
        jumps = [straight]
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
        slot = chosen((self.partner >= 0)[start])
        start, edge = start[slot >= 0], (start * width + slot)[slot >= 0]
        wanted = torch.randint(0, reach, (2, edge.numel()), generator=generator, device=device)
        edge, more = advance(edge, wanted[0])
        first = 1 + more
        corner = turn[edge]
        turns = (corner >= 0) & (torch.rand(edge.shape, generator=generator, device=device) > 1 / (reach + 1))
        edge = torch.where(turns, corner, edge)
        edge, more = advance(edge, wanted[1] * turns)
        second = more + turns
        length = (first.square() + second.square() + 2 * self.cosine * first * second).sqrt()
        apart = start != flat[edge]
        return start[apart], flat[edge][apart], length[apart]
