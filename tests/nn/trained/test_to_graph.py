import numpy as np
import pytest
import torch

from scge_pyg import NodeEmbedding, SharedGraph, discover
from scge_pyg.datasets import PhotoPatches
from scge_pyg.datasets.layouts import blue_noise_points
from scge_pyg.metrics import cell_accuracy


def cells_of(*shape):
    return np.argwhere(np.ones(shape))


def turn(dim, columns, generator):
    """Orthonormal rows ``[dim, columns]``: the plane into which a grid is laid."""
    return np.linalg.qr(generator.standard_normal((columns, columns)))[0][:dim]


def learned(cells, columns, seed=100, unit=1.0, noise=0.0):
    """A table as training leaves it: turned, in another unit, in more columns, with noise, nodes in any order."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(cells))
    pos = unit * cells[order] @ turn(cells.shape[1], columns, generator) + generator.standard_normal(columns)
    pos = pos + unit * noise * generator.standard_normal(pos.shape)
    return NodeEmbedding.from_points(torch.from_numpy(pos)), cells[order]


def share_in_place(graph, cells):
    """Nodes in their cell, up to the symmetries of the grid."""
    return cell_accuracy(graph, torch.from_numpy(cells))


def ring(count, unit=1.0):
    angle = 2 * np.pi * np.arange(count) / count
    return unit * 0.5 / np.sin(np.pi / count) * np.stack([np.cos(angle), np.sin(angle)], 1)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(
    ("shape", "columns"), [((12, 9), 2), ((12, 9), 5), ((30,), 1), ((30,), 3), ((4, 5, 4), 3), ((2, 15), 2)], ids=str
)
def test_grids_however_they_lie(shape, columns, noise):
    table, cells = learned(cells_of(*shape), columns, unit=0.7, noise=noise)
    graph = table.to_graph()
    assert graph.dim == graph.pos.shape[1] == len(shape)
    assert sorted(graph.lattice.shape) == sorted(shape)
    assert share_in_place(graph, cells) == 1
    full = SharedGraph.from_grid(shape)
    assert graph.num_edges == full.num_edges
    joined = np.abs(cells[graph.edge_index[0]] - cells[graph.edge_index[1]]).sum(1)
    assert (joined == 1).all()
    torch.testing.assert_close(graph.edge_weight, torch.full_like(graph.edge_weight, np.exp(-1)))
    assert (graph.confidence == 0.5).all()
    assert graph.fit is None


def test_nodes_may_be_missing_or_not_live():
    cells = cells_of(12, 12)
    kept = np.sort(np.random.default_rng(100).permutation(144)[20:])
    table, cells = learned(cells[kept], 2)
    graph = table.to_graph()
    assert share_in_place(graph, cells) == 1
    assert graph.lattice.placed.all()
    points = NodeEmbedding.from_grid((6, 7))().detach().clone()
    points[[3, 20]] = torch.nan
    graph = NodeEmbedding.from_points(points).to_graph()
    assert (~graph.live).nonzero().flatten().tolist() == [3, 20]
    assert graph.lattice.shape == (6, 7)
    assert not graph.lattice.placed[[3, 20]].any()
    assert (graph.confidence[[3, 20]] == 0).all()


def test_nodes_astray_have_no_cell_but_a_place():
    table, cells = learned(cells_of(14, 14), 2)
    astray = torch.arange(0, 196, 20)
    inside = table.weight.detach().mean(0)
    with torch.no_grad():
        table.weight[astray] = inside + 0.5 + 0.31 * torch.arange(10).unsqueeze(1) * torch.tensor([1.0, -1.0])
    named = ", ".join(map(str, range(0, 160, 20)))
    with pytest.warns(UserWarning, match=rf"10 of 196 nodes have no cell on the lattice 14x14: {named} and 2 more;"):
        graph = table.to_graph()
    placed = graph.lattice.placed
    assert placed.sum() >= 186
    right = torch.ones(196, dtype=torch.bool)
    right[astray] = False
    assert cell_accuracy(graph, torch.from_numpy(cells), right) == 1
    assert graph.pos.isfinite().all()


@pytest.mark.parametrize("missing", [[], [5]])
def test_rings(missing):
    pos = np.delete(ring(16, 1.3), missing, 0)
    graph = NodeEmbedding.from_points(torch.from_numpy(pos)).to_graph()
    assert graph.dim == 1
    assert graph.pos.shape[1] == 2
    assert graph.lattice.shape == (16,)
    assert graph.lattice.periodic == (True,)
    steps = graph.lattice.cell[graph.edge_index].squeeze(-1)
    assert (((steps[0] - steps[1]).abs() % 14) == 1).all()
    assert graph.num_undirected_edges == (14 if missing else 16)
    bowed = np.stack([10 * np.cos(np.arange(30) / 10), 10 * np.sin(np.arange(30) / 10)], 1)
    chain = NodeEmbedding.from_points(torch.from_numpy(bowed)).to_graph()
    assert (chain.dim, chain.pos.shape[1], chain.lattice.shape) == (1, 1, (30,))


def test_a_bent_sheet_is_unrolled_and_what_closes_stays():
    cells = cells_of(14, 12).astype(float)
    sheet = np.stack([10 * np.sin(cells[:, 0] / 10), cells[:, 1], 10 * np.cos(cells[:, 0] / 10)], 1)
    graph = NodeEmbedding.from_points(torch.from_numpy(sheet)).to_graph()
    assert graph.lattice.shape in ((14, 12), (12, 14))
    sphere = np.random.default_rng(100).standard_normal((150, 3))
    sphere = 4 * sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    graph = NodeEmbedding.from_points(torch.from_numpy(sphere)).to_graph()
    assert (graph.dim, graph.pos.shape[1], graph.lattice) == (2, 3, None)


def test_parts_far_from_each_other():
    two = np.concatenate([cells_of(7, 8) @ turn(2, 2, np.random.default_rng(100)), cells_of(4, 4) + 60.0])
    graph = NodeEmbedding.from_points(torch.from_numpy(two)).to_graph()
    assert [lattice.shape for lattice in graph.lattices] in ([(7, 8), (4, 4)], [(8, 7), (4, 4)])
    assert graph.component.tolist() == [0] * 56 + [1] * 16


def irregular():
    """Places that are no lattice."""
    generator = np.random.default_rng(100)
    rows = cells_of(14, 14).astype(float)
    yield "hexagons", np.stack([rows[:, 0] + 0.5 * (rows[:, 1] % 2), np.sqrt(0.75) * rows[:, 1]], 1)
    yield "jittered", rows + 0.15 * generator.standard_normal(rows.shape)
    yield "blue noise", blue_noise_points(200, (28, 28), seed=100)
    yield "random", generator.random((200, 2)) * 14
    yield "random volume", generator.random((200, 3)) * 6
    yield "random line", generator.random((60, 1)) * 60


@pytest.mark.parametrize("pos", [pytest.param(pos, id=name) for name, pos in irregular()])
def test_no_lattice_where_there_is_none(pos):
    pos = torch.as_tensor(pos).double()
    graph = NodeEmbedding.from_points(pos).to_graph()
    assert graph.lattice is None
    assert graph.dim == pos.shape[1]
    assert graph.spacing == pytest.approx(1, abs=0.03)  # torch's median is the lower of two
    assert (graph.component == 0).all()
    assert 0.9 * graph.dim < graph.num_undirected_edges / len(pos) < 1.3 * graph.dim
    # mutually near: at most as many nodes lie nearer to either end as the rule allows; what joins pieces is rare
    distance = torch.cdist(pos, pos)
    i, j = graph.edge_index
    rank = (distance[i] < distance[i, j].unsqueeze(1)).sum(1)
    assert (rank <= 2 * graph.dim + 2).double().mean() > 0.9
    length = (graph.pos[i] - graph.pos[j]).norm(dim=1)
    torch.testing.assert_close(graph.edge_weight, torch.exp(-length.square()), atol=1e-4, rtol=1e-3)


def test_order_of_the_nodes_is_nothing():
    table, _ = learned(cells_of(9, 8), 2, noise=0.05)
    graph = table.to_graph()
    order = torch.randperm(72, generator=torch.Generator().manual_seed(100))
    other = NodeEmbedding.from_points(table.weight.detach()[order]).to_graph()
    assert torch.equal(other.pos, graph.pos[order])
    assert torch.equal(other.lattice.cell, graph.lattice.cell[order])


def field(shape, samples=800, seed=100):
    """Smooth samples on a grid, nodes row-major, and the grid's cells."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, 1, *(n + 4 for n in shape), generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1)
    return (smooth[..., 1:-1, 1:-1] + 0.3 * torch.randn(samples, 1, *shape, generator=generator)).flatten(1)


