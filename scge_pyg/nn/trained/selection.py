"""What all estimators share: a selection of candidates, its weights, and the base class with the random numbers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.nn.trained.subset_sampling import topk_random_ties

__all__ = ["Choice", "Selection", "check_scores", "equal_weights", "every_slot", "masked_softmax"]


class Selection(NamedTuple):
    """Chosen candidates ``slot [T, K]`` (columns of the scores) and their attention weights ``weight [T, K]``."""

    slot: Tensor
    weight: Tensor


def masked_softmax(logits: Tensor, valid: Tensor, dim: int) -> Tensor:
    """Softmax over the valid entries; 0 elsewhere, and where no entry is valid. No gradient is NaN.

    Example:
        >>> valid = torch.tensor([[True, True, False], [False, False, False]])
        >>> masked_softmax(torch.tensor([[0.0, 0.0, 9.0], [1.0, 1.0, 1.0]]), valid, 1)
        tensor([[0.5000, 0.5000, 0.0000],
                [0.0000, 0.0000, 0.0000]])
    """
    kept = torch.where(valid, logits, -torch.inf)
    top = kept.amax(dim, keepdim=True).detach().clamp_min(torch.finfo(logits.dtype).min)
    weight = torch.where(valid, (kept - top).exp(), 0.0)
    return weight / weight.sum(dim, keepdim=True).clamp_min(torch.finfo(logits.dtype).tiny)


def check_scores(name: str, scores: Tensor) -> None:
    """Refuse scores that are no floats ``[T, M]``."""
    if scores.dim() != 2:
        raise ValueError(f"{name}: scores must be [T, M], got {list(scores.shape)}; one row for each target")
    if not scores.is_floating_point():
        raise TypeError(f"{name}: scores must be floats, got {scores.dtype}; convert them with scores.float()")


def every_slot(scores: Tensor) -> Tensor:
    """All candidates of each row, in their order ``[T, M]``."""
    return torch.arange(scores.shape[1], device=scores.device).expand(scores.shape)


def equal_weights(scores: Tensor, slot: Tensor) -> Tensor:
    """Weight 1/k on the chosen candidates that are no padding ``[T, K]``."""
    valid = torch.isfinite(scores.gather(1, slot)).to(scores.dtype)
    return valid / valid.sum(1, keepdim=True).clamp_min(1.0)


class Choice(torch.nn.Module):
    """What all choices of k candidates share: sizes, random numbers, the k best.

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

    def best(self, scores: Tensor) -> Tensor:
        """The k best candidates ``[T, k]``; ties in random order, except inside a compiled graph.

        In evaluation mode the order is the same in each call, so that outputs repeat themselves.
        """
        check_scores(type(self).__name__, scores)
        if scores.shape[1] < self.k:
            raise ValueError(
                f"{type(self).__name__}: k={self.k} is more than the {scores.shape[1]} candidates; use a smaller k, or "
                f"pad the scores with -inf"
            )
        if torch.compiler.is_compiling() or scores.is_meta:
            return scores.detach().topk(self.k, 1).indices
        if self.training:
            return topk_random_ties(scores, self.k, self._generator(scores.device))
        return topk_random_ties(scores, self.k, torch.Generator(scores.device).manual_seed(self.seed))

    def soft_best(self, scores: Tensor) -> Selection:
        """The k best with the softmax of their scores."""
        slot = self.best(scores)
        kept = scores.gather(1, slot)
        return Selection(slot, masked_softmax(kept, torch.isfinite(kept), 1))

    def hard_best(self, scores: Tensor) -> Selection:
        """The k best, all with the same weight."""
        slot = self.best(scores)
        return Selection(slot, equal_weights(scores, slot))

    def extra_repr(self) -> str:
        return f"k={self.k}"
