"""A layer that must find a ring: a sample is a field on nodes in unknown order, its answer the mean of both neighbours.

The layer is ``SCGEConv`` with one matrix and a root weight, y = r x + w (attention over places) x, so that a teacher
with equal weights on both neighbours is within reach of every estimator, whatever its weights for a node and its
neighbours are; and as only distances count, the places may have any dimension.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg import SCGEConv
from scge_pyg.graph import knn
from scge_pyg.nn import NodeEmbedding
from scge_pyg.nn.trained.estimators import make_estimator

__all__ = ["NEIGHBOURS", "Ring", "Sample", "ring_layer", "solve_weights", "task_losses"]

NEIGHBOURS = 3  # a node, and one on each side
_DRAWS = 2  # of REINFORCE, whose baseline is the other draw


class Sample(NamedTuple):
    """Fields and answers ``[B, N, 1]``."""

    x: Tensor
    y: Tensor


class Ring:
    """The task of one run: permutation and stream of samples follow from its number.

    Args:
        run: Number of the run.
        nodes: Nodes N on the ring.
        smooth: Markov fields, whose correlation falls by a third at each step along the ring; otherwise white noise.
    """

    def __init__(self, run: int, nodes: int = 16, smooth: bool = True) -> None:
        self.nodes, self.smooth = nodes, smooth
        self.generator = torch.Generator().manual_seed(run)
        self.node = torch.randperm(nodes, generator=self.generator)  # at each slot of the ring
        lag = (torch.arange(nodes) - torch.arange(nodes).unsqueeze(1)).abs()
        correlation = (2 / 3) ** lag + (2 / 3) ** (nodes - lag)
        self.factor = torch.linalg.cholesky(correlation / correlation[0, 0])

    def places(self) -> Tensor:
        """The true places ``[N, 2]``: a circle with unit spacing."""
        angle = torch.arange(self.nodes) * (2 * math.pi / self.nodes)
        circle = torch.stack([angle.cos(), angle.sin()], 1) / (2 * math.sin(math.pi / self.nodes))
        return torch.empty_like(circle).index_copy(0, self.node, circle)

    def sample(self, count: int) -> Sample:
        """The next samples of the stream."""
        field = torch.randn(count, self.nodes, generator=self.generator)
        if self.smooth:
            field = field @ self.factor.T
        answer = 0.5 * (field.roll(1, 1) + field.roll(-1, 1))
        shuffled = (torch.empty_like(f).index_copy(1, self.node, f).unsqueeze(2) for f in (field, answer))
        return Sample(*shuffled)

    def right(self, places: Tensor) -> float:
        """Share of nodes whose two nearest nodes are their two neighbours on the ring."""
        nearest = knn(places.detach(), places.detach(), 2, exclude_self=True)[1]
        true = torch.stack([self.node.roll(1), self.node.roll(-1)], 1)
        true = torch.empty_like(true).index_copy(0, self.node, true)
        return float((nearest.sort(1).values == true.sort(1).values).all(1).double().mean())


def ring_layer(
    table: NodeEmbedding, estimator: str, run: int, tau: float = 1.0, candidates: int | None = None, **options: object
) -> SCGEConv:
    """The layer with the run's draw; ``options`` are the estimator's."""
    torch.manual_seed(run)
    chooser = "soft" if estimator == "soft" else make_estimator(estimator, NEIGHBOURS, seed=run, **options)
    return SCGEConv(
        1,
        1,
        table,
        k=NEIGHBOURS,
        kernel=None,
        estimator=chooser,
        tau=tau,
        candidates=candidates or table.num_nodes,
        root_weight=True,
        bias=False,
    )


def task_losses(layer: SCGEConv, sample: Sample) -> tuple[Tensor, Tensor]:
    """Mean squared error, and a scalar whose gradient is the estimator's for it."""
    unbiased = hasattr(layer.product.estimator, "surrogate")
    errors = [(layer(sample.x) - sample.y).square().mean() for _ in range(_DRAWS if unbiased else 1)]
    loss = torch.stack(errors).mean()
    return loss, loss + layer.product.estimator.surrogate(torch.stack(errors)) if unbiased else loss


@torch.no_grad()
def solve_weights(layer: SCGEConv, sample: Sample) -> float:
    """Give the layer its best two weights for the present places; returns the error that is left."""
    torch.nn.init.ones_(layer.weight)
    torch.nn.init.zeros_(layer.root)
    heard = torch.stack([sample.x.flatten(), layer(sample.x).flatten()])
    solved = torch.linalg.solve(heard @ heard.T + 1e-6 * torch.eye(2), heard @ sample.y.flatten())
    layer.root.fill_(solved[0])
    layer.weight.fill_(solved[1])
    return float((solved @ heard - sample.y.flatten()).square().mean())
