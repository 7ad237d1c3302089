"""The rows of the table of operators on graphs: what is built for each, with which rate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from operator_graphs import edges_only, nearest_signals, random_graph
from operator_models import OPERATORS, DynamicClassifier, GraphClassifier, LogisticRegression
from small_images import CLASSES, SmallImages
from torch import Tensor

from scge_pyg import SharedGraph, discover, lower_to_conv
from scge_pyg.metrics import EdgeScores, edge_scores
from scge_pyg.models import GridCNN, NodeMLP, SCGEClassifier

__all__ = ["GRAPHS", "LABELS", "MAIN", "NEAREST", "PENALTIES", "RATES", "ROWS", "Row", "Wiring", "build", "setting"]

GRAPHS = {"random": "random graph", "knn": "k-NN on features", "discovered": "discovered", "true": "true grid"}
LABELS = {
    "logistic": "logistic regression",
    "mlp": "MLP",
    "cnn-shuffled": "CNN on the shuffled pixels",
    "dynamic": "EdgeConv, k-NN in every sample",
    "offsets": "Transformer on the discovered graph, offsets of its places as edge features",
    "scge-free": "SCGE on the discovered coordinates, never snapped",
    "scge": "SCGE on the discovered lattice, lowered",
    "cnn": "CNN on the true grid",
}
RATES = {
    "GraphSAGE": 1e-2,
    "GIN": 3e-3,
    "GCN": 1e-2,
    "GAT": 1e-2,
    "Transformer": 1e-2,
    "offsets": 1e-2,
    "dynamic": 3e-3,
    "cnn": 3e-3,
    "cnn-shuffled": 3e-3,
    "scge": 3e-3,
    "scge-free": 3e-3,
    "mlp": 1e-3,
}
PENALTIES = {"cifar10": 1e-3, "fashion_mnist": 1e-1}  # inverse ones, of logistic regression
NEAREST = {"cifar10": (3, "euclidean"), "fashion_mnist": (4, "correlation")}
_DEGREE = 4


@dataclass(frozen=True)
class Row:
    """A network and the graph that it runs on; ``""`` for networks that are not given one."""

    network: str
    graph: str = ""


_LONG = ("offsets", "dynamic")
ROWS = [
    *(Row(name) for name in LABELS if name not in _LONG),
    *(Row(name, graph) for name in OPERATORS for graph in GRAPHS),
    *map(Row, _LONG),
]
MAIN = [
    *(Row(name) for name in ("mlp", "cnn-shuffled", "scge", "cnn")),
    *(Row("GraphSAGE", graph) for graph in ("knn", "discovered")),
]


class Wiring:
    """The graphs over the shuffled pixels of one run, each made when it is first asked for.

    Args:
        data: Name of the images.
        images: The images; graphs but the true grid see the shuffled training images alone.
        run: Seed of the random graph.
        nearest: Neighbours and metric of the k-NN graph. Default: those chosen on run 100.
    """

    def __init__(self, data: str, images: SmallImages, run: int, nearest: tuple[int, str] | None = None) -> None:
        self.images, self.run, self.nearest = images, run, nearest or NEAREST[data]

    @cached_property
    def found(self) -> SharedGraph:
        """What ``discover`` finds."""
        return discover(self.images.raw)

    @cached_property
    def found_free(self) -> SharedGraph:
        """What it finds without looking for a lattice."""
        return discover(self.images.raw, snap=False)

    @cached_property
    def discovered(self) -> SharedGraph:
        """The discovered edges."""
        return edges_only(self.found.edge_index, self.found.num_nodes)

    @cached_property
    def true(self) -> SharedGraph:
        """The edges of the grid."""
        edges = SharedGraph.from_grid(self.images.shape).edge_index
        return edges_only(self.images.row_major[edges], self.images.raw.shape[1])

    @cached_property
    def knn(self) -> SharedGraph:
        """The nearest nodes by their values over the training images."""
        return nearest_signals(self.images.raw, *self.nearest)

    @cached_property
    def random(self) -> SharedGraph:
        """As many edges a node as the grid has, to anywhere."""
        return random_graph(self.images.raw.shape[1], _DEGREE, self.run)

    def scores(self, graph: str) -> EdgeScores:
        """Precision and recall of a graph's edges."""
        found: SharedGraph = getattr(self, graph)
        return edge_scores(found, self.true.edge_index)


def setting(data: str, row: Row) -> float:
    """The rate of a row, or the inverse penalty of logistic regression."""
    return PENALTIES[data] if row.network == "logistic" else RATES[row.network]


def build(row: Row, wiring: Wiring, rate: float) -> tuple[torch.nn.Module, Tensor]:
    """An untrained network, and the order in which it gets the nodes."""
    images = wiring.images
    nodes, channels = images.raw.shape[1:]
    as_shuffled = torch.arange(nodes)
    if row.graph:
        return GraphClassifier(OPERATORS[row.network], channels, CLASSES, getattr(wiring, row.graph)), as_shuffled
    if row.network == "logistic":
        return LogisticRegression(rate), as_shuffled
    if row.network == "mlp":
        return NodeMLP(channels, CLASSES, nodes), as_shuffled
    if row.network == "dynamic":
        return DynamicClassifier(channels, CLASSES), as_shuffled
    if row.network == "offsets":
        made = GraphClassifier(OPERATORS["Transformer"], channels, CLASSES, wiring.discovered, wiring.found.pos)
        return made, as_shuffled
    if row.network == "scge-free":
        return SCGEClassifier(channels, CLASSES, wiring.found_free), as_shuffled
    if row.network == "scge":
        return lower_to_conv(SCGEClassifier(channels, CLASSES, wiring.found), strict=True), as_shuffled
    order = images.row_major if row.network == "cnn" else as_shuffled
    return GridCNN(channels, CLASSES, images.shape), order
