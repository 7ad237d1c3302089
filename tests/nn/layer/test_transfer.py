from collections import OrderedDict

import pytest
import torch
from torch_geometric import nn as pyg

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import (
    ClusterPool,
    NodeBatchNorm,
    NodeEmbedding,
    NodeMean,
    OnSharedGraph,
    SCGEConv,
    lower_to_conv,
    transfer,
)


def network(shape):
    graph = SharedGraph.from_grid(shape)
    coarse, cluster = graph.coarsen(stride=2)
    return torch.nn.Sequential(
        SCGEConv(2, 4, graph),
        NodeBatchNorm(4, graph),
        torch.nn.ReLU(),
        ClusterPool(graph, coarse, cluster),
        SCGEConv(4, 3, coarse, kernel_size=5),
        NodeMean(coarse),
        torch.nn.Linear(3, 2),
    )


def test_a_network_moves_to_images_of_another_size():
    """What a fully convolutional network does: the dense equivalents agree."""
    small, large = network((6, 8)), network((10, 12))
    for _ in range(3):
        small(torch.randn(4, 48, 2) + 1)
    with pytest.raises(RuntimeError, match="on another graph"):
        large.load_state_dict(small.state_dict())
    assert transfer(small.state_dict(), large) is large
    x = torch.randn(3, 120, 2)
    dense = lower_to_conv(large.eval(), strict=True)[0].body
    ours = lower_to_conv(small.eval(), strict=True)[0].body
    assert str(dense) == str(ours)
    torch.testing.assert_close(ours(x.mT.unflatten(2, (10, 12))), dense(x.mT.unflatten(2, (10, 12))))
    # and it stays where it is: its own state is its own
    large.load_state_dict(large.state_dict())
    with pytest.raises(RuntimeError, match="on another graph"):
        small.load_state_dict(large.state_dict())


@pytest.mark.parametrize("options", [{"content": "dot"}, {"k": 5}, {"content": "gat", "neighbors": "edges"}], ids=str)
def test_neighbours_stay_those_of_the_graph(options):
    generator = torch.Generator().manual_seed(0)
    first, second = (SharedGraph.from_pos(torch.rand(n, 2, generator=generator) * 6) for n in (40, 50))
    trained, layer, fresh = (SCGEConv(2, 4, graph, **options) for graph in (first, second, second))
    transfer(trained.state_dict(), layer)
    assert torch.equal(layer.edge_index, fresh.edge_index)
    for (name, value), other in zip(trained.named_parameters(), layer.parameters(), strict=True):
        assert torch.equal(value, other), name
    with torch.no_grad():
        for mine, other in zip(fresh.parameters(), trained.parameters(), strict=True):
            mine.copy_(other)
    x = torch.randn(2, 50, 2)
    torch.testing.assert_close(layer(x), fresh(x))


def test_any_pyg_operator_and_layers_used_twice():
    def model(shape):
        layer = OnSharedGraph(pyg.GCNConv(3, 3), SharedGraph.from_grid(shape))
        return torch.nn.Sequential(layer, layer)

    one, two = model((4, 5)), model((6, 5))
    transfer(one.state_dict(), two)
    assert torch.equal(one[0].conv.lin.weight, two[0].conv.lin.weight)


def test_older_files_fit_without_a_warning():
    one, two = network((6, 8)), network((6, 8))
    state = OrderedDict((k, v) for k, v in one.state_dict().items() if "_extra_state" not in k)
    transfer(state, two)
    assert "0._extra_state" not in state
    assert torch.equal(one[0].weight, two[0].weight)


def test_trained_places_come_along():
    def layer(shape):
        return SCGEConv(1, 2, (NodeEmbedding(60, seed=sum(shape)), SharedGraph.from_grid(shape)), k=3)

    one, two = layer((3, 4)), layer((5, 4))
    transfer(one.state_dict(), two)
    assert torch.equal(one.source.weight, two.source.weight)
    near = torch.cdist(two.target.pos, two.source.weight.detach()).topk(3, largest=False).indices
    found = [set(two.edge_index[0, two.edge_index[1] == i].tolist()) for i in range(20)]
    assert found == [set(row.tolist()) for row in near]


class Versioned(torch.nn.Linear):
    """A module whose states say which version of it wrote them."""

    _version = 3
    found = None

    def _load_from_state_dict(self, state_dict, prefix, metadata, *rest):
        self.found = metadata.get("version")
        super()._load_from_state_dict(state_dict, prefix, metadata, *rest)


def test_versions_of_modules_come_along():
    one, two = (torch.nn.Sequential(Versioned(2, 2), SCGEConv(2, 2, SharedGraph.from_grid((n, 4)))) for n in (3, 5))
    transfer(one.state_dict(), two)
    assert two[0].found == 3


def test_what_does_not_fit_is_refused():
    graph = SharedGraph.from_grid((4, 5))
    layer = SCGEConv(1, 4, graph)
    with pytest.raises(TypeError, match="got SCGEConv and OrderedDict"):
        transfer(layer, layer.state_dict())
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        transfer(SCGEConv(2, 4, graph).state_dict(), layer)
    with pytest.raises(RuntimeError, match="Missing key"):
        transfer({}, layer)
    gated = SCGEConv(1, 4, graph, num_bases=2).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch for gate"):
        transfer(gated, SCGEConv(1, 4, SharedGraph.from_grid((4, 6)), num_bases=2))
