import copy

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv

from scge_pyg import NodeEmbedding, lower_to_conv
from scge_pyg.graph import SharedGraph
from scge_pyg.nn import ClusterPool, ClusterUnpool, NodeBatchNorm, NodeMean, OnSharedGraph, SCGEConv
from scge_pyg.nn.dense.grid_view import GridView

NODE_SETS = {
    "full grid": {"shape": (7, 9)},
    "holes": {"shape": (7, 9), "missing": 8},
    "holes, dead nodes, no cells": {"shape": (7, 9), "missing": 8, "dead": 5, "unplaced": 3},
    "cylinder": {"shape": (8, 6), "missing": 8, "dead": 5, "periodic": (True, False)},
    "torus": {"shape": (8, 6), "periodic": (True, True)},
    "ring": {"shape": (12,), "missing": 2, "dead": 2, "unplaced": 1, "periodic": (True,)},
    "volume": {"shape": (4, 5, 6), "missing": 10, "dead": 10, "unplaced": 2},
}


def layers_left(model):
    return [module for module in model.modules() if isinstance(module, SCGEConv)]


def assert_same_function(model, lowered, x):
    """Outputs, gradients of the input and running statistics, in training and in evaluation."""
    for training in (True, False):
        results = []
        for net in (model, lowered):
            net.train(training)
            leaf = x.clone().requires_grad_()
            y = net(leaf)
            upstream = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape).cos()
            results.append((y, torch.autograd.grad(y, leaf, upstream)[0]))
        for kept, changed in zip(*results, strict=True):
            assert (kept - changed).abs().max() < 1e-10


@pytest.fixture(params=NODE_SETS, ids=str)
def graph(request, make_lattice_graph):
    return make_lattice_graph(**NODE_SETS[request.param])


