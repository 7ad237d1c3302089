import pytest
import torch
from torch.nn import functional as F

from scge_pyg import SharedGraph
from scge_pyg.models.autoencoders import ConvAutoEncoder, LocallyConnectedAutoEncoder
from scge_pyg.models.autoencoders.hierarchy import coarsened
from scge_pyg.models.autoencoders.locally_connected import LocallyConnected
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


def test_equals_unfold_and_einsum():
    """On a grid: a strided window of 4x4, unfolded, with one matrix for each place."""
    graph = SharedGraph.from_grid((6, 8))
    layer = LocallyConnected(3, 5, graph, coarsened(graph)[0], 4).double()
    x = torch.rand(2, 48, 3, dtype=torch.float64)
    columns = F.unfold(x.view(2, 6, 8, 3).permute(0, 3, 1, 2), 4, stride=2, padding=1).unflatten(1, (3, 16))
    number = F.unfold(torch.arange(1.0, 49.0).view(1, 1, 6, 8), 4, stride=2, padding=1)[0].long().T - 1
    weight = torch.zeros(12, 16, 3, 5, dtype=torch.float64)
    for target in range(12):
        heard = layer.near[target][layer.present[target] > 0].tolist()
        assert sorted(heard) == sorted(n for n in number[target].tolist() if n >= 0)
        for slot, source in enumerate(heard):
            weight[target, number[target].tolist().index(source)] = layer.weight[target, slot]
    expected = torch.einsum("bcpm,mpco->bmo", columns, weight) + layer.bias
    torch.testing.assert_close(layer(x), expected)


def test_towards_more_nodes_equals_a_loop_over_pairs():
    graph = SharedGraph.from_grid((6, 4))
    coarse = coarsened(graph)[0]
    layer = LocallyConnected(2, 3, coarse, graph, 4).double()
    x = torch.rand(2, 6, 2, dtype=torch.float64)
    expected = layer.bias.expand(2, -1, -1).clone()
    pairs = 0
    for source in range(6):
        for slot in layer.present[source].nonzero().flatten().tolist():
            target = int(layer.near[source, slot])
            assert (graph.pos[target] - coarse.pos[source]).abs().max() < 2
            expected[:, target] += x[:, source] @ layer.weight[source, slot]
            pairs += 1
    assert pairs == sum(int(((graph.pos - place).abs().amax(1) < 2).sum()) for place in coarse.pos)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("up", [False, True])
def test_pairs_do_not_share_weights(up):
    graph = SharedGraph.from_grid((4, 4))
    ends = (coarsened(graph)[0], graph) if up else (graph, coarsened(graph)[0])
    layer = LocallyConnected(1, 1, *ends, 4)
    x = torch.rand(2, ends[0].num_nodes, 1)
    before = layer(x)
    layer.weight.data[1, 3] += 1
    changed = (layer(x) - before).abs().amax((0, 2)) > 0
    assert changed.nonzero().flatten().tolist() == [int(layer.near[1, 3]) if up else 1]


def test_towards_more_nodes_starts_as_loud_as_a_linear_layer():
    graph = SharedGraph.from_grid((16, 16))
    torch.manual_seed(0)
    layer = LocallyConnected(64, 8, coarsened(graph)[0], graph, 4)
    inner = layer.fan_in[layer.near] == 4 * 64
    own = layer.weight[inner & layer.present]
    bound = 256**-0.5
    assert own.abs().max() <= bound
    assert own.std() > 0.99 * bound / 3**0.5


def test_outputs_start_as_those_of_a_linear_layer():
    graph = SharedGraph.from_grid((16, 16))
    torch.manual_seed(0)
    layer = LocallyConnected(8, 64, graph, coarsened(graph)[0], 4)
    inner = (layer.present.sum(1) == 16).nonzero().flatten()
    own = layer.weight[inner].flatten(1, 2)
    bound = 128**-0.5
    assert own.abs().max() <= bound
    assert own.std() > 0.99 * bound / 3**0.5


def test_windows_as_wide_as_a_convolution_and_more_weights():
    conv = ConvAutoEncoder((8, 8), 1, 4, channels=(3, 5), hidden=16)
    local = LocallyConnectedAutoEncoder(SharedGraph.from_grid((8, 8)), 1, 4, channels=(3, 5), hidden=16)
    assert [m.near.shape for m in local.modules() if isinstance(m, LocallyConnected)] == [
        (16, 16),
        (4, 9),
        (4, 9),
        (16, 16),
    ]
    sizes = [sum(p.numel() for p in model.parameters()) for model in (local, conv)]
    assert sizes[0] > 2 * sizes[1]
    x = torch.rand(3, 64, 1)
    assert_batch_equals_loop(local, x)
    assert_gradients_reach_all(local, x)
