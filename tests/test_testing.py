import pytest
import torch
from torch_geometric import nn as pyg

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import OnSharedGraph
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all, assert_permutation_equivariant

dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def normal(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


class Module(torch.nn.Module):
    """A module from a function, so that each test shows what it does."""

    def __init__(self, function, dtype=torch.float32):
        super().__init__()
        self.linear = torch.nn.Linear(3, 3).to(dtype)
        self.function = function

    def forward(self, x):
        return self.function(self.linear, x)


# assert_batch_equals_loop ---------------------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize(
    "function",
    [
        lambda linear, x: linear(x),
        lambda linear, x: linear(x).mean(1),
        lambda linear, x: linear(x.mul_(2)),  # works in place
        lambda linear, x: (linear(x), (torch.arange(4), linear.weight)),  # shared by all samples
        lambda linear, x: {"y": linear(x), "edges of copies": linear(x).flatten(0, 1)},
    ],
)
def test_a_batch_that_equals_its_loop(function, dtype):
    x = normal(4, 5, 3, dtype=dtype)
    before = x.clone()
    assert_batch_equals_loop(Module(function, dtype), x)
    assert torch.equal(x, before)


@dtypes
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda linear, x: linear(x - x.mean(0)), r"^the result of the batch differs from a loop over it\n"),
        (lambda linear, x: (linear(x), linear(x - x.mean(0))), r"^the result\[1\] of the batch differs"),
        (lambda linear, x: {"y": linear(x) / x.shape[0]}, r"^the result\['y'\] of the batch differs"),
        (lambda linear, x: (linear(x), linear.weight * x.shape[0]), r"^the result\[1\] of the batch differs"),
        (lambda linear, x: linear(x).flatten(0, 1), r"no tensor has one row per sample.*\[20, 3\]"),
        (lambda linear, x: x > 0, "no floating-point tensor"),
        (lambda linear, x: [linear(x)] * x.shape[0], "a batch gives .*, a single sample "),
        (lambda linear, x: linear(x) / (x.shape[0] - 1), "the result of the batch differs"),  # infinite
    ],
)
def test_a_batch_that_does_not(function, message, dtype):
    with pytest.raises(AssertionError, match=message):
        assert_batch_equals_loop(Module(function, dtype), normal(4, 5, 3, dtype=dtype))


def test_the_tolerance_is_that_of_the_dtype_unless_given():
    def rough(linear, x):
        return linear(x) * (1 + 1e-6 * x.shape[0])

    assert_batch_equals_loop(Module(rough), normal(4, 5, 3))
    double = Module(rough, torch.float64), normal(4, 5, 3, dtype=torch.float64)
    with pytest.raises(AssertionError, match="Greatest absolute difference"):
        assert_batch_equals_loop(*double)
    assert_batch_equals_loop(*double, rtol=1e-4, atol=0)


def test_one_sample_is_no_batch():
    with pytest.raises(ValueError, match=r"at least two samples \[B, N, C\], got \[1, 5, 3\]"):
        assert_batch_equals_loop(torch.nn.Linear(3, 4), torch.randn(1, 5, 3))


# assert_gradients_reach_all -------------------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize(
    "function",
    [
        lambda linear, x: linear(x),
        lambda linear, x: linear(x.mul_(2)),  # works in place
        lambda linear, x: (linear(x), (torch.arange(4), linear.weight.detach())),
        lambda linear, x: {"through the weight": x * linear.weight.sum(), "through the bias": linear.bias + 0},
    ],
)
def test_gradients_that_reach_all(function, dtype):
    assert_gradients_reach_all(Module(function, dtype), normal(2, 5, 3, dtype=dtype))


