"""Correlations of each node with its candidates, and among these, over a whole stream of signals."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scge_pyg.discovery.coupling.candidate_regression import CandidateMoments

__all__ = ["CandidateSums", "correlations_within"]

_LEAD = 3.0  # standard errors by which a new candidate must beat a known one
_ROWS = 64


class CandidateSums(torch.nn.Module):
    r"""Sums of products of signals, for N groups of a node and its m candidates.

    Candidates come from a sketch of the whole stream (Charikar, Chen and Farach-Colton, 2002),

    .. math::
        Y_{ir} = \sum_{s:\, s \bmod R = r} \sigma_s z_{is}, \qquad \sigma_s = \pm 1 \text{ at random}:

    :math:`Y Y^\top` is :math:`Z Z^\top` exactly up to R signals, and without bias afterwards. It also starts the sums
    of a new candidate, so that all sums cover one stream, and correlations that they give lie between -1 and 1.

    State: :math:`O(N (R + m^2))`. :meth:`add` costs :math:`O(N m^2 B)` for B signals, :meth:`renew` :math:`O(N^2 R)`.

    Args:
        num_nodes: Number of nodes N.
        candidates: Candidates m of a node.
        columns: Columns R of the sketch.
        horizon: Signals after which one counts for 1/e.

    Example:
        >>> import torch
        >>> walk = torch.randn(9, 100, generator=torch.Generator().manual_seed(0)).cumsum(0)
        >>> sums = CandidateSums(9, 2, 128, 10_000)
        >>> sums.add(walk, torch.Generator().manual_seed(0))
        >>> sums.renew()
        >>> sums.group[0].tolist()
        [0, 1, 2]
    """

    group: Tensor
    product: Tensor
    power: Tensor
    sketch: Tensor
    added: Tensor

    def __init__(self, num_nodes: int, candidates: int, columns: int, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        members = candidates + 1
        self.register_buffer("group", torch.full((num_nodes, members), -1))
        self.register_buffer("product", torch.zeros(num_nodes, members, members))
        self.register_buffer("power", torch.zeros(num_nodes))
        self.register_buffer("sketch", torch.zeros(num_nodes, columns))
        self.register_buffer("added", torch.tensor(0))

    @property
    def chosen(self) -> bool:
        """Whether there are candidates yet."""
        return int(self.group[0, 0]) >= 0

    def add(self, signal: Tensor, generator: torch.Generator) -> None:
        """Add the products of new signals ``[N, B]``, B at most R, and forget a little of the old."""
        new = signal.shape[1]
        keep = max(0.0, 1 - new / self.horizon)
        if self.chosen:
            for rows in self._blocks():
                near = signal[self.group[rows]]
                self.product[rows] = torch.baddbmm(self.product[rows], near, near.transpose(1, 2), beta=keep)
        sign = torch.randint(2, (new,), generator=generator, device=generator.device) * 2 - 1
        place = (int(self.added) + torch.arange(new, device=signal.device)) % self.sketch.shape[1]
        self.sketch *= keep
        self.sketch[:, place] += sign.to(signal) * signal
        self.power *= keep
        self.power += signal.square().sum(1)
        self.added += new

    def renew(self) -> None:
        """The nodes of the largest correlation by the sketch are candidates; sums stay with their pairs."""
        unit = _unit(self.sketch)
        length = self.power.sqrt()
        members, first = self.group.shape[1], not self.chosen
        lead = _LEAD / math.sqrt(self.sketch.shape[1])
        for rows in self._blocks():
            old = self.group[rows]
            similar = unit[rows] @ unit.T
            if not first:
                similar.scatter_add_(1, old, similar.new_full(old.shape, lead))
            similar[torch.arange(len(rows), device=rows.device), rows] = torch.inf
            group = similar.topk(members, dim=1).indices
            near = unit[group] * length[group].unsqueeze(2)
            product = near @ near.transpose(1, 2)
            if not first:
                same = group.unsqueeze(2) == old.unsqueeze(1)
                stays, slot = same.any(2), same.to(torch.uint8).argmax(2)
                row, column = slot.unsqueeze(2).expand_as(product), slot.unsqueeze(1).expand_as(product)
                kept = self.product[rows].gather(1, row).gather(2, column)
                product = torch.where(stays.unsqueeze(2) & stays.unsqueeze(1), kept, product)
            self.group[rows], self.product[rows] = group, product

    def moments(self, rows: Tensor) -> CandidateMoments:
        """Correlations among the candidates of each row ``[n, m, m]``, with the row ``[n, m]``, and of it ``[n]``."""
        scale = _inverse_root(self.power)[self.group[rows]]
        return _split(self.product[rows].double() * scale.unsqueeze(2) * scale.unsqueeze(1))

    def _blocks(self) -> tuple[Tensor, ...]:
        return torch.arange(len(self.group), device=self.group.device).split(_ROWS)


def correlations_within(group: Tensor, signal: Tensor) -> CandidateMoments:
    """The same of other signals ``[N, B]``: correlations within groups ``[n, 1 + m]``."""
    near = _unit(signal)[group]
    return _split((near @ near.transpose(1, 2)).double())


def _split(correlation: Tensor) -> CandidateMoments:
    return correlation[:, 1:, 1:], correlation[:, 0, 1:], correlation[:, 0, 0]


def _unit(signal: Tensor) -> Tensor:
    return signal * _inverse_root(signal.square().sum(1)).to(signal).unsqueeze(1)


def _inverse_root(value: Tensor) -> Tensor:
    """One over the root in float64, 0 at 0."""
    value = value.double()
    return torch.where(value > 0, value.clamp_min(1e-30).rsqrt(), 0.0)
