"""Which of the strongest couplings are partners: the choice under which walks close, and what places say of it."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.discovery.coupling.thresholds import split_threshold
from scge_pyg.nn.trained.straight_walks import StraightWalks

__all__ = ["REGULAR", "choose_partners", "revised_partners"]

REGULAR = 0.5  # share of walks that close, above which partners form a grid; among irregular places hardly any do

_USUAL = 0.75  # quantile of the numbers of couplings above a node's split: at a border there are fewer
_WALKS, _LEGS = 8, 10  # walks from each node, and their legs, by which wirings are compared
_APART, _BESIDE = 5.0, 1.25  # spacings: partners farther apart are contradicted, strong pairs nearer are confirmed


def choose_partners(value: Tensor, other: Tensor, significant: Tensor, seed: int) -> tuple[Tensor, float]:
    """Partners ``[N, K]`` among the strongest couplings, -1 elsewhere, and the share of walks that close on them.

    Two wirings stand for election, both of pairs that chose each other: the couplings above the split between a node's
    direct neighbours and the rest (Otsu, 1979), and as many of its strongest ones as nodes usually have above theirs.
    The first one errs where couplings of one direction are weaker, the second one at borders. The one on which more
    walks close (:meth:`StraightWalks.closure`) is taken, or, if few close on either, all significant couplings.

    Cost: :math:`O(N K^4)` in blocks.

    Args:
        value: Couplings of each node with its strongest partners ``[N, K]``, falling.
        other: These partners ``[N, K]``.
        significant: Which of them stand out of the noise ``[N, K]``.
        seed: Of the walks.
    """
    threshold = torch.from_numpy(split_threshold(value.double().cpu().numpy())).to(value)
    above = value > threshold.unsqueeze(1)
    usual = torch.quantile(above.sum(1).float(), _USUAL, interpolation="nearest")
    wirings = (
        value > (threshold.unsqueeze(1) * threshold[other]).sqrt(),
        torch.arange(value.shape[1], device=value.device).expand_as(other) < usual,
    )
    tables = [_mutual(other, significant & chosen) for chosen in wirings]
    generator = torch.Generator(value.device).manual_seed(seed)
    closures = [StraightWalks(table).closure(_WALKS, _LEGS, generator) for table in tables]
    best = max(closures)
    return (tables[closures.index(best)] if best > REGULAR else _mutual(other, significant)), best


def revised_partners(partner: Tensor, other: Tensor, significant: Tensor, place: Tensor) -> Tensor:
    """Partners ``[N, K]`` less those that places put far apart, and with strong couplings that they put side by side.

    A pair a few spacings apart may be the two sides of a tear: it stays, and goes on to pull them together.

    Args:
        partner: Partners as the couplings have them ``[N, K]``.
        other: Strongest couplings of each node ``[N, K]``.
        significant: Which of them stand out of the noise ``[N, K]``.
        place: Places ``[N, d]``, in node spacings.
    """
    apart = (place.unsqueeze(1) - place[other]).norm(dim=2)
    listed = (other.unsqueeze(2) == partner.unsqueeze(1)).any(2)
    return _mutual(other, significant & (apart < torch.where(listed, _APART, _BESIDE)))


def _mutual(other: Tensor, chosen: Tensor) -> Tensor:
    """Partners ``[N, K]`` that chose each other, -1 elsewhere."""
    listed = torch.where(chosen, other, -1)
    node = torch.arange(len(other), device=other.device)[:, None, None]
    return torch.where(chosen & (listed[other] == node).any(2), other, -1)
