"""`SNE`: stochastic neighbour embedding, plain, over a uniform background, and with Student's tails."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.zoo.embeddings.affinities import conditional_affinities, joint_affinities
from scge_pyg.zoo.embeddings.descent import descend

__all__ = ["SNE", "sne_loss", "squared_distances", "tsne_gradient", "tsne_loss"]

_START = 1e-2


def squared_distances(y: Tensor) -> Tensor:
    """Squared distances ``[N, N]`` of points ``[N, d]``, differentiable where two are one.

    Example:
        >>> squared_distances(torch.tensor([[0.0], [3.0]])).tolist()
        [[0.0, 9.0], [9.0, 0.0]]
    """
    return (y[:, None] - y).square().sum(-1)


def sne_loss(p: Tensor, y: Tensor, uniform: float = 0.0) -> Tensor:
    r""":math:`\sum_i KL(P_i \parallel Q_i)` of conditional affinities ``[N, N]`` and places ``[N, d]``.

    .. math::
        q_{j \mid i} = (1 - \lambda) \frac{\exp(-\lVert y_i - y_j \rVert^2)}{\sum_{k \ne i} \exp(-\lVert y_i - y_k
            \rVert^2)} + \frac{\lambda}{N - 1}

    The note calls :math:`1 / \sqrt 2` the variance of this Gaussian, a slip: it is the standard deviation.

    Args:
        p: :math:`p_{j \mid i}`.
        y: Places.
        uniform: :math:`\lambda`; above 0 it is UNI-SNE.

    Source: Hinton, Roweis (2002); Cook and others (2007); note 003, 27.1 and 27.2.

    Example:
        >>> p = torch.tensor([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
        >>> sne_loss(p, torch.zeros(3, 2))
        tensor(0.)
    """
    own = torch.eye(len(p), dtype=torch.bool, device=p.device)
    q = torch.softmax((-squared_distances(y)).masked_fill(own, float("-inf")), 1)
    if uniform:
        q = (1 - uniform) * q + uniform / (len(p) - 1)
    return _kl(p, q.masked_fill(own, 1.0))


def tsne_loss(p: Tensor, y: Tensor) -> Tensor:
    r""":math:`KL(P \parallel Q)` of joint affinities ``[N, N]`` and places ``[N, d]``.

    .. math::
        q_{ij} \propto (1 + \lVert y_i - y_j \rVert^2)^{-1}

    Example:
        >>> tsne_loss((torch.ones(3, 3) - torch.eye(3)) / 6, torch.zeros(3, 2)).abs() < 1e-6
        tensor(True)
    """
    own = torch.eye(len(p), dtype=torch.bool, device=p.device)
    near = (1 + squared_distances(y)).reciprocal().masked_fill(own, 0.0)
    return _kl(p, (near / near.sum()).masked_fill(own, 1.0))


def tsne_gradient(p: Tensor, y: Tensor) -> Tensor:
    r"""Gradient ``[N, d]`` of :func:`tsne_loss`, in closed form.

    .. math::
        \frac{\partial C}{\partial y_i} = 4 \Bigl( \sum_j p_{ij} q_{ij} Z (y_i - y_j) - \sum_j q_{ij}^2 Z (y_i - y_j)
            \Bigr)

    It is what Barnes-Hut takes apart: the second sum is a force of clusters of points from afar. In the note's (282)
    the quotient that decides this stands upside down: a cell counts as one if its size over its distance is below
    :math:`\theta`.

    Source: van der Maaten (2014); note 003, (279).

    Example:
        >>> tsne_gradient((torch.ones(3, 3) - torch.eye(3)) / 6, torch.eye(3)[:, :2]).shape
        torch.Size([3, 2])
    """
    near = (1 + squared_distances(y)).reciprocal().fill_diagonal_(0.0)
    force = (p - near / near.sum()) * near
    return 4 * (force.sum(1, keepdim=True) * y - force @ y)


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (torch.special.xlogy(p, p) - p * q.clamp_min(torch.finfo(q.dtype).tiny).log()).sum()


class SNE:
    r"""A map of points or distances whose neighbourhoods are like theirs.

    Places are found by Adam on the exact loss of all pairs. With ``tails="student"`` it is t-SNE, for which
    scikit-learn's ``TSNE`` is faster from some thousand points on. With ``uniform`` above 0 it is UNI-SNE: a first
    stage without background, then with it, so that what is far apart already isn't drawn together.

    Args:
        dim: Columns of the map.
        perplexity: Neighbours that count.
        tails: ``"gauss"`` or ``"student"``.
        uniform: Weight of a uniform background, with Gaussian tails only.
        steps: Of the descent.
        lr: Learning rate in units of the map.
        seed: Of the start and of the noise in the first half of the steps.

    Attributes:
        loss: The last loss in nats, after a fit.

    Cost: O(N^2 (dim + steps)) time and O(N^2) memory, for at most some thousand points.

    Source: Hinton, Roweis (2002); van der Maaten, Hinton (2008); note 003, section 27.

    Example:
        >>> from scge_pyg import SharedGraph
        >>> from scge_pyg.zoo.embeddings import graph_distances
        >>> sne = SNE(perplexity=5, steps=100)
        >>> sne.fit(graph_distances(SharedGraph.from_grid((5, 5)))).shape
        torch.Size([25, 2])
    """

    def __init__(
        self,
        dim: int = 2,
        perplexity: float = 30.0,
        *,
        tails: str = "gauss",
        uniform: float = 0.0,
        steps: int = 500,
        lr: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.dim = whole_number("SNE", "dim", dim, 1)
        self.perplexity = positive_number("SNE", "perplexity", perplexity)
        self.steps = whole_number("SNE", "steps", steps, 2)
        self.lr = positive_number("SNE", "lr", lr)
        self.seed = whole_number("SNE", "seed", seed, 0, 2**63 - 1)
        if tails not in ("gauss", "student"):
            raise ValueError(f"SNE: tails must be 'gauss' or 'student', got {tails!r}")
        if not 0 <= uniform < 1 or (uniform and tails == "student"):
            raise ValueError(f"SNE: uniform must lie in [0, 1), and be 0 with tails='student', got {uniform}")
        self.tails, self.uniform = tails, float(uniform)
        self.loss = float("nan")

    def fit(self, distance: Tensor, progress: str | None = None) -> Tensor:
        """A map ``[N, dim]`` float64 from distances ``[N, N]``."""
        square = torch.as_tensor(distance, dtype=torch.double).square()
        generator = torch.Generator().manual_seed(self.seed)
        start = _START * torch.randn(len(square), self.dim, generator=generator, dtype=torch.double)
        half = self.steps // 2
        if self.tails == "student":
            joint = joint_affinities(square, self.perplexity)
            stages = [(lambda y: tsne_loss(4 * joint, y), half), (lambda y: tsne_loss(joint, y), self.steps - half)]
        else:
            p = conditional_affinities(square, self.perplexity)
            stages = [
                (lambda y: sne_loss(p, y), half),
                (lambda y: sne_loss(p, y, self.uniform), self.steps - half),
            ]
        y, self.loss = descend(start, stages, self.lr, progress, 0.1 * self.lr, generator)
        return y - y.mean(0)

    def __repr__(self) -> str:
        return f"SNE(dim={self.dim}, perplexity={self.perplexity:g}, tails={self.tails!r}, uniform={self.uniform:g})"
