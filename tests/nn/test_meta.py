"""Layers without values: parameters on the meta device, tables real, and back."""

import copy
import pickle

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch_geometric.nn import GATConv, GCNConv

from scge_pyg import NodeEmbedding, OnSharedGraph, SCGEConv, SharedGraph, lower_to_conv
from scge_pyg.models import SCGEClassifier
from scge_pyg.models.autoencoders import (
    ConvAutoEncoder,
    LocallyConnectedAutoEncoder,
    LocallyLinearAutoEncoder,
    MLPAutoEncoder,
    SCGEAutoEncoder,
    SecondOrderAutoEncoder,
)
from scge_pyg.nn import ClusterPool, ClusterUnpool, NodeBatchNorm, NodeMean

GRID = SharedGraph.from_grid((4, 6))
COARSE, CLUSTER = GRID.coarsen(stride=2)
LIVE = torch.arange(24) != 5
PLACES = SharedGraph.from_pos(
    torch.where(LIVE[:, None], torch.rand(24, 2, generator=torch.Generator().manual_seed(1)) * 5, torch.nan)
)

LAYERS = {
    "lattice": lambda: SCGEConv(2, 3, GRID),
    "strided": lambda: SCGEConv(2, 3, (GRID, GRID.coarsen(stride=2)[0])),
    "graph of its own": lambda: SCGEConv(2, 3, SharedGraph.from_grid((4, 6))),
    "irregular": lambda: SCGEConv(2, 3, PLACES, root_weight=True, num_bases=2),
    "nearest": lambda: SCGEConv(2, 3, PLACES, k=4),
    "network": lambda: SCGEConv(2, 3, GRID, kernel="mlp"),
    "moving points": lambda: SCGEConv(2, 3, GRID, train_points=True),
    "gat": lambda: SCGEConv(2, 3, GRID, neighbors="edges", content="gat", heads=2),
    "gatv2": lambda: SCGEConv(2, 3, PLACES, content="gatv2"),
    "trained": lambda: SCGEConv(2, 3, num_nodes=24, k=4, content="dot"),
    "trained from places": lambda: SCGEConv(2, 3, NodeEmbedding.from_graph(PLACES, 3), k=4),
    "gumbel": lambda: SCGEConv(2, 3, num_nodes=24, k=4, estimator="gumbel"),
    "pool": lambda: ClusterPool(GRID, COARSE, CLUSTER),
    "unpool": lambda: ClusterUnpool(GRID, COARSE, CLUSTER),
    "mean": lambda: NodeMean(PLACES),
    "norm": lambda: NodeBatchNorm(2, PLACES),
    "gat operator": lambda: OnSharedGraph(GATConv(2, 3), GRID),
    "gcn operator": lambda: OnSharedGraph(GCNConv(2, 3), PLACES, train_edge_weight=True),
    "lowered": lambda: lower_to_conv(SCGEClassifier(2, 3, GRID, channels=(4, 4))),
    "classifier": lambda: SCGEClassifier(2, 3, GRID, channels=(4, 4)),
    "classifier on places": lambda: SCGEClassifier(2, 3, PLACES, channels=(4, 4)),
}
MODELS = {
    "SCGE on a lattice": lambda: SCGEAutoEncoder(GRID, 2, 3, channels=(4, 4), hidden=8),
    "SCGE on places": lambda: SCGEAutoEncoder(PLACES, 2, 3, channels=(4, 4), hidden=8),
    "SCGE with content": lambda: SCGEAutoEncoder(GRID, 2, 3, channels=(4, 4), hidden=8, content="gat"),
    "locally connected": lambda: LocallyConnectedAutoEncoder(GRID, 2, 3, channels=(4, 4), hidden=8),
    "second order": lambda: SecondOrderAutoEncoder(24, 2, 3),
    "locally linear": lambda: LocallyLinearAutoEncoder(24, 2, 3),
    "convolutional": lambda: ConvAutoEncoder((4, 6), 2, 3, channels=(4,), hidden=8),
    "dense": lambda: MLPAutoEncoder(24, 2, 3, hidden=(8,)),
}
NEED_VALUES = ("gumbel", "locally connected")
layers = pytest.mark.parametrize("name", [name for name in LAYERS if name != "lowered"])
every = pytest.mark.parametrize("name", [*LAYERS, *MODELS])
built = pytest.mark.parametrize("name", [name for name in (*LAYERS, *MODELS) if name != "lowered"])


