"""What a Hebbian teacher asks of places: pairs of nodes and how far apart they should be."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scge_pyg.nn.trained.geodesics import Geodesics
from scge_pyg.nn.trained.straight_walks import Pairs, StraightWalks

__all__ = ["Lessons"]

_NEAR = 2  # longest leg of a short walk
_POOL = 64  # walks from each node, of which those that close are kept
_PROBED = 4  # walks from each node by which the reach is chosen
_LANDMARKS = 64
_ASTRAY, _LONGER = 0.9, 1.1  # shares of closing walks and of their length that a doubled leg must keep and gain


class Lessons:
    """Pairs at known distances, far and near ones.

    On a grid, long and short walks (:class:`StraightWalks`), and of long ones those that close; among irregular places,
    shortest ways (:class:`Geodesics`) and the partners themselves.

    The longest leg, unless it is given, spans a square sheet of nodes, and is doubled for as long as walks get longer
    and close no less often: in a strip they may run on, while wrong partners mislead long walks more than short ones.

    Args:
        partner: Partners of each node ``[N, K]``, symmetric, -1 where there are fewer.
        length: Their distances ``[N, K]``.
        regular: Whether they form a grid.
        walks: Pairs for each node that :meth:`draw` gives, about.
        reach: Longest leg. Default: as said above.
        seed: Of what is drawn once, closed walks and landmarks.
    """

    def __init__(
        self, partner: Tensor, length: Tensor, regular: bool, walks: int, reach: int | None, seed: int
    ) -> None:
        self.walks, self.device = walks, partner.device
        generator = torch.Generator(partner.device).manual_seed(seed)
        self.straight = self.geodesics = self.closed = None
        if not regular:
            self.geodesics = Geodesics(partner, length, _LANDMARKS, generator)
            node, slot = (partner >= 0).nonzero(as_tuple=True)
            self.partners = Pairs(node, partner[node, slot], length[node, slot])
            return
        self.straight = StraightWalks(partner)
        self.reach = _reach(self.straight, generator) if reach is None else reach
        self.closed = self.straight.sample(_POOL, self.reach, generator, closed=True)

    def draw(self, generator: torch.Generator) -> tuple[Pairs, Pairs, Pairs | None]:
        """Far pairs, near pairs and, on a grid, far pairs whose distance was seen twice."""
        if self.straight is None:
            assert self.geodesics is not None
            return self.geodesics.sample(self.walks, generator), self.partners, None
        far, near = (self.straight.sample(self.walks, r, generator) for r in (self.reach, min(self.reach, _NEAR)))
        assert self.closed is not None
        count = self.walks * len(self.straight.partner) if len(self.closed.start) else 0
        chosen = torch.randint(max(1, len(self.closed.start)), (count,), generator=generator, device=self.device)
        return far, near, Pairs(*(one[chosen] for one in self.closed))


def _reach(walks: StraightWalks, generator: torch.Generator) -> int:
    """Longest leg on which walks can be relied on."""
    most = len(walks.partner)
    reach = math.ceil(math.sqrt(most))

    def tried(reach: int) -> tuple[float, float]:
        length = walks.sample(_PROBED, reach, generator).length
        return walks.closure(_PROBED, reach, generator), float(length.mean()) if length.numel() else 0.0

    closure, length = tried(reach)
    while 2 * reach <= most:
        farther, longer = tried(2 * reach)
        if farther < _ASTRAY * closure or longer < _LONGER * length:
            break
        reach, closure, length = 2 * reach, farther, longer
    return reach
