"""A layer that must find rings: a sample is a field on nodes in unknown order, its answer the mean of both neighbours.

Many rings are searched side by side, each with its own order, places and weights, in one ``SCGEConv`` whose nodes
choose among those of their own ring. The layer has no kernel; with two weights a ring, y = r x + w (attention over
places) x, a teacher with equal weights on both neighbours is within reach of every estimator, whatever its weights for
a node and its neighbours are; and as only distances count, the places may have any dimension.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from scge_pyg import SCGEConv
from scge_pyg.nn import NodeEmbedding
from scge_pyg.nn.fixed.neighborhood import Neighborhood
from scge_pyg.nn.trained.estimators import Reinforce, make_estimator
from scge_pyg.nn.trained.selection import Selection

__all__ = ["RingLayer", "Rings", "Sample"]

_NEIGHBOURS = 3  # a node, and one on each side
_DRAWS = 2  # of REINFORCE, whose baseline is the other draw
_CORRELATION = 2 / 3


class Sample(NamedTuple):
    """Fields and answers ``[B, S * N, 1]``."""

    x: Tensor
    y: Tensor


class Rings:
    """Rings of N nodes, one for each run: its number settles the order of the nodes.

    Args:
        runs: Numbers of the runs, S of them.
        nodes: Nodes N on a ring.
        smooth: Markov fields, whose correlation falls by a third at each step along the ring; otherwise white noise.
        seed: Seed of the stream of fields, which all rings share.
    """

    def __init__(self, runs: Sequence[int], nodes: int = 16, smooth: bool = True, seed: int = 0) -> None:
        self.count, self.nodes, self.smooth = len(runs), nodes, smooth
        self.generator = torch.Generator().manual_seed(seed)
        order = [torch.randperm(nodes, generator=torch.Generator().manual_seed(run)) for run in runs]
        self.slot = torch.stack(order)  # of each node
        lag = (torch.arange(nodes) - torch.arange(nodes).unsqueeze(1)).abs()
        correlation = _CORRELATION**lag + _CORRELATION ** (nodes - lag)
        self.factor = torch.linalg.cholesky(correlation / correlation[0, 0])

    def places(self) -> Tensor:
        """The true places ``[S, N, 2]``: circles with unit spacing."""
        angle = self.slot * (2 * math.pi / self.nodes)
        return torch.stack([angle.cos(), angle.sin()], 2) / (2 * math.sin(math.pi / self.nodes))

    def sample(self, count: int) -> Sample:
        """The next samples of the stream."""
        field = torch.randn(count, self.nodes, generator=self.generator)
        if self.smooth:
            field = field @ self.factor.T
        answer = 0.5 * (field.roll(1, 1) + field.roll(-1, 1))
        return Sample(*(one[:, self.slot].flatten(1).unsqueeze(2) for one in (field, answer)))

    def right(self, places: Tensor) -> Tensor:
        """Share of nodes whose two nearest nodes are their two neighbours, for each ring ``[S]``."""
        places = places.detach().view(self.count, self.nodes, -1)
        nearest = torch.cdist(places, places).topk(3, largest=False).indices[..., 1:]
        step = self.slot.gather(1, nearest.flatten(1)).view_as(nearest) - self.slot.unsqueeze(2)
        return (
            ((step.remainder(self.nodes)).sort(2).values == torch.tensor([1, self.nodes - 1])).all(2).double().mean(1)
        )


class Each(torch.nn.Module):
    """REINFORCE for each ring: its losses are the ring's own."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.rings = torch.nn.ModuleList(Reinforce(_NEIGHBOURS, seed=ring) for ring in range(count))

    def forward(self, scores: Tensor) -> Selection:
        parts = [ring(part) for ring, part in zip(self.rings, scores.chunk(len(self.rings)), strict=True)]
        return Selection(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def surrogate(self, losses: Tensor) -> Tensor:
        """Of losses ``[draws, S]``."""
        return torch.stack([ring.surrogate(own) for ring, own in zip(self.rings, losses.T, strict=True)]).sum()


class RingLayer(torch.nn.Module):
    """One layer for all rings.

    Args:
        places: Where the nodes start ``[S, N, d]``.
        estimator: Name of the estimator.
        tau: Temperature of the places.
        candidates: Nodes of its ring that a node chooses from. Default: all.
        strangers: How many of them are any nodes, drawn anew at each search; the others are the nearest.
        options: Of the estimator.
    """

    def __init__(
        self,
        places: Tensor,
        estimator: str,
        tau: float = 1.0,
        candidates: int | None = None,
        strangers: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        self.count, self.nodes = places.shape[:2]
        self.candidates, self.strangers = candidates or self.nodes, strangers
        self.generator = torch.Generator().manual_seed(0)
        self.table = NodeEmbedding.from_points(places.flatten(0, 1))
        chooser = Each(self.count) if estimator == "reinforce" else make_estimator(estimator, _NEIGHBOURS, **options)
        self.conv = SCGEConv(1, 1, self.table, k=_NEIGHBOURS, kernel=None, estimator=chooser, tau=tau, bias=False)
        torch.nn.init.ones_(self.conv.weight).requires_grad_(False)
        draw = torch.rand(2, self.count, 1, generator=torch.Generator().manual_seed(0))
        self.root, self.scale = (torch.nn.Parameter(2 * one - 1) for one in draw)
        self.search()

    @torch.no_grad()
    def search(self) -> None:
        """Look for the candidates anew."""
        places = self.table.weight.view(self.count, self.nodes, -1)
        gap = torch.cdist(places, places)
        near = gap.topk(self.candidates - self.strangers, largest=False).indices
        if self.strangers:
            drawn = torch.rand(gap.shape, generator=self.generator).scatter(2, near, -1.0)
            near = torch.cat([near, drawn.topk(self.strangers).indices], 2)
        index = (near + self.nodes * torch.arange(self.count).view(-1, 1, 1)).flatten(0, 1)
        self.conv.product.table = Neighborhood(index, torch.ones_like(index, dtype=torch.bool))

    def errors(self, sample: Sample) -> Tensor:
        """Mean squared error of each ring ``[S]``."""
        x, heard, y = (part.view(-1, self.count, self.nodes) for part in (sample.x, self.conv(sample.x), sample.y))
        return (self.root * x + self.scale * heard - y).square().mean((0, 2))

    def losses(self, sample: Sample) -> tuple[Tensor, Tensor]:
        """Errors ``[S]``, and a scalar whose gradient is the estimator's for their sum."""
        chooser = self.conv.product.estimator
        errors = torch.stack([self.errors(sample) for _ in range(_DRAWS if isinstance(chooser, Each) else 1)])
        loss = errors.mean(0)
        return loss, loss.sum() + chooser.surrogate(errors) if isinstance(chooser, Each) else loss.sum()

    @torch.no_grad()
    def solve(self, sample: Sample) -> Tensor:
        """Give each ring its best two weights for the present places; returns the errors that are left ``[S]``."""
        x, heard, y = (
            part.view(-1, self.count, self.nodes).transpose(0, 1).flatten(1)
            for part in (sample.x, self.conv(sample.x), sample.y)
        )
        both = torch.stack([x, heard], 1)
        solved = torch.linalg.solve(both @ both.mT + 1e-6 * torch.eye(2), both @ y.unsqueeze(2))
        self.root.copy_(solved[:, 0])
        self.scale.copy_(solved[:, 1])
        return ((both.mT @ solved).squeeze(2) - y).square().mean(1)
