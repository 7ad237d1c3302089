"""Models whose places were trained, moved onto the lattice of those places, and lowered."""

import pytest
import torch
from torch import nn

from scge_pyg import NodeEmbedding, SCGEConv, SharedGraph, lower_to_conv
from scge_pyg.graph.upright import upright
from scge_pyg.models.autoencoders import SCGEAutoEncoder
from scge_pyg.nn import settle

DOUBLE = {"dtype": torch.float64}


def turned(shape, angle=0.0, unit=1.0, columns=2, seed=100):
    """A table on a grid at an angle, in another unit, nodes in any order; and their row-major cells."""
    cells = SharedGraph.from_grid(shape).lattice.cell
    order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(seed))
    angle = torch.tensor(angle, **DOUBLE)
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    pos = unit * cells[order].double() @ (turn if len(shape) == 2 else torch.eye(len(shape), **DOUBLE)) + 3.7
    pos = torch.cat([pos, pos.new_zeros(len(pos), columns - len(shape))], 1)
    return NodeEmbedding.from_points(pos), cells[order]


def interior(graph, margin=1):
    """Nodes whose window has no empty cell."""
    cell, size = graph.lattice.cell, torch.tensor(graph.lattice.shape)
    return ((cell >= margin) & (cell < size - margin)).all(1)


def largest(y, wanted):
    return float((y - wanted).detach().abs().max() / wanted.detach().abs().max())


@pytest.mark.parametrize("missing", [0, 6])
def test_the_support_is_a_convolution_in_every_node(missing):
    """Against nn.Conv2d that is given the layer's own matrices."""
    table, cells = turned((7, 9))
    keep = torch.arange(63) >= missing
    table = NodeEmbedding.from_points(table().detach()[keep])
    layer = SCGEConv(2, 3, table, neighbors="support").double()
    settled = settle(layer, table.to_graph())
    conv = nn.Conv2d(2, 3, 3, padding=1, **DOUBLE)
    conv.weight.data.copy_(layer.weight.permute(2, 1, 0).unflatten(2, (3, 3)))
    conv.bias.data.copy_(layer.bias)
    x = torch.randn(4, int(keep.sum()), 2, **DOUBLE)
    grid = x.new_zeros(4, 2, 7, 9)
    row, column = cells[keep].T
    grid[:, :, row, column] = x.mT
    wanted = conv(grid)[:, :, row, column].mT
    dense = lower_to_conv(settled, strict=True)
    for model in (layer, settled, dense):
        torch.testing.assert_close(model(x), wanted, rtol=0, atol=1e-12)
    assert isinstance(dense.body[0] if not missing else dense.body[-1], nn.Conv2d)


