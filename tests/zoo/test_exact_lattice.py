"""On a lattice that was found exactly, every operator does what it does on the grid that nobody told it of."""

import pytest
import torch
from torch_geometric.nn import ChebConv, ClusterGCNConv, GATConv, GCNConv, GINConv, SAGEConv, SGConv

from scge_pyg import OnSharedGraph, SharedGraph, discover
from scge_pyg.metrics import cell_accuracy
from scge_pyg.zoo.embeddings import graph_distances
from scge_pyg.zoo.markov import GraphCRF
from scge_pyg.zoo.operators import (
    DAGNNConv,
    GWNNConv,
    RSConv,
    SGWTConv,
    SqueezeExcitation,
    propagation_limit,
)

SHAPE = (7, 8)


def on(conv):
    return lambda graph: OnSharedGraph(conv, graph)


MAKERS = {
    "SAGE mean": on(SAGEConv(3, 4)),
    "SAGE pool": on(SAGEConv(3, 4, aggr="max", project=True)),
    "SGC": on(SGConv(3, 4, K=3)),
    "GCN": on(GCNConv(3, 4)),
    "ClusterGCN": on(ClusterGCNConv(3, 4, diag_lambda=0.5)),
    "GAT": on(GATConv(3, 4)),
    "GIN": on(GINConv(torch.nn.Linear(3, 4), train_eps=True)),
    "Chebyshev": on(ChebConv(3, 4, 4)),
    "DAGNN": on(DAGNNConv(3, 6)),
    "RSConv, distances": on(RSConv(3, 4, dim=2, relation="distance")),
    "SGWT": lambda graph: SGWTConv(3, 4, graph),
    "GWNN": lambda graph: GWNNConv(3, 4, graph),
    "squeeze and excitation": lambda graph: SqueezeExcitation(3, graph, reduction=1),
    "CRF": lambda graph: GraphCRF(3, graph),
}


@pytest.fixture(scope="module")
def graphs(grid_field):
    """The grid, the discovered graph of shuffled nodes, and which node of the grid each of its nodes is."""
    field = grid_field(SHAPE, num_samples=3000, seed=650)
    found = discover(field.x)
    assert cell_accuracy(found, field.cells) == 1.0
    true = SharedGraph.from_grid(SHAPE)
    pos = found.lattice.cell.to(found.pos)
    return true, SharedGraph(pos, found.edge_index, lattice=found.lattice), field.cells @ torch.tensor([SHAPE[1], 1])


@pytest.mark.parametrize("name", MAKERS)
def test_equal_outputs_from_equal_weights(name, graphs):
    true, found, place = graphs
    torch.manual_seed(0)
    layer = MAKERS[name](true)
    torch.manual_seed(0)
    other = MAKERS[name](found)
    own = dict(other.named_parameters())
    with torch.no_grad():
        for key, value in layer.named_parameters():
            if key == "filter":  # one weight a node
                value.normal_()
            own[key].copy_(value[place] if key == "filter" else value)
        if name == "CRF":
            layer.coupling += 0.7
            other.coupling += 0.7
    x = torch.randn(2, 56, 3, generator=torch.Generator().manual_seed(651))
    assert torch.allclose(other(x[:, place]), layer(x)[:, place], atol=1e-5)


def test_distances_and_limits(graphs):
    true, found, place = graphs
    assert torch.equal(graph_distances(found), graph_distances(true)[place][:, place])
    x = torch.randn(56, 2, generator=torch.Generator().manual_seed(652))
    assert torch.allclose(propagation_limit(found, x[place]), propagation_limit(true, x)[place], atol=1e-5)
