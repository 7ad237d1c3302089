import pandas
import pytest
import torch

from scge_pyg import SharedGraph, align, discover
from scge_pyg.discovery.alignment.candidates import candidates
from scge_pyg.graph import Lattice

SHAPE = (6, 7)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def scenes(samples, seed, tilt=0.0):
    """Smooth pictures whose upper rows, and with a tilt also whose left columns, are skewed."""
    noise = torch.randn(samples, 1, SHAPE[0] + 2, SHAPE[1] + 2, generator=generator(seed))
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1).squeeze(1) * 3
    skew = torch.linspace(1, 0, SHAPE[0]).unsqueeze(1) + tilt * torch.linspace(1, 0, SHAPE[1])
    return ((skew * smooth).exp() - 1 + (1 - skew) * smooth).flatten(1)


def camera(x, seed):
    """A shuffle and gains of its own: what it records, and the pixel of each of its nodes."""
    order = torch.randperm(x.shape[1], generator=generator(seed))
    gain = 0.5 + 1.5 * torch.rand(x.shape[1], generator=generator(seed + 1))
    return (x * gain + 10 * gain)[:, order], order


def ring(nodes):
    """Places on a circle, not all the same way apart."""
    angle = (torch.arange(nodes) + 0.3 * torch.rand(nodes, generator=generator(nodes))) * (2 * torch.pi / nodes)
    return SharedGraph(torch.stack([angle.cos(), angle.sin()], 1), torch.zeros(2, 0, dtype=torch.long), dim=1)


def ball(nodes, seed):
    return SharedGraph.from_pos(torch.rand(nodes, 3, generator=generator(seed)) * 2 - 1)


def field(pos, skew, seed, samples=2000):
    """Smooth signals at places, more or less skewed."""
    near = torch.exp(-torch.cdist(pos, pos).square() / 2).double() + 0.05 * torch.eye(len(pos))
    x = torch.randn(samples, len(pos), generator=generator(seed), dtype=torch.float64) @ torch.linalg.cholesky(near).T
    return (skew * x).exp() + (1 - skew) * x


def graph_of(order):
    cell = SharedGraph.from_grid(SHAPE).lattice.cell[order]
    lattice = Lattice(cell, SHAPE, (False, False))
    return SharedGraph(lattice.pos, torch.zeros(2, 0, dtype=torch.long), lattice=lattice)


def ways_of(a, b):
    return candidates(a, b, torch.zeros(a.num_nodes, 2), torch.zeros(b.num_nodes, 2))


def with_edges(graph):
    """The same grid on its side, upside down, with its edges."""
    cell = graph.lattice.cell.flip(1)
    cell = torch.stack([SHAPE[1] - 1 - cell[:, 0], cell[:, 1]], 1)
    near = torch.cdist(cell.double(), cell.double()).sub(1).abs() < 0.1
    return SharedGraph(cell.float(), near.nonzero().T.contiguous(), lattice=Lattice(cell, SHAPE[::-1], (False, False)))


def test_two_cameras_each_shuffled_by_itself():
    (x_a, order_a), (x_b, order_b) = camera(scenes(5000, 0, 0.5), 1), camera(scenes(5000, 2, 0.5), 3)
    a, b = with_edges(graph_of(order_a)), graph_of(order_b)
    found = align(a, b, x_a, x_b)
    assert torch.equal(order_b[found.partner], order_a)
    assert found.open == ()
    assert found.score > 0.7
    assert "no other way fits as well" in found.describe()
    back = align(with_edges(b), a, x_b, x_a)
    assert torch.equal(order_a[back.partner], order_b)


def test_what_the_recordings_leave_open_is_listed():
    """Left and right are alike here, up and down are not."""
    (x_a, order_a), (x_b, order_b) = camera(scenes(1500, 0), 1), camera(scenes(1500, 2), 3)
    a = with_edges(graph_of(order_a))
    found = align(a, graph_of(order_b), x_a, x_b)
    assert len(found.open) == len(found.partners) == len(found.scores) == 1
    pixel = torch.arange(SHAPE[0] * SHAPE[1]).view(SHAPE)
    mirrored = pixel.flip(1).flatten()
    ways = {tuple(order_b[partner].tolist()) for partner in (found.partner, found.partners[0])}
    assert ways == {tuple(order_a.tolist()), tuple(mirrored[order_a].tolist())}
    assert "axis 1 mirrored" in found.describe()


def test_discovered_graphs():
    (x_a, order_a), (x_b, order_b) = camera(scenes(3000, 5, 0.5), 6), camera(scenes(3000, 7, 0.5), 8)
    found = align(discover(x_a), discover(x_b), x_a, x_b)
    assert (order_b[found.partner] == order_a).double().mean() > 0.95


