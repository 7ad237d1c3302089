"""PyG's explainers on layers, against edges that are taken out by hand."""

import copy

import pytest
import torch
from torch_geometric.explain import AttentionExplainer, CaptumExplainer, DummyExplainer, Explainer, GNNExplainer
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GATConv, GINConv, GraphConv, SAGEConv

from scge_pyg import OnSharedGraph, SCGEConv, SharedGraph

GRID = SharedGraph.from_grid((3, 4))
NODES, EDGES = GRID.num_nodes, GRID.num_edges
OPERATORS = {
    "graph": lambda: GraphConv(2, 3),
    "sage": lambda: SAGEConv(2, 3, aggr="add"),
    "gin": lambda: GINConv(torch.nn.Linear(2, 3)),
}
LAYERS = {
    "edges": {"nodes": GRID, "neighbors": "edges", "self_loops": False},
    "lattice": {"nodes": GRID},
    "irregular": {"nodes": SharedGraph.from_pos(GRID.pos + 0.3 * torch.rand(NODES, 2)), "num_bases": 2},
    "strided": {"nodes": (GRID, GRID.coarsen(stride=2)[0])},
    "trained": {"num_nodes": NODES, "k": 4},
    "gat": {"nodes": GRID, "neighbors": "edges", "content": "gat", "heads": 2},
    "gatv2": {"nodes": GRID, "content": "gatv2", "heads": 2, "concat": False},
    "dot": {"nodes": GRID, "neighbors": "edges", "content": "dot", "heads": 3},
}


