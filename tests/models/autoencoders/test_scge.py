import copy

import numpy as np
import pytest
import torch

from scge_pyg import NodeEmbedding, SCGEConv, SharedGraph, lower_to_conv
from scge_pyg.graph import Lattice
from scge_pyg.models.autoencoders import ConvAutoEncoder, SCGEAutoEncoder, fit_autoencoder
from scge_pyg.models.autoencoders.hierarchy import coarsened
from scge_pyg.nn import transfer
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all

SIZES = {"channels": (3, 5), "hidden": 16}


@pytest.fixture
def order():
    return torch.randperm(96, generator=torch.Generator().manual_seed(0))


def on_lattice(order):
    """An 8x12 grid in another node order."""
    lattice = Lattice(SharedGraph.from_grid((8, 12)).lattice.cell[order], (8, 12))
    return SharedGraph(lattice.pos, torch.zeros(2, 0, dtype=torch.long), lattice=lattice)


def in_the_plane(order):
    """Jittered places without a lattice, in another node order."""
    generator = torch.Generator().manual_seed(1)
    cells = SharedGraph.from_grid((8, 12)).pos
    return SharedGraph.from_pos((cells + 0.2 * torch.rand(96, 2, generator=generator))[order])


def fresh(graph, **options):
    torch.manual_seed(0)
    return SCGEAutoEncoder(graph, 1, 4, **SIZES, **options).double()


def test_on_a_grid_it_is_the_convolutional_autoencoder(order):
    conv = ConvAutoEncoder((8, 12), 1, 4, **SIZES).double()
    model = fresh(on_lattice(order))
    for ours, dense in zip((*model.down, *model.up), (*conv.down, *conv.up), strict=True):
        if isinstance(ours, SCGEConv):
            transposed = isinstance(dense, torch.nn.ConvTranspose2d)
            weight = dense.weight.detach().flatten(2)
            ours.weight.data = weight.flip(2).permute(2, 0, 1) if transposed else weight.permute(2, 1, 0)
            ours.bias.data = dense.bias.detach().clone()
    model.dense_down.load_state_dict(conv.dense_down.state_dict())
    model.dense_up.load_state_dict(conv.dense_up.state_dict())
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in conv.parameters())
    x = torch.rand(3, 96, 1, dtype=torch.float64)
    for net in (model, lower_to_conv(model, strict=True)):
        torch.testing.assert_close(net.encode(x[:, order]), conv.encode(x), rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(net(x[:, order]), conv(x)[:, order], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(7, 9), (9, 6), (10, 11)])
