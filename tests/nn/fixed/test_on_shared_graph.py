import pytest
import torch
from torch_geometric import nn as pyg
from torch_geometric.data import Batch, Data
from torch_geometric.explain import AttentionExplainer, Explainer, GNNExplainer

from scge_pyg import OnSharedGraph
from scge_pyg.graph import SharedGraph
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all, assert_permutation_equivariant


@pytest.fixture
def graph():
    pos = torch.rand(12, 2, generator=torch.Generator().manual_seed(0)) * 4
    pos[5] = torch.nan
    return SharedGraph.from_pos(pos, k=3)


def reordered(graph, order):
    """The same graph with new node i being old node ``order[i]``."""
    return SharedGraph(graph.pos[order], order.argsort()[graph.edge_index], graph.edge_weight)


def mlp(width, out=4):
    return torch.nn.Sequential(torch.nn.Linear(width, 8), torch.nn.Tanh(), torch.nn.Linear(8, out))


def pna(graph, **kwargs):
    degree = pyg.PNAConv.get_degree_histogram([graph.to_data()])
    return pyg.PNAConv(3, 4, ["mean", "max", "std"], ["identity", "amplification"], degree, **kwargs)


# name: operator, and the argument that carries the weights of the edges
OPERATORS = {
    "gcn": (lambda graph: pyg.GCNConv(3, 4), "edge_weight"),
    "gat": (lambda graph: pyg.GATConv(3, 4, heads=2), None),
    "gat with edges": (lambda graph: pyg.GATConv(3, 4, edge_dim=1), "edge_attr"),
    "gat of a pair": (lambda graph: pyg.GATConv((3, 3), 4), None),
    "gatv2": (lambda graph: pyg.GATv2Conv(3, 4), None),
    "gatv2 with edges": (lambda graph: pyg.GATv2Conv(3, 4, edge_dim=1), "edge_attr"),
    "gin": (lambda graph: pyg.GINConv(mlp(3)), None),
    "gine": (lambda graph: pyg.GINEConv(mlp(3), edge_dim=1), "edge_attr"),
    "sage": (lambda graph: pyg.SAGEConv(3, 4), None),
    "sage with lstm": (lambda graph: pyg.SAGEConv(3, 4, aggr="lstm"), None),
    "transformer": (lambda graph: pyg.TransformerConv(3, 4), None),
    "transformer with edges": (lambda graph: pyg.TransformerConv(3, 4, edge_dim=1), "edge_attr"),
    "cheb": (lambda graph: pyg.ChebConv(3, 4, K=3), "edge_weight"),
    "cheb unnormalised": (lambda graph: pyg.ChebConv(3, 4, K=3, normalization=None), "edge_weight"),
    "sg": (lambda graph: pyg.SGConv(3, 4, K=2), "edge_weight"),
    "pna": (pna, None),
    "pna with edges": (lambda graph: pna(graph, edge_dim=1), "edge_attr"),
    "edge": (lambda graph: pyg.EdgeConv(mlp(6)), None),
    "cg": (lambda graph: pyg.CGConv(3, dim=1), "edge_attr"),
    "gen": (lambda graph: pyg.GENConv(3, 4, edge_dim=1), "edge_attr"),
    "general": (lambda graph: pyg.GeneralConv(3, 4, in_edge_channels=1), "edge_attr"),
    "nn": (lambda graph: pyg.NNConv(3, 4, torch.nn.Linear(1, 12)), "edge_attr"),
    "residual": (lambda graph: pyg.DeepGCNLayer(pyg.GENConv(3, 3, edge_dim=1), block="res"), "edge_attr"),
    "gat model": (lambda graph: pyg.GAT(3, 8, num_layers=2, out_channels=4), None),
    "gat model with edges": (lambda graph: pyg.GAT(3, 8, num_layers=2, out_channels=4, edge_dim=1), "edge_attr"),
    "gin model": (lambda graph: pyg.GIN(3, 8, num_layers=2, out_channels=4, jk="cat"), None),
    "sage model": (lambda graph: pyg.GraphSAGE(3, 8, num_layers=2, out_channels=4), None),
    "gcn model": (lambda graph: pyg.GCN(3, 8, num_layers=2, out_channels=4), "edge_weight"),
}
WEIGHTED = [name for name, (_, argument) in OPERATORS.items() if argument]
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
TOLERANCE = {torch.float32: {"rtol": 1e-5, "atol": 1e-5}, torch.float64: {"rtol": 1e-12, "atol": 1e-12}}