@pytest.fixture
def samples(graph):
    return torch.randn(3, graph.num_nodes, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kernel", [{"kernel_size": 3}, {"kernel_size": 5}, {"kernel_size": 2, "dilation": 2}], ids=str)
def test_one_layer(graph, samples, kernel):
    conv = SCGEConv(2, 4, graph, **kernel).double()
    lowered = lower_to_conv(conv, strict=True)
    assert isinstance(lowered, GridView)
    assert type(lowered.body[-1]) in (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    assert_same_function(conv, lowered, samples)


def test_layers_in_a_row_share_the_view(graph, samples):
    coarse, _ = graph.coarsen(stride=2)
    model = nn.Sequential(
        SCGEConv(2, 4, graph),
        NodeBatchNorm(4, graph),
        nn.Sigmoid(),
        nn.Sequential(SCGEConv(4, 4, (graph, coarse), dilation=2), nn.GELU(), SCGEConv(4, 3, coarse)),
        nn.LayerNorm(3),
        nn.Linear(3, 5),
        NodeMean(coarse),
        nn.Linear(5, 2),
    ).double()
    lowered = lower_to_conv(model, strict=True)
    assert [type(module) for module in lowered] == [GridView, nn.Linear]
    assert not layers_left(lowered)
    assert_same_function(model, lowered, samples)


@pytest.mark.parametrize("reduce", ["max", "mean"])
def test_pooling(graph, samples, reduce):
    coarse, cluster = graph.coarsen(stride=2)
    model = nn.Sequential(
        SCGEConv(2, 4, graph), nn.Softplus(), ClusterPool(graph, coarse, cluster, reduce), SCGEConv(4, 4, coarse)
    ).double()
    lowered = lower_to_conv(model, strict=True)
    assert [type(module) for module in lowered] == [GridView]
    assert_same_function(model, lowered, samples)


def test_layers_that_keep_nodes_off_the_grid(graph, samples):
    model = nn.Sequential(
        SCGEConv(2, 4, graph),
        nn.Softplus(),
        SCGEConv(4, 4, graph, kernel_size=5),
        NodeBatchNorm(4, graph),
        nn.Tanh(),
        SCGEConv(4, 2, graph),
        nn.Sigmoid(),
    ).double()
    lowered = lower_to_conv(model, strict=True)
    assert not layers_left(lowered)
    assert_same_function(model, lowered, samples)


@pytest.mark.parametrize("shape", [(6, 9), (7, 7), (5,), (4, 5, 6)])
def test_transposed_and_unpooling(shape, make_lattice_graph):
    graph = make_lattice_graph(shape)
    coarse, cluster = graph.coarsen(stride=2)
    model = nn.Sequential(
        SCGEConv(2, 4, (graph, coarse)),
        nn.Tanh(),
        SCGEConv(4, 3, (coarse, graph)),
        SCGEConv(3, 3, (graph, coarse)),
        ClusterUnpool(graph, coarse, cluster),
        SCGEConv(3, 2, graph),
    ).double()
    lowered = lower_to_conv(model, strict=True)
    assert [type(module) for module in lowered] == [GridView]
    assert_same_function(model, lowered, torch.randn(2, graph.num_nodes, 2, dtype=torch.float64))


def test_from_conv2d_lowers_to_a_convolution_of_the_same_kind():
    conv = nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(0, 2), dilation=(1, 2), dtype=torch.float64)
    lowered = lower_to_conv(SCGEConv.from_conv2d(conv, (9, 12)), strict=True)
    back = lowered.body[0]
    x = torch.randn(2, 3, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(lowered(x.flatten(2).mT).mT, conv(x).flatten(2))
    torch.testing.assert_close(back.weight, conv.weight)
    assert back.stride == conv.stride
    again = lower_to_conv(SCGEConv.from_conv2d(nn.Conv2d(3, 4, 3, 1, 1), (9, 12)))
    assert str(again.body) == str(nn.Sequential(nn.Conv2d(3, 4, kernel_size=3, padding=1)))


def test_weights_train_alike(make_lattice_graph):
    graph = make_lattice_graph((6, 6), missing=3)
    coarse, cluster = graph.coarsen(stride=2)
    model = nn.Sequential(
        SCGEConv(2, 4, graph, bias=False), NodeBatchNorm(4, graph), nn.ReLU(), ClusterPool(graph, coarse, cluster)
    ).double()
    lowered = lower_to_conv(model)
    x = torch.randn(4, graph.num_nodes, 2, dtype=torch.float64)
    for net in (model, lowered):
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()
    assert_same_function(model, lowered, x)
    assert model[1].num_batches_tracked == 4  # three steps, and one forward pass in training just now


def test_the_model_itself_stays_as_it_is():
    graph = SharedGraph.from_grid((4, 4))
    model = nn.Sequential(SCGEConv(2, 2, graph), NodeBatchNorm(2, graph))
    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    lowered = lower_to_conv(model)
    assert torch.equal(torch.get_rng_state(), state)
    nn.init.zeros_(next(lowered.parameters()))
    assert isinstance(model[0], SCGEConv)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


class Residual(nn.Module):
    def __init__(self, graph):
        super().__init__()
        self.conv = SCGEConv(2, 2, graph)
        self.again = self.conv

    def forward(self, x):
        return x + self.again(torch.relu(self.conv(x)))


def test_layers_anywhere_in_a_module(graph, samples):
    model = Residual(graph).double()
    lowered = lower_to_conv(model, strict=True)
    assert lowered.conv is lowered.again
    assert sum(p.numel() for p in lowered.parameters()) == sum(p.numel() for p in model.parameters())
    assert_same_function(model, lowered, samples)


def test_a_layer_used_twice_keeps_one_set_of_weights(make_lattice_graph):
    graph = make_lattice_graph((4, 5), missing=2)
    conv, norm = SCGEConv(2, 2, graph), NodeBatchNorm(2, graph)
    model = nn.Sequential(conv, norm, nn.ReLU(), conv, norm).double()
    lowered = lower_to_conv(model, strict=True)
    assert sum(p.numel() for p in lowered.parameters()) == sum(p.numel() for p in model.parameters())
    assert_same_function(model, lowered, torch.randn(3, 18, 2, dtype=torch.float64))


def test_layouts_and_switches(make_lattice_graph):
    graph = make_lattice_graph((4, 5), missing=2, dead=1)
    model = nn.Sequential(SCGEConv(2, 3, graph), nn.Dropout(0.5)).eval()
    model[0].weight.requires_grad_(False)
    lowered = lower_to_conv(model)
    assert not lowered.training
    assert [p.requires_grad for p in lowered.parameters()] == [False, True]
    x = torch.randn(2, 18, 2)
    torch.testing.assert_close(lowered(x.flatten(0, 1)), model(x).flatten(0, 1))
    torch.testing.assert_close(lowered(x[0]), model(x)[0])
    with pytest.raises(ValueError, match=r"x must be \[B, 18, C\]"):
        lowered(x[:, 1:])


class Twice(SCGEConv):
    def forward(self, x):
        return 2 * super().forward(x)


def test_what_cannot_be_lowered_is_named(irregular_graph):
    grid = SharedGraph.from_grid((4, 10))
    model = nn.Sequential(
        SCGEConv(2, 2, grid),
        nn.ModuleDict({"free": SCGEConv(2, 2, irregular_graph), "twice": Twice(2, 2, grid)}),
        SCGEConv(2, 2, grid, kernel_size=2),
    )
    with pytest.raises(ValueError, match="3 of 4 SCGEConv") as error:
        lower_to_conv(model, strict=True)
    for text in ("1.free (its nodes have no lattice)", "1.twice (Twice is a subclass", "3 (taps fall between"):
        assert text.replace("3 (", "2 (") in str(error.value)
    assert len(layers_left(lower_to_conv(model))) == 3
    with pytest.raises(ValueError, match="the model"):
        lower_to_conv(SCGEConv(2, 2, irregular_graph), strict=True)


def test_other_clusters_stay(make_lattice_graph):
    graph = make_lattice_graph((4, 4))
    coarse, cluster = graph.coarsen(stride=2)
    model = nn.Sequential(SCGEConv(2, 2, graph), ClusterPool(graph, coarse, cluster.roll(1)), SCGEConv(2, 2, coarse))
    lowered = lower_to_conv(model, strict=True)
    assert [type(module) for module in lowered] == [GridView, ClusterPool, GridView]
    x = torch.randn(2, 16, 2)
    torch.testing.assert_close(lowered(x), model(x))


def test_different_node_sets_do_not_share_a_view(make_lattice_graph):
    first, second = make_lattice_graph((4, 4), seed=1), make_lattice_graph((4, 4), seed=2)
    model = nn.Sequential(SCGEConv(2, 2, first), SCGEConv(2, 2, second), NodeMean(first))
    lowered = lower_to_conv(model)
    assert [type(module) for module in lowered] == [GridView, GridView, NodeMean]
    x = torch.randn(2, 16, 2)
    torch.testing.assert_close(lowered(x), model(x))


def test_second_derivatives_and_vmap():
    graph = SharedGraph.from_grid((3, 2))
    lowered = lower_to_conv(SCGEConv(1, 1, graph).double())
    x = torch.randn(1, 6, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lowered, (x,))
    jacobian = torch.func.jacrev(lambda x: lowered(x.view(6, 1)).flatten())(x.detach().flatten())
    assert jacobian.shape == (6, 6)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"content": "dot"}, "its weights depend on content"),
        ({"k": 5}, "its neighbours are not the support of fixed kernel points"),
        ({"kernel": "mlp"}, "its neighbours are not the support of fixed kernel points"),
        ({"num_bases": 2}, "its nodes mix several kernels"),
        ({"root_weight": True}, "it has a root weight"),
        ({"nodes": NodeEmbedding.from_grid((4, 5))}, "its embedding is trained"),
    ],
)
def test_what_is_no_convolution_stays_and_is_named(options, reason):
    layer = SCGEConv(3, 4, **{"nodes": SharedGraph.from_grid((4, 5)), **options})
    with pytest.raises(ValueError, match=reason):
        lower_to_conv(layer, strict=True)
    x = torch.randn(2, 20, 3)
    assert torch.equal(lower_to_conv(layer)(x), layer(x))


