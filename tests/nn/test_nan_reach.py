"""A NaN or an infinity reaches the targets whose outputs depend on its node, and no others, however it is computed."""

import copy

import pytest
import torch
from torch.func import vmap

from scge_pyg import NodeEmbedding, SCGEConv, SharedGraph
from scge_pyg.nn.fixed.neighbor_attention import NeighborAttention

GRID = SharedGraph.from_grid((5, 6))
N, NODE = 30, 7
PLACES = GRID.pos + 0.4 * torch.rand(N, 2, generator=torch.Generator().manual_seed(0))
DEAD = torch.where((torch.arange(N) == 0).unsqueeze(1), torch.nan, PLACES)
FIXED = SharedGraph.from_pos(DEAD, k=4)

LAYERS = {
    "lattice": lambda: SCGEConv(2, 3, GRID),
    "irregular": lambda: SCGEConv(2, 3, FIXED),
    "strided": lambda: SCGEConv(2, 3, (GRID, GRID.coarsen(stride=2)[0])),
    "support": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(DEAD), neighbors="support"),
    "support on a grid": lambda: SCGEConv(2, 3, NodeEmbedding.from_grid((5, 6)), neighbors="support"),
    "support of all": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(PLACES), neighbors="support", candidates=N),
    "support, few matrices": lambda: SCGEConv(20, 1, NodeEmbedding.from_points(DEAD), neighbors="support"),
    "edges": lambda: SCGEConv(2, 3, FIXED, neighbors="edges", self_loops=False),
    "edges, one matrix": lambda: SCGEConv(2, 3, FIXED, neighbors="edges", kernel=None, root_weight=True),
    "nearest": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(2 * DEAD), k=5),
    "nearest, wide": lambda: SCGEConv(2, 9, NodeEmbedding.from_points(DEAD), k=3, num_bases=2),
    "symmetric": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(DEAD), k=5, symmetric=True),
    "network": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(DEAD), k=9, kernel="mlp"),
    "soft": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(DEAD), estimator="soft"),
    "soft over all": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(PLACES), estimator="soft"),
    "straight through": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(DEAD), k=4, estimator="straight_through"),
    "gat": lambda: SCGEConv(2, 3, FIXED, neighbors="edges", content="gat", heads=2),
    "gatv2": lambda: SCGEConv(2, 3, FIXED, content="gatv2", heads=2, concat=False),
    "dot": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(DEAD), k=5, content="dot", heads=2),
    "dot on edges": lambda: SCGEConv(3, 3, FIXED, neighbors="edges", content="dot", heads=2),
    "dot over all": lambda: SCGEConv(2, 3, NodeEmbedding.from_points(PLACES), k=N, content="dot", kernel=None, tau=9.0),
}
TRAINING = ("straight through",)
GRADIENTS = ("lattice", "support", "support of all", "support, few matrices", "nearest, wide", "network", "soft", "dot")


def compiled(layer, x, monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    return layer(x)


def dense(layer, x, monkeypatch):
    for module in ("nn.fixed.neighbor_attention", "nn.layer.content"):
        monkeypatch.setattr(f"scge_pyg.{module}.suits", lambda x: False)
    return layer(x)


def hooked(layer, x, monkeypatch):
    layer.register_message_forward_hook(lambda *_: None)
    return layer(x)


def mixed(layer, x, monkeypatch):
    with torch.autocast("cpu", torch.bfloat16):
        return layer.float()(x.float())


WAYS = {
    "batch of 1": lambda layer, x, _: layer(x[:1]),
    "batch of 3": lambda layer, x, _: layer(x),
    "batch of 64": lambda layer, x, _: layer(x.repeat(22, 1, 1))[:3],
    "nodes": lambda layer, x, _: layer(x.flatten(0, 1), torch.arange(N).repeat(3), torch.arange(3 * N) // N),
    "mapped": lambda layer, x, _: vmap(layer)(x),
    "dense": dense,
    "compiled": compiled,
    "hooked": hooked,
    "autocast": mixed,
}


def build(name):
    torch.manual_seed(0)
    layer = LAYERS[name]().double().train(name in TRAINING)
    x = torch.randn(3, N, layer.in_channels, dtype=torch.float64)
    return layer, x


def dependents(layer, x, node):
    """Targets whose outputs change with the features of a node."""
    moved = x[:1].clone()
    moved[:, node] += 1
    with torch.no_grad():
        return (layer(moved) != layer(x[:1])).any(2)[0]


@pytest.mark.parametrize("name", LAYERS)
def test_who_hears_it(name, monkeypatch):
    """Node 0 is not live, and what pads rows of neighbours; an infinite feature may leave content scores finite."""
    layer, x = build(name)
    expected = torch.stack([dependents(layer, x, node) for node in (0, NODE, NODE)])
    assert expected.any(1).all()
    bad = x.clone()
    bad[[0, 1], [0, NODE], -1] = torch.nan
    if getattr(layer.product, "content", None) is None:
        bad[2, NODE, 0] = -torch.inf
    else:
        expected[2] = False
    for way, function in WAYS.items():
        with monkeypatch.context() as patch, torch.no_grad():
            y = function(copy.deepcopy(layer), bad, patch)
        found = ~y.reshape(-1, layer.num_targets, y.shape[-1]).isfinite().all(2)
        assert torch.equal(found, expected[: len(found)]), way


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_a_loss_without_it(name, monkeypatch):
    """Those of the other samples; where places alone choose the weights, those of the layer's matrices and places."""
    layer, x = build(name)
    bad = x.clone()
    bad[2, NODE] = torch.nan
    searched = isinstance(layer.product, NeighborAttention) and layer.product.content is None
    for way in ("batch of 3", "dense", "compiled"):
        twin = copy.deepcopy(layer)
        kept = (twin.weight, *twin.product.parameters()) if searched else ()
        with monkeypatch.context() as patch:
            found, expected = (
                torch.autograd.grad(WAYS[way](twin, one, patch)[:2].square().sum(), (one, *kept))
                for one in (bad.requires_grad_(), x.clone().requires_grad_())
            )
        torch.testing.assert_close(found[0][:2], expected[0][:2])
        torch.testing.assert_close(found[1:], expected[1:])
