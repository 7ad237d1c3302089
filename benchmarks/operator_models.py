"""Classifiers of one shape around PyG operators, and what stands beside them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from operator_graphs import levels
from torch import Tensor
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv, TransformerConv
from torch_geometric.utils import scatter

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.nn import ClusterPool, NodeBatchNorm

__all__ = ["OPERATORS", "DynamicClassifier", "GraphClassifier", "LogisticRegression", "NearestEdgeConv"]

_CHANNELS = (32, 64, 128)
_HEADS = 4
_NEAREST = 4
Maker = Callable[..., torch.nn.Module]


def _gin(inputs: int, outputs: int) -> torch.nn.Module:
    hidden = [torch.nn.Linear(inputs, outputs), torch.nn.BatchNorm1d(outputs), torch.nn.ReLU()]
    return GINConv(torch.nn.Sequential(*hidden, torch.nn.Linear(outputs, outputs)), train_eps=True)


def _gat(inputs: int, outputs: int) -> torch.nn.Module:
    return GATConv(inputs, outputs // _HEADS, heads=_HEADS)


def _transformer(inputs: int, outputs: int, **kwargs: int) -> torch.nn.Module:
    return TransformerConv(inputs, outputs // _HEADS, heads=_HEADS, **kwargs)


OPERATORS: dict[str, Maker] = {
    "GraphSAGE": SAGEConv,
    "GIN": _gin,
    "GCN": GCNConv,
    "GAT": _gat,
    "Transformer": _transformer,
}


class GraphClassifier(torch.nn.Module):
    """An operator, batch normalisation, ReLU and max pooling per level, then one linear layer on all that is left.

    Depth, widths and head are those of ``SCGEClassifier`` and ``GridCNN``; the clusters are those of
    :func:`operator_graphs.levels`.

    Args:
        make: Input and output channels to an operator.
        in_channels: Channels of a node.
        classes: Number of classes.
        graph: The graph of the pixels.
        pos: Their places ``[N, d]``. If given, the operator gets the offset between the ends of each edge as its
            features, and ``make`` takes ``edge_dim``; coarse nodes are at the mean of their cluster.

    Example:
        >>> model = GraphClassifier(SAGEConv, 3, 10, SharedGraph.from_grid((8, 8)))
        >>> model(torch.randn(2, 64, 3)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, make: Maker, in_channels: int, classes: int, graph: SharedGraph, pos: Tensor | None = None
    ) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        for width, (coarse, cluster) in zip(_CHANNELS, levels(graph, len(_CHANNELS)), strict=True):
            if pos is None:
                layer = OnSharedGraph(make(in_channels, width), graph)
            else:
                source, target = graph.edge_index
                operator = make(in_channels, width, edge_dim=pos.shape[1])
                layer = OnSharedGraph(operator, graph, edge_attr=pos[source] - pos[target])
                pos = scatter(pos, cluster, dim_size=coarse.num_nodes, reduce="mean")
            layers += [
                layer,
                NodeBatchNorm(width, graph),
                torch.nn.ReLU(),
                ClusterPool(graph, coarse, cluster, "max"),
            ]
            graph, in_channels = coarse, width
        self.body = torch.nn.Sequential(*layers)
        self.head = torch.nn.Linear(graph.num_nodes * in_channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of ``[B, N, C]``."""
        logits: Tensor = self.head(self.body(x).flatten(1))
        return logits


class NearestEdgeConv(torch.nn.Module):
    r"""PyG's ``EdgeConv`` with a linear network, on the ``k`` nodes nearest in value to each node of the same sample.

    .. math::
        \mathbf{y}_i = \max_{j \in \mathcal{N}(i)} \mathbf{W} (\mathbf{x}_i, \mathbf{x}_j - \mathbf{x}_i)
        = (\mathbf{W}_1 - \mathbf{W}_2) \mathbf{x}_i + \max_{j \in \mathcal{N}(i)} \mathbf{W}_2 \mathbf{x}_j

    The second form, computed here, multiplies once a node in place of once an edge.

    Args:
        in_channels: Channels of a node.
        out_channels: Channels of the output.
        k: Neighbours a node.
    """

    def __init__(self, in_channels: int, out_channels: int, k: int = _NEAREST) -> None:
        super().__init__()
        self.k = k
        self.own = torch.nn.Linear(in_channels, out_channels)
        self.other = torch.nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Output ``[B, N, C']`` of ``[B, N, C]``."""
        with torch.no_grad():
            distance = torch.cdist(x, x)
            distance.diagonal(dim1=1, dim2=2).fill_(torch.inf)
            nearest = distance.topk(self.k, largest=False).indices
            nearest += x.shape[1] * torch.arange(x.shape[0]).view(-1, 1, 1)
        sent = self.other(x)
        heard = sent.flatten(0, 1).index_select(0, nearest.flatten()).unflatten(0, nearest.shape)
        result: Tensor = self.own(x) - sent + heard.max(2).values
        return result


class DynamicClassifier(torch.nn.Module):
    """Layers on the nodes nearest in their own input, then the mean and the maximum over all nodes, and a linear layer.

    The classifier of Wang et al., "Dynamic Graph CNN for Learning on Point Clouds" (2019), at our widths. Every sample
    has a graph of its own, so that there are no clusters to share.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        widths = [in_channels, *_CHANNELS]
        self.convs = torch.nn.ModuleList(map(NearestEdgeConv, widths, _CHANNELS))
        self.norms = torch.nn.ModuleList(map(torch.nn.BatchNorm1d, _CHANNELS))
        self.head = torch.nn.Linear(2 * widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of ``[B, N, C]``."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x).flatten(0, 1)).view(*x.shape[:2], -1).relu()
        logits: Tensor = self.head(torch.cat([x.mean(1), x.max(1).values], 1))
        return logits


class LogisticRegression(torch.nn.Module):
    """scikit-learn's logistic regression behind the face of a network.

    Args:
        c: Inverse of the L2 penalty.
    """

    def __init__(self, c: float) -> None:
        super().__init__()
        from sklearn.linear_model import LogisticRegression as Regression

        self.regression = Regression(C=c, max_iter=1000)

    def fit(self, x: Tensor, y: Tensor) -> None:
        """Find the weights for ``[S, N, C]`` and classes ``[S]``."""
        self.regression.fit(x.flatten(1).numpy(), y.numpy())

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of ``[B, N, C]``."""
        return torch.from_numpy(self.regression.decision_function(x.flatten(1).numpy()))