@pytest.fixture(scope="module")
def samples():
    return field((10, 9))


def test_samples_judge_the_places_and_mend_faults_and_a_tear(samples):
    cells = cells_of(10, 9)
    swapped = cells.copy().astype(float)
    swapped[[3, 50, 71]] = swapped[[50, 71, 3]]
    swapped[cells[:, 0] > 6] += [1.5, 0.4]
    graph = NodeEmbedding.from_points(0.8 * torch.from_numpy(swapped)).to_graph(samples)
    assert share_in_place(graph, cells) == 1
    assert graph.fit.verdict == "geometry"
    assert graph.fit.ratio > 0.9
    assert graph.confidence.mean() > 0.9
    found = discover(samples)
    assert graph.fit.ceiling == found.fit.ceiling
    assert torch.equal(graph.edge_index, found.edge_index)


def test_samples_refuse_places_that_say_nothing(samples):
    with pytest.warns(UserWarning, match=r"no geometry of these samples .no geometry.*random ones by .*discover"):
        graph = NodeEmbedding(90, 2, seed=100).to_graph(samples)
    assert graph.dim == 0
    assert graph.pos.shape == (90, 0)
    assert graph.lattice is None
    assert graph.fit.verdict == "no geometry"
    assert graph.fit.ratio < 0.3
    assert (graph.confidence == 0).all()


