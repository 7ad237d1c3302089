"""Graphs of which several parts are lattices: two grids and a chain, shuffled, beside a ring that is none."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice
from scge_pyg.graph.tensor_file import write_tensors

FORMAT = "scge_pyg.SharedGraph"
SHAPES = ((5, 6), (4, 4), (9,))
LEFT = (0.0, 20.0, 40.0)  # first column of the places of each
RING, DEAD = 7, 1
NUM_NODES = 30 + 16 + 9 + RING + DEAD


def blocks():
    """The graph of each part with a lattice, and its first node before the shuffle."""
    start = 0
    for shape in SHAPES:
        grid = SharedGraph.from_grid(shape)
        yield grid, start
        start += grid.num_nodes


def arguments(seed=0):
    """Arguments of the graph; its lattices in the order of ``SHAPES``, with gaps before cell zero."""
    order = torch.randperm(NUM_NODES, generator=torch.Generator().manual_seed(seed))
    pos, edges, lattices = torch.full((NUM_NODES, 2), torch.nan), [], []
    for (grid, start), left in zip(blocks(), LEFT, strict=True):
        nodes = torch.arange(start, start + grid.num_nodes)
        pos[nodes] = 0.0
        pos[nodes, : grid.dim] = grid.pos
        pos[nodes, 0] += left
        edges.append(grid.edge_index + start)
        cell = torch.full((NUM_NODES, grid.dim), -1)
        cell[nodes] = grid.lattice.cell + 1
        origin = (left - 1, *[-1.0] * (grid.dim - 1))
        lattices.append(Lattice(cell[order], [n + 1 for n in grid.lattice.shape], origin=origin))
    ring = torch.arange(NUM_NODES - DEAD - RING, NUM_NODES - DEAD)
    pos[ring] = torch.stack([60 + torch.arange(RING).float(), torch.ones(RING)], 1)
    edges.append(torch.cat([torch.stack([ring, ring.roll(1)]), torch.stack([ring.roll(1), ring])], 1))
    return {
        "pos": pos[order],
        "edge_index": order.argsort()[torch.cat(edges, 1)],
        "part_dim": (2, 2, 1, 1),
        "lattice": lattices[0],
        "other_lattices": lattices[1:],
    }


def assert_same(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert torch.equal(one.cell, other.cell)
        assert vars(one) | {"cell": 0} == vars(other) | {"cell": 0}


@pytest.mark.parametrize("seed", [0, 1])
def test_every_part_gets_its_own_lattice(seed):
    graph = SharedGraph(**arguments(seed))
    parts = graph.parts()
    assert [part.lattice and part.lattice.shape for part in parts] == [*SHAPES, None]
    for number, (part, (true, _)) in enumerate(zip(parts, blocks(), strict=False)):
        nodes = (graph.component == number).nonzero().squeeze(1)
        assert torch.equal(part.lattice.pos, part.pos)
        assert torch.equal(part.pos, graph.pos[nodes, : true.dim])
        assert torch.equal(part.lattice.pos, graph.lattices[number].pos[nodes])
        assert part.other_lattices == ()
        at = part.lattice.flat_index
        assert sorted(map(tuple, at[part.edge_index].t().tolist())) == list(map(tuple, true.edge_index.t().tolist()))


def test_lattices_are_sorted_by_part():
    options = arguments()
    first, second, third = options["lattice"], *options["other_lattices"]
    graph = SharedGraph(**options)
    assert graph.lattice is first
    assert graph.other_lattices == (second, third)
    turned = SharedGraph(**options | {"lattice": third, "other_lattices": (first, second)})
    assert turned.lattices == graph.lattices == (first, second, third)
    without = SharedGraph(**options | {"lattice": third, "other_lattices": [second]})
    assert without.lattices == (second, third)
    assert [part.lattice and part.lattice.shape for part in without.parts()] == [None, (4, 4), (9,), None]


def test_parts_of_one_size_are_sorted_by_their_smallest_node():
    grid = SharedGraph.from_grid((3, 3))
    edges = torch.cat([grid.edge_index, grid.edge_index + 9], 1)
    none = torch.full((9, 2), -1)
    early = Lattice(torch.cat([grid.lattice.cell, none]), (3, 3))
    late = Lattice(torch.cat([none, grid.lattice.cell]), (3, 3))
    graph = SharedGraph(torch.cat([grid.pos, grid.pos + 9]), edges, lattice=late, other_lattices=[early])
    assert graph.lattices == (early, late)


def test_no_lattice_one_and_several():
    assert SharedGraph.from_pos(torch.rand(9, 2)).lattices == ()
    grid = SharedGraph.from_grid((2, 3))
    assert grid.lattices == (grid.lattice,)
    assert grid.other_lattices == ()
    assert str(SharedGraph(**arguments())).endswith("components=4, lattice=6x7+5x5+10)")


def stored(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["header"])  # noqa: SIM118


def test_files_and_devices_keep_them(tmp_path):
    graph = SharedGraph(**arguments())
    graph.save(tmp_path / "g")
    tensors, header = stored(tmp_path / "g")
    assert {"cell", "cell_1", "cell_2"} <= set(tensors)
    assert header["version"] == 2
    assert [other["shape"] for other in header["other_lattices"]] == [[5, 5], [10]]
    for other in (SharedGraph.load(tmp_path / "g"), graph.to("cpu")):
        assert_same(other.lattices, graph.lattices)
        assert repr(other) == repr(graph)


def test_files_of_version_2_without_other_lattices_are_read(tmp_path):
    options = arguments() | {"other_lattices": ()}
    SharedGraph(**options).save(tmp_path / "g")
    tensors, header = stored(tmp_path / "g")
    del header["other_lattices"]
    write_tensors(tmp_path / "old", FORMAT, tensors, header)
    assert_same(SharedGraph.load(tmp_path / "old").lattices, (options["lattice"],))


def test_damaged_lattices_are_refused(tmp_path):
    SharedGraph(**arguments()).save(tmp_path / "g")
    tensors, header = stored(tmp_path / "g")
    for change, other in [
        ({"cell_2": None}, {}),
        ({"cell_3": tensors["cell_2"]}, {}),
        ({"cell_2": tensors["cell"][:, :1]}, {}),
        ({}, {"other_lattices": header["other_lattices"][:1]}),
        ({}, {"other_lattices": 2}),
        ({}, {"other_lattices": [1, 2]}),
        ({}, {"lattice": None}),
    ]:
        kept = {name: tensor.clone() for name, tensor in (tensors | change).items() if tensor is not None}
        save_file(kept, tmp_path / "bad", metadata={"format": FORMAT, "header": json.dumps(header | other)})
        with pytest.raises(ValueError, match="holds a damaged graph"):
            SharedGraph.load(tmp_path / "bad")


def test_coarsening_keeps_to_the_first_lattice():
    graph = SharedGraph(**arguments())
    coarse, cluster = graph.coarsen(stride=2)
    assert torch.equal(cluster >= 0, graph.lattice.placed)
    assert coarse.lattices == (coarse.lattice,)
    assert [part.coarsen(stride=2)[0].lattice.shape for part in graph.parts()[:3]] == [(3, 3), (2, 2), (5,)]


def moved_to(lattice, cells):
    """The lattice with other cells for some nodes."""
    cell = lattice.cell.clone()
    for node, place in cells.items():
        cell[node] = torch.tensor(place)
    return Lattice(cell, lattice.shape, lattice.periodic, lattice.origin, lattice.stride)


def test_lattices_that_fit_no_part_are_refused():
    options = arguments()
    graph = SharedGraph(**options)
    first, second, third = graph.lattices
    in_part = [int((graph.component == part).nonzero()[0]) for part in range(4)]
    half = graph.component == 1
    half[half.nonzero()[:8]] = False
    cell = torch.where(half.unsqueeze(1), second.cell, -1)
    rest = torch.where((second.placed & ~half).unsqueeze(1), second.cell, -1)
    for change, message in [
        ({"lattice": None}, "lattice is None, but other_lattices has 2; give one as lattice"),
        (
            {"other_lattices": [second, moved_to(third, {in_part[1]: [0]})]},
            rf"other_lattices\[1\] has a cell for node {in_part[1]}, and so has one before it",
        ),
        (
            {"other_lattices": [second, moved_to(third, {in_part[3]: [0]})]},
            r"the live nodes of other_lattices\[1\] lie in 2; join them by edges",
        ),
        ({"lattice": moved_to(first, {in_part[3]: [0, 0]})}, "the live nodes of lattice lie in 2"),
        ({"other_lattices": [Lattice(torch.full((NUM_NODES, 1), -1), (3,))]}, r"other_lattices\[0\] lie in 0"),
        (
            {"other_lattices": [Lattice(cell, second.shape), Lattice(rest, second.shape)]},
            r"other_lattices\[0\] and other_lattices\[1\] both lie in part 1; a part has one",
        ),
        (
            {"other_lattices": [Lattice(third.cell[1:], third.shape)]},
            rf"other_lattices\[0\].cell must be \[{NUM_NODES}\], one entry a node, got \[{NUM_NODES - 1}\]",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            SharedGraph(**options | change)
    for wrong in (second, None, [None]):
        with pytest.raises(TypeError, match="other_lattices must be a sequence of Lattice, got"):
            SharedGraph(**options | {"other_lattices": wrong})


def test_nodes_that_are_not_live_may_have_cells():
    options = arguments()
    graph = SharedGraph(**options)
    (dead,) = (~graph.live).nonzero().flatten().tolist()
    options["other_lattices"][1] = moved_to(graph.lattices[2], {dead: [0]})
    assert SharedGraph(**options).lattices[2].placed[dead]


def test_a_lattice_alone_may_reach_over_several_parts():
    grid = SharedGraph.from_grid((5, 3))
    live = grid.lattice.cell[:, 0] != 2
    halves = SharedGraph(grid.pos, grid.edge_index, live=live, lattice=grid.lattice)
    assert int(halves.component.max()) == 1
    assert [part.lattice.shape for part in halves.parts()] == [(2, 3), (2, 3)]
