"""Deep adaptive propagation, against a loop over dense powers."""

import pytest
import torch

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.zoo.operators import DAGNNConv

GRAPH = SharedGraph.from_pos(torch.rand(25, 2, generator=torch.Generator().manual_seed(340)))


def propagation(graph):
    adjacency = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.double)
    adjacency[graph.edge_index[1], graph.edge_index[0]] = graph.edge_weight.double()
    adjacency += torch.eye(graph.num_nodes)
    root = adjacency.sum(1).rsqrt()
    return root[:, None] * adjacency * root


@pytest.mark.parametrize("hops", [0, 1, 7])
def test_powers_and_gates(hops):
    layer = DAGNNConv(3, hops).double()
    x = torch.randn(2, 25, 3, generator=torch.Generator().manual_seed(341), dtype=torch.double)
    expected = torch.zeros_like(x)
    for power in range(hops + 1):
        for b in range(2):
            for i in range(25):
                h = torch.linalg.matrix_power(propagation(GRAPH), power)[i] @ x[b]
                expected[b, i] += torch.sigmoid(h @ layer.gate.weight[0]) * h
    assert torch.allclose(OnSharedGraph(layer, GRAPH)(x), expected, atol=1e-10)


def test_depth_has_no_weights():
    assert sum(p.numel() for p in DAGNNConv(8, 64).parameters()) == 8
    assert repr(DAGNNConv(8, 64)) == "DAGNNConv(8, K=64)"
    with pytest.raises(ValueError, match="K must be an integer of at least 0"):
        DAGNNConv(8, -1)
    layer = DAGNNConv(8, 2)
    before = layer.gate.weight.clone()
    layer.reset_parameters()
    assert not torch.equal(layer.gate.weight, before)
