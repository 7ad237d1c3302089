r"""All codes of an image as three of ten whole-image prototypes, enumerated: the reference for ways to sample them.

An image is the sum of H different prototypes of K, :math:`\hat o = \sum_h w_{k_h}`. The :math:`K! / (K - H)!` ordered
choices (720 for three of ten) are :math:`\binom KH` sets (120) that count H! times each, as a sum has no order.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations, combinations_with_replacement
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Best", "best", "distances", "log_marginal", "memberships"]


class Best(NamedTuple):
    """The best code of each image.

    Args:
        error: Squared error, summed over pixels, ``[B]``.
        counts: How often each prototype is in it, ``[B, K]``.
    """

    error: Tensor
    counts: Tensor


@cache
def memberships(num_prototypes: int, num_parts: int, *, repeats: bool = False) -> Tensor:
    """Every set of prototypes as how often it holds each, ``[sets, K]``; with ``repeats`` more than once, too."""
    choose = combinations_with_replacement if repeats else combinations
    chosen = torch.tensor(list(choose(range(num_prototypes), num_parts)))
    return torch.zeros(len(chosen), num_prototypes).scatter_add_(1, chosen, torch.ones(chosen.shape))


def distances(x: Tensor, w: Tensor, members: Tensor) -> Tensor:
    """Squared error ``[B, sets]`` of images ``[B, N]`` and all sets of prototypes ``[K, N]``."""
    images = members @ w
    return x.square().sum(1, keepdim=True) - 2 * x @ images.T + images.square().sum(1)


def log_marginal(x: Tensor, w: Tensor, num_parts: int, beta: float) -> Tensor:
    r"""The note's objective :math:`\log \sum_z e^{-\beta \lVert o - \hat o(z) \rVert^2}`, ``[B]``.

    The sum is over ordered codes of different prototypes. Its derivative is the exact gradient: the mean of that of
    :math:`-\beta \lVert o - \hat o(z) \rVert^2` under the exact posterior.
    """
    energy = beta * distances(x, w, memberships(len(w), num_parts).to(w))
    return (-energy).logsumexp(1) + math.lgamma(num_parts + 1)


def best(x: Tensor, w: Tensor, num_parts: int) -> Best:
    """The code of least error of each image, of all that a sampler can draw: prototypes may be in it twice."""
    counts = memberships(len(w), num_parts, repeats=True).to(w)
    error, chosen = distances(x, w, counts).min(1)
    return Best(error.clamp_min(0), counts[chosen])
