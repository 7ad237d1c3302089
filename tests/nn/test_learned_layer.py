"""SCGEConv with trainable places, chosen neighbours, content, bases: against loops over nodes, edges and taps."""

import copy
import math

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.explain import Explainer, GNNExplainer

from scge_pyg import NodeEmbedding, SCGEConv, SharedGraph
from scge_pyg.nn import transfer
from scge_pyg.nn.fixed.neighbor_product import blended_weights
from scge_pyg.nn.fixed.neighborhood import edge_table
from scge_pyg.nn.fixed.tap_table import tap_spacing
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all, assert_permutation_equivariant

VARIANTS = {
    "points": {},
    "trained points": {"train_points": True},
    "mlp": {"kernel": "mlp"},
    "no kernel": {"kernel": None},
    "bases": {"num_bases": 3},
    "root": {"root_weight": True},
    "gat": {"content": "gat", "heads": 2},
    "gatv2": {"content": "gatv2", "heads": 2, "concat": False},
    "dot": {"content": "dot", "heads": 2, "num_bases": 2},
    "all": {"content": "dot", "k": 18, "kernel": None},
    "soft": {"estimator": "soft"},
    "symmetric": {"symmetric": True},
    "sharp": {"tau": 0.3},
}


def jittered(side=4, seed=0):
    """18 of 20 nodes live, at places that are no grid."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.cartesian_prod(torch.arange(5), torch.arange(side)).double()
    pos = cells + 0.3 * torch.rand(5 * side, 2, generator=generator, dtype=torch.float64)
    pos[[2, 11]] = torch.nan
    return pos.float()


@pytest.fixture(params=VARIANTS)
def layer(request):
    torch.manual_seed(0)
    options = {"k": 5, **VARIANTS[request.param]}
    return SCGEConv(3, 4, NodeEmbedding.from_points(jittered()), **options).double()


def by_loops(layer, x):
    """The formula of the docstring, with the softmax over the neighbours of the layer's own wiring."""
    places = layer.source().detach().double()
    engine = layer.product
    edge_index = layer.edge_index
    heads, bases, out = layer.heads, layer.num_bases, layer.out_channels
    weight = layer.weight.detach().view(-1, layer.in_channels, bases, heads, out)
    y = torch.zeros(x.shape[0], layer.num_targets, heads, out, dtype=x.dtype)
    for sample in range(x.shape[0]):
        for i in range(layer.num_targets):
            near = edge_index[0, edge_index[1] == i].tolist()
            offset = torch.stack([places[j] - places[i] for j in near])
            for h in range(heads):
                logit = -offset.square().sum(1) / engine.tau
                if engine.content is not None:
                    logit = logit + torch.stack([score(engine.content, x[sample, j], x[sample, i], h) for j in near])
                alpha = logit.softmax(0)
                for j, a, delta in zip(near, alpha, offset, strict=True):
                    phi = torch.ones(1, dtype=x.dtype) if engine.kernel is None else engine.kernel(delta).detach()
                    for b in range(bases):
                        gate = 1.0 if layer.gate is None else layer.gate[i, b].detach()
                        for p in range(weight.shape[0]):
                            y[sample, i, h] += gate * a * phi[p] * (x[sample, j] @ weight[p, :, b, h])
    y = y.flatten(2) if layer.concat else y.mean(2)
    if layer.root is not None:
        y = y + x @ layer.root.detach()
    return y + layer.bias.detach()


def score(content, source, target, head):
    key = content.source(source).view(content.heads, -1)[head].detach()
    query = content.target(target).view(content.heads, -1)[head].detach()
    if content.kind == "dot":
        return key @ query / math.sqrt(key.numel())
    hidden = torch.nn.functional.leaky_relu(key + query, 0.2)
    return hidden.squeeze(-1) if content.kind == "gat" else (hidden * content.vector[head].detach()).sum(-1)


def test_equals_the_formula(layer):
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter is not layer.source.weight:
                parameter.normal_()
    x = torch.randn(2, 20, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x).detach(), by_loops(layer, x), rtol=1e-10, atol=1e-10)


def explained(layer, x):
    layer.explain, layer._apply_sigmoid = True, False
    layer._edge_mask = torch.nn.Parameter(torch.ones(layer.edge_index.shape[1], dtype=x.dtype))
    try:
        return layer(x)
    finally:
        layer.explain, layer._edge_mask = False, None


