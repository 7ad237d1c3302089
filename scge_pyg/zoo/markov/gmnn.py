"""`GMNN`: labels of half-labelled nodes, by one network of features and one of neighbours' labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import positive_number, whole_number
from scge_pyg.nn.fixed.fingerprint import Fingerprinted, fingerprint_of
from scge_pyg.nn.layer.batching import as_batch, as_given

__all__ = ["GMNN", "GMNNFit", "NeighbourLabels"]


class NeighbourLabels(Fingerprinted):
    r""":math:`p_\phi(y_n \mid y_{N(n)}, x)`: a perceptron on the mean label of the neighbours and on own features.

    A node's own label is no input, not by way of a second hop either, or the pseudo-likelihood would be won by copying.

    Args:
        in_channels: C.
        num_classes: K.
        graph: The graph; edge weights count. A node without neighbours hears zeros.
        hidden: Units.

    Shapes:
        - **input:** features :math:`(B, N, C)` and label probabilities :math:`(B, N, K)`, or without B
        - **output:** scores :math:`(B, N, K)`

    Example:
        >>> net = NeighbourLabels(4, 3, SharedGraph.from_grid((4, 5)))
        >>> net(torch.randn(20, 4), torch.ones(20, 3) / 3).shape
        torch.Size([20, 3])
    """

    edge: Tensor
    share: Tensor

    def __init__(self, in_channels: int, num_classes: int, graph: SharedGraph, hidden: int = 32) -> None:
        super().__init__()
        self.num_nodes, self.num_classes = graph.num_nodes, num_classes
        edges = graph.edge_index[:, graph.edge_index[0] != graph.edge_index[1]]
        weight = graph.edge_weight[graph.edge_index[0] != graph.edge_index[1]].detach()
        total = torch.zeros(graph.num_nodes, dtype=weight.dtype, device=weight.device).index_add(0, edges[1], weight)
        self.register_table("edge", edges)
        self.register_table("share", weight / total[edges[1]].clamp_min(torch.finfo(weight.dtype).tiny))
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(in_channels + num_classes, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, num_classes)
        )
        self.fingerprint = fingerprint_of(self.edge, self.share)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Scores of each node's label."""
        told = self.share[:, None].to(labels) * labels.index_select(-2, self.edge[0])
        heard = torch.zeros_like(labels).index_add(-2, self.edge[1], told)
        scores: Tensor = self.layers(torch.cat([x, heard], -1))
        return scores


@dataclass
class GMNNFit:
    """What learning looked like.

    Attributes:
        pseudo_likelihood: Mean :math:`\\log p(\\hat y_n \\mid \\hat y_{N(n)}, x)` of each round after its M-step, in
        nats. agreement: Share of unlabelled nodes on which both networks agree, after each round.
    """

    pseudo_likelihood: list[float] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)


