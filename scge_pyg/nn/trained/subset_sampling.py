"""Choosing k of M: exact top-k with fair ties, Plackett-Luce probabilities, relaxed k-hot vectors, mutual choice."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["gumbel_noise", "mutual", "plackett_luce_log_prob", "relaxed_k_hot", "topk_random_ties"]


def topk_random_ties(scores: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
    """Indices ``[T, k]`` of the k largest scores of each row ``[T, M]``, the largest first, ties in random order.

    ``torch.topk`` alone favours low indices among equal scores, which is fatal where scores saturate.

    Cost: that of ``torch.topk``; where some row has ties, :math:`O(T M \\log M)`.

    Args:
        scores: Scores ``[T, M]``.
        k: How many, at most M.
        generator: Of the order among ties, on the device of the scores. Default: torch's own.

    Raises:
        ValueError: If k is more than M.

    Example:
        >>> topk_random_ties(torch.tensor([[0.0, 2.0, 1.0]]), 2).tolist()
        [[1, 2]]
    """
    if k > scores.shape[1]:
        raise ValueError(f"topk_random_ties: k={k} is more than the {scores.shape[1]} candidates; use a smaller k")
    best: Tensor = _Best.apply(scores.detach(), k, generator)
    return best


class _Best(torch.autograd.Function):
    """Mapped by ``torch.func.vmap``, the rows of all are one matrix."""

    @staticmethod
    def forward(scores: Tensor, k: int, generator: torch.Generator | None) -> Tensor:
        values, order = scores.topk(min(k + 1, scores.shape[1]), 1)
        if not bool((values[:, 1:] == values[:, :-1]).any()):
            return order[:, :k]
        shuffle = torch.rand(scores.shape, generator=generator, device=scores.device).argsort(dim=1)
        order = scores.gather(1, shuffle).argsort(stable=True, dim=1, descending=True)[:, :k]
        return shuffle.gather(1, order)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int, None, None], scores: Tensor, k: int, generator: torch.Generator | None
    ) -> tuple[Tensor, int]:
        rows = scores.movedim(in_dims[0], 0).flatten(0, 1)
        return topk_random_ties(rows, k, generator).unflatten(0, (info.batch_size, -1)), 0


def gumbel_noise(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard Gumbel noise of the shape of ``like``."""
    uniform = torch.rand(like.shape, generator=generator, device=like.device, dtype=like.dtype)
    tiny = torch.finfo(like.dtype).tiny
    return -(-uniform.clamp_min(tiny).log()).clamp_min(tiny).log()


def plackett_luce_log_prob(scores: Tensor, order: Tensor) -> Tensor:
    r"""Log-probability ``[T]`` of drawing ``order [T, k]`` one after another without replacement.

    .. math::
        \log p = \sum_{r=1}^{k} \Bigl( s_{o_r} - \log \sum_{j \notin \{o_1, \dots, o_{r-1}\}} e^{s_j} \Bigr)

    Draws of scores of minus infinity (padding) count nothing.

    Example:
        >>> plackett_luce_log_prob(torch.zeros(1, 4), torch.tensor([[2, 0]])).exp().item()  # 1/4 * 1/3
        0.0833333...
    """
    total = scores.new_zeros(scores.shape[0])
    open_ = torch.isfinite(scores)
    for drawn in order.unbind(1):
        counts = open_.gather(1, drawn.unsqueeze(1)).squeeze(1)
        kept = torch.where(open_, scores, -torch.inf)
        norm = torch.logsumexp(torch.where(counts.unsqueeze(1), kept, 0.0), 1)
        own = torch.where(open_, scores, 0.0).gather(1, drawn.unsqueeze(1)).squeeze(1)
        total = total + torch.where(counts, own - norm, 0.0)
        open_ = open_.scatter(1, drawn.unsqueeze(1), False)
    return total


def relaxed_k_hot(scores: Tensor, k: int, temperature: float) -> Tensor:
    r"""Relaxed k-hot vectors ``[T, M]`` that sum to k (Xie and Ermon, 2019, "Reparameterizable Subset Sampling").

    .. math::
        \mathbf{a}^1 = \mathbf{s}, \quad \mathbf{p}^r = \mathrm{softmax}(\mathbf{a}^r / t), \quad
        \mathbf{a}^{r+1} = \mathbf{a}^r + \log(1 - \mathbf{p}^r), \quad \mathbf{v} = \sum_{r=1}^{k} \mathbf{p}^r

    Rows with fewer than k finite scores sum to the number of those.

    Args:
        scores: Scores ``[T, M]``, minus infinity for padding.
        k: Size of the subset.
        temperature: Towards 0 the vectors become k-hot.

    Example:
        >>> relaxed_k_hot(torch.tensor([[3.0, -torch.inf, 2.0, 0.0]]), 2, temperature=0.1).round(decimals=4).tolist()
        [[1.0, 0.0, 1.0, 0.0]]
    """
    valid = torch.isfinite(scores)
    state = torch.where(valid, scores, 0.0)
    tiny = torch.finfo(scores.dtype).tiny
    hot = torch.zeros_like(state)
    rounds = valid.sum(1, keepdim=True)
    for turn in range(k):
        logits = torch.where(valid, state / temperature, -torch.inf)
        logits = logits - _top(logits)
        mass = logits.exp()
        total = mass.sum(1, keepdim=True).clamp_min(tiny)
        share = mass / total
        hot = hot + torch.where(turn < rounds, share, 0.0)
        # 1 - p of the largest share drowns in rounding, so its logarithm comes from the others' sum
        first = torch.zeros_like(valid).scatter(1, logits.argmax(1, keepdim=True), True)
        others = logits.masked_fill(first, -torch.inf)
        second = _top(others)
        rest = second + (others - second).exp().sum(1, keepdim=True).clamp_min(tiny).log() - total.log()
        left = torch.where(first, rest, torch.log1p(-share.masked_fill(first, 0.0)))
        state = state + torch.where(valid & (rounds > 1), left, 0.0)
    return hot


def _top(logits: Tensor) -> Tensor:
    """Largest logit of each row ``[T, 1]`` as a constant, finite also where all are minus infinity."""
    return logits.amax(1, keepdim=True).detach().clamp_min(torch.finfo(logits.dtype).min)


def mutual(index: Tensor, valid: Tensor) -> Tensor:
    """Where the choice is mutual: row i lists j and row j lists i, ``[N, K]`` bool. Sorting, no N x N matrix.

    Args:
        index: Chosen nodes ``[N, K]``, no valid one twice in a row.
        valid: Entries that count ``[N, K]``.

    Example:
        >>> index = torch.tensor([[1, 2], [0, 2], [2, 1]])
        >>> mutual(index, torch.ones(3, 2, dtype=torch.bool)).tolist()
        [[True, False], [True, True], [True, True]]
    """
    nodes = index.shape[0]
    own = torch.arange(nodes, device=index.device).unsqueeze(1)
    # entries that don't count get keys of their own, which no pair has
    outside = nodes * nodes + torch.arange(index.numel(), device=index.device).view_as(index)
    keys = torch.where(valid, own * nodes + index, outside).flatten().sort().values
    wanted = (index * nodes + own).flatten()
    place = torch.searchsorted(keys, wanted).clamp_max(keys.numel() - 1)
    return (keys[place] == wanted).view_as(index) & valid
