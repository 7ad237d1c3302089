"""`TsNET`: a graph drawn so that neighbourhoods, and nothing else, are kept."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.zoo.embeddings.affinities import graph_distances, joint_affinities
from scge_pyg.zoo.embeddings.descent import descend
from scge_pyg.zoo.embeddings.sne import squared_distances, tsne_loss

__all__ = ["TsNET", "tsnet_loss"]

_NEAREST = 0.05  # of two nodes, where repulsion stops to grow
_START = 1e-2


def tsnet_loss(p: Tensor, y: Tensor, compression: float, repulsion: float, divergence: float = 1.0) -> Tensor:
    r"""The three terms of tsNET for joint affinities ``[N, N]`` and places ``[N, d]``.

    .. math::
        C = \lambda_{KL} KL(P \parallel Q) + \frac{\lambda_c}{2 N} \sum_i \lVert y_i \rVert^2
            - \frac{\lambda_r}{2 N^2} \sum_{i \ne j} \log(\lVert y_i - y_j \rVert + \tfrac1{20})

    Source: Kruiger, Rauber, Martins, Kerren, Kobourov, Telea, Graph Layouts by t-SNE, EuroVis 2017, eq. 10.

    Example:
        >>> p = (torch.ones(3, 3) - torch.eye(3)) / 6
        >>> tsnet_loss(p, torch.zeros(3, 2), 1.0, 1.0).round(decimals=3)  # -log(1 / 20) * 6 / 18
        tensor(0.9990)
    """
    nodes = len(p)
    square = squared_distances(y)
    own = torch.eye(nodes, dtype=torch.bool, device=p.device)
    apart = (square.masked_fill(own, 1.0).clamp_min(1e-24).sqrt() + _NEAREST).log().masked_fill(own, 0.0)
    tight = compression / (2 * nodes) * y.square().sum()
    return divergence * tsne_loss(p, y) + tight - repulsion / (2 * nodes**2) * apart.sum()


class TsNET:
    r"""Lays out a graph by t-SNE on the steps between its nodes, in the three stages of tsNET.

    First neighbourhoods and a strong pull to the centre (:math:`\lambda_c = 1.2`), so that what belongs together can
    pass what doesn't; then the pull weakens (0.01); then nodes repel each other (:math:`\lambda_r = 0.6`), which opens
    what is crowded.

    Args:
        dim: Columns of the map.
        perplexity: Neighbours that count.
        steps: Of the descent, a third for each stage.
        lr: Learning rate in units of the map.
        seed: Of the start.

    Attributes:
        loss: The last loss, after a fit.

    Cost: O(N^2 steps) time and O(N^2) memory, for at most 5,000 nodes.

    Source: Kruiger and others (2017); note 003, section 39.

    Example:
        >>> TsNET(perplexity=5, steps=90).fit(SharedGraph.from_grid((5, 5))).shape
        torch.Size([25, 2])
    """

    def __init__(
        self, dim: int = 2, perplexity: float = 40.0, *, steps: int = 900, lr: float = 0.1, seed: int = 0
    ) -> None:
        self.dim = whole_number("TsNET", "dim", dim, 1)
        self.perplexity = positive_number("TsNET", "perplexity", perplexity)
        self.steps = whole_number("TsNET", "steps", steps, 3)
        self.lr = positive_number("TsNET", "lr", lr)
        self.seed = whole_number("TsNET", "seed", seed, 0, 2**63 - 1)
        self.loss = float("nan")

    def fit(self, graph: SharedGraph, start: Tensor | None = None, progress: str | None = None) -> Tensor:
        """A map ``[N, dim]`` float64 of a connected graph, from random places or from ``start [N, dim]`` (tsNET*)."""
        p = joint_affinities(graph_distances(graph, "TsNET").square(), self.perplexity)
        if start is None:
            generator = torch.Generator().manual_seed(self.seed)
            start = _START * torch.randn(len(p), self.dim, generator=generator, dtype=torch.double)
        elif start.shape != (len(p), self.dim) or not bool(torch.isfinite(start).all()):
            raise ValueError(f"TsNET: start must be finite [{len(p)}, {self.dim}], got {list(start.shape)}")
        third = self.steps // 3
        stages = [
            (lambda y: tsnet_loss(p, y, 1.2, 0.0), third),
            (lambda y: tsnet_loss(p, y, 0.01, 0.0), third),
            (lambda y: tsnet_loss(p, y, 0.01, 0.6), self.steps - 2 * third),
        ]
        y, self.loss = descend(start.double(), stages, self.lr, progress)
        return y - y.mean(0)

    def __repr__(self) -> str:
        return f"TsNET(dim={self.dim}, perplexity={self.perplexity:g}, steps={self.steps})"