def test_fused_path_equals_propagate(layer):
    x = torch.randn(2, 20, 3, dtype=torch.float64)
    results = []
    for path in (layer, lambda x: explained(layer, x)):
        y = path(x)
        names = [name for name, p in layer.named_parameters()]
        grads = torch.autograd.grad(y.cos().sum(), list(layer.parameters()), allow_unused=True)
        results.append(dict(zip(["y", *names], [y, *grads], strict=True)))
    for name, value in results[0].items():
        torch.testing.assert_close(value, results[1][name], msg=name)


def test_batches_gradients_and_layouts(layer):
    torch.manual_seed(1)
    x = torch.randn(3, 20, 3, dtype=torch.float64)
    assert_batch_equals_loop(layer, x)
    if layer.product.kernel is not None and layer.product.content is None:
        assert_gradients_reach_all(layer, x)
    y = layer(x)
    torch.testing.assert_close(layer(x.flatten(0, 1)), y.flatten(0, 1))
    torch.testing.assert_close(layer(x[0]), y[0])
    rows = torch.randperm(20)
    torch.testing.assert_close(layer(x[1, rows], node_id=rows), y[1, rows])
    batch = Batch.from_data_list([Data(x=one) for one in x])
    torch.testing.assert_close(layer(batch), y.flatten(0, 1))
    assert y.isfinite().all()


