"""Estimating a tree of slots from constellations in order: its edges, tables of prototypes, Gaussians of places."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from scge_pyg.models.cgae.density.chow_liu import chow_liu_tree
from scge_pyg.models.cgae.density.placement import Parts, fit_placement
from scge_pyg.models.cgae.density.slot_tree import Slot, SlotTree
from scge_pyg.models.cgae.density.slot_tree_start import SHARES

__all__ = ["fit_slot_tree", "mutual_information"]

_ROUNDS = 4  # of expectation maximisation between beside, alone and anywhere
_SMOOTHING = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 1e5)  # pseudo-counts to choose from
_BACKGROUND = 10.0  # pseudo-counts with which a slot's prototypes are drawn to those of all slots


def fit_slot_tree(parts: Parts, background: Tensor, grid: tuple[int, int], tree: bool = True) -> SlotTree:
    """The tree of slots for constellations whose parts are in order.

    Args:
        parts: ``[n, H]``, one on each slot.
        background: Probabilities of prototypes over all slots, K for none, ``[K + 1]``.
        grid: Rows and columns of places.
        tree: Whether slots look at their parents. Default: yes, on the tree of Chow and Liu.
    """
    count = parts.k.shape[1]
    parent = chow_liu_tree(mutual_information(parts, background, grid)) if tree else tuple(range(-1, count - 1))
    slots = []
    for v, u in enumerate(parent):
        before = _of(parts, u) if tree and u >= 0 else None
        slots.append(_fit_slot(_of(parts, v), u, before, background, grid))
    return SlotTree(tuple(slots))


def mutual_information(parts: Parts, background: Tensor, grid: tuple[int, int]) -> Tensor:
    r"""Nats that the parts on two slots tell of each other ``[H, H]``, 0 on the diagonal.

    That of prototypes is the gain in likelihood of each given the other when every constellation is left out in turn;
    that of places, given prototypes, :math:`\frac12 \log |\Sigma_{\text{alone}}| / |\Sigma_{\text{beside}}|` where
    both parts are used. Each pair is measured both ways and averaged. With few constellations the places' gains are too
    large by as many coefficients as are fitted, the same number for all pairs.
    """
    count, last = parts.k.shape[1], len(background) - 1
    gain = torch.zeros(count, count, dtype=torch.double)
    others = Parts(*(field.transpose(0, 1) for field in parts))
    for v in range(count):
        own = _of(parts, v)
        alone = fit_placement(own, None, own.used.double(), grid, last).scale.log().sum()
        both = (own.used & others.used).double()
        repeated = Parts(*(field.expand_as(other) for field, other in zip(own, others, strict=True)))
        beside = fit_placement(repeated, others, both, grid, last).scale.log().sum(1)
        gain[:, v] = both.mean(1) * (alone - beside)
        for u in range(count):
            gain[u, v] += _conditional(own, _of(parts, u), background)[1] / len(parts.k)
    return ((gain + gain.T) / 2).fill_diagonal_(0)


def _of(parts: Parts, v: int) -> Parts:
    return Parts(*(field[:, v] for field in parts))


def _fit_slot(part: Parts, parent: int, before: Parts | None, background: Tensor, grid: tuple[int, int]) -> Slot:
    last = len(background) - 1
    table = _marginal(part, background).expand(last + 2, -1)
    followed = torch.zeros_like(part.used) if before is None else before.used
    if before is not None:
        table = torch.cat([_conditional(part, before, background)[0], table[:1]])
    kinds = torch.stack([followed, torch.ones_like(followed), torch.ones_like(followed)], 1).double()
    share = kinds.amax(0) * torch.tensor(SHARES, dtype=torch.double)
    share = share / share.sum()
    weight = kinds * share * part.used.unsqueeze(1)
    for _ in range(_ROUNDS):
        alone = fit_placement(part, None, weight[:, 1], grid, last)
        beside = None if before is None else fit_placement(part, before, weight[:, 0], grid, last)
        by_itself = alone.probability(part, None)
        given = by_itself if beside is None else beside.probability(part, before)
        likely = torch.stack([given, by_itself, torch.full_like(given, 1 / (grid[0] * grid[1]))], 1)
        weight = likely * kinds * share
        weight = weight / weight.sum(1, keepdim=True) * part.used.unsqueeze(1)
        share = weight.sum(0) + 0.5 * (share > 0)
        share = share / share.sum()
    return Slot(parent, table, beside, alone, share)


def _shown(part: Parts, last: int) -> Tensor:
    """One number a prototype, K for none, ``[n, K + 1]``."""
    return one_hot(torch.where(part.used, part.k, last), last + 1).double()


def _marginal(part: Parts, background: Tensor) -> Tensor:
    counts = _shown(part, len(background) - 1).sum(0)
    return (counts + _BACKGROUND * background) / (counts.sum() + _BACKGROUND)


def _conditional(part: Parts, before: Parts, background: Tensor) -> tuple[Tensor, Tensor]:
    """Table of prototypes after each prototype ``[K + 1, K + 1]``, and what it gains in nats on all left-out samples.

    Rows are drawn to the marginal, by as many pseudo-counts as predict each sample best from the others.
    """
    last, marginal = len(background) - 1, _marginal(part, background)
    counts = _shown(before, last).T @ _shown(part, last)
    smoothing = torch.tensor(_SMOOTHING, dtype=torch.double).view(-1, 1, 1)
    without = (counts - 1 + smoothing * marginal) / (counts.sum(1, keepdim=True) - 1 + smoothing)
    gains = torch.where(counts > 0, counts * (without / marginal).clamp_min(1e-300).log(), 0.0).sum((1, 2))
    best = smoothing[gains.argmax()]
    return (counts + best * marginal) / (counts.sum(1, keepdim=True) + best), gains.max()
