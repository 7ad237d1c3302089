"""Pairs of nodes with a known distance where walks waver: shortest ways along partners from a few nodes to all."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.nn.trained.straight_walks import Pairs

__all__ = ["Geodesics"]


class Geodesics:
    r"""Shortest ways along weighted partners, from landmarks that are drawn at random.

    Among irregular places no way is straight, but with enough partners a shortest one is nearly so. Relaxation over
    all partners at once (Bellman, 1958), until nothing changes.

    Cost: :math:`O(L N K h)` for L landmarks, K partners and ways of h steps; memory :math:`O(L N K)`.

    Args:
        partner: Partners of each node ``[N, K]``, symmetric, -1 where there are fewer.
        length: Their distances ``[N, K]``.
        landmarks: Number L of nodes from which all distances are known.
        generator: Source of the landmarks.

    Example:
        >>> import torch
        >>> chain = torch.stack([torch.arange(6) - 1, torch.arange(1, 7)], 1)
        >>> chain[-1, 1] = -1
        >>> ways = Geodesics(chain, torch.full((6, 2), 0.5), 6, torch.Generator().manual_seed(0))
        >>> start, end, length = ways.sample(1, torch.Generator().manual_seed(0))
        >>> bool(((start - end).abs() * 0.5 == length).all())
        True
    """

    def __init__(self, partner: Tensor, length: Tensor, landmarks: int, generator: torch.Generator) -> None:
        num_nodes = partner.shape[0]
        drawn = torch.randperm(num_nodes, generator=generator, device=generator.device)[:landmarks]
        self.landmark = drawn.to(partner.device)
        self.distance = length.new_full((len(self.landmark), num_nodes), torch.inf)
        self.distance[torch.arange(len(self.landmark)), self.landmark] = 0.0
        step = length.masked_fill(partner < 0, torch.inf)
        for _ in range(num_nodes):
            through = (self.distance[:, partner.clamp_min(0)] + step).amin(2)
            if bool((through >= self.distance).all()):
                break
            self.distance = torch.minimum(self.distance, through)

    def sample(self, ways: int, generator: torch.Generator) -> Pairs:
        """About ``ways`` pairs for each node: a landmark, the node, and the distance between them."""
        num_nodes = self.distance.shape[1]
        end = torch.arange(num_nodes, device=self.distance.device).repeat(ways)
        drawn = torch.randint(len(self.landmark), end.shape, generator=generator, device=generator.device)
        chosen = drawn.to(end.device)
        length = self.distance[chosen, end]
        known = length.isfinite() & (length > 0)
        return Pairs(self.landmark[chosen][known], end[known], length[known])
