"""What the survey's graph learners are made of here: one layer of each, and two networks around them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from operator_graphs import levels
from torch import Tensor, nn
from torch_geometric.nn import ChebConv, ClusterGCNConv, GATConv, GCNConv, GINConv, SAGEConv, SGConv

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.nn import ClusterPool, NodeBatchNorm
from scge_pyg.zoo.operators import (
    DAGNNConv,
    GWNNConv,
    RecurrentAggregation,
    SGWTConv,
    SqueezeExcitation,
)

__all__ = ["LEARNERS", "Classifier", "LeftOut", "deep"]

_CHANNELS = (32, 64, 128)
_WIDTH = 32
Maker = Callable[[int, int, SharedGraph], nn.Module]


def _gin(inputs: int, outputs: int) -> GINConv:
    hidden = [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
    return GINConv(nn.Sequential(*hidden, nn.Linear(outputs, outputs)), train_eps=True)


def _lstm(inputs: int, outputs: int) -> SAGEConv:
    return SAGEConv(inputs, outputs, aggr=RecurrentAggregation(inputs, inputs, shuffle=True))


def _dagnn(inputs: int, outputs: int, graph: SharedGraph) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, outputs), OnSharedGraph(DAGNNConv(outputs, K=5), graph))


def _gated(inputs: int, outputs: int, graph: SharedGraph) -> nn.Module:
    return nn.Sequential(OnSharedGraph(GCNConv(inputs, outputs), graph), SqueezeExcitation(outputs, graph, reduction=8))


def _on(make: Callable[[int, int], nn.Module]) -> Maker:
    return lambda inputs, outputs, graph: OnSharedGraph(make(inputs, outputs), graph)


LEARNERS: dict[str, Maker] = {
    "GraphSAGE, mean": _on(SAGEConv),
    "GraphSAGE, pool": _on(lambda i, o: SAGEConv(i, o, aggr="max", project=True)),
    "GraphSAGE, LSTM": _on(_lstm),
    "SGC, 2 hops": _on(lambda i, o: SGConv(i, o, K=2)),
    "GCN": _on(GCNConv),
    "ClusterGCN, diagonal": _on(lambda i, o: ClusterGCNConv(i, o, diag_lambda=0.5)),
    "GAT, 4 heads": _on(lambda i, o: GATConv(i, o // 4, heads=4)),
    "GIN": _on(_gin),
    "Chebyshev, degree 4": _on(lambda i, o: ChebConv(i, o, 5)),
    "SGWT, 3 scales": lambda i, o, graph: SGWTConv(i, o, graph, 3, order=12),
    "GWNN": lambda i, o, graph: GWNNConv(i, o, graph),
    "DAGNN, 5 hops": _dagnn,
    "GCN, squeeze and excitation": _gated,
}


class Classifier(nn.Module):
    """A learner, batch normalisation, ReLU and max pooling for each level, then one linear layer on all that is left.

    Example:
        >>> model = Classifier(LEARNERS["GCN"], 1, 10, SharedGraph.from_grid((8, 8)))
        >>> model(torch.randn(2, 64, 1)).shape
        torch.Size([2, 10])
    """

    def __init__(self, make: Maker, in_channels: int, classes: int, graph: SharedGraph) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, (coarse, cluster) in zip(_CHANNELS, levels(graph, len(_CHANNELS)), strict=True):
            pool = ClusterPool(graph, coarse, cluster, "max")
            layers += [make(in_channels, width, graph), NodeBatchNorm(width, graph), nn.ReLU(), pool]
            graph, in_channels = coarse, width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(graph.num_nodes * in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of ``[B, N, C]``."""
        logits: Tensor = self.head(self.body(x).flatten(1))
        return logits


class LeftOut(nn.Module):
    """The value of a channel that is left out, from all others: three layers beside a shortcut each.

    Example:
        >>> model = LeftOut(LEARNERS["GCN"], SharedGraph.from_grid((30,)))
        >>> model(torch.randn(2, 30), torch.tensor([0, 7])).shape
        torch.Size([2])
    """

    def __init__(self, make: Maker, graph: SharedGraph) -> None:
        super().__init__()
        self.lift = nn.Linear(2, _WIDTH)
        self.layers = nn.ModuleList(make(_WIDTH, _WIDTH, graph) for _ in range(3))
        self.norms = nn.ModuleList(NodeBatchNorm(_WIDTH, graph) for _ in range(3))
        self.head = nn.Linear(_WIDTH, 1)

    def forward(self, x: Tensor, node: Tensor) -> Tensor:
        """Estimates ``[B]`` of ``x[b, node[b]]``, which aren't looked at."""
        missing = torch.zeros_like(x).scatter(1, node[:, None], 1.0)
        h = self.lift(torch.stack([x * (1 - missing), missing], 2))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = h + norm(layer(h)).relu()
        found: Tensor = self.head(h[torch.arange(len(x)), node]).squeeze(1)
        return found


def deep(kind: str, in_channels: int, classes: int, graph: SharedGraph, depth: int) -> nn.Module:
    """``depth`` propagations: of a GCN, layer by layer, or of DAGNN after a perceptron; then a mean over the nodes."""
    if kind == "DAGNN":
        body = nn.Sequential(
            nn.Linear(in_channels, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, _WIDTH),
            OnSharedGraph(DAGNNConv(_WIDTH, K=depth), graph),
        )  # fmt: skip
    else:
        layers: list[nn.Module] = []
        for number in range(depth):
            layers += [OnSharedGraph(GCNConv(_WIDTH if number else in_channels, _WIDTH), graph), nn.ReLU()]
        body = nn.Sequential(*layers)
    return nn.Sequential(body, _Read(graph.num_nodes, classes))


class _Read(nn.Module):
    """One linear layer on all nodes."""

    def __init__(self, nodes: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(nodes * _WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of ``[B, N, C]``."""
        logits: Tensor = self.head(x.flatten(1))
        return logits
