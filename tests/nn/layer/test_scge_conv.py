import copy

import pytest
import torch

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import NodeEmbedding, SCGEConv
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all, assert_permutation_equivariant


def explained(conv, x):
    """The output by PyG's propagate, as an explainer with a mask of ones asks for it."""
    conv.explain, conv._apply_sigmoid = True, False
    conv._edge_mask = torch.nn.Parameter(torch.ones(conv.edge_index.shape[1], dtype=x.dtype))
    try:
        return conv(x)
    finally:
        conv.explain, conv._edge_mask = False, None


def by_formula(conv, x):
    """Section "The layer" as loops: one sample, one target, one edge, one tap at a time."""
    edge_index, _, phi = conv.product.wiring()
    y = conv.bias.expand(x.shape[0], conv.target.num_nodes, -1).clone()
    for sample in range(len(x)):
        for (j, i), weights in zip(edge_index.t().tolist(), phi, strict=True):
            for p in weights.nonzero().flatten().tolist():
                y[sample, i] += weights[p] * (x[sample, j] @ conv.weight[p])
    return y


KINDS = ("lattice", "irregular", "strided", "transposed")


@pytest.fixture
def make_conv(make_lattice_graph, irregular_graph):
    def make(kind, in_channels=3, out_channels=4, **kwargs):
        graph = irregular_graph if kind == "irregular" else make_lattice_graph((6, 5), missing=3, dead=2, unplaced=1)
        if kind == "strided":
            return SCGEConv(in_channels, out_channels, (graph, graph.coarsen(stride=2)[0]), **kwargs)
        if kind == "transposed":
            return SCGEConv(in_channels, out_channels, (graph.coarsen(stride=2)[0], graph), **kwargs)
        return SCGEConv(in_channels, out_channels, graph, **kwargs)

    return make


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


def test_repr(make_conv):
    assert str(SCGEConv(3, 8, SharedGraph.from_grid((4, 5)))) == "SCGEConv(3, 8, nodes=20, taps=9)"
    assert str(make_conv("strided")) == "SCGEConv(3, 4, nodes=27->9, taps=9)"


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_formula(kind, make_conv):
    conv = make_conv(kind).double()
    x = torch.randn(2, conv.source.num_nodes, 3, dtype=torch.float64)
    torch.testing.assert_close(conv(x), by_formula(conv, x))


@pytest.mark.parametrize("kind", KINDS)
def test_fused_path_equals_propagate(kind, make_conv, dtype):
    conv = make_conv(kind).to(dtype)
    x = torch.randn(3, conv.source.num_nodes, 3, dtype=dtype)
    results = []
    for explain in (False, True):
        leaf = x.clone().requires_grad_()
        y = explained(conv, leaf) if explain else conv(leaf)
        grads = torch.autograd.grad((y * y.detach().cos()).sum(), (leaf, conv.weight, conv.bias))
        results.append((y, *grads))
    for fused, propagated in zip(*results, strict=True):
        torch.testing.assert_close(fused, propagated)


def test_many_nodes_take_several_blocks():
    conv = SCGEConv(3, 4, SharedGraph.from_grid((40, 41)), kernel_size=(3, 5)).double()
    assert len(conv.product.blocks[0]) > 2
    x = torch.randn(2, 1640, 3, dtype=torch.float64)
    y, expected = conv(x), explained(conv, x)
    torch.testing.assert_close(y, expected)
    upstream = torch.randn_like(y)
    found, truth = (torch.autograd.grad(one, conv.weight, upstream)[0] for one in (y, expected))
    torch.testing.assert_close(found, truth)


@pytest.mark.parametrize("channels", [(1, 2), (40, 1), (70, 3)])
def test_first_and_second_derivatives(channels):
    graph = SharedGraph.from_pos(torch.rand(5, 2, generator=torch.Generator().manual_seed(0)) * 2)
    conv = SCGEConv(*channels, graph).double()
    x = torch.randn(2, 5, channels[0], dtype=torch.float64, requires_grad=True)

    def run(x, weight, bias):
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, (x,))

    inputs = (x, conv.weight, conv.bias)
    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_from_conv2d(kernel, stride, padding, dilation):
    conv = torch.nn.Conv2d(3, 4, kernel, stride, padding, dilation, dtype=torch.float64)
    x = torch.randn(2, 3, 9, 12, dtype=torch.float64)
    y = SCGEConv.from_conv2d(conv, (9, 12))(x.flatten(2).mT)
    assert (y.mT - conv(x).flatten(2)).abs().max() < 1e-12


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": 3, "padding": "valid", "bias": False},
        {"kernel_size": (2, 5), "stride": (3, 1), "padding": (0, 3), "dilation": (3, 2)},
        {"kernel_size": 1, "stride": 4, "padding": 5},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_from_conv2d_with_other_kernels(options):
    conv = torch.nn.Conv2d(3, 4, **options, dtype=torch.float64)
    x = torch.randn(2, 3, 9, 12, dtype=torch.float64)
    y = SCGEConv.from_conv2d(conv, (9, 12))(x.flatten(2).mT)
    assert (y.mT - conv(x).flatten(2)).abs().max() < 1e-12