def test_places_get_the_gradient_of_the_function(layer):
    """Central differences, where no neighbour changes."""
    x = torch.randn(2, 20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    table = layer.source.weight
    loss = layer(x).cos().sum()
    (grad,) = torch.autograd.grad(loss, table)
    wiring = layer.edge_index
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        direction = torch.randn(table.shape, generator=generator, dtype=table.dtype)
        values = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                table += step * direction
            assert torch.equal(layer.edge_index, wiring)
            values.append(float(layer(x).cos().sum().detach()))
            with torch.no_grad():
                table -= step * direction
        numeric = (values[0] - values[1]) / 2e-6
        assert numeric == pytest.approx(float((grad * direction).sum()), rel=1e-4, abs=1e-6)


def test_samples_with_missing_nodes():
    """Softmax among the neighbours that are there; the others are as if the modality never had them."""
    torch.manual_seed(0)
    pos = jittered()[torch.tensor([0, 1, 3, 4, 5, 6, 7, 8])]
    whole = SCGEConv(3, 4, NodeEmbedding.from_points(pos), k=8, content="dot").double()
    part = torch.tensor([5, 0, 3, 6])
    alone = SCGEConv(3, 4, NodeEmbedding.from_points(pos[part]), k=4, content="dot").double()
    alone.load_state_dict(
        {
            k: v
            for k, v in whole.state_dict().items()
            if "table" not in k and "source.weight" not in k and "live" not in k
        },
        strict=False,
    )
    alone.product.content.load_state_dict(whole.product.content.state_dict())
    x = torch.randn(4, 3, dtype=torch.float64)
    batch = torch.zeros(4, dtype=torch.long)
    torch.testing.assert_close(whole(x, node_id=part, batch=batch), alone(x))
    fixed = SCGEConv(3, 4, SharedGraph.from_grid((4, 5))).double()
    dense = torch.zeros(2, 20, 3, dtype=torch.float64)
    sample, node = torch.tensor([0, 0, 1]), torch.tensor([3, 7, 7])
    values = torch.randn(3, 3, dtype=torch.float64)
    dense[sample, node] = values
    torch.testing.assert_close(fixed(values, node, sample), fixed(dense)[sample, node])


@pytest.mark.parametrize(
    ("node_id", "batch", "match"),
    [
        ([0, 0], None, "holds a node twice"),
        ([0, 20], None, "must lie in 0..19, got 0 to 20"),
        ([0], None, r"node_id \(and batch\) \[M\]"),
        ([0, 1], [0], r"node_id \(and batch\) \[M\]"),
    ],
)
def test_bad_node_ids(node_id, batch, match):
    layer = SCGEConv(3, 4, SharedGraph.from_grid((4, 5)))
    with pytest.raises(ValueError, match=match):
        layer(torch.zeros(2, 3), torch.tensor(node_id), None if batch is None else torch.tensor(batch))


def test_attention_weights(layer):
    x = torch.randn(2, 20, 3, dtype=torch.float64)
    y, (edge_index, alpha) = layer(x, return_attention_weights=True)
    torch.testing.assert_close(y, layer(x))
    assert torch.equal(edge_index, layer.edge_index)
    per_edge = alpha if alpha.dim() == 1 else alpha[0, :, 0]
    total = torch.zeros(20, dtype=torch.float64).index_add(0, edge_index[1], per_edge.detach())
    torch.testing.assert_close(total, torch.ones(20, dtype=torch.float64))
    if alpha.dim() == 3:
        assert alpha.shape == (2, edge_index.shape[1], layer.heads)


def test_symmetric_wiring():
    layer = SCGEConv(3, 4, NodeEmbedding(40, 2, seed=1), k=5, symmetric=True)
    edges = set(map(tuple, layer.edge_index.T.tolist()))
    assert edges == {(j, i) for i, j in edges}
    assert len(edges) < len(set(map(tuple, SCGEConv(3, 4, layer.source, k=5).edge_index.T.tolist())))


@pytest.mark.parametrize("content", [None, "dot"])
def test_pairs_of_node_sets(content):
    torch.manual_seed(0)
    fine = NodeEmbedding.from_grid((6, 6))
    coarse = fine.coarsen(9)
    x, z = torch.randn(2, 36, 3), torch.randn(2, 9, 3)
    down, up = (SCGEConv(3, 4, pair, k=4, content=content) for pair in ((fine, coarse), (coarse, fine)))
    assert down((x, z)).shape == (2, 9, 4)
    assert up((z, x)).shape == (2, 36, 4)
    if content is None:
        torch.testing.assert_close(down(x), down((x, z)))
        assert_gradients_reach_all(down, x)
    else:
        with pytest.raises(ValueError, match="needs a pair"):
            down(x)
    mixed = SCGEConv(3, 4, (SharedGraph.from_grid((6, 6)), coarse), k=4)
    assert mixed(x).shape == (2, 9, 4)
    assert mixed.trainable


def test_nodes_that_are_not_live_are_never_heard_and_hear_themselves():
    torch.manual_seed(0)
    layer = SCGEConv(3, 4, NodeEmbedding.from_points(jittered()), k=5)
    x = torch.randn(2, 20, 3)
    changed = x.clone()
    changed[:, [2, 11]] += 1
    live = layer.source.live
    torch.testing.assert_close(layer(x)[:, live], layer(changed)[:, live])
    centre = layer.weight[layer.product.taps // 2]
    torch.testing.assert_close(layer(x)[:, 2], x[:, 2] @ centre + layer.bias)


def test_layers_share_a_table():
    table = NodeEmbedding(30, 2)
    net = torch.nn.Sequential(SCGEConv(3, 4, table), SCGEConv(4, 2, table))
    assert sum(p is table.weight for p in net.parameters()) == 1
    with torch.no_grad():
        table.weight.add_(1.0)
    moved = table.weight.clone()
    SCGEConv(3, 4, table).reset_parameters()
    assert torch.equal(table.weight, moved)
    own = SCGEConv(3, 4, num_nodes=30)
    start = own.source.weight.clone()
    with torch.no_grad():
        own.source.weight.add_(1.0)
    own.reset_parameters()
    assert torch.equal(own.source.weight, start)


def test_candidates_follow_the_places():
    layer = SCGEConv(3, 4, NodeEmbedding.from_grid((4, 5)), k=3, candidates=4, refresh_every=2)
    x = torch.randn(1, 20, 3)
    with torch.no_grad():
        layer.source.weight.copy_(layer.source.weight.flip(0)[torch.randperm(20)])
    distance = torch.cdist(layer.source(), layer.source())
    expected = distance.topk(3, largest=False).values.sum().detach()

    def listened():
        row = layer.edge_index
        return distance[row[0], row[1]].sum().detach()

    layer(x), layer(x)
    assert listened() > expected + 1
    layer(x)
    torch.testing.assert_close(listened(), expected)
    with torch.no_grad():
        layer.source.weight.copy_(layer.source.weight[torch.randperm(20)])
    layer.eval()
    for _ in range(5):
        layer(x)
    before = layer.product.table.index.clone()
    layer.refresh()
    assert not torch.equal(before, layer.product.table.index)


def test_saved_and_copied(layer):
    x = torch.randn(2, 20, 3, dtype=torch.float64)
    twin = copy.deepcopy(layer)
    torch.testing.assert_close(twin(x), layer(x))
    with torch.no_grad():
        twin.source.weight.add_(torch.randn_like(twin.source.weight))
    twin.refresh()
    assert not torch.equal(twin(x), layer(x))
    twin.load_state_dict(layer.state_dict())
    torch.testing.assert_close(twin(x), layer(x))
    assert sum("weight" in key and value.shape == (18, 2) for key, value in layer.state_dict().items()) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shuffling_the_nodes_shuffles_the_result(dtype):
    pos = jittered().to(dtype)
    torch.manual_seed(0)
    first = SCGEConv(3, 4, NodeEmbedding.from_points(pos), k=5, content="gat").to(dtype)

    def build(order):
        layer = SCGEConv(3, 4, NodeEmbedding.from_points(pos[order]), k=5, content="gat").to(dtype)
        for mine, other in ((layer.weight, first.weight), (layer.bias, first.bias)):
            mine.data.copy_(other.data)
        layer.product.content.load_state_dict(first.product.content.state_dict())
        return layer

    assert_permutation_equivariant(build, torch.randn(2, 20, 3, dtype=dtype))


def test_autocast(layer):
    layer = layer.float()
    x = torch.randn(2, 20, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), rtol=0.1, atol=0.1)
    y.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("name", ["points", "mlp", "bases", "gat", "dot", "all", "soft"])
def test_one_compiled_graph_serves_all_batch_sizes(name):
    from torch._dynamo.testing import CompileCounter

    torch.manual_seed(0)
    layer = SCGEConv(3, 4, NodeEmbedding.from_points(jittered()), **{"k": 5, **VARIANTS[name]})
    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(layer, backend=counter, fullgraph=True, dynamic=True)
    for step in range(50):
        x = torch.randn(2 + step * 62 // 49, 20, 3)
        y = compiled(x)
        if step % 10 == 0:
            torch.testing.assert_close(y, layer(x))
            layer.refresh()
            y.sum().backward()
    assert counter.frame_count == 1


class Pooled(torch.nn.Module):
    """A graph classifier with the layer inside."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.head = torch.nn.Linear(layer.weight.shape[2] // layer.num_bases, 2)

    def forward(self, x, edge_index):
        return self.head(self.layer(x).relu().mean(0, keepdim=True))


@pytest.mark.parametrize("kind", ["fixed", "points", "gat"])
def test_explained_by_gnn_explainer(kind):
    torch.manual_seed(0)
    if kind == "fixed":
        layer = SCGEConv(3, 4, SharedGraph.from_grid((4, 5)))
    else:
        options = {"k": 5, **VARIANTS[kind]}
        options.pop("heads", None)
        layer = SCGEConv(3, 4, NodeEmbedding.from_points(jittered()), **options)
    model = Pooled(layer).eval()
    explainer = Explainer(
        model,
        GNNExplainer(epochs=3),
        explanation_type="model",
        node_mask_type="attributes",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "graph", "return_type": "raw"},
    )
    explanation = explainer(torch.randn(20, 3), layer.edge_index)
    assert explanation.edge_mask.shape == (layer.edge_index.shape[1],)
    assert (explanation.edge_mask > 0).float().mean() > 0.5
    assert explanation.edge_mask.std() > 0


def test_gates_can_be_read():
    layer = SCGEConv(3, 4, SharedGraph.from_grid((4, 5)), num_bases=2)
    assert layer.gate.shape == (20, 2)
    assert_gradients_reach_all(layer, torch.randn(2, 20, 3))
    with torch.no_grad():
        layer.gate.zero_()
        layer.gate[3, 1] = 1.0
    plain = SCGEConv(3, 4, SharedGraph.from_grid((4, 5)))
    with torch.no_grad():
        plain.weight.copy_(layer.weight.view(9, 3, 2, 4)[:, :, 1])
        plain.bias.copy_(layer.bias)
    x = torch.randn(2, 20, 3)
    torch.testing.assert_close(layer(x)[:, 3], plain(x)[:, 3])
    torch.testing.assert_close(layer(x)[:, 4], layer.bias.expand(2, 4))


def test_content_on_a_fixed_geometry():
    torch.manual_seed(0)
    graph = SharedGraph.from_grid((4, 5))
    layer = SCGEConv(3, 4, graph, content="gat")
    y, (edge_index, alpha) = layer(torch.randn(2, 20, 3), return_attention_weights=True)
    assert torch.equal(edge_index, SCGEConv(3, 4, graph).edge_index)
    assert alpha.shape == (2, edge_index.shape[1], 1)
    assert y.shape == (2, 20, 4)


@pytest.mark.parametrize("width", [2, 5])
@pytest.mark.parametrize("options", [{"content": "dot", "heads": 2}, {"content": "gat", "k": 2}, {"k": 2}])
def test_large_batches_mix_the_matrices_instead_of_the_features(options, width):
    """Each sample alone goes the other way."""
    layer = SCGEConv(3, width, NodeEmbedding.from_points(jittered()), **{"k": 3, **options}).double()
    assert blended_weights(64, layer.product.estimator.k, 9, width)
    assert not blended_weights(1, layer.product.estimator.k, 9, width)
    x = torch.randn(64, 20, 3, dtype=torch.float64)
    assert_batch_equals_loop(layer, x)
    grads = []
    for y in (layer(x), torch.cat([layer(sample) for sample in x.split(1)])):
        grads.append(torch.autograd.grad(y.cos().sum(), [*layer.parameters()]))
    torch.testing.assert_close(grads[0], grads[1])


@pytest.mark.parametrize("name", ["topk", "gumbel", "reinforce"])
def test_looking_at_the_wiring_leaves_no_draw_behind(name):
    layer = SCGEConv(3, 4, num_nodes=20, k=4, estimator=name)
    assert layer.edge_index.shape[0] == 2
    if name == "reinforce":
        x, losses = torch.randn(2, 20, 3), []
        for _ in range(2):
            losses.append(layer(x).square().mean())
            assert layer.edge_index.shape == (2, 80)
        layer.product.estimator.surrogate(torch.stack(losses)).backward()
        assert layer.source.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "options", [{"train_points": True}, {"kernel": "points", "content": None, "train_points": True, "num_bases": 2}]
)
def test_general_engine_on_a_lattice_is_the_convolution(options):
    """On a lattice every hat is 0 or 1, so the padded table and the tap table must agree."""
    torch.manual_seed(0)
    graph = SharedGraph.from_grid((5, 6))
    general = SCGEConv(3, 4, graph, kernel_size=(3, 5), **options).double()
    plain = SCGEConv(3, 4, graph, kernel_size=(3, 5), num_bases=general.num_bases).double()
    with torch.no_grad():
        for name in ("weight", "bias", "gate"):
            if getattr(plain, name) is not None:
                getattr(plain, name).copy_(getattr(general, name))
    x = torch.randn(2, 30, 3, dtype=torch.float64)
    torch.testing.assert_close(general(x), plain(x), rtol=1e-10, atol=1e-10)
    assert torch.equal(general.edge_index, plain.edge_index)


def test_taps_of_a_coarse_lattice_lie_as_far_apart_as_its_nodes():
    """The same 5x6 grid with cells one and four spacings apart."""
    wide, _ = SharedGraph.from_grid((20, 24)).coarsen(stride=4)
    narrow = SharedGraph.from_grid((5, 6))
    x = torch.randn(2, 30, 3, dtype=torch.float64)
    layers = []
    for graph in (narrow, wide):
        torch.manual_seed(0)
        layers.append(SCGEConv(3, 4, graph, content="dot").double())
    assert torch.equal(layers[0].edge_index, layers[1].edge_index)
    torch.testing.assert_close(layers[1](x), layers[0](x))


def test_fixed_places_hear_the_k_nearest():
    pos = jittered()
    layer = SCGEConv(3, 4, SharedGraph.from_pos(pos, k=4), k=5)
    live = pos.isfinite().all(1).nonzero().squeeze(1)
    nearest = torch.cdist(pos[live], pos[live]).topk(5, largest=False).indices
    found = [set(layer.edge_index[0, layer.edge_index[1] == i].tolist()) for i in live.tolist()]
    assert found == [set(live[row].tolist()) for row in nearest]
    before = layer.edge_index
    layer.refresh()
    assert torch.equal(layer.edge_index, before)


def test_dense_weights_are_refused_before_anything_is_built():
    with pytest.raises(ValueError, match=r"takes at most 4096 sources, got 5000; use 'topk'"):
        SCGEConv(3, 4, num_nodes=5000, estimator="soft")


def test_edge_table():
    index, valid = edge_table(torch.tensor([[4, 1, 2, 0], [0, 0, 2, 0]]), 3)
    assert index[0].tolist() == [4, 1, 0]
    assert valid.sum(1).tolist() == [3, 0, 1]


@pytest.mark.parametrize(("kernel_size", "ends"), [(3, (0, 0)), (4, (0, 1)), (4, (1, 0))])
def test_support_of_moving_places_equals_the_fixed_layer(kernel_size, ends):
    """Square, strided and transposed, at irregular places; two nodes have none."""
    pos = jittered(side=8)
    graph = SharedGraph(pos.nan_to_num(), torch.zeros(2, 0, dtype=torch.long), live=~pos.isnan()[:, 0])
    graphs = graph, graph.coarsen(num_nodes=10)[0]
    spacing = tap_spacing(*(graphs[end] for end in ends)).float()
    tables = [NodeEmbedding.from_points(one.pos / spacing, one.live) for one in graphs]
    moving, fixed = (
        SCGEConv(2, 3, (nodes[ends[0]], nodes[ends[1]]), kernel_size=kernel_size, **options)
        for nodes, options in ((tables, {"neighbors": "support"}), (graphs, {}))
    )
    transfer({name: moving.state_dict()[name] for name in ("weight", "bias")}, fixed)
    x = torch.randn(4, moving.num_sources, 2)
    torch.testing.assert_close(moving(x), fixed(x), atol=1e-4, rtol=1e-4)
    assert sorted(map(tuple, moving.edge_index.T.tolist())) == sorted(map(tuple, fixed.edge_index.T.tolist()))


@pytest.mark.parametrize("part", ["some", "all"])
def test_frozen_places_are_tabulated(part):
    """Same outputs and gradients as while they may move, and again after they were written to."""
    places = jittered() if part == "some" else jittered()[:9].nan_to_num()
    layers = []
    for _ in range(2):
        torch.manual_seed(0)
        layers.append(SCGEConv(2, 3, NodeEmbedding.from_points(places), neighbors="support", num_bases=2).double())
    moving, frozen = layers
    assert moving.product.tabulated() is None
    frozen.source.weight.requires_grad_(False)
    x = torch.randn(2, len(places), 2, dtype=torch.float64)
    for _ in range(2):
        assert frozen.product.tabulated() is frozen.product.tabulated()
        for layer in layers:
            layer.zero_grad()
            layer(x).square().sum().backward()
        torch.testing.assert_close(frozen(x), moving(x), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(frozen.weight.grad, moving.weight.grad, atol=1e-4, rtol=1e-4)
        with torch.no_grad():
            for layer in layers:
                layer.source.weight[3] += 0.3
    assert not any("_frozen" in name for name in frozen.state_dict())


def test_gradient_of_places_in_the_support_against_finite_differences():
    table = NodeEmbedding(12, 2, seed=3).double()
    conv = SCGEConv(1, 2, table, neighbors="support").double().eval()
    x = torch.randn(2, 12, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def outputs(places):
        return torch.func.functional_call(conv, {"product.source.weight": places}, (x,))

    assert torch.autograd.gradcheck(outputs, (table.weight.detach().clone().requires_grad_(),))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "give either nodes or num_nodes"),
        ({"num_nodes": 10, "nodes": NodeEmbedding(10)}, "give either nodes or num_nodes"),
        ({"num_nodes": 10, "k": 11}, "k=11 neighbours are more than the 10 live source nodes"),
        ({"num_nodes": 10, "k": 0}, "k must be a positive integer"),
        ({"num_nodes": 10, "heads": 2}, "would all be alike without content"),
        ({"num_nodes": 10, "content": "cosine"}, "content must be one of"),
        ({"num_nodes": 10, "kernel": "box"}, "kernel must be 'points', 'mlp' or None"),
        ({"num_nodes": 10, "tau": -1.0}, "tau must be positive"),
        ({"num_nodes": 10, "neighbors": "edges"}, "needs a fixed geometry"),
        ({"num_nodes": 10, "neighbors": "support", "kernel": "mlp"}, "takes kernel='points'"),
        ({"num_nodes": 10, "neighbors": "support", "content": "dot"}, "needs neighbors='nearest'"),
        ({"nodes": (NodeEmbedding(10), NodeEmbedding(10, 3))}, "in one frame"),
        ({"nodes": (NodeEmbedding(10), NodeEmbedding(5)), "symmetric": True}, "one node set"),
    ],
)
def test_bad_arguments(options, match):
    with pytest.raises(ValueError, match=match):
        SCGEConv(3, 4, **options)
