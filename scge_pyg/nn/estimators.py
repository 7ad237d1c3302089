r"""Choosing the neighbours: whom a node listens to among its candidates, and how gradients pass through the choice.

An estimator maps scores :math:`s_{ij}` of T targets and M candidates, :math:`-|q_i - e_j|^2 / \tau` in a layer and
minus infinity for padding, to chosen candidates and their attention weights. Only :class:`Reinforce` gives an unbiased
gradient of the expected loss over the discrete choice; ``docs/estimators.md`` has the measured biases.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from scge_pyg.nn.subset_sampling import (
    gumbel_noise,
    mutual,
    plackett_luce_log_prob,
    relaxed_k_hot,
    topk_random_ties,
)

__all__ = [
    "Gumbel",
    "Reinforce",
    "Selection",
    "Soft",
    "StraightThrough",
    "TopK",
    "make_estimator",
    "mutual",
]


class Selection(NamedTuple):
    """Chosen candidates ``slot [T, K]`` (columns of the scores) and their attention weights ``weight [T, K]``."""

    slot: Tensor
    weight: Tensor


def _softmax(scores: Tensor) -> Tensor:
    """Softmax over the finite scores of a row; zero where there is none, and no gradient is NaN."""
    valid = torch.isfinite(scores)
    top = scores.amax(1, keepdim=True).detach().clamp_min(torch.finfo(scores.dtype).min)
    # padding stands at the top until it is masked: anywhere else its exponential may overflow, and 0 * inf is NaN
    weight = torch.where(valid, (torch.where(valid, scores, top) - top).exp(), 0.0)
    return weight / weight.sum(1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)


def _check(name: str, scores: Tensor) -> None:
    if scores.dim() != 2:
        raise ValueError(f"{name}: scores must be [T, M], got {list(scores.shape)}; one row for each target")
    if not scores.is_floating_point():
        raise TypeError(f"{name}: scores must be floats, got {scores.dtype}; convert them with scores.float()")


def _every(scores: Tensor) -> Tensor:
    return torch.arange(scores.shape[1], device=scores.device).expand(scores.shape)


def _uniform(scores: Tensor, slot: Tensor) -> Tensor:
    """Weight 1/k on the chosen candidates that are no padding ``[T, K]``."""
    valid = torch.isfinite(scores.gather(1, slot)).to(scores.dtype)
    return valid / valid.sum(1, keepdim=True).clamp_min(1.0)


class _Choice(torch.nn.Module):
    """What all choices of k candidates share.

    Args:
        k: Candidates to choose.
        seed: Seed of ties and noise.
    """

    def __init__(self, k: int, seed: int = 0) -> None:
        super().__init__()
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"{type(self).__name__}: k must be a positive integer, got {k!r}")
        self.k, self.seed = k, seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def reset_parameters(self) -> None:
        """Start the random numbers anew."""
        self._generators = {}

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self._generators[device]

    def __deepcopy__(self, memo: dict[int, Any]) -> _Choice:
        """Generators can't be copied; a copy goes on with the same random numbers."""
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        torch.nn.Module.__init__(twin)
        twin.__dict__.update({key: value for key, value in self.__dict__.items() if key not in twin.__dict__})
        twin.train(self.training)
        twin._buffers.update({key: None if b is None else b.clone() for key, b in self._buffers.items()})
        twin._generators = {}
        for device, generator in self._generators.items():
            twin._generators[device] = torch.Generator(device)
            twin._generators[device].set_state(generator.get_state())
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_generators": {}}

    def best(self, scores: Tensor) -> Tensor:
        """The k best candidates ``[T, k]``; ties in random order, except inside a compiled graph."""
        _check(type(self).__name__, scores)
        if scores.shape[1] < self.k:
            raise ValueError(
                f"{type(self).__name__}: k={self.k} is more than the {scores.shape[1]} candidates; use a smaller k, or "
                f"pad the scores with -inf"
            )
        if torch.compiler.is_compiling():
            return scores.detach().topk(self.k, 1).indices
        return topk_random_ties(scores, self.k, self._generator(scores.device))

    def extra_repr(self) -> str:
        return f"k={self.k}"


class TopK(_Choice):
    r"""Soft weights on hard neighbours: the softmax of the scores over the k best candidates.

    Exact wherever the k best stay the k best; the choice itself gets no gradient.

    Args:
        k: Neighbours.
        seed: Seed of the order among ties.

    Shapes:
        - **input:** scores :math:`(T, M)`
        - **output:** slot and weight :math:`(T, k)`

    Raises:
        ValueError: If k is not positive, or more than M.

    Example:
        >>> slot, weight = TopK(2)(torch.tensor([[0.0, 1.0, -torch.inf, 1.5]]))
        >>> slot.tolist(), weight.sum().item()
        ([[3, 1]], 1.0)
    """

    def forward(self, scores: Tensor) -> Selection:
        """Choose from scores ``[T, M]``."""
        slot = self.best(scores)
        return Selection(slot, _softmax(scores.gather(1, slot)))