def test_from_conv2d_refuses():
    with pytest.raises(ValueError, match="padding_mode must be 'zeros', got 'circular'"):
        SCGEConv.from_conv2d(torch.nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), (8, 8))
    with pytest.raises(ValueError, match="smaller than the kernel"):
        SCGEConv.from_conv2d(torch.nn.Conv2d(3, 4, 5), (8, 4))


def test_transposed_layer_equals_conv_transpose():
    graph = SharedGraph.from_grid((6, 9))
    conv = SCGEConv(3, 4, (graph.coarsen(stride=2)[0], graph)).double()
    x = torch.randn(2, 15, 3, dtype=torch.float64)
    weight = conv.weight.permute(1, 2, 0).unflatten(2, (3, 3)).flip(2, 3)
    grid = x.mT.unflatten(2, (3, 5))
    expected = torch.nn.functional.conv_transpose2d(grid, weight, conv.bias, stride=2, padding=1, output_padding=(1, 0))
    torch.testing.assert_close(conv(x).mT, expected.flatten(2))


def test_dead_nodes_give_the_self_tap_plus_bias_and_are_never_heard(make_conv, make_lattice_graph, irregular_graph):
    for kind, silent in (("lattice", [0, 1, 2]), ("irregular", [3, 17])):
        conv = make_conv(kind).double()
        x = torch.randn(1, conv.source.num_nodes, 3, dtype=torch.float64)
        y = conv(x)
        torch.testing.assert_close(y[:, silent], x[:, silent] @ conv.weight[4] + conv.bias)
        x[:, silent] += 100
        others = [i for i in range(conv.source.num_nodes) if i not in silent]
        assert torch.equal(conv(x)[:, others], y[:, others])


