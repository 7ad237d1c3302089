"""``torch.func`` on every layer that draws nothing, against plain autograd and loops."""

import pytest
import torch
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch_geometric.nn import GATConv, GCNConv

from scge_pyg import OnSharedGraph, SCGEConv, SharedGraph, lower_to_conv
from scge_pyg.nn import ClusterPool, ClusterUnpool, NodeBatchNorm, NodeMean

GRID = SharedGraph.from_grid((2, 3))
COARSE, CLUSTER = GRID.coarsen(stride=2)
PLACES = SharedGraph.from_pos(torch.rand(6, 2, generator=torch.Generator().manual_seed(1)) * 2)
FEW, GROUP = PLACES.coarsen(num_nodes=2)

LAYERS = {
    "lattice": lambda: SCGEConv(2, 2, GRID),
    "strided": lambda: SCGEConv(2, 2, (GRID, COARSE), root_weight=False),
    "transposed": lambda: SCGEConv(2, 2, (COARSE, GRID)),
    "irregular": lambda: SCGEConv(2, 2, PLACES, root_weight=True, num_bases=2),
    "irregular, strided": lambda: SCGEConv(2, 2, (PLACES, FEW)),
    "irregular, transposed": lambda: SCGEConv(2, 2, (FEW, PLACES)),
    "nearest": lambda: SCGEConv(2, 2, PLACES, k=4),
    "one tap": lambda: SCGEConv(2, 2, PLACES, k=4, kernel=None),
    "edges": lambda: SCGEConv(2, 2, GRID, neighbors="edges"),
    "network": lambda: SCGEConv(2, 2, GRID, kernel="mlp"),
    "moving points": lambda: SCGEConv(2, 2, GRID, train_points=True),
    "gat": lambda: SCGEConv(2, 2, GRID, neighbors="edges", content="gat", heads=2),
    "gatv2": lambda: SCGEConv(2, 2, GRID, content="gatv2", heads=2, concat=False),
    "dot": lambda: SCGEConv(2, 2, GRID, content="dot", kernel=None),
    "trained": lambda: SCGEConv(2, 2, num_nodes=6, k=4),
    "trained, symmetric": lambda: SCGEConv(2, 2, num_nodes=6, k=4, symmetric=True),
    "trained, dot": lambda: SCGEConv(2, 2, num_nodes=6, k=4, content="dot"),
    "soft": lambda: SCGEConv(2, 2, num_nodes=6, estimator="soft"),
    "straight through": lambda: SCGEConv(2, 2, num_nodes=6, k=4, estimator="straight_through"),
    "max pool": lambda: ClusterPool(GRID, COARSE, CLUSTER),
    "mean pool": lambda: ClusterPool(PLACES, FEW, GROUP, reduce="mean"),
    "unpool": lambda: ClusterUnpool(GRID, COARSE, CLUSTER),
    "mean": lambda: NodeMean(GRID),
    "norm": lambda: NodeBatchNorm(2, GRID),
    "gat operator": lambda: OnSharedGraph(GATConv(2, 2), GRID),
    "gcn operator": lambda: OnSharedGraph(GCNConv(2, 2), GRID, train_edge_weight=True),
    "lowered": lambda: lower_to_conv(
        torch.nn.Sequential(SCGEConv(2, 2, GRID), NodeBatchNorm(2, GRID), torch.nn.Tanh())
    ),
}
layers = pytest.mark.parametrize("name", LAYERS)


def build(name, seed=0):
    torch.manual_seed(seed)
    layer = LAYERS[name]().double().eval()
    nodes = {"transposed": 2, "irregular, transposed": 2, "unpool": len(COARSE.pos)}.get(name, 6)
    generator = torch.Generator().manual_seed(seed)
    return layer, torch.randn(2, nodes, 2, generator=generator, dtype=torch.float64)


def curved(y):
    return (y.square() * y.sin()).sum()