def test_a_ring_judged_with_two_nodes_swapped():
    noise = torch.randn(1000, 30, generator=torch.Generator().manual_seed(100))
    x = noise + 0.7 * (noise.roll(1, 1) + noise.roll(-1, 1)) + 0.3 * (noise.roll(2, 1) + noise.roll(-2, 1))
    places = torch.from_numpy(ring(30))
    places[[4, 17]] = places[[17, 4]]
    graph = NodeEmbedding.from_points(places).to_graph(x)
    assert graph.dim == 1
    assert graph.fit.verdict == "geometry"
    assert graph.lattice.periodic == (True,)
    steps = graph.lattice.cell.squeeze(1).roll(-1) - graph.lattice.cell.squeeze(1)
    assert len((steps % 30).unique()) == 1


def test_small_photo_grids_keep_the_lattice_that_discover_finds():
    side = 6
    ds = PhotoPatches(side, side, 10000, seed=101)
    table, cells = learned(ds.cells.numpy(), 2, unit=0.8)
    order = [side * row + column for row, column in cells]
    graph = table.to_graph(ds.x[:, order, 0])
    assert graph.lattice.shape == discover(ds.x[..., 0]).lattice.shape == (side, side)
    assert share_in_place(graph, cells) == 1
    assert graph.fit.verdict == "geometry"


def test_a_lattice_that_samples_contradict_is_told():
    """The table stands on a grid, the sensors beside it."""
    points = torch.from_numpy(cells_of(6, 6)).float()
    points = points + 0.25 * torch.randn(36, 2, generator=torch.Generator().manual_seed(100))
    x = PhotoPatches(12, 12, 3000, seed=100, points=points - points.min(0).values).x[..., 0]
    with pytest.warns(UserWarning, match="36 nodes form a lattice 6x6, and couplings of these samples do not"):
        graph = NodeEmbedding.from_grid((6, 6)).to_graph(x)
    assert (graph.lattice, graph.dim, graph.fit.verdict) == (None, 2, "geometry")


def test_too_few_nodes_to_judge_are_told():
    noise = torch.randn(400, 8, generator=torch.Generator().manual_seed(100))
    with pytest.warns(UserWarning, match="the places of 6 nodes are too few to judge by samples, which takes 8"):
        graph = NodeEmbedding(6, seed=100).to_graph(noise[:, :6])
    assert (graph.dim, graph.fit) == (2, None)
    with pytest.warns(UserWarning, match="the places of 8 nodes are no geometry of these samples"):
        assert NodeEmbedding(8, seed=100).to_graph(noise).dim == 0


@pytest.mark.parametrize("columns", [0, 2])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4), (3, 3), (2, 2, 3), (2, 2, 4)], ids=str)
def test_the_smallest_grids(shape, columns):
    table, cells = learned(cells_of(*shape), len(shape) + columns, unit=0.7)
    graph = table.to_graph()
    assert sorted(graph.lattice.shape) == sorted(shape)
    assert graph.num_edges == SharedGraph.from_grid(shape).num_edges
    assert share_in_place(graph, cells) == 1


