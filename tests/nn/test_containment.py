"""SCGE contains the convolution, the locally connected net, the linear layer, GAT and the Transformer: exactly."""

import itertools

import pytest
import torch
from torch.nn import functional as F
from torch_geometric.nn import GATConv, GATv2Conv, TransformerConv

from scge_pyg import SCGEConv, SharedGraph

SHAPES = {1: (11,), 2: (6, 9), 3: (5, 6, 4)}


@pytest.fixture(autouse=True)
def _double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def largest_difference(layer, conv, shape):
    x = torch.randn(2, conv.in_channels, *shape)
    expected = conv(x).detach()
    found = layer(x.flatten(2).mT).mT
    return float((found.detach() - expected.flatten(2)).abs().max())


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [
        *itertools.product([1, 3], [1, 2], [0, 1], [1], [1]),
        (3, 1, 2, 2, 1),
        (2, 2, 0, 1, 1),
        (3, 1, 1, 1, 2),
        (3, 2, 1, 1, 4),
    ],
)
def test_convolutions(dim, kernel, stride, padding, dilation, groups):
    make = getattr(torch.nn, f"Conv{dim}d")
    conv = make(4, 8, kernel, stride, padding, dilation, groups)
    layer = getattr(SCGEConv, f"from_conv{dim}d")(conv, SHAPES[dim])
    assert largest_difference(layer, conv, SHAPES[dim]) < 1e-12


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "output_padding", "groups", "dilation"),
    [
        (3, 1, 1, 0, 1, 1),
        (4, 2, 1, 0, 1, 1),
        (3, 2, 1, 1, 1, 1),
        (2, 2, 0, 0, 2, 1),
        (5, 3, 2, 2, 4, 1),
        (3, 2, 2, 1, 1, 2),
    ],
)
def test_transposed_convolutions(dim, kernel, stride, padding, output_padding, groups, dilation):
    make = getattr(torch.nn, f"ConvTranspose{dim}d")
    conv = make(4, 8, kernel, stride, padding, output_padding, groups, dilation=dilation)
    layer = getattr(SCGEConv, f"from_conv_transpose{dim}d")(conv, SHAPES[dim])
    assert largest_difference(layer, conv, SHAPES[dim]) < 1e-12


def test_no_bias_and_bad_shapes():
    layer = SCGEConv.from_conv2d(torch.nn.Conv2d(3, 4, 3, bias=False), (5, 5))
    assert layer.bias is None
    with pytest.raises(ValueError, match="shape must have 2 extents"):
        SCGEConv.from_conv2d(torch.nn.Conv2d(3, 4, 3), (5,))
    with pytest.raises(ValueError, match="padding_mode must be 'zeros'"):
        SCGEConv.from_conv1d(torch.nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular"), 8)
    with pytest.raises(ValueError, match="leaves no output node"):
        SCGEConv.from_conv_transpose1d(torch.nn.ConvTranspose1d(3, 4, 3, padding=2), 1)


def test_linear():
    linear = torch.nn.Linear(12 * 3, 7)
    x = torch.randn(5, 12, 3)
    assert (SCGEConv.from_linear(linear, 12)(x).flatten(1) - linear(x.flatten(1))).abs().max() < 1e-12
    with pytest.raises(ValueError, match="must be a multiple of num_nodes=5"):
        SCGEConv.from_linear(linear, 5)


def test_locally_connected():
    shape, weight, bias = (4, 5), torch.randn(20, 6, 3, 3, 5), torch.randn(6)
    x = torch.randn(2, 3, *shape)
    patches = F.unfold(x, (3, 5), padding=(1, 2)).unflatten(1, (3, 15))
    expected = torch.einsum("bcpn,ndcp->bnd", patches, weight.flatten(3)) + bias
    layer = SCGEConv.from_locally_connected(weight, shape, bias)
    assert (layer(x.flatten(2).mT) - expected).abs().max() < 1e-12
    with pytest.raises(ValueError, match="odd kernel sizes"):
        SCGEConv.from_locally_connected(torch.randn(20, 6, 3, 2, 2), shape)


def irregular():
    pos = torch.rand(30, 2, generator=torch.Generator().manual_seed(1)) * 5
    return SharedGraph.from_pos(pos, k=4)


@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"residual": True}, {"negative_slope": 0.5}])
@pytest.mark.parametrize("self_loops", [True, False])
@pytest.mark.parametrize("kind", ["gat", "gatv2"])
def test_graph_attention(kind, concat, options, self_loops):
    make = {"gat": GATConv, "gatv2": GATv2Conv}[kind]
    conv = make(3, 5, heads=2, concat=concat, add_self_loops=self_loops, **options)
    with torch.no_grad():
        for name, p in conv.named_parameters():
            if "bias" in name:
                p.normal_()
    graph = irregular()
    layer = getattr(SCGEConv, f"from_{kind}")(conv, graph)
    x = torch.randn(4, 30, 3)
    expected = torch.stack([conv(one, graph.edge_index) for one in x])
    assert (layer(x) - expected).abs().max() < 1e-10


@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("options", [{}, {"root_weight": False}, {"bias": False}])
def test_transformer_convolution(concat, options):
    conv = TransformerConv(3, 5, heads=2, concat=concat, **options)
    graph = irregular()
    x = torch.randn(4, 30, 3)
    expected = torch.stack([conv(one, graph.edge_index) for one in x])
    assert (SCGEConv.from_transformer(conv, graph)(x) - expected).abs().max() < 1e-10


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("heads", [1, 4])
def test_self_attention(bias, heads):
    attention = torch.nn.MultiheadAttention(8, heads, bias=bias, batch_first=True)
    if bias:
        torch.nn.init.normal_(attention.in_proj_bias)
        torch.nn.init.normal_(attention.out_proj.bias)
    x = torch.randn(3, 10, 8)
    layer = SCGEConv.from_multihead_attention(attention, 10)
    assert (layer(x) - attention(x, x, x, need_weights=False)[0]).abs().max() < 1e-10


def test_what_can_not_be_contained_is_refused():
    graph = irregular()
    with pytest.raises(ValueError, match=r"dropout must be 0\.0, got 0\.5"):
        SCGEConv.from_gat(GATConv(3, 4, dropout=0.5), graph)
    with pytest.raises(ValueError, match="edge_dim must be None"):
        SCGEConv.from_gatv2(GATv2Conv(3, 4, edge_dim=2), graph)
    with pytest.raises(ValueError, match="in_channels must be one number"):
        SCGEConv.from_gat(GATConv((3, 2), 4), graph)
    with pytest.raises(ValueError, match="lin_beta must be None"):
        SCGEConv.from_transformer(TransformerConv(3, 4, beta=True), graph)
    with pytest.raises(ValueError, match="kdim and vdim"):
        SCGEConv.from_multihead_attention(torch.nn.MultiheadAttention(8, 2, kdim=4), 10)
    lonely = SharedGraph(torch.rand(3, 2), torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match="every node of the graph must have an edge"):
        SCGEConv.from_transformer(TransformerConv(3, 4), lonely)