@layers
def test_derivatives_are_those_of_autograd(name):
    layer, x = build(name)
    jacobian = torch.autograd.functional.jacobian(layer, x)
    torch.testing.assert_close(jacrev(layer)(x), jacobian)
    torch.testing.assert_close(jacfwd(layer)(x), jacobian)
    step = torch.randn_like(x)
    torch.testing.assert_close(jvp(layer, (x,), (step,))[1], (jacobian * step).sum((-3, -2, -1)))
    torch.testing.assert_close(grad(lambda x: curved(layer(x)))(x), curved_gradient(layer, x))


def curved_gradient(layer, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(curved(layer(x)), x)[0]


@layers
def test_second_derivatives_forwards_and_backwards(name):
    layer, x = build(name)
    x = x[:1]

    def loss(x):
        return curved(layer(x))

    exact = torch.autograd.functional.hessian(loss, x)
    for found in (hessian(loss), jacrev(jacrev(loss)), jacrev(jacfwd(loss))):
        torch.testing.assert_close(found(x), exact)


@layers
def test_mapped_over_samples(name):
    layer, x = build(name)
    x = torch.stack([x, x + 1, 2 * x])
    torch.testing.assert_close(vmap(layer)(x), torch.stack([layer(batch) for batch in x]))
    if name != "mean":  # one sample [N, C] has one mean
        torch.testing.assert_close(vmap(layer)(x[0]), layer(x[0]))


@layers
def test_gradients_of_each_sample(name):
    layer, x = build(name)
    parameters = dict(layer.named_parameters())

    def loss(parameters, sample):
        return curved(functional_call(layer, parameters, (sample,)))

    found = vmap(grad(loss), (None, 0))(parameters, x) if parameters else {}
    for number, sample in enumerate(x):
        exact = torch.autograd.grad(curved(layer(sample)), list(parameters.values())) if parameters else ()
        torch.testing.assert_close([grads[number] for grads in found.values()], list(exact))


@layers
def test_derivatives_by_parameters_forwards_as_backwards(name):
    layer, x = build(name)
    parameters = dict(layer.named_parameters())

    def output(parameters):
        return functional_call(layer, parameters, (x,))

    for key, value in parameters.items():
        forwards, backwards = (of(lambda one, key=key: output(parameters | {key: one})) for of in (jacfwd, jacrev))
        torch.testing.assert_close(forwards(value), backwards(value))


@pytest.mark.parametrize("estimator", ["gumbel", "reinforce"])
@pytest.mark.parametrize("content", [None, "dot"])
def test_layers_that_draw_say_so(estimator, content):
    """``torch.func`` asks for a word on randomness; then each sample has draws of its own."""
    layer = SCGEConv(2, 2, num_nodes=6, k=2, estimator=estimator, content=content).double()
    x = torch.randn(1, 6, 2, dtype=torch.float64).expand(3, -1, -1)
    with pytest.raises(RuntimeError, match="randomness"):
        vmap(layer)(x)
    one, other, _ = vmap(layer, randomness="different")(x)
    assert not torch.allclose(one, other)
    one, other, _ = vmap(layer, randomness="same")(x)
    torch.testing.assert_close(one, other)
    parameters = dict(layer.named_parameters())
    grads = vmap(
        grad(lambda parameters, x: curved(functional_call(layer, parameters, (x,)))), (None, 0), randomness="different"
    )(parameters, x)
    assert all(value.isfinite().all() for value in grads.values())
    layer.eval()
    torch.testing.assert_close(vmap(layer)(x), layer(x))


def test_ties_are_drawn_once_for_all_samples():
    """On a grid the fourth neighbour is a matter of luck, and of one draw, as in a batch."""
    layer = SCGEConv(2, 2, SharedGraph.from_grid((4, 4)), k=4)
    one, other = vmap(layer)(torch.randn(16, 2).expand(2, -1, -1))
    assert torch.equal(one, other)
    assert any(not torch.equal(layer(one), layer(one)) for _ in range(5))