@pytest.mark.parametrize(
    "options",
    [{}, {"tau": 8.0}, {"estimator": "straight_through"}, {"kernel": "mlp"}, {"kernel": None},
     {"train_points": True}, {"num_bases": 3}, {"root_weight": True, "bias": False}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(("angle", "unit"), [(0.0, 1.0), (0.5, 0.9), (1.5708, 1.0)])
def test_layers_that_hear_the_nearest_move_exactly_in_the_interior(options, angle, unit):
    table, _ = turned((7, 6), angle, unit)
    layer = SCGEConv(2, 3, table, k=9, **options).double().eval()
    graph = table.to_graph()
    settled = settle(layer, graph)
    x = torch.randn(2, 42, 2, **DOUBLE)
    inner = interior(graph)
    assert inner.sum() == 20
    torch.testing.assert_close(settled(x)[:, inner], layer(x)[:, inner], rtol=0, atol=1e-12)
    if options.get("num_bases", 1) == 1 and not options.get("root_weight"):
        torch.testing.assert_close(lower_to_conv(settled, strict=True)(x), settled(x))


@pytest.mark.parametrize(("shape", "columns"), [((14,), 1), ((14,), 3), ((5, 5, 4), 3), ((8, 7), 3)], ids=str)
def test_other_dimensions(shape, columns):
    table, _ = turned(shape, columns=columns)
    taps = 3 ** len(shape)
    layer = SCGEConv(1, 2, table, k=taps).double()
    graph = table.to_graph()
    settled = settle(layer, graph)
    x = torch.randn(2, table.num_nodes, 1, **DOUBLE)
    inner = interior(graph)
    torch.testing.assert_close(settled(x)[:, inner], layer(x)[:, inner], rtol=0, atol=1e-12)
    conv = lower_to_conv(settled, strict=True).body[0]
    assert type(conv).__name__ == f"Conv{len(shape)}d"


def test_a_ring():
    angle = 2 * torch.pi * torch.arange(16, **DOUBLE) / 16
    places = torch.stack([angle.cos(), angle.sin()], 1) * 0.5 / torch.sin(torch.tensor(torch.pi / 16))
    table = NodeEmbedding.from_points(places)
    layer = SCGEConv(1, 2, table, k=3, kernel=None).double()
    settled = settle(layer, table.to_graph())
    x = torch.randn(2, 16, 1, **DOUBLE)
    torch.testing.assert_close(lower_to_conv(settled, strict=True)(x), layer(x), rtol=0, atol=1e-12)


class Shared(nn.Module):
    """Two layers on one table, one of them used twice."""

    def __init__(self, table):
        super().__init__()
        self.first, self.second = SCGEConv(1, 4, table), SCGEConv(4, 4, table)
        self.again = self.second

    def forward(self, x):
        return self.again(torch.relu(self.second(torch.relu(self.first(x)))))


def test_what_is_shared_stays_shared_and_the_model_as_it_is():
    table, _ = turned((6, 6))
    model = Shared(table).double()
    model.first.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    settled = settle(model, table.to_graph())
    assert torch.equal(torch.get_rng_state(), state)
    assert settled.second is settled.again
    assert settled.first.source is settled.second.source
    assert not settled.first.trainable
    assert not settled.first.weight.requires_grad
    assert settled.second.weight.requires_grad
    assert not any(isinstance(module, NodeEmbedding) for module in settled.modules())
    assert settled.left_alone == {}
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(type(one).__name__ == "GridView" for one in lower_to_conv(settled, strict=True).children())


def test_what_differs_is_said():
    table, _ = turned((8, 8))
    model = nn.Sequential(SCGEConv(1, 4, table), nn.ReLU(), SCGEConv(4, 2, table)).double()
    x = torch.randn(3, 64, 1, **DOUBLE)
    graph = table.to_graph()
    with pytest.warns(UserWarning, match=r"outputs differ by up to .* of the largest.*0 .*2 .*Fine-tune"):
        settled = settle(model, graph, x)
    assert settled.difference[""] == pytest.approx(largest(settled(x), model(x)))
    assert settled.difference["0"] == pytest.approx(largest(settled[0](x), model[0](x)))
    hidden = model[1](model[0](x))
    assert settled.difference["2"] == pytest.approx(largest(settled[2](hidden), model[2](hidden)))
    exact = nn.Sequential(SCGEConv(1, 4, table, neighbors="support"), nn.ReLU()).double()
    assert settle(exact, graph, x).difference[""] < 1e-12
    with pytest.warns(UserWarning, match=r"differ by up to [\d.e-]+ of the largest; places are off"):
        settled = settle(model[0], graph, x)
    assert settled.difference == {"": pytest.approx(largest(settled(x), model[0](x)))}


@pytest.mark.parametrize(("shape", "angle"), [((8, 8), 0.0), ((8, 12), torch.pi / 2)])
def test_an_autoencoder_with_coarse_levels(shape, angle):
    """Coarse tables are k-means centres: the blocks of the grid, in an order of their own."""
    table, _ = turned(shape, angle)
    with torch.no_grad():
        table.weight.copy_(upright(table.weight))  # or else taps between the cells hear further nodes
    model = SCGEAutoEncoder(table, 1, 4, channels=(4, 8), hidden=16).double()
    graph = table.to_graph()
    settled = settle(model, graph)
    convs = [layer for layer in settled.modules() if isinstance(layer, SCGEConv)]
    strides = [(layer.source.lattice.stride[0], layer.target.lattice.stride[0]) for layer in convs]
    assert strides == [(1, 2), (2, 4), (4, 2), (2, 1)]
    assert settled.levels == [graph, convs[0].target, convs[1].target]
    with pytest.raises(ValueError, match="places of a SharedGraph are fixed"):
        settled.regroup()
    assert convs[0].target is convs[1].source is convs[2].target is convs[3].source
    # each coarse node is in the middle of the four nodes whose mean it is
    own = torch.cdist(table().detach(), model.levels[1]().detach().double()).argmin(1)
    middle = torch.stack([graph.pos[own == node].mean(0) for node in range(len(own) // 4)])
    torch.testing.assert_close(convs[0].target.pos, middle)
    x = torch.randn(2, table.num_nodes, 1, **DOUBLE)
    torch.testing.assert_close(convs[0](x), model.down[0](x), rtol=0, atol=1e-12)
    code = torch.randn(2, convs[3].num_sources, 4, **DOUBLE)
    torch.testing.assert_close(convs[3](code), model.up[2](code), rtol=0, atol=1e-12)
    dense = lower_to_conv(settled, strict=True)
    assert not any(isinstance(layer, SCGEConv) for layer in dense.modules())
    torch.testing.assert_close(dense(x), settled(x))
    assert sum(isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) for layer in dense.modules()) == 4


class Living(NodeEmbedding):
    """The live nodes of a table, on the same parameter."""

    def __init__(self, table):
        super().__init__(table.weight.shape[0], table.dim)
        self.weight = table.weight


def test_a_layer_on_the_live_nodes_alone():
    whole, _ = turned((6, 7))
    live = torch.arange(42) % 20 != 5
    table = NodeEmbedding.from_points(whole().detach(), live)
    layer = SCGEConv(1, 2, Living(table), k=9).double()
    settled = settle(layer, table.to_graph())
    assert settled.source.num_nodes == 40
    torch.testing.assert_close(settled.source.lattice.cell, table.to_graph().lattice.cell[live])
    other = settle(SCGEConv(1, 2, table, k=9).double(), table.to_graph())
    x = torch.randn(2, 42, 1, **DOUBLE)
    other.load_state_dict({**other.state_dict(), "weight": settled.weight, "bias": settled.bias})
    torch.testing.assert_close(settled(x[:, live]), other(x)[:, live])


def test_layers_that_cannot_move_say_why():
    class Twice(SCGEConv):
        pass

    table, _ = turned((5, 5))
    model = nn.Sequential(
        SCGEConv(1, 2, table), SCGEConv(2, 2, table, content="dot"), Twice(2, 2, table),
        SCGEConv(2, 2, SharedGraph.from_grid((5, 5))),
    )  # fmt: skip
    settled = settle(model, table.to_graph())
    assert settled.left_alone == {
        "1": "its weights depend on content",
        "2": "Twice is a subclass, which may compute something else",
    }
    assert [layer.trainable for layer in settled] == [False, True, True, False]


def test_bad_arguments():
    table, _ = turned((5, 5))
    graph = table.to_graph()
    with pytest.raises(TypeError, match="takes a module and a SharedGraph, got SharedGraph and SCGEConv"):
        settle(graph, SCGEConv(1, 1, table))
    with pytest.raises(ValueError, match="has no lattice"):
        settle(SCGEConv(1, 1, table), NodeEmbedding(25).to_graph())
    with pytest.raises(ValueError, match="graph has 25 nodes, and the model's trained places are those of 30 nodes"):
        settle(SCGEConv(1, 1, NodeEmbedding(30)), graph)
    x = torch.randn(2, 25, 1)
    x[1, 7] = torch.nan
    layer = SCGEConv(1, 1, table, neighbors="support")
    with pytest.raises(ValueError, match=r"outputs for x must be finite.* in 6 of 50 values; leave such samples out"):
        settle(layer, graph, x)
    assert layer.training
    with pytest.raises(
        ValueError, match=r"layer '0' are on the meta device.*weight, bias, product.source.weight; .*to_empty"
    ):
        settle(nn.Sequential(SCGEConv(1, 1, NodeEmbedding.from_grid((5, 5)))).to("meta"), graph)
    with pytest.raises(ValueError, match="parameters of the layer are on the meta device"):
        settle(SCGEConv(1, 1, NodeEmbedding.from_grid((5, 5))).to("meta"), graph)
    with pytest.raises(ValueError, match="those of no nodes"):
        settle(SCGEConv(1, 1, graph), graph)
