"""Layers, graphs and discovery on every device that the machine has, against the CPU in float64."""

import pytest
import torch
from torch_geometric.nn import GATConv

from scge_pyg import NodeEmbedding, OnSharedGraph, SCGEConv, SharedGraph, discover, lower_to_conv
from scge_pyg.models import SCGEClassifier

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request):
    return torch.device(request.param)


def jittered(side=8):
    generator = torch.Generator().manual_seed(0)
    cells = torch.cartesian_prod(torch.arange(side), torch.arange(side)).double()
    return SharedGraph.from_pos(cells + 0.2 * torch.rand(side * side, 2, generator=generator).double())


def twins(module, x, device):
    """Output and gradients of a float64 module on the CPU and of its float32 copy on ``device``."""
    results = []
    for where, dtype in ((torch.device("cpu"), torch.float64), (device, torch.float32)):
        copy = module.to(where, dtype)
        values = x.to(where, dtype, copy=True).requires_grad_()
        copy.zero_grad()
        y = copy(values)
        y.square().sum().backward()
        grads = [values.grad, *(p.grad for p in copy.parameters() if p.grad is not None)]
        results.append([t.detach().double().cpu() for t in (y, *grads)])
    return zip(*results, strict=True)


@pytest.mark.parametrize("graph", [SharedGraph.from_grid((8, 8)), jittered()], ids=["lattice", "free"])
def test_layers_agree_with_the_cpu(device, graph):
    torch.manual_seed(0)
    x = torch.randn(3, 64, 2)
    for module in (
        SCGEConv(2, 5, graph),
        OnSharedGraph(GATConv(2, 4), graph),
        SCGEClassifier(2, 3, graph, channels=(4,)),
    ):
        for exact, found in twins(module, x, device):
            torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-3 * max(0.1, float(exact.abs().max())))


@pytest.mark.parametrize(
    "options",
    [{}, {"kernel": "mlp", "num_bases": 2}, {"content": "dot", "heads": 2}, {"content": "gat", "kernel": None}],
    ids=["points", "bases", "dot", "gat"],
)
def test_trainable_layers_agree_with_the_cpu(device, options):
    torch.manual_seed(0)
    layer = SCGEConv(2, 5, NodeEmbedding.from_graph(jittered()), k=6, **options)
    for exact, found in twins(layer, torch.randn(3, 64, 2), device):
        torch.testing.assert_close(found, exact, rtol=1e-3, atol=1e-3 * max(0.1, float(exact.abs().max())))
    layer.refresh()


@pytest.mark.parametrize("estimator", ["topk", "soft", "straight_through", "gumbel", "reinforce"])
def test_estimators_run_everywhere(device, estimator):
    layer = SCGEConv(2, 5, num_nodes=30, k=4, estimator=estimator).to(device)
    for _ in range(3):
        assert layer(torch.randn(2, 30, 2, device=device)).isfinite().all()


def test_lowered_layers_move(device):
    torch.manual_seed(0)
    graph = SharedGraph.from_grid((8, 8))
    model = SCGEClassifier(2, 3, graph, channels=(4, 6)).eval().to(device)
    x = torch.randn(3, 64, 2, device=device)
    torch.testing.assert_close(lower_to_conv(model, strict=True)(x), model(x), rtol=1e-4, atol=1e-4)


def test_samples_on_a_device_are_discovered_like_those_on_the_cpu(device):
    walk = torch.randn(400, 30, generator=torch.Generator().manual_seed(1)).cumsum(1)
    assert torch.equal(discover(walk.to(device)).pos.cpu(), discover(walk).pos)


def test_graph_and_batches_move(device):
    graph = SharedGraph.from_grid((4, 5)).to(device)
    assert graph.pos.device.type == graph.lattice.cell.device.type == device.type
    grid = graph.lattice.to_grid(torch.arange(20.0, device=device).view(1, 20, 1))
    assert torch.equal(grid.cpu().flatten(), torch.arange(20.0))
