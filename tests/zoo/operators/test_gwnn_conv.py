"""Graph wavelet networks, against matrix exponentials."""

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.nn.fixed.sparse_rows import sparse_rows
from scge_pyg.zoo.operators import GWNNConv
from scge_pyg.zoo.operators.laplacian import laplacian_of

GRAPH = SharedGraph.from_pos(torch.rand(50, 2, generator=torch.Generator().manual_seed(320)))


def exact(graph, normalization):
    found = laplacian_of(graph, normalization)
    return sparse_rows(found.pointer, found.column, found.value, graph.num_nodes).to_dense()


@pytest.mark.parametrize("normalization", [None, "sym"])
@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_the_layer_by_matrix_exponentials(normalization, scale):
    layer = GWNNConv(3, 4, GRAPH, scale=scale, threshold=0.0, normalization=normalization).double()
    generator = torch.Generator().manual_seed(321)
    with torch.no_grad():
        layer.filter.copy_(torch.randn(50, generator=generator))
        layer.bias.copy_(torch.randn(4, generator=generator))
    x = torch.randn(2, 50, 3, generator=generator, dtype=torch.double)
    laplacian = exact(GRAPH, normalization)
    there, back = torch.matrix_exp(scale * laplacian), torch.matrix_exp(-scale * laplacian)
    expected = back @ torch.diag(layer.filter) @ there @ (x @ layer.weight) + layer.bias
    assert torch.allclose(layer(x), expected, atol=1e-3 * float(there.max()))
    assert torch.allclose(layer(x.flatten(0, 1)), layer(x).flatten(0, 1))


def test_ones_leave_a_linear_map_and_a_threshold_spoils_it_as_is_said():
    exactly, nearly, roughly = (GWNNConv(2, 2, GRAPH, threshold=t, bias=False) for t in (0.0, 1e-4, 3e-2))
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(322))
    assert torch.allclose(exactly(x), x @ exactly.weight, atol=1e-5)
    errors = [layer.inversion_error() for layer in (exactly, nearly, roughly)]
    assert errors[0] < 1e-5 < errors[1] < 5e-3 < errors[2]
    entries = [len(layer.column) + len(layer.back_column) for layer in (exactly, nearly, roughly)]
    assert entries == sorted(entries, reverse=True)


def test_wavelets_are_local():
    layer = GWNNConv(1, 1, SharedGraph.from_grid((20, 20)), normalization=None, threshold=1e-4, scale=0.3)
    assert len(layer.column) < 60 * 400


def test_gradients_and_second_ones():
    graph = SharedGraph.from_grid((3, 3))
    layer = GWNNConv(2, 2, graph).double()
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(323), dtype=torch.double, requires_grad=True)
    parameters = tuple(layer.parameters())

    def call(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(("weight", "filter", "bias"), parameters, strict=True)), x)

    assert [name for name, _ in layer.named_parameters()] == ["weight", "filter", "bias"]
    assert torch.autograd.gradcheck(call, (x, *parameters))
    assert torch.autograd.gradgradcheck(call, (x, *parameters))


def test_state():
    layer, other = GWNNConv(2, 3, GRAPH), GWNNConv(2, 3, GRAPH)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(50, 2)
    assert torch.equal(layer(x), other(x))
    with pytest.raises(RuntimeError, match="another graph"):
        GWNNConv(2, 3, GRAPH, scale=2.0).load_state_dict(layer.state_dict())
    assert "nodes=50, scale=1, entries=" in repr(layer)
    layer.reset_parameters()
    assert not torch.equal(layer(x), other(x))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"scale": 0}, ValueError, "scale must be a finite number above 0"),
        ({"threshold": -1.0}, ValueError, "threshold must be at least 0"),
        ({"threshold": 1e9}, ValueError, "leaves no entry"),
        ({"order": 0}, ValueError, "order must be"),
        ({"normalization": "rw"}, ValueError, "GWNNConv: normalization"),
    ],
)
def test_refused(options, error, says):
    with pytest.raises(error, match=says):
        GWNNConv(2, 3, GRAPH, **options)
    with pytest.raises(ValueError, match="GWNNConv: x must be"):
        GWNNConv(2, 3, GRAPH)(torch.zeros(50, 3))
