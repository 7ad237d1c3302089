import pandas
import pytest
import torch

from scge_pyg import SharedGraph, align, discover
from scge_pyg.discovery.alignment.align import _blocks
from scge_pyg.discovery.alignment.candidates import candidates
from scge_pyg.discovery.alignment.closed_curves import circle, tie
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


def gapped(seed, closed=True, gap=3.0, nodes=40):
    """Places ``[N]`` around a circle or along a line with two wide gaps, its length, and what draws recordings."""
    draw = generator(seed)
    step = 0.5 + torch.rand(nodes, generator=draw).double()
    step[[9, 24]] = gap
    place, length = step.cumsum(0) - step[0], float(step.sum())
    apart = (place[:, None] - place).abs()
    apart = torch.minimum(apart, length - apart) if closed else apart
    root = torch.linalg.cholesky((-apart / 2).exp() + 0.02 * torch.eye(nodes))
    amount, phase = torch.rand(2, 3, 1, generator=draw).double()
    angle = 2 * torch.pi * (torch.tensor([[1.0], [2], [3]]) * place / length + phase)
    skew = 0.9 * torch.sigmoid(2 * (amount * angle.sin()).sum(0))

    def record(samples):
        x = torch.randn(samples, nodes, generator=draw, dtype=torch.float64) @ root.T
        return (skew * x).exp() + (1 - skew) * x

    return place, length, record


def in_a_row(place):
    order = place.argsort()
    return torch.cat([torch.stack([order[:-1], order[1:]]), torch.stack([order[1:], order[:-1]])], 1)


def chain_of(place):
    return SharedGraph(place[:, None].float(), in_a_row(place), dim=1)


def sketch(place, length, seed):
    """A map of a closed curve as discovery gives one: stretched here, squeezed there, an ellipse off the middle."""
    angle = 2 * torch.pi * place / length
    angle = angle + 0.15 * (angle + seed).sin()
    pos = torch.stack([5 + 8 * angle.cos(), 6 * angle.sin()], 1)
    return SharedGraph(pos.float(), in_a_row(place), dim=1)


def share_near(partner, order, place, length):
    """Share of the nodes of a whose partner lies within three spacings of their place, around the circle."""
    off = (place[order[partner]] - place).abs()
    return float(((torch.minimum(off, length - off) < 3) & (partner >= 0)).double().mean())


def count_taken(found, place, length):
    """How many alignments are right; of the others, what is right must be listed as open."""
    taken = 0
    for one, order in found:
        ways = [share_near(partner, order, place, length) > 0.75 for partner in (one.partner, *one.partners)]
        assert any(ways)
        taken += ways[0]
    return taken


def test_a_ring_that_two_gaps_made_two_chains_of_is_laid_on_as_a_ring():
    """Cut at one gap in a and at the other in b: as chains, neither direction is right."""
    taken = 0
    for seed in range(9300, 9304):
        place, length, record = gapped(seed)
        order = torch.randperm(40, generator=generator(seed))
        x_a, x_b = record(1500), record(1500)[:, order]
        a, b = chain_of((place - place[9]) % length), chain_of(((place - place[24]) % length)[order])
        names, a = ("graph_a and of graph_b", a) if seed % 2 else ("graph_b", sketch(place, length, seed))
        with pytest.warns(UserWarning, match=rf"ends of {names} go together .*laid on as closed curves"):
            taken += count_taken([(align(a, b, x_a, x_b), order)], place, length)
    assert taken >= 3


def test_warped_maps_of_a_ring_are_laid_on_each_other():
    taken = 0
    for seed in range(9310, 9314):
        place, length, record = gapped(seed)
        order = torch.randperm(40, generator=generator(seed))
        maps = sketch(place, length, 0), sketch(place[order], length, 2)
        taken += count_taken([(align(*maps, record(1500), record(1500)[:, order]), order)], place, length)
    assert taken >= 3


@pytest.mark.parametrize("seed", range(9320, 9324))
@pytest.mark.filterwarnings("error")
def test_ends_of_an_open_chain_are_not_tied(seed):
    place, _, record = gapped(seed, closed=False)
    order = torch.randperm(40, generator=generator(seed))
    found = align(chain_of(place), chain_of(place[order]), record(1000), record(1000)[:, order])
    assert torch.equal(order[found.partner], torch.arange(40))


def test_one_closed_end_is_told():
    place, _, record = gapped(9300)
    other, _, record_b = gapped(9300, closed=False)
    with pytest.warns(UserWarning, match="ends of graph_a go together .*the other one is open.*partners are wrong"):
        align(chain_of(place), chain_of(other), record(3000), record_b(3000))


@pytest.mark.parametrize("seed", range(9330, 9333))
def test_the_gap_between_tied_ends_is_measured(seed):
    place, length, record = gapped(seed, gap=2.0)
    cut = (place - place[9]) % length
    assert tie(chain_of(cut), _blocks(record(20_000))) == pytest.approx(2.0, abs=0.5)


def test_places_on_a_circle_keep_their_angles():
    place, length, _ = gapped(9340)
    angle = 2 * torch.pi * place / length
    expected = 40 / (2 * torch.pi) * torch.stack([angle.cos(), angle.sin()], 1)
    pos = torch.stack([3 + 7 * angle.cos(), 7 * angle.sin() - 2], 1).float()
    found = circle(SharedGraph(pos, torch.zeros(2, 0, dtype=torch.long), dim=1), None, 40)
    torch.testing.assert_close(found, expected.float(), atol=1e-4, rtol=0)
    bent = circle(chain_of(place), float(length - place.max()), 40)
    torch.testing.assert_close(bent, expected.float(), atol=1e-4, rtol=0)


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
