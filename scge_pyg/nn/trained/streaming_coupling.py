"""Who is wired to whom, estimated from a stream of activations with a bounded state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.coupling.candidate_regression import (
    RIDGES,
    best_ridge,
    candidate_moments,
    held_out_gain,
    ridge_regression,
)
from scge_pyg.discovery.coupling.direct import stabilize
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT, SPLIT, split_threshold
from scge_pyg.graph.neighbors import knn

__all__ = ["StreamingCoupling"]

_CLIP = 10.0  # deviations at which a standardised signal is clipped: early statistics may be far too small
_CONSTANT = 1e-5  # a deviation below this share of the node's mean and of the usual deviation is rounding
_AVERAGED = 8  # refreshes over which a coefficient is averaged
_PROBES = 512
_SEARCHED = 1024  # signals by which candidates are searched; exact distances of many more take most of a refresh
_BLOCK = 1024


class StreamingCoupling(torch.nn.Module):
    r"""Direct coupling of N nodes from mini-batches: neighbourhood selection (Meinshausen and Bühlmann, 2006) that
    follows a stream.

    Mean and variance of each node and channel run along with the stream: an average over all samples until ``horizon``
    of them, exponential forgetting afterwards. The R latest standardised signals stay in a ring. From it each node is
    regressed, with a ridge, on the m nodes with the most similar signals (by at most 1,024 of them),

    .. math::
        \beta_i = (G_i + \lambda I)^{-1} g_i, \qquad P_{ij} = \sqrt{\beta_{ij} \beta_{ji}} ,

    where :math:`G_i` and :math:`g_i` are the second moments among its candidates and with the node itself; a
    coefficient is averaged over refreshes for as long as the pair stays a candidate. The ridge has the best squared
    error on the odd columns of the ring after a fit on the even ones. Partners are the couplings above the split
    (Otsu, 1979) that both ends see among their eight strongest, and above three times the noise.

    State: :math:`O(N (R + m))`. A refresh costs :math:`O(N^2 \min(R, 1024))` for the candidates, in blocks, and
    :math:`O(N m^2 R + N m^3)`.

    Args:
        num_nodes: Number of nodes N.
        candidates: Candidates m of a node, at most N - 1.
        memory: Signals R in the ring; a sample of C channels adds C of them.
        seed: Seed of what is kept of a batch that is larger than the ring, and of the nodes that choose the ridge.

    Shapes:
        - **input:** activations :math:`[B, N, C]`
        - **partner:** :math:`[N, 8]` int64, -1 where there are fewer

    Example:
        >>> import torch
        >>> walk = torch.randn(400, 12, generator=torch.Generator().manual_seed(0)).cumsum(1)
        >>> coupling = StreamingCoupling(12)
        >>> for batch in walk.split(100):
        ...     coupling.update(batch.unsqueeze(-1))
        >>> coupling.refresh()
        >>> sorted(coupling.partner[5][coupling.partner[5] >= 0].tolist())
        [4, 6]
    """

    mean: Tensor
    variance: Tensor
    count: Tensor
    signal: Tensor
    written: Tensor
    index: Tensor
    beta: Tensor
    ridge: Tensor
    refreshes: Tensor
    partner: Tensor

    def __init__(self, num_nodes: int, candidates: int = 24, memory: int = 1024, seed: int = 0) -> None:
        super().__init__()
        self.num_nodes, self.memory, self.seed = num_nodes, memory, seed
        self.candidates = min(candidates, num_nodes - 1)
        self.horizon = 16 * memory
        self.register_buffer("mean", torch.zeros(num_nodes, 0))
        self.register_buffer("variance", torch.zeros(num_nodes, 0))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("signal", torch.zeros(num_nodes, memory))
        self.register_buffer("written", torch.tensor(0))
        self.register_buffer("index", torch.full((num_nodes, self.candidates), -1))
        self.register_buffer("beta", torch.zeros(num_nodes, self.candidates))
        self.register_buffer("ridge", torch.tensor(float(RIDGES[6])))
        self.register_buffer("refreshes", torch.tensor(0))
        self.register_buffer("partner", torch.full((num_nodes, SPLIT), -1))

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
        x = stabilize(x.detach().to(self.signal))
        if self.mean.shape[1] == 0:
            self.mean, self.variance = x.new_zeros(x.shape[1:]), x.new_zeros(x.shape[1:])
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
        column = ((x - self.mean) * scale).clamp(-_CLIP, _CLIP).permute(1, 2, 0).flatten(1)
        if column.shape[1] > self.memory:
            chosen = torch.randperm(column.shape[1], generator=self._generator())[: self.memory].sort().values
            column = column[:, chosen.to(column.device)]
        place = (int(self.written) + torch.arange(column.shape[1], device=column.device)) % self.memory
        self.signal[:, place] = column
        self.written += column.shape[1]

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

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1_000_003 + int(self.written))

    @torch.no_grad()
    def refresh(self) -> None:
        """Choose candidates, regress, and settle who is partner of whom."""
        signal = self.signal[:, : self.filled]
        searched = signal[:, :_SEARCHED]
        _, index = knn(searched, searched, self.candidates, exclude_self=True)
        self.ridge.fill_(self._choose_ridge(signal, index))
        everyone = torch.arange(self.num_nodes, device=signal.device)
        beta = torch.cat(
            [
                ridge_regression(candidate_moments(signal, rows, index[rows]), float(self.ridge))[0]
                for rows in everyone.split(_BLOCK)
            ]
        ).to(self.beta)
        self.refreshes += 1
        rate = 1 / min(int(self.refreshes), _AVERAGED)
        for rows in everyone.split(_BLOCK):
            same = index[rows].unsqueeze(2) == self.index[rows].unsqueeze(1)
            before = (same * self.beta[rows].unsqueeze(1)).sum(2)
            beta[rows] = torch.where(same.any(2), before + rate * (beta[rows] - before), beta[rows])
        self.index, self.beta = index, beta
        self.partner = self._partners()

    def _choose_ridge(self, signal: Tensor, index: Tensor) -> float:
        probe = torch.randperm(self.num_nodes, generator=self._generator())[:_PROBES].sort().values.to(signal.device)
        fit, check = (candidate_moments(half, probe, index[probe]) for half in (signal[:, ::2], signal[:, 1::2]))
        start = int(np.abs(np.log(RIDGES) - math.log(float(self.ridge))).argmin())
        return float(RIDGES[best_ridge(lambda ridge: held_out_gain(fit, check, ridge), start)[0]])

    def coupling(self) -> Tensor:
        """Coupling :math:`P` of each node with its candidates ``[N, m]``."""
        parts = []
        for rows in torch.arange(self.num_nodes, device=self.index.device).split(_BLOCK):
            other = self.index[rows]
            back = ((self.index[other] == rows[:, None, None]) * self.beta[other]).sum(2)
            parts.append((self.beta[rows].clamp_min(0) * back.clamp_min(0)).sqrt())
        return torch.cat(parts)

    def _partners(self) -> Tensor:
        coupling = self.coupling()
        noise = self.beta[:, self.candidates // 2 :].square().median().sqrt() / 0.6745
        kept = min(SPLIT, self.candidates)
        value, slot = coupling.topk(kept, dim=1)
        other = self.index.gather(1, slot)
        threshold = torch.from_numpy(split_threshold(value.double().cpu().numpy())).to(value)
        limit = (threshold.unsqueeze(1) * threshold[other]).sqrt().clamp_min(float(SIGNIFICANT * noise))
        strong = (value > limit) & (value >= value[other, -1])
        partner = torch.full_like(self.partner, -1)
        partner[:, :kept] = torch.where(strong, other, -1)
        return partner

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in ("mean", "variance"):  # their width is the number of channels, which the first batch tells
            stored = state_dict.get(prefix + name)
            if stored is not None and stored.dim() == 2:
                setattr(self, name, getattr(self, name).new_zeros(self.num_nodes, stored.shape[1]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