class Soft(torch.nn.Module):
    """The softmax over all candidates: no choice at all, and an exact gradient.

    Args:
        max_sources: More candidates are refused, since the weights are dense.

    Shapes:
        - **input:** scores :math:`(T, M)`
        - **output:** slot and weight :math:`(T, M)`

    Raises:
        ValueError: If ``max_sources`` is not positive, or M is more.

    Example:
        >>> Soft()(torch.zeros(1, 4)).weight.tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """

    def __init__(self, max_sources: int = 4096) -> None:
        super().__init__()
        if isinstance(max_sources, bool) or not isinstance(max_sources, int) or max_sources < 1:
            raise ValueError(f"Soft: max_sources must be a positive integer, got {max_sources!r}")
        self.max_sources = max_sources

    def forward(self, scores: Tensor) -> Selection:
        """Weigh all candidates of scores ``[T, M]``."""
        _check("Soft", scores)
        if scores.shape[1] > self.max_sources:
            raise ValueError(
                f"Soft: {scores.shape[1]} sources are more than max_sources={self.max_sources}; dense weights grow as "
                f"N^2, so use estimator='topk' with k neighbours"
            )
        return Selection(_every(scores), _softmax(scores))

    def extra_repr(self) -> str:
        return f"max_sources={self.max_sources}"


class StraightThrough(_Choice):
    r"""Weight :math:`1/k` on the k best going forward, the gradient of the softmax over all going back.

    .. math::
        w_j = \mathrm{hard}_j + \mathrm{softmax}(\mathbf{s})_j - \mathrm{stop}(\mathrm{softmax}(\mathbf{s})_j)

    (Bengio et al., 2013). Biased: the gradient is that of another function. ``docs/estimators.md`` has its bias.

    Args:
        k: Neighbours.
        seed: Seed of the order among ties.

    Shapes:
        - **input:** scores :math:`(T, M)`
        - **output:** slot and weight :math:`(T, M)`

    Raises:
        ValueError: If k is not positive, or more than M.

    Example:
        >>> StraightThrough(2)(torch.tensor([[0.0, 1.0, -torch.inf, 1.5]])).weight.tolist()
        [[0.0, 0.5, 0.0, 0.5]]
    """

    def forward(self, scores: Tensor) -> Selection:
        """Choose from scores ``[T, M]``; the weights cover all M."""
        slot = self.best(scores)
        hard = torch.zeros_like(scores).scatter(1, slot, _uniform(scores, slot))
        soft = _softmax(scores)
        return Selection(_every(scores), hard + (soft - soft.detach()))


class Gumbel(_Choice):
    r"""Stochastic top-k without replacement, relaxed: scores plus Gumbel noise through :func:`relaxed_k_hot`.

    With ``hard`` the weights are exactly :math:`1/k` on a Plackett-Luce draw going forward (Kool et al., 2019), and
    those of the relaxation going back. Biased at every temperature: the relaxed loss is another one, and towards 0 its
    gradient has ever more variance. ``docs/estimators.md`` has both. In evaluation mode: :class:`TopK`.

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
            return TopK.forward(self, scores)  # type: ignore[arg-type]
        noisy = scores + gumbel_noise(scores, self._generator(scores.device))
        count = torch.isfinite(scores).sum(1, keepdim=True).clamp(1, self.k)
        weight = relaxed_k_hot(noisy, self.k, self.temperature) / count
        if self.hard:
            slot = self.best(noisy)
            weight = torch.zeros_like(weight).scatter(1, slot, _uniform(scores, slot)) + (weight - weight.detach())
        return Selection(_every(scores), weight)

    def extra_repr(self) -> str:
        schedule = f" to {self.final:g} in {self.steps} steps" if self.final != self.start else ""
        return f"k={self.k}, temperature={self.start:g}{schedule}{', hard' if self.hard else ''}"


class Reinforce(_Choice):
    r"""A Plackett-Luce draw of k neighbours with weight :math:`1/k`, and the score function as its gradient.

    .. math::
        \nabla\, \mathbb{E}[L] = \mathbb{E}\bigl[(L - b)\, \nabla \log p(\mathrm{draw})\bigr]

    (Williams, 1992): unbiased, since the baseline b does not depend on its own draw. In evaluation mode: :class:`TopK`.

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

    def __deepcopy__(self, memo: dict[int, Any]) -> _Choice:
        twin = super().__deepcopy__(memo)
        assert isinstance(twin, Reinforce)
        twin._log_probs = []
        return twin

    def forward(self, scores: Tensor) -> Selection:
        """Draw from scores ``[T, M]``."""
        if not self.training:
            return TopK.forward(self, scores)  # type: ignore[arg-type]
        slot = self.best(scores.detach() + gumbel_noise(scores, self._generator(scores.device)))
        if torch.is_grad_enabled() and scores.requires_grad:
            self._log_probs.append(plackett_luce_log_prob(scores, slot).sum())
        return Selection(slot, _uniform(scores, slot))

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


def make_estimator(estimator: str | torch.nn.Module, k: int, **kwargs: Any) -> torch.nn.Module:
    """An estimator by name, or the module itself.

    Args:
        estimator: ``"topk"``, ``"soft"``, ``"straight_through"``, ``"gumbel"``, ``"reinforce"``, or a module.
        k: Neighbours; a module keeps its own, and ``"soft"`` hears all.
        kwargs: Further arguments of the class; ignored for a module.

    Raises:
        ValueError: If the name is another.
        TypeError: If it is neither a name nor a module.

    Example:
        >>> make_estimator("topk", 5)
        TopK(k=5)
    """
    if isinstance(estimator, torch.nn.Module):
        return estimator
    if not isinstance(estimator, str):
        raise TypeError(f"make_estimator: estimator must be a name or a module, got {type(estimator).__name__}")
    if estimator == "soft":
        return Soft(**kwargs)
    made = {"topk": TopK, "straight_through": StraightThrough, "gumbel": Gumbel, "reinforce": Reinforce}
    if estimator not in made:
        raise ValueError(f"estimator must be one of {('soft', *made)} or a module, got {estimator!r}")
    return made[estimator](k, **kwargs)
