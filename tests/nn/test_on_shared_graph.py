import pytest
import torch
from torch_geometric import nn as pyg

from scge_pyg import OnSharedGraph
from scge_pyg.graph import SharedGraph


@pytest.fixture
def graph():
    pos = torch.rand(12, 2, generator=torch.Generator().manual_seed(0)) * 4
    pos[5] = torch.nan
    return SharedGraph.from_pos(pos, k=3)


def mlp(width):
    return torch.nn.Sequential(torch.nn.Linear(width, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))


OPERATORS = {
    "gcn": lambda degree: pyg.GCNConv(3, 4),
    "gat": lambda degree: pyg.GATConv(3, 4, heads=2),
    "gat with edges": lambda degree: pyg.GATConv(3, 4, edge_dim=1),
    "gatv2": lambda degree: pyg.GATv2Conv(3, 4, edge_dim=1),
    "gin": lambda degree: pyg.GINConv(mlp(3)),
    "sage": lambda degree: pyg.SAGEConv(3, 4),
    "transformer": lambda degree: pyg.TransformerConv(3, 4, edge_dim=1),
    "cheb": lambda degree: pyg.ChebConv(3, 4, K=3),
    "sg": lambda degree: pyg.SGConv(3, 4, K=2),
    "pna": lambda degree: pyg.PNAConv(3, 4, ["mean", "max", "std"], ["identity", "amplification"], degree),
    "edge": lambda degree: pyg.EdgeConv(mlp(6)),
    "model": lambda degree: pyg.GAT(3, 8, num_layers=2, out_channels=4),
    "weighted model": lambda degree: pyg.GCN(3, 8, num_layers=2, out_channels=4),
}
WEIGHTED = {"gcn": "edge_weight", "cheb": "edge_weight", "sg": "edge_weight", "weighted model": "edge_weight",
            "gat with edges": "edge_attr", "gatv2": "edge_attr", "transformer": "edge_attr"}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_equals_a_loop_over_samples(name, graph):
    histogram = torch.bincount(torch.bincount(graph.edge_index[1], minlength=12))
    conv = OPERATORS[name](histogram).eval()
    given = {}
    if name in WEIGHTED:
        weight = graph.edge_weight if WEIGHTED[name] == "edge_weight" else graph.edge_weight.unsqueeze(1)
        given = {WEIGHTED[name]: weight}
    x = torch.randn(3, 12, 3)
    loop = torch.stack([conv(sample, graph.edge_index, **given) for sample in x])
    layer = OnSharedGraph(conv, graph)
    torch.testing.assert_close(layer(x), loop)
    torch.testing.assert_close(layer(x.flatten(0, 1)), loop.flatten(0, 1))
    torch.testing.assert_close(layer(x[0]), loop[0])


def test_further_arguments_and_results_pass_through(graph):
    layer = OnSharedGraph(pyg.GATConv(3, 4), graph)
    y, (edge_index, alpha) = layer(torch.randn(2, 12, 3), return_attention_weights=True)
    assert y.shape == (2, 12, 4)
    assert edge_index.max() == 23
    assert alpha.shape == (edge_index.shape[1], 1)
    weight = torch.rand(2 * graph.num_edges, requires_grad=True)
    OnSharedGraph(pyg.GCNConv(3, 4), graph)(torch.randn(2, 12, 3), edge_weight=weight).sum().backward()
    assert weight.grad.abs().max() > 0


def test_state_and_text(graph):
    layer = OnSharedGraph(pyg.GCNConv(3, 4), graph)
    assert set(layer.state_dict()) == {"conv.lin.weight", "conv.bias"}
    assert f"nodes=12, edges={graph.num_edges}" in str(layer)
    before = layer.conv.lin.weight.clone()
    layer.reset_parameters()
    assert not torch.equal(before, layer.conv.lin.weight)
    assert layer.double()(torch.randn(2, 12, 3, dtype=torch.float64)).dtype == torch.float64


def test_bad_arguments(graph):
    with pytest.raises(TypeError, match=r"Linear\.forward takes no edge_index"):
        OnSharedGraph(torch.nn.Linear(3, 4), graph)
    with pytest.raises(TypeError, match="graph must be a SharedGraph"):
        OnSharedGraph(pyg.GCNConv(3, 4), graph.edge_index)
    with pytest.raises(ValueError, match="cached=True"):
        OnSharedGraph(pyg.GCNConv(3, 4, cached=True), graph)
    with pytest.raises(ValueError, match="edge_dim=2"):
        OnSharedGraph(pyg.GATConv(3, 4, edge_dim=2), graph)
    with pytest.raises(ValueError, match=r"OnSharedGraph\(GCNConv\): x must be \[B, 12, C\]"):
        OnSharedGraph(pyg.GCNConv(3, 4), graph)(torch.zeros(13, 3))