def test_maps_are_turned():
    generator_ = generator(0)
    pos = torch.rand(60, 2, generator=generator_) * 6

    def record(seed):
        return field(pos, (pos[:, 0] / 6 + pos[:, 1] / 12) / 1.5, seed)

    angle = torch.tensor(2.1)
    turn = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    order = torch.randperm(60, generator=generator_)
    a = SharedGraph.from_pos(pos)
    b = SharedGraph.from_pos((pos @ turn.T * torch.tensor([1.0, -1.0]))[order])
    found = align(a, b, record(1), record(2)[:, order])
    assert (order[found.partner] == torch.arange(60)).double().mean() == 1
    assert torch.linalg.det(found.axes) == pytest.approx(-1, abs=1e-5)


@pytest.mark.parametrize("kind", ["ring", "sphere", "ball"])
def test_what_closes_and_what_fills_space(kind):
    generator_ = generator(3)
    graph = ball(80, 1) if kind == "ball" else ring(40)
    pos = torch.nn.functional.normalize(ball(80, 2).pos, dim=1) if kind == "sphere" else graph.pos
    graph = SharedGraph(pos, torch.zeros(2, 0, dtype=torch.long), dim=2) if kind == "sphere" else graph
    turn = torch.linalg.qr(torch.randn(pos.shape[1], pos.shape[1], generator=generator_)).Q
    order = torch.randperm(len(pos), generator=generator_)
    other = SharedGraph((3 * pos @ turn.T)[order], graph.edge_index, dim=graph.dim)
    skew = 0.9 * torch.sigmoid(4 * pos[:, 0] + 6 * pos[:, 1] * pos[:, 0]).double()
    found = align(graph, other, field(2.5 * pos, skew, 1), field(2.5 * pos, skew, 2)[:, order])
    assert torch.equal(order[found.partner], torch.arange(len(pos)))
    torch.testing.assert_close(found.axes, turn, atol=1e-3, rtol=0)


def test_a_closed_curve_may_begin_at_any_of_its_nodes():
    pos = SharedGraph.from_grid((40,)).pos.squeeze(1) * (2 * torch.pi / 40)
    graph = SharedGraph(torch.stack([pos.cos(), pos.sin()], 1), torch.zeros(2, 0, dtype=torch.long), dim=1)
    assert len({tuple(way.partner.tolist()) for way in ways_of(graph, graph)}) == 2 * 40


def test_a_ring_is_moved_along_itself():
    skew = torch.tensor([0.9, 0.7, 0, 0.4, 0, 0, 0, 0, 0, 0, 0.2, 0], dtype=torch.float64)
    x = field(torch.arange(12.0).unsqueeze(1), skew, 0, samples=8000)
    graph = SharedGraph.from_grid((12,), periodic=(True,))
    found = align(graph, graph, x[:4000], x[4000:].roll(5, 1).flip(1))
    assert torch.equal(found.partner, torch.arange(12).roll(5).flip(0).argsort())
    assert found.open == ()


def test_all_ways_of_what_has_no_beginning_are_listed():
    ways = ways_of(
        SharedGraph.from_grid((5, 4), periodic=(True, False)), SharedGraph.from_grid((4, 5), periodic=(False, True))
    )
    assert len({tuple(way.partner.tolist()) for way in ways}) == 5 * 2 * 2
    x = torch.randn(2000, 10, generator=generator(0))
    ring_ = SharedGraph.from_grid((10,), periodic=(True,))
    with pytest.warns(UserWarning, match="hardly agree"):
        found = align(ring_, ring_, x[:1000], x[1000:])
    assert "moved along what closes" in found.describe()


@pytest.mark.parametrize(("shape", "count"), [((5,), 2), ((4, 5), 4), ((4, 4), 8), ((3, 3, 3), 48), ((3, 3, 4), 16)])
def test_candidates_are_the_symmetries_of_the_grid(shape, count):
    graph = SharedGraph.from_grid(shape)
    found = ways_of(graph, graph)
    assert len({tuple(way.partner.tolist()) for way in found}) == count
    distance = torch.cdist(graph.pos, graph.pos)
    for way in found:
        torch.testing.assert_close(distance[way.partner][:, way.partner], distance)


def test_a_part_of_a_grid_lies_where_it_was_cut_out():
    x_a, x_b = scenes(3000, 0, 0.5), scenes(3000, 2, 0.5).view(-1, *SHAPE)[:, :, 2:].flatten(1)
    found = align(SharedGraph.from_grid(SHAPE), SharedGraph.from_grid((6, 5)), x_a, x_b)
    expected = torch.nn.functional.pad(torch.arange(30).view(6, 5), (2, 0), value=-1).flatten()
    assert torch.equal(found.partner, expected)