def trained(name):
    """A layer whose parameters are not where they start."""
    torch.manual_seed(0)
    layer = (LAYERS | MODELS)[name]().eval()
    with torch.no_grad():
        for value in layer.parameters():
            value.add_(0.1 * torch.randn(value.shape))
    if isinstance(layer, SCGEConv):
        layer.refresh()
    return layer, inputs(name)


def inputs(name):
    return torch.randn(3, 6 if name == "unpool" else 24, 2)


def empty(name):
    with torch.device("meta"):
        layer = (LAYERS | MODELS)[name]().eval()
    assert all(value.is_meta for value in layer.parameters())
    return layer


@built
def test_built_without_values_and_loaded(name):
    layer, x = trained(name)
    twin = empty(name).to_empty(device="cpu")
    twin.load_state_dict(layer.state_dict())
    assert torch.equal(twin(x), layer(x))


@layers
def test_built_without_values_and_given_the_state(name):
    layer, x = trained(name)
    twin = empty(name)
    twin.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(twin(x), layer(x))


@every
def test_emptied_and_loaded_again(name):
    layer, x = trained(name)
    y, state = layer(x), copy.deepcopy(layer.state_dict())
    for twin in (layer.to_empty(device="cpu"), layer.to("meta").to_empty(device="cpu")):
        for value in twin.parameters():
            value.data.fill_(torch.nan)
        twin.load_state_dict(state)
        assert torch.equal(twin(x), y)


@every
def test_copied_and_pickled(name):
    layer, x = trained(name)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x), layer(x))
        assert str(twin) == str(layer)


@pytest.mark.parametrize("name", [name for name in (*LAYERS, *MODELS) if name not in NEED_VALUES])
def test_shapes_alone(name):
    """What ``torch.device("meta")`` is for: the shapes of a computation, without its values."""
    layer, x = trained(name)
    with torch.no_grad():
        y = layer(x)
        found = layer.to("meta")(x.to("meta"))
    for one, other in zip(*((o if isinstance(o, tuple) else (o,)) for o in (found, y)), strict=True):
        assert one.is_meta
        assert (one.shape, one.dtype) == (other.shape, other.dtype)


@layers
def test_drawn_after_all(name):
    """As frameworks do that shard a model before its parameters exist: empty first, then each module draws its own."""
    torch.manual_seed(1)
    fresh = LAYERS[name]().eval()
    torch.manual_seed(1)
    late = empty(name).to_empty(device="cpu")
    for module in late.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    for key, value in late.state_dict().items():
        assert value.shape == fresh.state_dict()[key].shape
        assert value.isfinite().all()
    assert late(inputs(name)).isfinite().all()


def test_tables_follow_to_other_types():
    layer, x = trained("trained")
    twice = copy.deepcopy(layer).double()
    torch.testing.assert_close(twice(x.double()).float(), layer(x))
    assert twice.product.table.index.dtype == torch.long
    assert OnSharedGraph(GCNConv(2, 3), GRID).double().edge_weight.dtype == torch.float64


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("pool", "unpool", "mean")])
def test_an_ensemble_is_mapped_over_its_parameters(name):
    members = []
    for _ in range(3):
        layer, x = trained(name)
        members.append(layer)
        for value in layer.parameters():
            value.data.add_(0.1 * torch.randn(value.shape))
    parameters, buffers = stack_module_state(members)
    base = copy.deepcopy(members[0]).to("meta")
    found = vmap(lambda *state: functional_call(base, state, (x,)), randomness="different")(parameters, buffers)
    torch.testing.assert_close(found, torch.stack([layer(x) for layer in members]))