def test_what_was_left_alone_is_told(irregular_graph, make_lattice_graph, caplog):
    grid, bare = make_lattice_graph((5, 8)), SharedGraph(torch.zeros(40, 0), irregular_graph.edge_index, dim=0)
    coarse, cluster = grid.coarsen(stride=2)
    model = nn.Sequential(
        SCGEConv(2, 2, grid),
        nn.ModuleDict({"free": SCGEConv(2, 2, irregular_graph), "edges": OnSharedGraph(GCNConv(2, 2), bare)}),
        ClusterPool(grid, coarse, cluster.roll(1)),
        ClusterPool(grid, coarse, cluster),
    )
    expected = {
        "1.free": "its nodes have no lattice",
        "1.edges": "it runs GCNConv on edges",
        "2": "its clusters are not the blocks of the lattice",
    }
    with caplog.at_level("INFO", logger="scge_pyg"):
        lowered = lower_to_conv(model)
    assert lowered.left_alone == expected
    assert [record.getMessage() for record in caplog.records] == [
        f"lower_to_conv: left alone: {name} ({reason})" for name, reason in expected.items()
    ]
    assert not hasattr(model, "left_alone")
    assert lower_to_conv(nn.Sequential(SCGEConv(2, 2, grid), NodeMean(grid)), strict=True).left_alone == {}


def test_a_lowered_state_is_that_of_dense_layers(make_lattice_graph):
    one, two = (make_lattice_graph((4, 4), missing=3, seed=seed) for seed in (1, 2))
    states = []
    for graph in (one, two):
        model = nn.Sequential(SCGEConv(2, 2, graph), NodeBatchNorm(2, graph), nn.ReLU(), NodeMean(graph))
        states.append(lower_to_conv(model).state_dict())
    assert not any("_extra_state" in key for key in states[0])
    lower_to_conv(model).load_state_dict(states[0])