class GMNN(torch.nn.Module):
    r"""Pseudo-likelihood variational EM with two networks.

    :math:`q_\theta(y_n \mid x)` is any network on nodes, first trained on the labelled ones. Then, round by round,
    labels of the others are drawn from q; :math:`p_\phi(y_n \mid y_{N(n)}, x)` learns all labels from the neighbours'
    (M); q learns p's distributions of the unlabelled nodes and the known labels (E). In the paper q's answers count at
    the end, from features alone; :meth:`posterior` lets p hear the known labels too.

    As both are networks, no step is exact and nothing is sure to rise; with exact steps it would
    (:class:`~scge_pyg.zoo.markov.GraphCRF`, whose bound the tests follow).

    Args:
        network: q: from :math:`(B, N, C)` to scores :math:`(B, N, K)`.
        in_channels: C.
        num_classes: K.
        graph: The graph of the nodes.
        hidden: Units of p.

    Source: Qu, Bengio, Tang, GMNN, ICML 2019; note 003, section 17.

    Example:
        >>> graph = SharedGraph.from_grid((6, 6))
        >>> y = (graph.pos[:, 0] > 2.5).long()
        >>> model = GMNN(torch.nn.Linear(2, 2), 2, 2, graph)
        >>> fit = model.fit(torch.randn(36, 2), y, torch.arange(36) % 2 == 0, rounds=2)
        >>> model(torch.randn(36, 2)).shape
        torch.Size([36, 2])
    """

    def __init__(
        self, network: torch.nn.Module, in_channels: int, num_classes: int, graph: SharedGraph, hidden: int = 32
    ) -> None:
        super().__init__()
        self.in_channels = whole_number("GMNN", "in_channels", in_channels, 1)
        self.num_classes = whole_number("GMNN", "num_classes", num_classes, 2)
        if not isinstance(graph, SharedGraph):
            raise TypeError(f"GMNN: graph must be a SharedGraph, got {type(graph).__name__}")
        self.num_nodes = graph.num_nodes
        self.q = network
        self.p = NeighbourLabels(in_channels, num_classes, graph, whole_number("GMNN", "hidden", hidden, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Scores of q."""
        scores: Tensor = self.q(x)
        return scores

    def fit(
        self,
        x: Tensor,
        y: Tensor,
        labelled: Tensor,
        *,
        rounds: int = 5,
        steps: int = 100,
        lr: float = 0.01,
        weight_decay: float = 5e-4,
        seed: int = 0,
        progress: str | None = None,
    ) -> GMNNFit:
        """Learn from some labels.

        Args:
            x: Features ``[B, N, C]`` or ``[N, C]``.
            y: Labels ``[B, N]`` or ``[N]``; those of unlabelled nodes are never read.
            labelled: Which nodes have labels, ``[N]`` or as ``y``.
            rounds: Of EM, after q has learned the labelled nodes.
            steps: Of Adam, for each network and round.
            lr: Learning rate.
            weight_decay: Of Adam.
            seed: Of the labels that are drawn.
            progress: Title of a progress bar. Default: no bar.
        """
        x = as_batch(x, self.num_nodes, self.in_channels, "GMNN.fit")
        y = y.view(-1, self.num_nodes)
        labelled = labelled.bool().expand(y.shape)
        rounds, steps = whole_number("GMNN.fit", "rounds", rounds, 0), whole_number("GMNN.fit", "steps", steps, 1)
        lr = positive_number("GMNN.fit", "lr", lr)
        if not bool(torch.isfinite(x).all()):
            raise ValueError("GMNN.fit: x must be finite, got NaN or infinity; fill it first")
        known = y[labelled]
        if len(y) != len(x) or not len(known) or not bool(((known >= 0) & (known < self.num_classes)).all()):
            raise ValueError(
                f"GMNN.fit: y must be [{len(x)}, {self.num_nodes}] with labels from 0 to {self.num_classes - 1} where "
                f"labelled, and some labelled, got {list(y.shape)} with {len(known)} labelled"
            )
        generator = torch.Generator(x.device).manual_seed(seed)
        truth = F.one_hot(torch.where(labelled, y, 0), self.num_classes).to(x)
        fit = GMNNFit()
        self._learn(self.q, (x,), truth, labelled, steps, lr, weight_decay)
        for _ in tqdm(range(rounds), desc=progress, disable=progress is None, leave=False):
            with torch.no_grad():
                guess = self.q(x).softmax(-1)
                drawn = torch.multinomial(guess.flatten(0, 1), 1, generator=generator).view(y.shape)
            labels = torch.where(labelled[..., None], truth, F.one_hot(drawn, self.num_classes).to(x))
            everyone = torch.ones_like(labelled)
            fit.pseudo_likelihood.append(-self._learn(self.p, (x, labels), labels, everyone, steps, lr, weight_decay))
            with torch.no_grad():
                taught = torch.where(labelled[..., None], truth, self.p(x, labels).softmax(-1))
            self._learn(self.q, (x,), taught, everyone, steps, lr, weight_decay)
            with torch.no_grad():
                same = self.q(x).argmax(-1) == taught.argmax(-1)
            fit.agreement.append(float(same[~labelled].double().mean()) if bool((~labelled).any()) else 1.0)
        return fit

    @torch.no_grad()
    def posterior(self, x: Tensor, y: Tensor, labelled: Tensor, sweeps: int = 10) -> Tensor:
        """Probabilities of each label where some are known, ``[B, N, K]`` or ``[N, K]``: mean fields of p, begun by q.

        Args:
            x: As in :meth:`fit`.
            y: Likewise.
            labelled: Likewise.
            sweeps: Times that all nodes hear their neighbours.
        """
        batch = as_batch(x, self.num_nodes, self.in_channels, "GMNN.posterior")
        y = y.view(-1, self.num_nodes)
        known = labelled.bool().expand(y.shape)[..., None]
        truth = F.one_hot(torch.where(known.squeeze(-1), y, 0), self.num_classes).to(batch)
        found = torch.where(known, truth, self.q(batch).softmax(-1))
        for _ in range(whole_number("GMNN.posterior", "sweeps", sweeps, 0)):
            found = torch.where(known, truth, self.p(batch, found).softmax(-1))
        return as_given(found, x)

    @staticmethod
    def _learn(
        network: torch.nn.Module,
        inputs: tuple[Tensor, ...],
        target: Tensor,
        mask: Tensor,
        steps: int,
        lr: float,
        weight_decay: float,
    ) -> float:
        """Adam on the cross-entropy of the nodes in ``mask``; the last loss."""
        optimizer = torch.optim.Adam(network.parameters(), lr, weight_decay=weight_decay)
        loss = torch.zeros(())
        network.train()
        for _ in range(steps):
            optimizer.zero_grad()
            loss = F.cross_entropy(network(*inputs)[mask], target[mask])
            loss.backward()
            optimizer.step()
        network.eval()
        return float(loss.detach())

    def extra_repr(self) -> str:
        return f"nodes={self.num_nodes}, num_classes={self.num_classes}"