@pytest.mark.parametrize("shape", [(2,), (2, 2), (2, 2, 2)], ids=str)
def test_what_is_too_small_for_a_lattice_is_places(shape):
    graph = NodeEmbedding.from_grid(shape).to_graph()
    assert graph.lattice is None
    assert graph.dim == len(shape)
    torch.testing.assert_close(
        torch.cdist(graph.pos, graph.pos), torch.cdist(*[torch.from_numpy(cells_of(*shape)).float()] * 2)
    )


def further(places, *more):
    return torch.from_numpy(np.concatenate([places, more]))


def test_a_chain_with_a_hook_at_its_end():
    chain = np.stack([np.arange(12.0), np.zeros(12)], 1)
    long = NodeEmbedding.from_points(further(chain, [11.0, 1.0], [11.0, 2.0])).to_graph()
    assert (long.dim, long.lattice.shape) == (1, (14,))
    assert long.lattice.placed.all()
    with pytest.warns(UserWarning, match="1 of 13 nodes has no cell on the lattice 12: 12; convolutions .* to_graph.x"):
        short = NodeEmbedding.from_points(further(chain, [11.0, 1.0])).to_graph()
    assert (short.dim, short.lattice.placed.sum()) == (1, 12)
    back = NodeEmbedding.from_points(further(chain, [11.0, 1.0], [10.0, 1.0], [9.0, 1.0])).to_graph()
    assert (back.dim, back.lattice) == (2, None)
    assert {11, 12} == set(back.edge_index[:, (back.edge_index == 12).any(0)].flatten().tolist()) & {11, 12}


def test_nodes_that_share_a_place():
    points = torch.from_numpy(cells_of(5, 6)).double()
    points[4] = points[3]
    with (
        pytest.warns(UserWarning, match=r"1 node stands exactly where another does: 4 \(on 3\); a layer cannot"),
        pytest.warns(UserWarning, match="1 of 30 nodes has no cell on the lattice 5x6: 4;"),
    ):
        graph = NodeEmbedding.from_points(points).to_graph()
    assert (~graph.lattice.placed).nonzero().tolist() == [[4]]
    for points in (torch.zeros(9, 2), torch.ones(2, 3)):
        with pytest.raises(
            ValueError, match=rf"all {len(points)} nodes stand on one place.*NodeEmbedding\({len(points)}, 2"
        ):
            NodeEmbedding.from_points(points).to_graph()
    with pytest.raises(ValueError, match="all 9 nodes stand on one place"):
        NodeEmbedding.from_points(torch.zeros(9, 2)).to_graph(torch.randn(100, 9))


def test_devices_without_memory():
    table = NodeEmbedding.from_grid((4, 5))
    with torch.device("meta"):
        graph = table.to_graph()
    assert graph.lattice.shape == (4, 5)
    assert graph.pos.device.type == "cpu"
    with pytest.raises(ValueError, match=r"table is on the meta device.*to_empty.*reset_parameters"):
        table.to("meta").to_graph()


def test_irregular_places_judged(samples):
    """Every other node of a grid thrown away at random: neighbours are right, and they are no grid."""
    kept = torch.randperm(90, generator=torch.Generator().manual_seed(100))[:45].sort().values
    graph = NodeEmbedding.from_points(torch.from_numpy(cells_of(10, 9)).double()[kept]).to_graph(samples[:, kept])
    assert graph.dim == 2
    assert graph.fit.verdict == "geometry"
    assert graph.edge_weight.min() > 0


def test_nodes_that_samples_do_not_show(samples):
    x = samples.clone()
    x[:, 7] = 1.0
    table = NodeEmbedding.from_grid((10, 9))
    graph = table.to_graph(x)
    assert (~graph.live).nonzero().flatten().tolist() == [7]
    live = torch.ones(90, dtype=torch.bool)
    live[[0, 44]] = False
    graph = NodeEmbedding.from_points(table().detach(), live).to_graph(samples)
    assert torch.equal(graph.live, live)
    assert sorted(graph.lattice.shape) == [9, 10]


def test_bad_tables_and_samples(samples):
    with pytest.raises(ValueError, match=r"x must be samples \[S, 12\].*got 90 nodes"):
        NodeEmbedding(12).to_graph(samples)
    table = NodeEmbedding(12)
    with torch.no_grad():
        table.weight[3] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite places"):
        table.to_graph()
    with pytest.raises(ValueError, match="at least 2 nodes must be live, got 1"):
        NodeEmbedding(12, live=torch.arange(12) == 3).to_graph()
    few = NodeEmbedding.from_points(torch.tensor([[0.0, 0.0], [0.0, 2.0]])).to_graph()
    assert (few.dim, few.num_undirected_edges) == (1, 1)
