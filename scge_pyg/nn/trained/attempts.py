"""Random starts of a sheet that came out folded or torn: the one that stretches its partners least is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["Attempts", "stretched"]

_FAR = 2.0  # spacings, or lengths of a longer pair, beyond which partners lie apart
_FEW = 0.01  # share of partners that may
_MOST = 3


def stretched(place: Tensor, partner: Tensor, length: Tensor) -> float:
    """Share of partners that lie more than two spacings, and twice their length, apart.

    Where all partners are right a sheet may still be twisted, one half of it mirrored: then they are torn along the
    twist, and nowhere else.

    Args:
        place: Places ``[N, d]``, in spacings.
        partner: Partners of each node ``[N, K]``, -1 where there are fewer.
        length: Their distances ``[N, K]``.

    Example:
        >>> partner = torch.tensor([[1, -1], [0, 2], [1, -1]])
        >>> stretched(torch.tensor([[0.0], [1.0], [4.0]]), partner, torch.ones(3, 2))
        0.5
    """
    node, slot = (partner >= 0).nonzero(as_tuple=True)
    if not len(node):
        return 0.0
    apart = (place[node] - place[partner[node, slot]]).norm(dim=1)
    return float((apart > _FAR * length[node, slot].clamp_min(1.0)).double().mean())


@dataclass
class Attempts:
    """Starts so far.

    Attributes:
        begun: Lessons before the present one began.
        number: How many there were before it.
        least: Smallest share of stretched partners that any ended with.
        best: Its places, if another was begun since.
    """

    begun: int = 0
    number: int = 0
    least: float = 2.0
    best: Tensor | None = field(default=None, repr=False)

    @torch.no_grad()
    def again(self, table: NodeEmbedding, partner: Tensor, length: Tensor, count: int) -> bool:
        """Whether places were drawn anew; if not, ``table`` holds the best."""
        share = stretched(table.weight, partner, length)
        if share < self.least:
            self.least, self.best = share, table.weight.detach().clone()
        last = self.number + 1 == _MOST or table.start is not None
        if self.least <= _FEW or last:
            assert self.best is not None
            table.weight.copy_(self.best)
            self.best = None
            return False
        self.number, self.begun = self.number + 1, count
        fresh = NodeEmbedding(table.num_nodes, table.dim, live=table.live, seed=table.seed + 1_000_003 * self.number)
        table.weight.copy_(fresh.weight)
        return True

    def state(self) -> dict[str, Any]:
        """All of it, by name."""
        return {"begun": self.begun, "number": self.number, "least": self.least, "best": self.best}