def build(name, graph, dtype, **kwargs):
    torch.manual_seed(0)
    return OnSharedGraph(OPERATORS[name][0](graph), graph, **kwargs).eval().to(dtype)


def normal(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


def as_argument(weight, argument):
    return {argument: weight if argument == "edge_weight" else weight.unsqueeze(1)} if argument else {}


@dtypes
@pytest.mark.parametrize("name", OPERATORS)
def test_equals_a_loop_over_samples(name, graph, dtype):
    """Of the operator itself, without our class."""
    layer = build(name, graph, dtype)
    x = normal(3, 12, 3, dtype=dtype)
    by_target = graph.edge_index[1].argsort(stable=True)
    given = as_argument(graph.edge_weight[by_target].to(dtype), OPERATORS[name][1])
    loop = torch.stack([layer.conv(sample, graph.edge_index[:, by_target], **given) for sample in x])
    torch.testing.assert_close(layer(x), loop, **TOLERANCE[dtype])
    torch.testing.assert_close(layer(x.flatten(0, 1)), loop.flatten(0, 1), **TOLERANCE[dtype])
    torch.testing.assert_close(layer(x[0]), loop[0], **TOLERANCE[dtype])


@dtypes
@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "sage with lstm"])
def test_shuffled_nodes_shuffle_the_result(name, graph, dtype):
    x = normal(2, 12, 3, dtype=dtype)
    assert_permutation_equivariant(lambda order: build(name, reordered(graph, order), dtype), x, **TOLERANCE[dtype])


@dtypes
@pytest.mark.parametrize("name", WEIGHTED)
def test_edge_weights_train(name, graph, dtype):
    x = normal(3, 12, 3, dtype=dtype)
    layer = build(name, graph, dtype, train_edge_weight=True)
    torch.testing.assert_close(layer(x), build(name, graph, dtype)(x), **TOLERANCE[dtype])
    assert_gradients_reach_all(layer, x)
    assert_batch_equals_loop(layer, x, **TOLERANCE[dtype])
    upstream = normal(*layer(x).shape, dtype=dtype)
    (grad,) = torch.autograd.grad(layer(x), layer.edge_weight, upstream)
    assert grad.shape == (graph.num_edges,)
    if dtype == torch.float64:
        torch.testing.assert_close(
            grad[[0, 7, 23]], by_difference(name, graph, x, upstream, [0, 7, 23]), rtol=1e-4, atol=1e-5
        )


def by_difference(name, graph, x, upstream, edges, step=1e-4):
    """Central differences of the upstream product along single edges' weights."""
    layer = build(name, graph, x.dtype)
    slopes = []
    for edge in edges:
        values = []
        for sign in (1, -1):
            weight = graph.edge_weight.to(x.dtype)
            weight[edge] += sign * step
            with torch.no_grad():
                values.append((layer(x, **as_argument(weight, OPERATORS[name][1])) * upstream).sum())
        slopes.append((values[0] - values[1]) / (2 * step))
    return torch.stack(slopes)


