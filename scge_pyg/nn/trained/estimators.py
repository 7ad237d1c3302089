r"""Choosing the neighbours: whom a node listens to among its candidates, and how gradients pass through the choice.

An estimator maps scores :math:`s_{ij}` of T targets and M candidates, :math:`-|q_i - e_j|^2 / \tau` in a layer and
minus infinity for padding, to chosen candidates and their attention weights. Only :class:`Reinforce` gives an unbiased
gradient of the expected loss over the discrete choice; ``docs/estimators.md`` has the measured biases.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.trained.selection import Choice, Selection, check_scores, every_slot, masked_softmax
from scge_pyg.nn.trained.stochastic_estimators import Gumbel, Reinforce

__all__ = ["Gumbel", "Reinforce", "Selection", "Soft", "StraightThrough", "TopK", "make_estimator"]


class TopK(Choice):
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
        return self.soft_best(scores)


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
        check_scores("Soft", scores)
        if scores.shape[1] > self.max_sources:
            raise ValueError(
                f"Soft: {scores.shape[1]} sources are more than max_sources={self.max_sources}; dense weights grow as "
                f"N^2, so use estimator='topk' with k neighbours"
            )
        return Selection(every_slot(scores), masked_softmax(scores, torch.isfinite(scores), 1))

    def extra_repr(self) -> str:
        return f"max_sources={self.max_sources}"


class StraightThrough(Choice):
    r"""Weight :math:`1/k` on the k best going forward, the gradient of the softmax over all going back.

    .. math::
        w_j = \mathrm{hard}_j + \mathrm{softmax}(\mathbf{s})_j - \mathrm{stop}(\mathrm{softmax}(\mathbf{s})_j)

    (Bengio et al., 2013). Biased: the gradient is that of another function. ``docs/estimators.md`` has its bias.

    Args:
        k: Neighbours.
        seed: Seed of the order among ties.

    Shapes:
        - **input:** scores :math:`(T, M)`
        - **output:** slot and weight :math:`(T, M)`, in evaluation mode :math:`(T, k)`

    Raises:
        ValueError: If k is not positive, or more than M.

    Example:
        >>> StraightThrough(2)(torch.tensor([[0.0, 1.0, -torch.inf, 1.5]])).weight.tolist()
        [[0.0, 0.5, 0.0, 0.5]]
    """

    def forward(self, scores: Tensor) -> Selection:
        """Choose from scores ``[T, M]``; in training the weights cover all M."""
        slot, weight = self.hard_best(scores)
        if not self.training:
            return Selection(slot, weight)
        hard = torch.zeros_like(scores).scatter(1, slot, weight)
        soft = masked_softmax(scores, torch.isfinite(scores), 1)
        return Selection(every_slot(scores), hard + (soft - soft.detach()))


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