class Alone(torch.nn.Module):
    """A layer as an explainer calls models, with an edge_index."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, edge_index):
        return self.layer(x)


def explain(layer, algorithm, x, edge_index, index=None, **kwargs):
    explainer = Explainer(
        Alone(layer).eval(),
        algorithm,
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "regression", "task_level": "graph" if index is None else "node", "return_type": "raw"},
    )
    return explainer(x, edge_index, index=index, **kwargs).edge_mask


def masked(layer, mask, edge_index, x):
    set_masks(layer, mask, edge_index, apply_sigmoid=False)
    try:
        return layer(x)
    finally:
        clear_masks(layer)


def without(graph, edge):
    kept = torch.arange(graph.num_edges) != edge
    return SharedGraph(graph.pos, graph.edge_index[:, kept], graph.edge_weight[kept])


def build(name):
    torch.manual_seed(0)
    return SCGEConv(2, 3, **LAYERS[name]).double(), torch.randn(2, NODES, 2, dtype=torch.float64)


@pytest.mark.parametrize("name", OPERATORS)
def test_zero_on_an_edge_of_the_graph_takes_it_out(name):
    conv, x = OPERATORS[name](), torch.randn(NODES, 2)
    layer = OnSharedGraph(conv, GRID)
    for edge in range(EDGES):
        mask = torch.ones(EDGES).scatter(0, torch.tensor([edge]), 0.0)
        torch.testing.assert_close(masked(layer, mask, GRID.edge_index, x), OnSharedGraph(conv, without(GRID, edge))(x))


def test_zero_on_an_edge_of_one_sample_takes_it_out_there():
    conv, x = GraphConv(2, 3), torch.randn(2, NODES, 2)
    layer = OnSharedGraph(conv, GRID)
    copies = torch.cat([GRID.edge_index, GRID.edge_index + NODES], 1)
    mask = torch.ones(2 * EDGES).scatter(0, torch.tensor([EDGES + 5]), 0.0)
    found = masked(layer, mask, copies, x)
    torch.testing.assert_close(found[0], layer(x)[0])
    torch.testing.assert_close(found[1], OnSharedGraph(conv, without(GRID, 5))(x)[1])


def test_zero_on_an_edge_of_the_layer_takes_it_out():
    """The layer on the graph without the edge, with the same matrices."""
    layer, x = build("edges")
    assert torch.equal(layer.edge_index, GRID.edge_index)
    for edge in range(0, EDGES, 7):
        fewer = SCGEConv(2, 3, **LAYERS["edges"] | {"nodes": without(GRID, edge)}).double()
        with torch.no_grad():
            for mine, theirs in zip(fewer.parameters(), layer.parameters(), strict=True):
                mine.copy_(theirs)
        mask = torch.ones(EDGES).scatter(0, torch.tensor([edge]), 0.0)
        torch.testing.assert_close(masked(layer, mask, layer.edge_index, x), fewer(x))


def test_masks_of_a_convolution():
    """An edge that is taken out is one tap of ``nn.Conv2d`` at one pixel."""
    conv = torch.nn.Conv2d(2, 3, 3, padding=1).double()
    layer, x = SCGEConv.from_conv2d(conv, (3, 4)), torch.randn(1, NODES, 2, dtype=torch.float64)
    y = conv(x.view(1, 3, 4, 2).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).reshape(1, NODES, 3)
    for edge in range(0, layer.edge_index.shape[1], 7):
        source, target = layer.edge_index[:, edge].tolist()
        tap = source // 4 - target // 4 + 1, source % 4 - target % 4 + 1
        expected = y.clone()
        expected[0, target] -= conv.weight[:, :, tap[0], tap[1]] @ x[0, source]
        mask = torch.ones(layer.edge_index.shape[1]).scatter(0, torch.tensor([edge]), 0.0)
        torch.testing.assert_close(masked(layer, mask, layer.edge_index, x), expected)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_masks_by_finite_differences(name):
    layer, x = build(name)
    edges = layer.edge_index.shape[1]
    mask = torch.rand(edges, dtype=torch.float64, requires_grad=True)

    def loss(mask):
        return masked(layer, mask, layer.edge_index, x).sin().sum()

    (slope,) = torch.autograd.grad(loss(mask), mask)
    for way in torch.eye(edges, dtype=torch.float64)[:: max(1, edges // 5)]:
        with torch.no_grad():
            step = (loss(mask + 1e-5 * way) - loss(mask - 1e-5 * way)) / 2e-5
        torch.testing.assert_close(slope @ way, step, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(masked(layer, torch.ones(edges), layer.edge_index, x), layer(x))


@pytest.mark.parametrize("reduce", ["max", "mean"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("content", ["gat", "gatv2", "dot", None])
def test_attention_is_that_of_the_layer(content, samples, reduce):
    """The mask is the attention over heads and samples; weights that no sample changes are plain softmax."""
    kind = {"heads": 2, "content": content, "neighbors": "edges"} if content else {"k": 4}
    torch.manual_seed(0)
    layer = SCGEConv(2, 3, GRID if content else SharedGraph.from_pos(torch.rand(NODES, 2)), **kind)
    x = torch.randn(samples, NODES, 2)
    _, (edge_index, alpha) = layer(x, return_attention_weights=True)
    mask = explain(layer, AttentionExplainer(reduce), x.flatten(0, 1), edge_index)
    if content:
        alpha = alpha.transpose(0, 1).flatten(1)
        alpha = alpha.amax(1) if reduce == "max" else alpha.mean(1)
    assert mask.std() > 0
    torch.testing.assert_close(mask, alpha)


def test_attention_of_several_layers_is_joined():
    one, two = (SCGEConv(2, 2, GRID, neighbors="edges", content="gat") for _ in range(2))
    x = torch.randn(NODES, 2)
    weights = [layer(x, return_attention_weights=True)[1][1] for layer in (one,)]
    weights.append(two(one(x), return_attention_weights=True)[1][1])
    mask = explain(torch.nn.Sequential(one, two), AttentionExplainer("mean"), x, one.edge_index)
    torch.testing.assert_close(mask, torch.stack(weights).mean((0, 1, 3)))


@pytest.mark.parametrize("nodes", ["edges", "lattice", "irregular", "strided"])
def test_no_attention_where_all_weights_are_1(nodes):
    """As PyG's own layers without attention: an error alone, and passed by beside a layer with attention."""
    layer, x = build(nodes)
    with pytest.raises(ValueError, match="not collect any attention"):
        explain(layer, AttentionExplainer(), x[0], layer.edge_index)


def test_attention_beside_a_layer_without():
    plain, gat = SCGEConv(2, 2, GRID), SCGEConv(2, 2, GRID, neighbors="edges", content="gat", heads=2, concat=False)
    x = torch.randn(NODES, 2)
    mask = explain(torch.nn.Sequential(plain, gat), AttentionExplainer("max"), x, gat.edge_index)
    torch.testing.assert_close(mask, gat(plain(x), return_attention_weights=True)[1][1].amax((0, 2)))


