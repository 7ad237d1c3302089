"""`DeepWalk`: vectors of nodes that tell which nodes are near on random walks."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm.auto import tqdm

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.zoo.embeddings.hierarchical_softmax import HierarchicalSoftmax
from scge_pyg.zoo.embeddings.walks import Node2VecWalks

__all__ = ["EDGE_OPERATORS", "DeepWalk", "edge_features"]

_LEAST = 0.5  # visits that a node without any counts as


class DeepWalk(torch.nn.Module):
    r"""Skip-gram over random walks, with a hierarchical softmax.

    .. math::
        \max_{\Phi} \sum_{\text{walks}} \sum_{j} \sum_{0 < |k - j| \le w} \log p(v_k \mid \Phi(v_j))

    With p or q other than 1 the walks are node2vec's.

    Args:
        graph: The graph.
        dim: Size of a vector.
        walk_length: Steps of a walk.
        num_walks: Walks from each node, drawn anew in each epoch.
        window: w.
        p: As in :class:`~scge_pyg.zoo.embeddings.Node2VecWalks`.
        q: Likewise.
        seed: Of the start and of the walks.

    Attributes:
        embedding: Vectors ``[N, dim]``.

    Cost: O(N * num_walks * walk_length * window * (log N) * dim) an epoch.

    Source: Perozzi, Al-Rfou, Skiena, DeepWalk, KDD 2014; note 003, section 25.

    Example:
        >>> model = DeepWalk(SharedGraph.from_grid((4, 5)), dim=8, walk_length=10, num_walks=2)
        >>> losses = model.fit(epochs=2)
        >>> model.embedding.shape, losses[1] < losses[0]
        (torch.Size([20, 8]), True)
    """

    def __init__(
        self,
        graph: SharedGraph,
        dim: int = 64,
        *,
        walk_length: int = 40,
        num_walks: int = 10,
        window: int = 5,
        p: float = 1.0,
        q: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.walks = Node2VecWalks(graph, p, q)
        self.dim = whole_number("DeepWalk", "dim", dim, 1)
        self.walk_length = whole_number("DeepWalk", "walk_length", walk_length, 1)
        self.num_walks = whole_number("DeepWalk", "num_walks", num_walks, 1)
        self.window = whole_number("DeepWalk", "window", window, 1)
        self.seed = whole_number("DeepWalk", "seed", seed, 0, 2**63 - 1)
        if graph.num_nodes < 2:
            raise ValueError(f"DeepWalk: graph must have at least 2 nodes, got {graph.num_nodes}")
        # a walk that has gone on for long is at a node in proportion to the weight of its edges
        visits = torch.zeros(graph.num_nodes, dtype=torch.double)
        visits.index_add_(0, graph.edge_index[0].cpu(), graph.edge_weight.detach().cpu().double())
        share = visits / visits.sum().clamp_min(1e-300) * graph.num_nodes
        self.softmax = HierarchicalSoftmax(share.clamp_min(_LEAST / graph.num_nodes), self.dim)
        self.embedding = torch.nn.Parameter(torch.empty(graph.num_nodes, self.dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors anew, by the seed."""
        generator = torch.Generator().manual_seed(self.seed)
        start = torch.rand(self.embedding.shape, generator=generator) - 0.5
        with torch.no_grad():
            self.embedding.copy_(start / self.dim)
        self.softmax.reset_parameters()

    def pairs(self, walks: Tensor) -> Tensor:
        """Nodes and what lies within the window on their walk ``[2, M]``, both ways."""
        steps = walks.shape[1]
        near = [
            torch.stack([walks[:, : steps - gap].flatten(), walks[:, gap:].flatten()])
            for gap in range(1, min(self.window, steps - 1) + 1)
        ]
        one_way = torch.cat(near, 1)
        return torch.cat([one_way, one_way.flip(0)], 1)

    def loss(self, pairs: Tensor) -> Tensor:
        """Mean of :math:`-\\log p(u \\mid \\Phi(v))` over pairs (v, u) ``[2, M]``."""
        return -self.softmax.log_prob(self.embedding[pairs[0]], pairs[1]).mean()

    def fit(
        self, epochs: int = 5, *, lr: float = 0.02, batch_size: int = 4096, progress: str | None = None
    ) -> list[float]:
        """Learn by Adam; returns the mean loss of each epoch in nats.

        Args:
            epochs: Times that walks are drawn from all nodes.
            lr: Learning rate, which falls to zero.
            batch_size: Pairs of a step.
            progress: Title of a progress bar. Default: no bar.
        """
        epochs = whole_number("DeepWalk.fit", "epochs", epochs, 1)
        batch_size = whole_number("DeepWalk.fit", "batch_size", batch_size, 1)
        lr = positive_number("DeepWalk.fit", "lr", lr)
        device = self.embedding.device
        generator = torch.Generator(device).manual_seed(self.seed)
        optimizer = torch.optim.Adam(self.parameters(), lr)
        losses = []
        with tqdm(total=epochs, desc=progress, disable=progress is None, leave=False) as bar:
            for epoch in range(epochs):
                pairs = self.pairs(self.walks(self.walk_length, self.num_walks, generator=generator))
                batches = torch.randperm(pairs.shape[1], generator=generator, device=device).split(batch_size)
                total = torch.zeros((), device=device)
                for number, chosen in enumerate(batches):
                    optimizer.param_groups[0]["lr"] = lr * (1 - (epoch + number / len(batches)) / epochs)
                    optimizer.zero_grad()
                    loss = self.loss(pairs[:, chosen])
                    loss.backward()
                    optimizer.step()
                    total += loss.detach() * len(chosen)
                losses.append(float(total) / pairs.shape[1])
                bar.update()
                bar.set_postfix(loss=f"{losses[-1]:.3f}")
        return losses

    def extra_repr(self) -> str:
        return f"dim={self.dim}, walk_length={self.walk_length}, num_walks={self.num_walks}, window={self.window}"


EDGE_OPERATORS = {
    "average": lambda a, b: (a + b) / 2,
    "hadamard": lambda a, b: a * b,
    "l1": lambda a, b: (a - b).abs(),
    "l2": lambda a, b: (a - b).square(),
}


def edge_features(z: Tensor, edge_index: Tensor, operator: str = "hadamard") -> Tensor:
    r"""Features of pairs of nodes ``[E, d]`` from those of nodes ``[N, d]``, the same both ways.

    ``"average"``: :math:`(z_u + z_v) / 2`; ``"hadamard"``: :math:`z_u z_v`; ``"l1"``: :math:`|z_u - z_v|`; ``"l2"``:
    :math:`(z_u - z_v)^2`, each by component.

    Source: Grover, Leskovec, node2vec, table 1; note 003, (264).

    Example:
        >>> edge_features(torch.tensor([[1.0], [3.0]]), torch.tensor([[0], [1]]), "l2")
        tensor([[4.]])
    """
    if operator not in EDGE_OPERATORS:
        raise ValueError(f"edge_features: operator must be one of {', '.join(EDGE_OPERATORS)}, got {operator!r}")
    return EDGE_OPERATORS[operator](z[edge_index[0]], z[edge_index[1]])