def test_odd_grids_are_lowered_too(shape):
    """The transposed convolutions reach one cell beyond the border, which is cut off."""
    torch.manual_seed(0)
    model = SCGEAutoEncoder(SharedGraph.from_grid(shape), 1, 4, **SIZES).double()
    x = torch.rand(3, shape[0] * shape[1], 1, dtype=torch.float64)
    lowered = lower_to_conv(model, strict=True)
    torch.testing.assert_close(lowered(x), model(x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(lowered.encode(x), model.encode(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("make", [on_lattice, in_the_plane])
def test_shuffling_the_nodes_changes_nothing(make, order):
    x = torch.rand(3, 96, 1, dtype=torch.float64)
    true, shuffled = fresh(make(torch.arange(96))), fresh(make(order))
    torch.testing.assert_close(shuffled.encode(x[:, order]), true.encode(x), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(shuffled(x[:, order]), true(x)[:, order], rtol=1e-10, atol=1e-10)


def test_lowered_training_is_bit_equal_in_any_node_order(order):
    """A grid view puts the nodes in canonical order before anything is summed."""
    x = torch.rand(64, 96, 1)
    trained = []
    for nodes in (torch.arange(96), order):
        model = lower_to_conv(fresh(on_lattice(nodes)).float(), strict=True)
        fit_autoencoder(model, x[:, nodes], epochs=2, batch_size=16)
        trained.append(model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(trained[0].values(), trained[1].values(), strict=True))


def test_levels_quarter_the_nodes(order):
    for graph in (on_lattice(order), in_the_plane(order)):
        assert [level.num_nodes for level in fresh(graph).levels] == [96, 24, 6]
        assert all(level.edge_index.numel() == 0 for level in fresh(graph).levels[:1])


def test_nodes_without_a_place_are_learned_constants(order):
    graph = on_lattice(order)
    cell = graph.lattice.cell.clone()
    cell[[7, 20]] = -1
    lattice = Lattice(cell, (8, 12))
    live = torch.ones(96, dtype=torch.bool)
    live[20] = False
    pos = torch.where(torch.isnan(lattice.pos), 0.0, lattice.pos)
    model = fresh(SharedGraph(pos, torch.zeros(2, 0, dtype=torch.long), lattice=lattice, live=live))
    x = torch.rand(2, 96, 1, dtype=torch.float64)
    changed = x.clone()
    changed[:, [7, 20]] = 5.0
    torch.testing.assert_close(model(changed), model(x))
    model.rest.data[:] = torch.tensor([[0.25], [0.75]])
    assert model(x)[:, [7, 20], 0].tolist() == [[0.25, 0.75]] * 2
    assert_gradients_reach_all(model, x)
    lowered = lower_to_conv(model, strict=True)
    torch.testing.assert_close(lowered(x), model(x))


VARIANTS = {
    "lattice": lambda order: fresh(on_lattice(order)),
    "places": lambda order: fresh(in_the_plane(order)),
    "learned places": lambda order: fresh(NodeEmbedding.from_graph(in_the_plane(order))),
    "content on a lattice": lambda order: fresh(on_lattice(order), content="gat"),
    "content": lambda order: fresh(in_the_plane(order), content="gatv2"),
}


@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
def test_batches_and_gradients(make, order):
    model = make(order).eval()
    x = torch.rand(3, 96, 1, dtype=torch.float64)
    assert model(x).shape == x.shape
    assert_batch_equals_loop(model, x)
    assert_gradients_reach_all(model, x)


def test_regroup_follows_the_places(order):
    embedding = NodeEmbedding(96, 2, seed=3)
    model = fresh(embedding)
    embedding.weight.data.copy_(in_the_plane(order).pos)
    before = [level.weight.clone() for level in model.levels[1:]]
    model.regroup()
    for finer, level, old in zip(model.levels, model.levels[1:], before, strict=False):
        assert not torch.allclose(level.weight, old)
        centres = finer.coarsen(level.num_nodes).weight
        torch.testing.assert_close(level.weight[lexsorted(level.weight)], centres[lexsorted(centres)])
    assert model.down[0].source.weight is embedding.weight
    offset = model.down[0].source().detach().unsqueeze(1) - model.down[0].target().detach()
    heard, targets = model.down[0].edge_index
    for target in range(24):
        in_reach = (offset[:, target].abs() < 2.5).all(1)  # of four taps an axis, the outer two 1.5 away
        assert set(heard[targets == target].tolist()) == set(in_reach.nonzero().squeeze(1).tolist())


def lexsorted(places):
    return np.lexsort(places.detach().numpy().T)


def test_regroup_keeps_coarse_nodes_in_their_places(order):
    """The dense layers have learned which coarse node is where."""
    embedding = NodeEmbedding(96, 2, seed=3)
    model = fresh(embedding)
    embedding.weight.data.copy_(in_the_plane(order).pos)
    model.regroup()
    before = [level.weight.clone() for level in model.levels[1:]]
    embedding.weight.data += 0.2 * torch.randn(96, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model.regroup()
    for level, old in zip(model.levels[1:], before, strict=True):
        moved = (level.weight - old).norm(dim=1)
        scrambled = (embedding.coarsen(level.num_nodes).weight - old).norm(dim=1)
        assert moved.median() < 1.0  # half a spacing
        assert scrambled.mean() > 2 * moved.mean()


def test_layers_start_as_those_of_the_convolutional_autoencoder():
    torch.manual_seed(0)
    scge = lower_to_conv(SCGEAutoEncoder(SharedGraph.from_grid((28, 28)), 1, 16), strict=True)
    conv = ConvAutoEncoder((28, 28), 1, 16)
    found, expected = ([p for p in model.parameters() if p.dim() == 4] for model in (scge, conv))
    for one, other in zip(found, expected, strict=True):
        assert one.numel() == other.numel()
        assert one.abs().max().item() == pytest.approx(other.abs().max().item(), rel=0.02)
        assert one.std().item() == pytest.approx(other.std().item(), rel=0.1)


def test_matrices_of_averaging_layers_train_faster(order):
    model = fresh(in_the_plane(order), content="gatv2")
    rates = {id(p): group["lr"] for group in model.parameter_groups(0.5) for p in group["params"]}
    assert len(rates) == len(list(model.parameters()))
    layers = [layer for layer in model.modules() if isinstance(layer, SCGEConv)]
    for layer in layers:
        assert layer.gain > 1
        assert rates.pop(id(layer.weight)) == pytest.approx(0.5 * layer.gain**0.5)
    assert set(rates.values()) == {0.5}
    for nodes in (on_lattice(order), NodeEmbedding(96, 2, seed=3)):
        assert [group["lr"] for group in fresh(nodes).parameter_groups(0.5)] == [0.5]


def test_regroup_needs_an_embedding(order):
    with pytest.raises(ValueError, match="places of a SharedGraph are fixed"):
        fresh(on_lattice(order)).regroup()


def test_content_needs_blocks():
    with pytest.raises(ValueError, match="content='dot' needs nodes with fixed blocks"):
        fresh(NodeEmbedding(96, 2), content="dot")


def test_targets_ask_with_the_features_of_their_blocks(order):
    """With the same features everywhere all neighbours weigh the same; a single loud one changes its readers alone."""
    model = fresh(on_lattice(order), content="dot")
    layer = model.down[0]
    x = torch.rand(2, 96, 1, dtype=torch.float64)
    mean = layer.resample(x)
    for target in range(24):
        members = layer.resample.cluster == target
        torch.testing.assert_close(mean[:, target], x[:, members].mean(1))
    torch.testing.assert_close(layer(x), layer.conv((x, mean)))
    _, (_, alpha) = layer.conv((x, mean), return_attention_weights=True)
    assert alpha.std() > 0


def test_odd_kernels_are_refused(order):
    with pytest.raises(ValueError, match="kernel_size must be even"):
        fresh(on_lattice(order), kernel_size=3)


def test_state_goes_from_one_copy_to_another(order):
    model = fresh(NodeEmbedding(96, 2, seed=3))
    other = copy.deepcopy(model)
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(model.state_dict())
    x = torch.rand(2, 96, 1, dtype=torch.float64)
    torch.testing.assert_close(other.eval()(x), model.eval()(x))


def test_transposed_layers_start_as_loud_as_strided_ones():
    """A fine node meets 4 of the 16 taps; its output must not start half as large for that."""
    torch.manual_seed(0)
    fine = SharedGraph.from_grid((16, 16))
    ends = fine, coarsened(fine)[0]
    strided, transposed = (SCGEConv(8, 8, pair, kernel_size=4) for pair in (ends, ends[::-1]))
    spread = [layer(torch.randn(64, layer.num_sources, 8)).std() for layer in (strided, transposed)]
    assert 0.8 < spread[1] / spread[0] < 1.25


def test_learned_places_compute_what_the_same_places_do_on_a_graph(order):
    """Never snapped, with the same weights."""
    graph = SharedGraph.from_pos(on_lattice(order).pos)
    learned, fixed = fresh(NodeEmbedding.from_points(graph.pos)), fresh(graph)
    assert [level.num_nodes for level in learned.levels] == [level.num_nodes for level in fixed.levels]
    transfer({name: value for name, value in learned.state_dict().items() if name in fixed.state_dict()}, fixed)
    x = torch.rand(3, 96, 1, dtype=torch.float64)
    torch.testing.assert_close(learned.eval()(x), fixed.eval()(x), atol=1e-6, rtol=1e-6)


def test_nodes_without_a_learned_place_are_constants(order):
    pos = on_lattice(order).pos.clone()
    pos[[7, 20]] = torch.nan
    model = fresh(NodeEmbedding.from_points(pos)).eval()
    model.rest.data[:] = torch.tensor([[0.25], [0.75]])
    x = torch.rand(3, 96, 1, dtype=torch.float64)
    changed = x.clone()
    changed[:, [7, 20]] = 5.0
    torch.testing.assert_close(model(changed), model(x))
    assert model(x)[:, [7, 20], 0].tolist() == [[0.25, 0.75]] * 3
    assert_gradients_reach_all(model, x)


@pytest.mark.parametrize(("part", "number", "pair"), [("down", 2, (1, 2)), ("up", 0, (2, 1))])
def test_taps_of_learned_levels_lie_as_far_apart_as_their_nodes(part, number, pair, order):
    """Between the second and third level all places are two spacings apart: as one spacing at half the places."""
    model = fresh(NodeEmbedding.from_graph(in_the_plane(order))).eval()
    layer = getattr(model, part)[number]
    halved = tuple(NodeEmbedding.from_points(model.levels[level]().detach() / 2) for level in pair)
    options = {"kernel_size": 4, "neighbors": "support"}
    plain = SCGEConv(layer.in_channels, layer.out_channels, halved, **options).double().eval()
    plain.load_state_dict({n: v for n, v in layer.state_dict().items() if n in ("weight", "bias")}, strict=False)
    x = torch.rand(3, layer.num_sources, layer.in_channels, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain(x))