@pytest.fixture(scope="module", params=["SCGEConv", "OnSharedGraph"])
def right_neighbour(request):
    """A tiny net, trained to answer at each node with the value of the node to its right, and where those edges are."""
    torch.manual_seed(0)
    if request.param == "SCGEConv":
        layer = SCGEConv(1, 1, GRID)
        edge_index = layer.edge_index
    else:
        offset = GRID.pos[GRID.edge_index[0]] - GRID.pos[GRID.edge_index[1]]
        layer = OnSharedGraph(GATConv(1, 1, edge_dim=2, add_self_loops=False), GRID, edge_attr=8 * offset)
        edge_index = GRID.edge_index
    inner = torch.arange(NODES)[torch.arange(NODES) % 4 < 3]
    optimizer = torch.optim.Adam(layer.parameters(), 0.1)
    for _ in range(150):
        x = torch.randn(32, NODES, 1)
        loss = (layer(x)[:, inner] - x[:, inner + 1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-2
    return layer.eval(), edge_index, torch.randn(NODES, 1).sign() * (1 + torch.rand(NODES, 1))


def captum_explainer(name):
    pytest.importorskip("captum")
    return CaptumExplainer(name)


@pytest.mark.filterwarnings("ignore")  # captum's own
@pytest.mark.parametrize(
    "algorithm",
    [
        lambda: GNNExplainer(epochs=60, lr=0.1, edge_ent=0.0, edge_size=0.05),
        lambda: captum_explainer("IntegratedGradients"),
        lambda: captum_explainer("Saliency"),
    ],
    ids=["GNNExplainer", "IntegratedGradients", "Saliency"],
)
def test_a_trained_net_listens_to_the_right(algorithm, right_neighbour):
    layer, edge_index, x = copy.deepcopy(right_neighbour)  # an explainer leaves traces that the next one falls over
    for node in (0, 5, 10):
        mask = explain(layer, algorithm(), x, edge_index, index=node)
        assert mask.shape == (edge_index.shape[1],)
        assert edge_index[:, mask.abs().argmax()].tolist() == [node + 1, node]
        assert (mask[edge_index[1] != node] == 0).all()


@pytest.mark.filterwarnings("ignore")
def test_integrated_gradients_are_what_the_output_loses():
    """The output is linear in the mask, so the attribution of an edge is what taking it out costs."""
    pytest.importorskip("captum")
    layer, x = SCGEConv(2, 1, GRID), torch.randn(NODES, 2)
    edge_index, node = layer.edge_index, 5
    found = explain(layer, CaptumExplainer("IntegratedGradients"), x, edge_index, index=node)
    full = layer(x)[node].sum()
    for edge in (edge_index[1] == node).nonzero().flatten().tolist():
        mask = torch.ones(edge_index.shape[1]).scatter(0, torch.tensor([edge]), 0.0)
        lost = full - masked(layer, mask, edge_index, x)[node].sum()
        torch.testing.assert_close(found[edge], lost, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_explainers_one_after_the_other():
    """PyG's own layers keep the first one's mask as a parameter, and the next explainer's gradient is lost."""
    layer, x = SCGEConv(2, 1, GRID), torch.randn(NODES, 2)
    names = [name for name, _ in layer.named_parameters()]
    explain(layer, GNNExplainer(epochs=2), x, layer.edge_index, index=5)
    assert [name for name, _ in layer.named_parameters()] == names
    assert "_edge_mask" not in layer._parameters
    pytest.importorskip("captum")
    assert explain(layer, CaptumExplainer("Saliency"), x, layer.edge_index, index=5).sum() > 0


def test_random_explanations_have_a_value_for_each_edge():
    layer, _ = build("lattice")
    for one, edges in ((layer.float(), layer.edge_index), (OnSharedGraph(GraphConv(2, 3), GRID), GRID.edge_index)):
        assert explain(one, DummyExplainer(), torch.randn(NODES, 2), edges, index=3).shape == (edges.shape[1],)
