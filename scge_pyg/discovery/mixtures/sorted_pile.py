"""Samples of one length, sorted by wiring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.mixtures.factor_mixture import FactorMixture, fit_mixture
from scge_pyg.discovery.mixtures.pile import standardized
from scge_pyg.discovery.mixtures.wirings import ALIKE, agreement, joined

__all__ = ["SortedPile", "sort_pile"]

_MOST = 20_000  # samples that components are fitted to
_ENOUGH = 50  # samples of a component whose wiring can be told
_SHARE = 150  # samples for each component to begin with
_CHILDREN = 4  # parts of a component that is looked into
_ROUNDS = 3  # of looking into components
_STRANGE = 0.25  # agreement below which two components have nothing to do with each other
_WIDE = 20  # nodes from which components that bridge two strangers are looked for
_COMPARED = 2_000  # samples of a component by which wirings are compared
_BLOCK = 4_096
_RARE, _FAR = 0.05, 3.0


@dataclass(frozen=True)
class SortedPile:
    """Components, and the modality of each.

    Attributes:
        mixture: The components.
        modality: Modality of each component ``[K]``.
        limit: Log-likelihood below which a sample is of none, for each modality ``[M]``.
    """

    mixture: FactorMixture
    modality: Tensor
    limit: Tensor

    @property
    def count(self) -> int:
        """Number of modalities."""
        return len(self.limit)

    @property
    def nodes(self) -> int:
        """Nodes of a sample."""
        return int(self.mixture.mean.shape[1])

    def log_prob(self, x: Tensor) -> Tensor:
        """Log of share and density of standardised samples in each modality ``[S, M]``; alike for constant ones."""
        mixture = FactorMixture(*(one.double() for one in self.mixture))
        parts = torch.cat([mixture.log_prob(some.double()) for some in x.split(_BLOCK)])
        value = torch.stack([parts[:, self.modality == m].logsumexp(1) for m in range(self.count)], 1)
        return torch.where(value.isnan(), -1e30, value)

    def predict(self, x: Tensor) -> np.ndarray[Any, Any]:
        """The modality of standardised samples ``[S]``, -1 where none fits."""
        value, found = self.log_prob(x).max(1)
        return torch.where(value >= self.limit[found], found, -1).numpy()


def sort_pile(samples: Tensor, components: int, count: int | None, generator: torch.Generator) -> SortedPile:
    """Fit components to samples ``[S, N]`` of one length and find out which share a wiring.

    Args:
        samples: As they come.
        components: Components to begin with.
        count: Number of modalities, if it is known.
        generator: Of all that is drawn.

    Raises:
        ValueError: If all samples are constant.
    """
    x = standardized(samples)
    x = x[x.isfinite().all(1)]
    if not len(x):
        raise ValueError(
            f"ModalityMixture: all {len(samples)} samples of {samples.shape[1]} nodes are constant; nothing tells "
            f"their modality"
        )
    x = x[torch.randperm(len(x), generator=generator)[:_MOST]]
    mixture, label = fit_mixture(x, max(1, min(components, len(x) // _SHARE)), generator)
    for _ in range(_ROUNDS):
        split = _dissolved(x, mixture, label, generator)
        if torch.equal(split, label):
            split = _split(x, label, generator)
        if torch.equal(split, label):
            break
        mixture, label = fit_mixture(x, int(split.max()) + 1, generator, start=split)
    wiring = torch.zeros_like(label)
    if bool(agreement([x[:_COMPARED]], torch.Generator().manual_seed(0))[1]):  # or else groups have what cuts gave them
        wiring = _wirings(x, label, count, generator)[label]
    mixture, modality = _settled(x, label, wiring, generator)
    found = SortedPile(mixture, modality, torch.full((int(modality.max()) + 1,), -torch.inf))
    return SortedPile(mixture, modality, _limits(found.log_prob(x)))


def _settled(x: Tensor, label: Tensor, wiring: Tensor, generator: torch.Generator) -> tuple[FactorMixture, Tensor]:
    """Components as they are or one for each wiring, whichever is likelier on held-out samples, and their wirings."""
    likelier = []
    for start in (label, wiring):
        mixture, _ = fit_mixture(x[::2], int(start.max()) + 1, generator, start=start[::2])
        likelier.append(float(mixture.log_prob(x[1::2]).logsumexp(1).mean()))
    start = label if likelier[0] > likelier[1] else wiring
    mixture, found = fit_mixture(x, int(start.max()) + 1, generator, start=start)
    votes = torch.zeros(len(mixture.weight), int(wiring.max()) + 1).index_put_(
        (found, wiring), torch.ones(len(x)), accumulate=True
    )
    return mixture, torch.unique(votes.argmax(1), return_inverse=True)[1]


def _dissolved(x: Tensor, mixture: FactorMixture, label: Tensor, generator: torch.Generator) -> Tensor:
    """Components that agree with two that are strangers hold samples of both: these go to the likeliest other one."""
    judged, alike = _judged(x, label, generator)
    bridges = judged[_bridging(alike, x.shape[1])]
    pure = torch.ones(len(mixture.weight), dtype=torch.bool)
    pure[bridges] = False
    if bool(pure.all()) or not bool(pure.any()):
        return label
    moved = torch.isin(label, bridges)
    result = label.clone()
    result[moved] = mixture.log_prob(x[moved]).masked_fill(~pure, -torch.inf).argmax(1)
    return torch.unique(result, return_inverse=True)[1]


def _split(x: Tensor, label: Tensor, generator: torch.Generator) -> Tensor:
    """Components that hold several wirings become one for each."""
    result, last = label.clone(), int(label.max())
    for k in range(last + 1):
        own = label == k
        if int(own.sum()) < _CHILDREN * _ENOUGH:
            continue
        _, child = fit_mixture(x[own], _CHILDREN, generator)
        wiring = _wirings(x[own], child, None, generator)[child]
        result[own] = torch.where(wiring > 0, wiring + int(result.max()), k)
    return torch.unique(result, return_inverse=True)[1]


def _wirings(x: Tensor, label: Tensor, count: int | None, generator: torch.Generator) -> Tensor:
    """The wiring of each component ``[K]``; where it can't be told, that of the component next to it."""
    size = torch.bincount(label)
    judged, alike = _judged(x, label, generator)
    if not len(judged):
        return torch.zeros_like(size)
    pure = ~_bridging(alike, x.shape[1])  # a bridge that could not be dissolved joins nothing
    if bool(pure.any()):
        judged, alike = judged[pure], alike[pure][:, pure]
    wiring = torch.full((len(size),), -1)
    wiring[judged] = joined(alike, count)
    rest = wiring < 0
    if bool(rest.any()):
        mean = torch.stack([x[label == k].mean(0) for k in range(len(size))])
        wiring[rest] = wiring[judged[torch.cdist(mean[rest], mean[judged]).argmin(1)]]
    return torch.unique(wiring, return_inverse=True)[1]


def _judged(x: Tensor, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Components whose wiring can be told ``[J]``, and how well they agree ``[J, J]``."""
    size = torch.bincount(label)
    judged = (size >= min(_ENOUGH, int(size.max()))).nonzero().squeeze(1)
    alike, told = agreement([x[label == k][:_COMPARED] for k in judged], generator)
    return judged[told], alike[told][:, told]


def _bridging(alike: Tensor, nodes: int) -> Tensor:
    """Which components agree with two that are strangers ``[J]``; over few nodes chance looks like that."""
    near, strange = (alike > ALIKE).double(), (alike < _STRANGE).double()
    return ((near @ strange @ near).diagonal() > 0) & (nodes >= _WIDE)


def _limits(value: Tensor) -> Tensor:
    """Three times as far below the middle of a modality's samples as the least likely twentieth begins.

    One sample in two thousand of its own is less likely than that if their tail is exponential.
    """
    best, found = value.max(1)
    limits = []
    for m in range(value.shape[1]):
        own = best[found == m]
        rare, middle = (float(own.quantile(q)) if len(own) else 0.0 for q in (_RARE, 0.5))
        limits.append(middle - _FAR * (middle - rare))
    return value.new_tensor(limits)
