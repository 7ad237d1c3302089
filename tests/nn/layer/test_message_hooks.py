import pytest
import torch
from torch_geometric.explain import AttentionExplainer, Explainer, GNNExplainer
from torch_geometric.nn import GATConv

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import SCGEConv, lower_to_conv

GRAPH = SharedGraph.from_grid((4, 5))
LAYERS = {
    "taps": {"nodes": GRAPH},
    "strided": {"nodes": (GRAPH, GRAPH.coarsen(stride=2)[0])},
    "gat": {"nodes": GRAPH, "content": "gat", "neighbors": "edges", "heads": 2},
    "gates": {"nodes": GRAPH, "num_bases": 2},
    "trained": {"num_nodes": 20, "k": 4},
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("step", ["propagate", "message", "aggregate"])
@pytest.mark.parametrize("when", ["_pre", ""])
def test_hooks_are_called_and_change_nothing_else(name, step, when):
    conv = SCGEConv(2, 3, **LAYERS[name]).double()
    x = torch.randn(3, 20, 2, dtype=torch.float64)
    y, calls = conv(x), []
    handle = getattr(conv, f"register_{step}_forward{when}_hook")(lambda *inputs: calls.append(inputs[0]))
    torch.testing.assert_close(conv(x), y)
    assert calls == [conv]
    handle.remove()
    assert torch.equal(conv(x), y)
    assert calls == [conv]


@pytest.mark.parametrize("name", LAYERS)
def test_what_hooks_see_makes_up_the_output(name):
    conv, seen = SCGEConv(2, 3, **LAYERS[name]), {}
    conv.register_message_forward_hook(lambda _, inputs, out: seen.update(inputs[0], message=out))
    conv.register_propagate_forward_hook(lambda _, inputs, out: seen.update(edge_index=inputs[0], sum=out))
    x = torch.randn(3, 20, 2)
    _, (edge_index, alpha) = conv(x, return_attention_weights=True)
    assert torch.equal(seen["edge_index"], edge_index)
    torch.testing.assert_close(seen["x_j"], x[:, edge_index[0]])
    torch.testing.assert_close(seen["alpha"].view(edge_index.shape[1], -1, conv.heads), edges_first(alpha))
    total = torch.zeros_like(seen["sum"]).index_add(1, edge_index[1], seen["message"])
    torch.testing.assert_close(seen["sum"], total)


def edges_first(alpha):
    """``[E, B or 1, H]``."""
    return alpha.view(-1, 1, 1) if alpha.dim() == 1 else alpha.transpose(0, 1)


def test_hooks_may_change_messages():
    conv = SCGEConv(2, 3, GRAPH)
    x = torch.randn(3, 20, 2)
    bias = conv.bias.expand(3, 20, 3)
    expected = 2 * (conv(x) - bias) + bias
    conv.register_message_forward_hook(lambda _, inputs, out: 2 * out)
    torch.testing.assert_close(conv(x), expected)
    with pytest.raises(ValueError, match="hooks on its messages are registered"):
        lower_to_conv(conv, strict=True)


@pytest.mark.parametrize("step", ["edge_update", "message_and_aggregate"])
@pytest.mark.parametrize("when", ["_pre", ""])
def test_hooks_that_would_never_be_called_are_refused(step, when):
    conv = SCGEConv(2, 3, GRAPH)
    with pytest.raises(ValueError, match=f"a hook on {step} would never be called.*return_attention_weights=True"):
        getattr(conv, f"register_{step}_forward{when}_hook")(print)
    assert not conv.watched


class Alone(torch.nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x, edge_index):
        return self.conv(x, edge_index) if isinstance(self.conv, GATConv) else self.conv(x)


def explained(conv, algorithm, x, edge_index, node=7):
    explainer = Explainer(
        Alone(conv).eval(),
        algorithm,
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "node", "return_type": "raw"},
    )
    return explainer(x, edge_index, index=node).edge_mask


def test_attention_is_explained_as_that_of_gat():
    conv = GATConv(2, 3, heads=2)
    layer, x = SCGEConv.from_gat(conv, GRAPH), torch.randn(20, 2)
    masks = [explained(one, AttentionExplainer(), x, GRAPH.edge_index) for one in (conv, layer)]
    assert masks[0].sum() > 0
    torch.testing.assert_close(*masks)


def test_edges_of_the_graph_come_first_and_in_its_order():
    layer = SCGEConv.from_gat(GATConv(2, 3), GRAPH)
    own = torch.arange(20).expand(2, -1)
    assert torch.equal(layer.edge_index, torch.cat([GRAPH.edge_index, own], 1))
    _, (edge_index, alpha) = layer(torch.randn(2, 20, 2), return_attention_weights=True)
    assert torch.equal(edge_index, layer.edge_index)
    total = torch.zeros(2, 20, 1).index_add(1, edge_index[1], alpha)
    torch.testing.assert_close(total, torch.ones(2, 20, 1))


def test_edges_of_nodes_that_are_not_live():
    pos = GRAPH.pos.clone()
    pos[7] = torch.nan
    kept = GRAPH.edge_index[:, (GRAPH.edge_index != 7).all(0)]
    layer = SCGEConv(2, 3, SharedGraph(pos, kept), neighbors="edges", self_loops=False, content="gat")
    assert torch.equal(layer.edge_index, torch.cat([kept, torch.tensor([[7], [7]])], 1))


@pytest.mark.parametrize("kind", ["gat", "taps"])
def test_masks_follow_the_edges_that_they_were_made_for(kind):
    conv = SCGEConv.from_gat(GATConv(2, 3), GRAPH) if kind == "gat" else SCGEConv(2, 3, GRAPH)
    x = torch.randn(20, 2)
    given = [conv.edge_index, GRAPH.edge_index] if kind == "gat" else [conv.edge_index]
    for edge_index in given:
        mask = explained(conv, GNNExplainer(epochs=5), x, edge_index)
        assert float(mask[edge_index[1] == 7].sum() / mask.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("graph", [GRAPH, SharedGraph.from_grid((20,))], ids=["plane", "chain"])
def test_a_mask_over_other_edges_is_refused(graph):
    """On a chain the kernel hears as many edges as the graph has with self-loops, in another order."""
    with pytest.raises(ValueError, match=r"explain the layer on its own wiring, explainer\(x, layer\.edge_index\)"):
        explained(SCGEConv(2, 3, graph), GNNExplainer(epochs=2), torch.randn(20, 2), graph.edge_index)
