"""Estimators that draw the neighbours: a relaxed draw with biased gradients, and the unbiased score function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.trained.selection import Choice, Selection, equal_weights, every_slot
from scge_pyg.nn.trained.subset_sampling import gumbel_noise, plackett_luce_log_prob, relaxed_k_hot

__all__ = ["Gumbel", "Reinforce"]

_WAITING = 256


class Gumbel(Choice):
    r"""Stochastic top-k without replacement, relaxed: scores plus Gumbel noise through :func:`relaxed_k_hot`.

    With ``hard`` the weights are exactly :math:`1/k` on a Plackett-Luce draw going forward (Kool et al., 2019), and
    those of the relaxation going back. Biased at every temperature: the relaxed loss is another one, and towards 0 its
    gradient has ever more variance. ``docs/estimators.md`` has both. In evaluation mode: as ``TopK``.

    Args:
        k: Neighbours.
        temperature: Of the relaxation, at the start.
        final_temperature: After ``steps`` calls of :meth:`step`, reached geometrically. Default: it stays.
        steps: Length of the schedule.
        hard: Discrete weights going forward.
        seed: Seed of the noise.

    Shapes:
        - **input:** scores :math:`(T, M)`
        - **output:** slot and weight :math:`(T, M)`, in evaluation mode :math:`(T, k)`

    Raises:
        ValueError: If k, a temperature or ``steps`` is not positive, or k is more than M.

    Example:
        >>> slot, weight = Gumbel(2, temperature=0.1)(torch.zeros(1, 4))
        >>> round(weight.sum().item(), 4)
        1.0
    """

    moment: Tensor

    def __init__(
        self,
        k: int,
        temperature: float = 1.0,
        final_temperature: float | None = None,
        steps: int = 1000,
        hard: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(k, seed)
        final = temperature if final_temperature is None else final_temperature
        if not (temperature > 0 and final > 0 and steps > 0):
            raise ValueError(f"Gumbel: temperatures and steps must be positive, got {temperature}, {final}, {steps}")
        self.start, self.final, self.steps, self.hard = float(temperature), float(final), steps, hard
        self.register_buffer("moment", torch.zeros((), dtype=torch.long))

    @property
    def temperature(self) -> float:
        """Temperature at this point of the schedule."""
        share = min(1.0, int(self.moment) / self.steps)
        return self.start ** (1 - share) * self.final**share

    def step(self) -> None:
        """Advance the schedule."""
        self.moment += 1

    def reset_parameters(self) -> None:
        """Start the random numbers and the schedule anew."""
        super().reset_parameters()
        self.moment.zero_()

    def forward(self, scores: Tensor) -> Selection:
        """Choose from scores ``[T, M]``; in training the weights cover all M."""
        if not self.training:
            return self.soft_best(scores)
        noisy = scores + gumbel_noise(scores, self._generator(scores.device))
        count = torch.isfinite(scores).sum(1, keepdim=True).clamp(1, self.k)
        weight = relaxed_k_hot(noisy, self.k, self.temperature) / count
        if self.hard:
            slot, equal = self.hard_best(noisy)
            weight = torch.zeros_like(weight).scatter(1, slot, equal) + (weight - weight.detach())
        return Selection(every_slot(scores), weight)

    def extra_repr(self) -> str:
        schedule = f" to {self.final:g} in {self.steps} steps" if self.final != self.start else ""
        return f"k={self.k}, temperature={self.start:g}{schedule}{', hard' if self.hard else ''}"


class Reinforce(Choice):
    r"""A Plackett-Luce draw of k neighbours with weight :math:`1/k`, and the score function as its gradient.

    .. math::
        \nabla\, \mathbb{E}[L] = \mathbb{E}\bigl[(L - b)\, \nabla \log p(\mathrm{draw})\bigr]

    (Williams, 1992): unbiased, since the baseline b does not depend on its own draw. In evaluation mode: as ``TopK``.

    The loss hook: run the layer R times on the batch, one draw each, and add the surrogate to the mean loss. ::

        losses = torch.stack([loss_of(layer(x), y) for _ in range(4)])
        (losses.mean() + layer.product.estimator.surrogate(losses)).backward()

    Args:
        k: Neighbours.
        baseline: ``"loo"``, the mean loss of the other draws (at least 2 a step), or ``"learned"``, a moving average of
            the losses of earlier steps.
        decay: Of the moving average.
        seed: Seed of the draws.

    Shapes:
        - **input:** scores :math:`(T, M)`
        - **output:** slot and weight :math:`(T, k)`

    Raises:
        ValueError: If k is not positive or more than M, the baseline is another, or ``decay`` is not in [0, 1).
        RuntimeError: If 256 draws wait for :meth:`surrogate`.

    Example:
        >>> chooser = Reinforce(2)
        >>> scores = torch.zeros(1, 4, requires_grad=True)
        >>> losses = torch.stack([chooser(scores).slot.sum().float() for _ in range(4)])
        >>> chooser.surrogate(losses).backward()
        >>> scores.grad.shape
        torch.Size([1, 4])
    """

    level: Tensor
    seen: Tensor

    def __init__(self, k: int, baseline: str = "loo", decay: float = 0.9, seed: int = 0) -> None:
        super().__init__(k, seed)
        if baseline not in ("loo", "learned"):
            raise ValueError(f"Reinforce: baseline must be 'loo' or 'learned', got {baseline!r}")
        if not 0 <= decay < 1:
            raise ValueError(f"Reinforce: decay must be at least 0 and less than 1, got {decay!r}")
        self.baseline, self.decay = baseline, decay
        self.register_buffer("level", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))
        self._log_probs: list[Tensor] = []

    def reset_parameters(self) -> None:
        """Start the random numbers and the baseline anew."""
        super().reset_parameters()
        self.level.zero_()
        self.seen.zero_()
        self._log_probs = []

    def __getstate__(self) -> dict[str, Any]:
        """A copy has no draws of its own that wait for their losses."""
        return {**super().__getstate__(), "_log_probs": []}

    def forward(self, scores: Tensor) -> Selection:
        """Draw from scores ``[T, M]``."""
        if not self.training:
            return self.soft_best(scores)
        slot = self.best(scores.detach() + gumbel_noise(scores, self._generator(scores.device)))
        if torch.is_grad_enabled() and scores.requires_grad:
            if len(self._log_probs) == _WAITING:
                self._log_probs = []
                raise RuntimeError(
                    f"Reinforce: {_WAITING} draws wait for their losses, so nothing is learned and their graphs fill "
                    f"the memory; after each step add estimator.surrogate(losses) to the loss"
                )
            self._log_probs.append(plackett_luce_log_prob(scores, slot).sum())
        return Selection(slot, equal_weights(scores, slot))

    def surrogate(self, losses: Tensor) -> Tensor:
        """A scalar whose gradient is the score-function estimate for the draws since the last call.

        Args:
            losses: Loss of each draw ``[R]``.

        Raises:
            ValueError: If the number of losses is not that of the draws, or "loo" has one draw only.
        """
        losses = losses.detach().flatten()
        draws, self._log_probs = self._log_probs, []
        if losses.numel() != len(draws) or (self.baseline == "loo" and len(draws) < 2):
            least = ", at least 2 for baseline='loo'" if self.baseline == "loo" else ""
            raise ValueError(
                f"Reinforce.surrogate: one loss for each forward pass since the last call is wanted{least}, got "
                f"{losses.numel()} losses for {len(draws)} passes"
            )
        if self.baseline == "loo":
            advantage = losses - (losses.sum() - losses) / (losses.numel() - 1)
        else:
            advantage = losses - self.level.to(losses.dtype) if bool(self.seen) else losses
            mean = losses.mean().to(self.level.dtype)
            self.level.copy_(self.decay * self.level + (1 - self.decay) * mean if bool(self.seen) else mean)
            self.seen.fill_(True)
        return (advantage * torch.stack(draws)).mean()

    def extra_repr(self) -> str:
        return f"k={self.k}, baseline={self.baseline!r}"
