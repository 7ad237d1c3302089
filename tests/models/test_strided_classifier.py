import pytest
import torch

from scge_pyg import NodeEmbedding, SharedGraph, lower_to_conv
from scge_pyg.graph import Lattice
from scge_pyg.models import StridedClassifier
from scge_pyg.nn import transfer
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all

ORDER = torch.randperm(64, generator=torch.Generator().manual_seed(0))


def shuffled_grid():
    lattice = Lattice(SharedGraph.from_grid((8, 8)).lattice.cell[ORDER], (8, 8))
    return SharedGraph(lattice.pos, torch.zeros(2, 0, dtype=torch.long), lattice=lattice)


def fresh(nodes, **options):
    torch.manual_seed(0)
    return StridedClassifier(2, 5, nodes, channels=(4, 6), **options)


def test_on_a_grid_it_is_a_network_of_strided_convolutions():
    model = fresh(shuffled_grid()).eval()
    dense = torch.nn.Sequential()
    width = 2
    for layer in model.body:
        if isinstance(layer, torch.nn.BatchNorm1d):
            dense.append(torch.nn.BatchNorm2d(width))
            layer.running_mean += torch.linspace(-0.1, 0.1, width)
            dense[-1].load_state_dict({n: v for n, v in layer.state_dict().items() if n != "_extra_state"})
        elif isinstance(layer, torch.nn.ReLU):
            dense.append(layer)
        else:
            conv = torch.nn.Conv2d(width, layer.out_channels, 4, stride=2, padding=1, bias=False)
            width = layer.out_channels
            conv.weight.data = layer.weight.data.permute(2, 1, 0).unflatten(2, (4, 4)).contiguous()
            dense.append(conv)
    x = torch.randn(3, 64, 2)
    image = torch.empty(3, 2, 64).index_copy(2, ORDER, x.transpose(1, 2)).unflatten(2, (8, 8))
    logits = model.head(dense.eval()(image).flatten(2).transpose(1, 2).flatten(1))
    torch.testing.assert_close(model(x), logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(lower_to_conv(model, strict=True)(x), logits, atol=1e-5, rtol=1e-5)


def test_learned_places_compute_what_the_same_places_do_on_a_graph():
    graph = SharedGraph.from_pos(shuffled_grid().pos)
    learned, fixed = fresh(NodeEmbedding.from_points(graph.pos)), fresh(graph)
    transfer({name: value for name, value in learned.state_dict().items() if name in fixed.state_dict()}, fixed)
    x = torch.randn(7, 64, 2)
    torch.testing.assert_close(learned(x), fixed(x), atol=1e-4, rtol=1e-4)
    assert_gradients_reach_all(learned, x)
    assert_batch_equals_loop(learned.eval(), x)
    torch.testing.assert_close(lower_to_conv(learned)(x), learned(x))


def test_nodes_without_a_place_are_not_heard():
    live = torch.arange(64) % 9 != 4
    for nodes in (NodeEmbedding.from_points(shuffled_grid().pos, live=live), shuffled_grid()):
        model = fresh(nodes).eval()
        x = torch.randn(3, 64, 2)
        other = x.masked_fill(~live.view(-1, 1), 7.0)
        assert torch.allclose(model(x), model(other)) == isinstance(nodes, NodeEmbedding)


def test_coarse_levels_follow_the_places():
    table = NodeEmbedding(64, 2, seed=1)
    model = fresh(table)
    with torch.no_grad():
        table.weight.copy_(shuffled_grid().pos)
    model.regroup()
    middles = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)) * 2 + 0.5
    assert torch.cdist(model.levels[1].weight, middles).amin(1).max() < 1e-5
    assert len(model.levels[1].weight) == 16


def test_options_reach_the_layers_and_bad_ones_are_refused():
    model = fresh(NodeEmbedding(64, 2), neighbors="nearest", k=7, estimator="gumbel")
    assert {layer.product.estimator.k for layer in model.body if hasattr(layer, "product")} == {7}
    with pytest.raises(ValueError, match="kernel_size must be even"):
        fresh(shuffled_grid(), kernel_size=3)
    with pytest.raises(ValueError, match="fixed; use a NodeEmbedding"):
        fresh(shuffled_grid()).regroup()