@pytest.mark.parametrize("argument", ["edge_weight", "edge_attr"])
def test_trained_weights_fit_the_task_and_start_again(argument, graph):
    """A teacher with other weights is matched by training nothing but the weights."""
    teacher = SharedGraph(graph.pos, graph.edge_index, graph.edge_weight.flip(0) + 0.5)
    torch.manual_seed(0)
    conv = pyg.GraphConv(3, 4) if argument == "edge_weight" else pyg.GATConv(3, 4, edge_dim=1)
    conv.requires_grad_(False)
    layer = OnSharedGraph(conv, graph, train_edge_weight=True)
    assert [name for name, p in layer.named_parameters() if p.requires_grad] == ["edge_weight"]
    torch.testing.assert_close(layer.edge_weight.detach(), graph.edge_weight)
    assert "edge_weight" in layer.state_dict()
    assert "train_edge_weight=True" in str(layer)
    x = normal(20, 12, 3)
    with torch.no_grad():
        y = OnSharedGraph(conv, teacher)(x)
    optimizer = torch.optim.Adam([layer.edge_weight], lr=0.1)
    losses = []
    for _ in range(40):
        loss = (layer(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    layer.reset_parameters()
    torch.testing.assert_close(layer.edge_weight.detach(), graph.edge_weight)


def test_trained_weights_never_reach_an_operator_with_a_minus(graph):
    weight = graph.edge_weight.clone()
    weight[:6] = 0
    layer = OnSharedGraph(pyg.GCNConv(3, 4, add_self_loops=False), SharedGraph(graph.pos, graph.edge_index, weight),
                          train_edge_weight=True)  # fmt: skip
    assert layer.edge_weight.min() > 0
    x = normal(2, 12, 3)
    y = layer(x)
    with torch.no_grad():
        layer.edge_weight.neg_()
    torch.testing.assert_close(layer(x), y)
    assert_gradients_reach_all(layer, x)


class SampleNorm(torch.nn.Module):
    """A network whose normalisation has to know which nodes make up a sample."""

    def __init__(self, norm):
        super().__init__()
        self.conv, self.norm = pyg.SAGEConv(3, 4), norm

    def forward(self, x, edge_index, batch=None):
        return self.norm(self.conv(x, edge_index), batch)


BY_SAMPLE = {
    "graph norm": lambda: SampleNorm(pyg.GraphNorm(4)),
    "instance norm": lambda: SampleNorm(pyg.InstanceNorm(4)),
    "layer norm": lambda: SampleNorm(pyg.LayerNorm(4)),
    "norm inside a model": lambda: pyg.GCN(3, 8, num_layers=3, out_channels=4, norm="GraphNorm"),
    "attention among all nodes": lambda: pyg.GPSConv(3, pyg.GCNConv(3, 3), heads=1),
    "attention among all, with edges": lambda: pyg.GPSConv(3, pyg.GATConv(3, 3, edge_dim=1), heads=1),
    "pooled on the way": lambda: pyg.GraphUNet(3, 8, 4, depth=2),
    "pooled at the end": lambda: pyg.Sequential(
        "x, edge_index, edge_weight, batch",
        [
            (pyg.GCNConv(3, 8), "x, edge_index, edge_weight -> x"),
            (pyg.global_add_pool, "x, batch -> x"),
            torch.nn.Linear(8, 4),
        ],
    ),
    "required edge features": lambda: pyg.AttentiveFP(3, 8, 4, edge_dim=1, num_layers=2, num_timesteps=2),
}


# GraphUNet multiplies sparse matrices
@pytest.mark.filterwarnings("ignore:Sparse invariant checks", "ignore:Sparse CSR tensor support")
@dtypes
@pytest.mark.parametrize("name", BY_SAMPLE)
def test_samples_of_a_batch_never_meet(name, graph, dtype):
    torch.manual_seed(0)
    layer = OnSharedGraph(BY_SAMPLE[name](), graph).eval().to(dtype)
    x = normal(12, 12, 3, dtype=dtype)  # as many samples as nodes: the two are told apart
    pooled = name in ("pooled at the end", "required edge features")
    assert layer(x).shape[:2] == ((12, 4) if pooled else (12, 12))
    assert_batch_equals_loop(layer, x, **TOLERANCE[dtype])


def test_lambda_max_of_each_sample(graph):
    layer = OnSharedGraph(pyg.ChebConv(3, 4, K=3), graph)
    x = normal(3, 12, 3)
    torch.testing.assert_close(layer(x, lambda_max=torch.full((3,), 2.0)), layer(x))
    each = torch.tensor([1.5, 2.0, 2.5])
    loop = torch.stack([layer(sample, lambda_max=value) for sample, value in zip(x, each, strict=True)])
    torch.testing.assert_close(layer(x, lambda_max=each), loop)


def test_normalisation_is_that_of_one_copy(graph):
    layer = OnSharedGraph(pyg.GCNConv(1, 1, bias=False), graph)
    adjacency = torch.eye(12)
    adjacency[graph.edge_index[1], graph.edge_index[0]] = graph.edge_weight
    scale = adjacency.sum(1).rsqrt()
    x = normal(5, 12, 1)
    expected = (scale.unsqueeze(1) * adjacency * scale) @ x * layer.conv.lin.weight
    torch.testing.assert_close(layer(x), expected)


def test_coordinates_reach_operators_on_points(graph):
    layer = OnSharedGraph(pyg.PointNetConv(mlp(5), mlp(4)), graph)
    x = normal(3, 12, 3)
    assert_batch_equals_loop(layer, x)
    single = layer.conv(x[1], graph.pos.nan_to_num(), graph.edge_index)
    torch.testing.assert_close(layer(x)[1], single)


@dtypes
def test_features_of_the_edges(graph, dtype):
    source, target = graph.edge_index
    offset = graph.pos[source] - graph.pos[target]
    conv = pyg.GATv2Conv(3, 4, edge_dim=2)
    layer = OnSharedGraph(conv, graph, edge_attr=offset).to(dtype)
    x = normal(3, 12, 3, dtype=dtype)
    loop = torch.stack([conv(sample, graph.edge_index, offset.to(dtype)) for sample in x])
    torch.testing.assert_close(layer(x), loop, **TOLERANCE[dtype])
    torch.testing.assert_close(layer(x, edge_attr=offset.to(dtype)), loop, **TOLERANCE[dtype])
    assert "edge_attr" not in layer.state_dict()


def test_weights_of_one_graph_or_of_all_copies(graph):
    layer = OnSharedGraph(pyg.GraphConv(3, 4), graph)
    x = normal(2, 12, 3)
    weight = torch.rand(2, graph.num_edges, requires_grad=True)
    y = layer(x, edge_weight=weight.flatten())
    for sample, own, expected in zip(x, weight, y, strict=True):
        torch.testing.assert_close(layer(sample, edge_weight=own), expected)
        torch.testing.assert_close(layer.conv(sample, graph.edge_index, own), expected)
    y.sum().backward()
    assert weight.grad.abs().max() > 0
    with pytest.raises(ValueError, match=r"OnSharedGraph\(GraphConv\): values of edges must be \[\d+, \.\.\.\]"):
        layer(x, edge_weight=weight[0, :5])


def test_attention_weights_come_with_their_edges(graph):
    layer = OnSharedGraph(pyg.GATConv(3, 4, edge_dim=1, add_self_loops=False), graph)
    x = normal(2, 12, 3)
    y, (edge_index, alpha) = layer(x, return_attention_weights=True)
    torch.testing.assert_close(y, layer(x))
    flat = layer.conv.lin(x.flatten(0, 1))
    by_hand = torch.zeros(24, 4).index_add(0, edge_index[1], alpha * flat[edge_index[0]])
    torch.testing.assert_close(y.flatten(0, 1), by_hand + layer.conv.bias)
    copies = Batch.from_data_list([graph.to_data(), graph.to_data()])
    assert {tuple(edge) for edge in edge_index.t().tolist()} == {tuple(edge) for edge in copies.edge_index.t().tolist()}
    y, (edge_index, alpha) = OnSharedGraph(pyg.GATConv(3, 4), graph)(x, return_attention_weights=True)
    assert edge_index.shape[1] == alpha.shape[0] == 2 * (graph.num_edges + 12)


def test_pairs_of_source_and_target_features(graph):
    layer = OnSharedGraph(pyg.SAGEConv((3, 5), 4), graph)
    pair = normal(2, 12, 3), normal(2, 12, 5)
    expected = layer.conv((pair[0][1], pair[1][1]), graph.edge_index)
    torch.testing.assert_close(layer(pair)[1], expected)


def test_a_graph_without_edges():
    none = torch.zeros(2, 0, dtype=torch.long)
    layer = OnSharedGraph(pyg.GCNConv(3, 4), SharedGraph(torch.rand(5, 2), none))
    x = normal(2, 5, 3)
    torch.testing.assert_close(layer(x), layer.conv.lin(x))


def test_state_and_text(graph):
    layer = OnSharedGraph(pyg.GCNConv(3, 4), graph)
    assert set(layer.state_dict()) == {"conv.lin.weight", "conv.bias", "_extra_state"}
    assert f"nodes=12, edges={graph.num_edges}" in str(layer)
    before = layer.conv.lin.weight.clone()
    layer.reset_parameters()
    assert not torch.equal(before, layer.conv.lin.weight)
    assert layer.double()(torch.randn(2, 12, 3, dtype=torch.float64)).dtype == torch.float64


def test_reset_reaches_modules_without_a_reset_of_their_own(graph):
    layer = OnSharedGraph(SampleNorm(pyg.GraphNorm(4)), graph)
    before = layer.conv.conv.lin_l.weight.clone()
    layer.reset_parameters()
    assert not torch.equal(before, layer.conv.conv.lin_l.weight)


def test_bad_arguments(graph):
    with pytest.raises(TypeError, match=r"Linear\.forward takes no edge_index"):
        OnSharedGraph(torch.nn.Linear(3, 4), graph)
    with pytest.raises(TypeError, match="graph must be a SharedGraph"):
        OnSharedGraph(pyg.GCNConv(3, 4), graph.edge_index)
    with pytest.raises(ValueError, match="cached=True"):
        OnSharedGraph(pyg.GCNConv(3, 4, cached=True), graph)
    with pytest.raises(ValueError, match="cached=True"):
        OnSharedGraph(pyg.GCN(3, 4, num_layers=2, cached=True), graph)
    for conv in (
        pyg.GATConv(3, 4, edge_dim=2),
        pyg.GAT(3, 4, num_layers=2, edge_dim=2),
        pyg.GINEConv(mlp(3), edge_dim=2),
        pyg.NNConv(3, 4, torch.nn.Linear(2, 12)),
    ):
        with pytest.raises(ValueError, match="edge_dim=2"):
            OnSharedGraph(conv, graph)
    with pytest.raises(ValueError, match="edge_dim=3"):
        OnSharedGraph(pyg.GINEConv(mlp(3)), graph)
    with pytest.raises(ValueError, match=r"x must be \[B, 12, C\]"):
        OnSharedGraph(pyg.GCNConv(3, 4), graph)(torch.zeros(13, 3))
    with pytest.raises(ValueError, match=r"edge_attr must be \[\d+, D\]"):
        OnSharedGraph(pyg.GATConv(3, 4, edge_dim=2), graph, edge_attr=torch.zeros(3, 2))
    with pytest.raises(ValueError, match="GCNConv takes no edge_attr"):
        OnSharedGraph(pyg.GCNConv(3, 4), graph, edge_attr=torch.zeros(graph.num_edges, 2))
    for conv in (pyg.SAGEConv(3, 4), pyg.GATConv(3, 4), pyg.GIN(3, 4, num_layers=2)):
        with pytest.raises(ValueError, match="gets no edge weights"):
            OnSharedGraph(conv, graph, train_edge_weight=True)


def test_a_result_with_other_rows_is_refused(graph):
    class Halved(torch.nn.Module):
        def forward(self, x, edge_index):
            return x[::2]

    with pytest.raises(ValueError, match=r"one row per node, 36, or per sample, 3, got \[18, 3\]"):
        OnSharedGraph(Halved(), graph)(normal(3, 12, 3))


class Alone(torch.nn.Module):
    """The layer as an explainer calls models, with an edge_index."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, edge_index):
        return self.layer(x)


def explained(layer, algorithm, x, edge_index, node):
    explainer = Explainer(
        Alone(layer).eval(),
        algorithm,
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"},
    )
    return explainer(x, edge_index, index=node).edge_mask


@pytest.mark.parametrize("name", ["gcn", "gat", "sage", "sage with lstm", "transformer", "gin"])
def test_masks_of_explainers_follow_the_edges_of_the_graph(name, graph):
    layer = build(name, graph, torch.float32)
    for node in (3, 8):
        mask = explained(layer, GNNExplainer(epochs=5), normal(12, 3), graph.edge_index, node)
        share = mask[graph.edge_index[1] == node].sum() / mask.sum()
        assert float(share) == pytest.approx(1.0)


def test_attention_explained_in_the_order_of_the_graph(graph):
    layer = build("gatv2", graph, torch.float32)
    x = normal(12, 3)
    mask = explained(layer, AttentionExplainer(), x, graph.edge_index, 3)
    _, (edge_index, alpha) = layer(x, return_attention_weights=True)
    assert torch.equal(edge_index[:, : graph.num_edges], graph.edge_index)
    into = graph.edge_index[1] == 3
    torch.testing.assert_close(mask[into], alpha[: graph.num_edges, 0][into])


def test_hooks_of_the_operator_see_the_edges_of_the_graph(graph):
    layer, seen = OnSharedGraph(pyg.GraphConv(3, 4), graph), []
    layer.conv.register_message_forward_hook(lambda module, inputs, out: seen.append(inputs[0]["edge_weight"]))
    layer(normal(2, 12, 3))
    assert torch.equal(seen[0], graph.edge_weight.repeat(2))
    assert torch.equal(graph.edge_index[:, layer.order], graph.edge_index)
    with pytest.raises(AttributeError, match=r"use layer\.conv\.register_message_forward_hook\(hook\)"):
        layer.register_message_forward_hook(print)
    assert not hasattr(layer, "weight")


def test_a_graph_without_geometry_will_do(graph):
    bare = SharedGraph(torch.zeros(12, 0), graph.edge_index, graph.edge_weight, dim=0, live=graph.live)
    x = normal(2, 12, 3)
    for name in ("gcn", "gat with edges", "gat model", "sage"):
        torch.testing.assert_close(build(name, bare, torch.float32)(x), build(name, graph, torch.float32)(x))
    with pytest.raises(ValueError, match=r"PointNetConv takes coordinates.*discover\(x, dim=2\)"):
        OnSharedGraph(pyg.PointNetConv(mlp(5), mlp(4)), bare)


@pytest.mark.parametrize("name", ["gcn", "gat with edges", "gat model with edges"])
def test_a_graph_in_double_precision_takes_an_operator_in_single(name, graph):
    double = SharedGraph(graph.pos.double(), graph.edge_index, graph.edge_weight.double())
    layer, x = OnSharedGraph(build(name, graph, torch.float32).conv, double, train_edge_weight=True), normal(2, 12, 3)
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    torch.testing.assert_close(layer(x), build(name, graph, torch.float32)(x))


class Embedded(torch.nn.Module):
    """An operator on the classes of nodes."""

    def __init__(self):
        super().__init__()
        self.table, self.conv = torch.nn.Embedding(5, 3), pyg.GCNConv(3, 4)

    def forward(self, x, edge_index, edge_weight=None):
        return self.conv(self.table(x.squeeze(1)), edge_index, edge_weight)


def test_weights_stay_weights_beside_features_that_are_classes(graph):
    layer = OnSharedGraph(Embedded(), graph)
    x = torch.randint(5, (12, 1), generator=torch.Generator().manual_seed(0))
    expected = layer.conv.conv(layer.conv.table(x.squeeze(1)), graph.edge_index, graph.edge_weight)
    torch.testing.assert_close(layer(x), expected)


def test_pyg_data_and_what_is_no_sample(graph):
    layer, x = OnSharedGraph(pyg.GCNConv(3, 4), graph), normal(2, 12, 3)
    batch = Batch.from_data_list([Data(x=one) for one in x])
    torch.testing.assert_close(layer(batch), layer(x).flatten(0, 1))
    unequal = Batch.from_data_list([Data(x=normal(n, 3)) for n in (5, 19)])
    with pytest.raises(ValueError, match="samples have 5, 19 nodes, and the layer's graph has 12"):
        layer(unequal)
    with pytest.raises(ValueError, match="use SCGEConv, which takes node_id"):
        layer(Data(x=x[0], node_id=torch.arange(12)))
    with pytest.raises(ValueError, match=r"takes no edge_index; call it as layer\(x\)"):
        layer(x, graph.edge_index)
    with pytest.raises(TypeError, match=r"got ndarray; convert it with torch\.as_tensor"):
        layer(x.numpy())