def test_a_map_has_no_unit():
    x = scenes(4000, 0, 0.5)
    pos = SharedGraph.from_grid(SHAPE).pos + 0.2 * torch.rand(42, 2, generator=generator(0))
    ways = [align(SharedGraph.from_pos(pos), SharedGraph.from_pos(pos * unit), x[:2000], x[2000:]) for unit in (1, 100)]
    assert torch.equal(ways[0].partner, torch.arange(42))
    assert torch.equal(ways[1].partner, torch.arange(42))


def test_places_that_the_other_map_lacks_have_no_partner():
    pos = SharedGraph.from_grid(SHAPE).pos + 0.2 * torch.rand(42, 2, generator=generator(0))
    kept = torch.arange(42) != 17
    for way in ways_of(SharedGraph.from_pos(pos), SharedGraph.from_pos(pos[kept])):
        used = way.partner[way.partner >= 0]
        assert len(used) <= 41
        assert len(used.unique()) == len(used)  # one to one


def test_recordings_of_nothing_in_common_are_told():
    graph = SharedGraph.from_grid(SHAPE)
    for other in (torch.randn(1000, 42, generator=generator(1)), torch.zeros(1000, 42)):
        with pytest.warns(UserWarning, match="hardly agree on any way"):
            align(graph, graph, scenes(1000, 0), other)


def test_nodes_without_a_partner():
    whole = SharedGraph.from_grid((4, 5))
    holes = torch.arange(20) != 7
    lattice = Lattice(whole.lattice.cell[holes], (4, 5), (False, False))
    part = SharedGraph(lattice.pos, torch.zeros(2, 0, dtype=torch.long), lattice=lattice)
    for way in ways_of(whole, part):
        assert (way.partner < 0).sum() == 1


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (SharedGraph.from_grid((4, 5), periodic=(True, False)), SharedGraph.from_grid((4, 5)), "periodic along 0 and"),
        (SharedGraph.from_grid((4, 5)), SharedGraph.from_grid((20,)), "graph_a has dimension 2 and graph_b 1"),
        (SharedGraph.from_grid((9,), periodic=(True,)), SharedGraph.from_grid((8,), periodic=(True,)), "fit in no way"),
        (ring(20), SharedGraph.from_pos(torch.rand(20, 1)), "one of them closes"),
        (ball(4097, 0), ball(20, 0), "at most 4096 nodes, got 4097 and 20"),
    ],
)
def test_what_cannot_be_aligned(a, b, message):
    with pytest.raises(ValueError, match=message):
        align(a, b, torch.rand(70, a.num_nodes), torch.rand(70, b.num_nodes))


def test_names_and_ways_are_told():
    x = scenes(1500, 0)
    frame = pandas.DataFrame(x.numpy(), columns=[f"pixel {i}" for i in range(42)])
    graph = SharedGraph.from_grid(SHAPE)
    named = SharedGraph(graph.pos, graph.edge_index, lattice=graph.lattice, names=tuple(frame.columns))
    assert align(named, graph, frame, x).partner.tolist() == align(graph, graph, x, x).partner.tolist()
    with pytest.raises(
        ValueError, match=r"x_a has its nodes in another order than graph_a; pass x_a\[list\(graph_a.names"
    ):
        align(named, graph, frame[frame.columns[::-1]], x)
    with pytest.raises(ValueError, match="x_a has a node 'new' that graph_a has not"):
        align(named, graph, frame.rename(columns={"pixel 3": "new"}), x)
    with pytest.raises(ValueError, match="x_b must be real"):
        align(graph, graph, x, x.to(torch.complex64))
    ring_ = SharedGraph.from_grid((30,), periodic=(True,))
    noise = torch.randn(2000, 30, generator=generator(0))
    with pytest.warns(UserWarning, match="hardly agree"):
        words = align(ring_, ring_, noise[:1000], noise[1000:]).describe()
    assert "not ruled out by these samples: " in words
    assert words.endswith(" more")
    assert words.count("(") == 4


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.rand(70, 19), r"x_b must be \[S, 20\], got \[70, 19\]"),
        (torch.rand(63, 20), "at least 64 samples, got 63"),
        (torch.full((70, 20), torch.nan), "NaN or infinite"),
    ],
)
def test_bad_samples(x, message):
    graph = SharedGraph.from_grid((4, 5))
    with pytest.raises(ValueError, match=message):
        align(graph, graph, torch.rand(70, 20), x)
    with pytest.raises(TypeError, match="graph_b must be a SharedGraph, got Tensor"):
        align(graph, x, x, x)
