"""Who is wired to whom, estimated from a stream of activations with a bounded state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scge_pyg.discovery.coupling.candidate_regression import (
    RIDGES,
    CandidateMoments,
    held_out_gains,
    ridge_regression,
)
from scge_pyg.discovery.coupling.direct import stabilize
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT, SPLIT
from scge_pyg.nn.trained.candidate_sums import CandidateSums, correlations_within
from scge_pyg.nn.trained.partners import REGULAR, choose_partners, revised_partners

__all__ = ["StreamingCoupling"]

_CLIP = 10.0  # deviations at which a standardised signal is clipped: early statistics may be far too small
_CONSTANT = 16 * torch.finfo(torch.float32).eps  # share of mean and usual deviation below which a deviation is rounding
_HORIZON = 64  # memories after which a sample counts for 1/e
_AVERAGED = 8  # refreshes over which the score of a ridge is averaged
_CHECKED = 64  # new samples that a ridge is judged by, at least
_PROBES = 128  # nodes that choose the ridge
_LEAST = 1e-4  # one minus the correlation of twins
_BLOCK = 1024


class StreamingCoupling(torch.nn.Module):
    r"""Direct coupling of N nodes from mini-batches: neighbourhood selection (Meinshausen and Bühlmann, 2006) that
    follows a stream.

    Mean and variance of each node and channel run along with the stream: an average over all samples until ``horizon``
    of them, exponential forgetting afterwards. Each node is regressed, with a ridge, on the m nodes whose signals are
    most correlated with its own,

    .. math::
        \beta_i = (G_i + \lambda I)^{-1} g_i, \qquad P_{ij} = \sqrt{\beta_{ij} \beta_{ji}} ,

    where :math:`G_i` and :math:`g_i` are the correlations among its candidates and with the node itself.

    * Correlations are those of the whole stream, not of the latest samples (:class:`CandidateSums`): weak couplings
      need tens of thousands of them.
    * The ridge has the best held-out likelihood on the next samples, the median over 128 nodes, averaged over eight
      refreshes.
    * Partners: :func:`scge_pyg.nn.trained.partners.choose_partners`, of couplings above three times the noise. Where
      they form no grid, their distance is :math:`\sqrt{1 - R_{ij}}` in units of its median.

    State: :math:`O(N (R + m^2))`. A refresh costs :math:`O(N^2 R)` for the candidates, in blocks, and
    :math:`O(N m^2 R + N m^3)`.

    Args:
        num_nodes: Number of nodes N.
        candidates: Candidates m of a node, at most N - 1.
        memory: Columns R of the sketch, and signals of which products are summed at once; a sample of C channels adds
            C of them.
        seed: Seed of the sketch's signs, of the walks and of the nodes that choose the ridge.

    Shapes:
        - **input:** activations :math:`[B, N, C]`
        - **partner:** :math:`[N, 8]` int64, -1 where there are fewer
        - **length:** :math:`[N, 8]`, distances to the partners, 1 on a grid

    Example:
        >>> import torch
        >>> walk = torch.randn(400, 12, generator=torch.Generator().manual_seed(0)).cumsum(1)
        >>> coupling = StreamingCoupling(12)
        >>> for batch in walk.split(100):
        ...     coupling.update(batch.unsqueeze(-1))
        >>> coupling.refresh()
        >>> sorted(coupling.partner[5, :2].tolist())  # the strongest first
        [4, 6]
    """

    mean: Tensor
    variance: Tensor
    count: Tensor
    signal: Tensor
    written: Tensor
    pending: Tensor
    beta: Tensor
    score: Tensor
    ridge: Tensor
    refreshes: Tensor
    partner: Tensor
    length: Tensor
    closure: Tensor

    def __init__(self, num_nodes: int, candidates: int = 24, memory: int = 1024, seed: int = 0) -> None:
        super().__init__()
        self.num_nodes, self.memory, self.seed = num_nodes, memory, seed
        self.candidates = min(candidates, num_nodes - 1)
        self.horizon = _HORIZON * memory
        self.register_buffer("mean", torch.zeros(num_nodes, 0))
        self.register_buffer("variance", torch.zeros(num_nodes, 0))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("signal", torch.zeros(num_nodes, memory))
        self.register_buffer("written", torch.tensor(0))
        self.register_buffer("pending", torch.tensor(0))
        self.sums = CandidateSums(num_nodes, self.candidates, memory, self.horizon)
        self.register_buffer("beta", torch.zeros(num_nodes, self.candidates))
        self.register_buffer("score", torch.zeros(len(RIDGES)))
        self.register_buffer("ridge", torch.tensor(float(RIDGES[6])))
        self.register_buffer("refreshes", torch.tensor(0))
        self.register_buffer("partner", torch.full((num_nodes, SPLIT), -1))
        self.register_buffer("length", torch.ones(num_nodes, SPLIT))
        self.register_buffer("closure", torch.tensor(0.0))

    @property
    def index(self) -> Tensor:
        """Candidates of each node ``[N, m]``."""
        return self.sums.group[:, 1:]

    @property
    def filled(self) -> int:
        """Signals in the ring."""
        return min(int(self.written), self.memory)

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Take in activations ``[B, N, C]``: moments first, then their standardised signals.

        Raises:
            ValueError: If the number of channels changes.
        """
        x = stabilize(x.detach().double())  # an offset would take the digits of the rest
        if self.mean.shape[1] == 0:
            self.mean, self.variance = (self.signal.new_zeros(x.shape[1:]) for _ in range(2))
        if x.shape[1:] != self.mean.shape:
            raise ValueError(
                f"HebbianLoss: x must keep its {self.mean.shape[1]} channels over {self.num_nodes} nodes, got "
                f"{x.shape[2]} channels; use one loss for each layer whose activations it follows"
            )
        if x.shape[0] == 0:
            return
        self._update_moments(x)
        deviation = self.variance.sqrt()
        varies = deviation > _CONSTANT * (self.mean.abs() + deviation.mean())
        scale = torch.where(varies, 1 / deviation.where(varies, torch.ones_like(deviation)), 0.0)
        # channel by channel, so that even and odd columns are different samples
        column = ((x - self.mean) * scale).clamp(-_CLIP, _CLIP).to(self.signal).permute(1, 2, 0).flatten(1)
        for part in column.split(self.memory, dim=1):
            if int(self.pending) + part.shape[1] > self.memory:
                self._absorb()
            place = (int(self.written) + torch.arange(part.shape[1], device=part.device)) % self.memory
            self.signal[:, place] = part
            self.written += part.shape[1]
            self.pending += part.shape[1]

    def _update_moments(self, x: Tensor) -> None:
        """The update of Chan, Golub and LeVeque (1983) with a count that stops growing at ``horizon``."""
        new = x.shape[0]
        old = min(int(self.count), max(0, self.horizon - new))
        share = new / (old + new)
        mean = x.mean(0)
        shift = mean - self.mean
        variance = (x - mean).square().mean(0)
        self.variance += share * (variance - self.variance) + share * (1 - share) * shift.square()
        self.mean += share * shift
        self.count += new

    def _fresh(self) -> Tensor:
        """Signals that the sums of products don't know yet."""
        new = int(self.pending)
        return self.signal[:, (int(self.written) - new + torch.arange(new, device=self.signal.device)) % self.memory]

    def _absorb(self) -> None:
        """Add what is new to the sums."""
        if int(self.pending):
            self.sums.add(self._fresh(), self._generator())
            self.pending.zero_()

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1_000_003 + int(self.written))

    @torch.no_grad()
    def refresh(self) -> None:
        """Choose candidates, regress, and settle who is partner of whom."""
        everyone = torch.arange(self.num_nodes, device=self.signal.device)
        probe = torch.randperm(self.num_nodes, generator=self._generator())[:_PROBES].sort().values.to(everyone.device)
        if int(self.refreshes) and int(self.pending) >= _CHECKED:
            self._choose_ridge(self.sums.moments(probe), correlations_within(self.sums.group[probe], self._fresh()))
        self._absorb()
        self.sums.renew()
        if not int(self.refreshes):
            halves = (self.signal[:, start : self.filled : 2] for start in (0, 1))
            self._choose_ridge(*(correlations_within(self.sums.group[probe], half) for half in halves))
        self.refreshes += 1
        for rows in everyone.split(_BLOCK):
            self.beta[rows] = ridge_regression(self.sums.moments(rows), float(self.ridge))[0].to(self.beta)
        self._settle()

    def _choose_ridge(self, fit: CandidateMoments, check: CandidateMoments) -> None:
        """The ridge with the best median score over nodes, averaged over the latest refreshes."""
        score = torch.stack([held_out_gains(fit, check, float(ridge)).median() for ridge in RIDGES]).to(self.score)
        self.score += (score - self.score) / min(int(self.refreshes) + 1, _AVERAGED)
        self.ridge.fill_(float(RIDGES[int(self.score.argmax())]))

    def coupling(self) -> Tensor:
        """Coupling :math:`P` of each node with its candidates ``[N, m]``."""
        parts = []
        for rows in torch.arange(self.num_nodes, device=self.index.device).split(_BLOCK):
            other = self.index[rows]
            back = ((self.index[other] == rows[:, None, None]) * self.beta[other]).sum(2)
            parts.append((self.beta[rows].clamp_min(0) * back.clamp_min(0)).sqrt())
        return torch.cat(parts)

    @property
    def regular(self) -> bool:
        """Whether partners form a grid, on which walks keep their direction."""
        return float(self.closure) > REGULAR

    @torch.no_grad()
    def revised(self, place: Tensor) -> Tensor:
        """Partners ``[N, 8]`` that places ``[N, d]`` agree with (:func:`.partners.revised_partners`)."""
        _, other, significant = self._strongest()
        table = torch.full_like(self.partner, -1)
        table[:, : other.shape[1]] = revised_partners(self.partner[:, : other.shape[1]], other, significant, place)
        return table

    def _settle(self) -> None:
        """Choose partners and their distances."""
        value, other, significant = self._strongest()
        self.partner[:, : value.shape[1]], closure = choose_partners(value, other, significant, self.seed)
        self.closure.fill_(closure)
        self.length = torch.ones_like(self.length) if self.regular else self._lengths()

    def _lengths(self) -> Tensor:
        r"""Distances to partners :math:`\sqrt{1 - R_{ij}}`, in units of their median, ``[N, 8]``."""
        everyone = torch.arange(self.num_nodes, device=self.signal.device)
        correlation = torch.cat([self.sums.moments(rows)[1] for rows in everyone.split(_BLOCK)])
        same = self.partner.unsqueeze(2) == self.index.unsqueeze(1)
        value = torch.where(same, correlation.unsqueeze(1), 0.0).sum(2)
        length = (1 - value).clamp_min(_LEAST).sqrt()
        known = self.partner >= 0
        middle = length[known].median() if bool(known.any()) else length.new_ones(())
        return (length / middle).to(self.length)

    def _strongest(self) -> tuple[Tensor, Tensor, Tensor]:
        """The eight strongest couplings of each node, with whom, and whether they stand out of the noise."""
        value, slot = self.coupling().topk(min(SPLIT, self.candidates), dim=1)
        noise = self.beta[:, self.candidates // 2 :].square().median().sqrt() / 0.6745
        return value, self.index.gather(1, slot), value > SIGNIFICANT * noise

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in ("mean", "variance"):  # their width is the number of channels, which the first batch tells
            stored = state_dict.get(prefix + name)
            if stored is not None and stored.dim() == 2:
                setattr(self, name, getattr(self, name).new_zeros(self.num_nodes, stored.shape[1]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