def test_a_ring_smaller_than_the_kernel():
    ring = SharedGraph.from_grid((3,), periodic=(True,))
    conv = SCGEConv(2, 2, ring, kernel_size=5).double()
    x = torch.randn(1, 3, 2, dtype=torch.float64)
    dense = torch.nn.functional.pad(x.mT, (2, 2), mode="circular")
    expected = torch.nn.functional.conv1d(dense, conv.weight.permute(2, 1, 0), conv.bias)
    torch.testing.assert_close(conv(x).mT, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_layouts_agree_and_samples_are_independent(kind, make_conv, dtype):
    conv = make_conv(kind).to(dtype)
    x = torch.randn(3, conv.source.num_nodes, 3, dtype=dtype)
    y = conv(x)
    torch.testing.assert_close(conv(x.flatten(0, 1)), y.flatten(0, 1))
    torch.testing.assert_close(conv(x[0]), y[0])
    assert_batch_equals_loop(conv, x)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_weight(kind, make_conv, dtype):
    conv = make_conv(kind).to(dtype)
    assert_gradients_reach_all(conv, torch.randn(2, conv.source.num_nodes, 3, dtype=dtype))


def test_shuffling_the_nodes_shuffles_the_result(dtype):
    pos = torch.rand(30, 2, generator=torch.Generator().manual_seed(2)) * 5

    def build(order):
        torch.manual_seed(0)
        return SCGEConv(3, 4, SharedGraph.from_pos(pos[order])).to(dtype)

    assert_permutation_equivariant(build, torch.randn(2, 30, 3, dtype=dtype))


def test_state_dict_holds_the_parameters_and_the_fingerprint(make_conv):
    conv, other = make_conv("lattice"), make_conv("lattice")
    assert set(conv.state_dict()) == {"weight", "bias", "_extra_state"}
    other.load_state_dict(conv.state_dict())
    x = torch.randn(2, conv.source.num_nodes, 3)
    assert torch.equal(other(x), conv(x))
    assert set(make_conv("lattice", bias=False).state_dict()) == {"weight", "_extra_state"}


def test_deepcopy_is_independent(make_conv):
    conv = make_conv("irregular")
    x = torch.randn(2, conv.source.num_nodes, 3)
    twin, y = copy.deepcopy(conv), conv(x)
    with torch.no_grad():
        conv.weight.zero_()
    assert torch.equal(twin(x), y)


def test_initial_weights_follow_conv2d():
    conv = SCGEConv(16, 64, SharedGraph.from_grid((4, 4)))
    bound = (16 * 9) ** -0.5
    assert conv.weight.abs().max() <= bound
    assert conv.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    before = conv.weight.clone()
    conv.reset_parameters()
    assert not torch.equal(conv.weight, before)


def test_autocast(make_conv):
    conv = make_conv("irregular")
    x = torch.randn(2, conv.source.num_nodes, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = conv(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), conv(x), atol=0.03, rtol=0.03)
    y.float().square().sum().backward()
    assert conv.weight.grad.dtype == torch.float32


def test_wiring_is_open(make_conv):
    conv = SCGEConv(3, 4, SharedGraph.from_grid((3, 3)))
    wired = set(map(tuple, conv.edge_index.t().tolist()))
    assert len(wired) == 49
    assert {(j, 4) for j in range(9)} <= wired
    assert (0, 2) not in wired


@pytest.mark.filterwarnings("ignore")
def test_one_compiled_graph_serves_all_batch_sizes(make_conv):
    from torch._dynamo.testing import CompileCounter

    conv = make_conv("irregular")
    torch._dynamo.reset()
    counter = CompileCounter()
    compiled = torch.compile(conv, backend=counter, fullgraph=True, dynamic=True)
    for batch in (2, 3, 5, 7):
        x = torch.randn(batch, conv.source.num_nodes, 3)
        y = compiled(x)
        torch.testing.assert_close(y, conv(x))
        y.sum().backward()
    assert counter.frame_count == 1


def test_bad_arguments(irregular_graph):
    with pytest.raises(TypeError, match="SharedGraph"):
        SCGEConv(3, 4, torch.zeros(5, 2))
    with pytest.raises(TypeError, match="SharedGraph"):
        SCGEConv(3, 4, (irregular_graph,))
    with pytest.raises(ValueError, match="in_channels"):
        SCGEConv(0, 4, irregular_graph)
    conv = SCGEConv(3, 4, irregular_graph)
    for shape in ((2, 40, 2), (2, 39, 3), (41, 3), (40,), (1, 2, 40, 3)):
        with pytest.raises(ValueError, match=r"x must be \[B, 40, 3\]"):
            conv(torch.zeros(shape))


def test_empty_batch(make_conv):
    conv = make_conv("lattice")
    y = conv(torch.zeros(0, conv.source.num_nodes, 3))
    assert y.shape == (0, conv.target.num_nodes, 4)
    y.sum().backward()
    assert not conv.weight.grad.any()


def test_parts_that_stand_apart_never_meet():
    """A grid beside an irregular cloud, five spacings away: a kernel of 7 taps reaches less than four."""
    cloud = torch.rand(25, 2, generator=torch.Generator().manual_seed(3)) * 5 + torch.tensor([0.0, 10.0])
    pos = torch.cat([SharedGraph.from_grid((5, 5)).pos, cloud])
    near = torch.cdist(pos, pos) < 2
    graph = SharedGraph(pos, (near & ~torch.eye(50, dtype=torch.bool)).nonzero().T)
    part = torch.arange(50) // 25
    for kernel_size in (3, 5, 7):
        for options in ({}, {"content": "dot"}):
            conv = SCGEConv(1, 1, graph, kernel_size=kernel_size, **options)
            assert torch.equal(part[conv.edge_index[0]], part[conv.edge_index[1]])
    assert (SCGEConv(1, 1, graph, kernel_size=21).edge_index < 25).any(0).sum() > (part[conv.edge_index[0]] == 0).sum()


def test_a_graph_without_geometry_is_refused():
    graph = SharedGraph(torch.zeros(6, 0), torch.tensor([[0, 1], [1, 0]]), dim=0)
    with pytest.raises(ValueError, match=r"dim 0.*OnSharedGraph.*discover\(x, dim=2\)"):
        SCGEConv(3, 4, graph)
    with pytest.raises(ValueError, match="dim 0"):
        SCGEConv(3, 4, (graph, graph), content="gat", neighbors="edges")


FORMS = [{}, {"kernel": "mlp"}, {"content": "dot"}, {"k": 4}, {"num_bases": 2, "root_weight": True}]


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_a_graph_in_double_precision_takes_a_layer_in_single(options, irregular_graph):
    x = torch.randn(2, 40, 3)
    results = []
    for pos in (irregular_graph.pos, irregular_graph.pos.double()):
        torch.manual_seed(0)
        conv = SCGEConv(3, 4, SharedGraph(pos, irregular_graph.edge_index), **options)
        results.append(conv(x))
    assert results[1].dtype == torch.float32
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("kernel", ["points", "mlp", None])
def test_node_sets_of_two_precisions_meet(kernel):
    graph, results = SharedGraph.from_grid((6, 6)), []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        conv = SCGEConv(3, 4, (graph, NodeEmbedding.from_points(graph.pos[:5].to(dtype))), k=4, kernel=kernel)
        results.append(conv(torch.ones(2, 36, 3)))
    torch.testing.assert_close(*results)