@dtypes
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda linear, x: x @ linear.weight, r"reaches linear\.bias \(none\)$"),
        (lambda linear, x: linear(x.detach()), r"reaches the input \(none\)$"),
        (lambda linear, x: linear(x) + 0 * linear.weight.sum() / 0, "not finite"),
        (lambda linear, x: x @ linear.weight + 0 * linear.bias, r"reaches linear\.bias \(zero\)$"),
        (lambda linear, x: linear(x).relu() + (x - 1e9).relu(), None),
        (lambda linear, x: linear(x).detach(), r"the input \(none\), linear\.weight \(none\), linear\.bias \(none\)"),
        (lambda linear, x: linear(x).argmax(-1), r"the input \(none\), linear\.weight \(none\)"),
        (lambda linear, x: (linear(x).sub(1e9).relu(), 2), r"the input \(zero\), linear\.weight \(zero\)"),
    ],
)
def test_gradients_that_do_not(function, message, dtype):
    module, x = Module(function, dtype), normal(2, 5, 3, dtype=dtype)
    if message is None:
        assert_gradients_reach_all(module, x)
        return
    with pytest.raises(AssertionError, match=message):
        assert_gradients_reach_all(module, x)


def test_what_needs_no_gradient():
    assert_gradients_reach_all(torch.nn.ReLU(inplace=True), normal(2, 5, 3))  # no parameters
    frozen = torch.nn.Linear(3, 4)
    frozen.bias.requires_grad_(False)
    assert_gradients_reach_all(frozen, normal(2, 5, 3))
    assert frozen.weight.grad is None
    assert_gradients_reach_all(torch.nn.Embedding(4, 3), torch.tensor([[0, 1], [2, 3]]))
    assert_gradients_reach_all(pyg.Linear(-1, 4), normal(2, 5, 3))  # its shape is known after the first call
    with torch.no_grad():
        assert_gradients_reach_all(torch.nn.Linear(3, 4), normal(2, 5, 3))


# assert_permutation_equivariant ---------------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize(
    "function",
    [
        lambda linear, x: linear(x),
        lambda linear, x: linear(x.mul_(2)),
        lambda linear, x: linear(x).sum(1),  # stays as it is
        lambda linear, x: (linear(x), linear(x).amax(1), torch.arange(3)),
    ],
)
def test_results_that_move_with_the_nodes(function, dtype):
    module = Module(function, dtype)
    assert_permutation_equivariant(lambda order: module, normal(2, 7, 3, dtype=dtype))


@dtypes
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda linear, x: linear(x).cumsum(1), r"^the result depends on the node order\n"),
        (lambda linear, x: linear(x)[:, 0], r"^the result depends on the node order\n"),
        (lambda linear, x: (linear(x), linear(x).roll(1, 1)), r"^the result\[1\] depends on the node order\n"),
        (lambda linear, x: linear(x).flatten(0, 1), r"no tensor has one row per sample.*\[14, 3\]"),
    ],
)
def test_results_that_do_not(function, message, dtype):
    module = Module(function, dtype)
    with pytest.raises(AssertionError, match=message):
        assert_permutation_equivariant(lambda order: module, normal(2, 7, 3, dtype=dtype))


def test_the_order_is_never_the_plain_one():
    """Else a module of two nodes would pass one time in two."""
    for seed in range(8):
        with pytest.raises(AssertionError, match="depends on the node order"):
            assert_permutation_equivariant(
                lambda order: lambda x: x.cumsum(1), normal(2, 2, 3), torch.Generator().manual_seed(seed)
            )
    with pytest.raises(ValueError, match=r"at least two nodes, got \[2, 1, 3\]"):
        assert_permutation_equivariant(lambda order: torch.nn.Identity(), normal(2, 1, 3))


@dtypes
def test_a_graph_that_stays_behind_is_noticed(dtype):
    """Nodes are shuffled, and the edges are not."""
    torch.manual_seed(0)
    layer = OnSharedGraph(pyg.GCNConv(3, 4), SharedGraph.from_grid((3, 4))).to(dtype)
    with pytest.raises(AssertionError, match="depends on the node order"):
        assert_permutation_equivariant(lambda order: layer, normal(2, 12, 3, dtype=dtype))


@dtypes
def test_layers_with_attention_weights(dtype):
    torch.manual_seed(0)
    layer = OnSharedGraph(pyg.GATv2Conv(3, 4, edge_dim=1), SharedGraph.from_grid((3, 4))).to(dtype)
    module = Module(lambda linear, x: layer(x, return_attention_weights=True), dtype)
    assert_batch_equals_loop(module, normal(3, 12, 3, dtype=dtype))
