"""A graph taken apart: a grid beside a chain, a ring and a tangle without a geometry, shuffled, with nodes to spare."""

import math

import networkx
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice

GRID, CHAIN, RING, TANGLE, SINGLE, DEAD = range(6)
SIZES = {GRID: 20, CHAIN: 15, RING: 12, TANGLE: 6, SINGLE: 1, DEAD: 1}


def shuffled_parts(seed=0):
    """The graph, and the kind of each node."""
    kind = torch.cat([torch.full((size,), number) for number, size in SIZES.items()])
    grid, chain = SharedGraph.from_grid((4, 5)), SharedGraph.from_grid((15,))
    ring = SharedGraph.from_grid((12,), (True,))
    tangle = torch.cartesian_prod(torch.arange(6), torch.arange(6))
    tangle = tangle[tangle[:, 0] != tangle[:, 1]].t()
    pos = torch.zeros(len(kind), 3)
    pos[kind == GRID, :2] = grid.pos
    pos[kind == CHAIN, 0] = chain.pos[:, 0] + 20
    angle = torch.arange(12) * math.tau / 12
    pos[kind == RING] = torch.stack([angle.cos() + 60, angle.sin(), torch.zeros(12)], 1)
    pos[kind == SINGLE, 0] = 90
    pos[kind == DEAD] = torch.nan
    edges = torch.cat([grid.edge_index, chain.edge_index + 20, ring.edge_index + 35, tangle + 47], 1)
    cell = torch.full((len(kind), 2), -1)
    cell[kind == GRID] = grid.lattice.cell + 2

    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(kind), generator=generator)
    lag = torch.randint(-3, 4, (edges.shape[1],), generator=generator)
    graph = SharedGraph(
        pos[order],
        order.argsort()[edges],
        torch.rand(edges.shape[1], generator=generator),
        part_dim=(2, 1, 1, 0),
        confidence=torch.rand(len(kind), generator=generator),
        lattice=Lattice(cell[order], (9, 8), origin=(-2.0, -2.0)),
        names=[f"node {i}" for i in range(len(kind))],
        sign=torch.randint(-1, 2, (len(kind),), generator=generator),
        lag=lag,
    )
    return graph, kind[order]


@pytest.mark.parametrize("seed", [0, 1])
def test_parts_are_the_nodes_of_each_component(seed):
    graph, kind = shuffled_parts(seed)
    parts = graph.parts()
    assert [part.num_nodes for part in parts] == [20, 15, 12, 6]
    assert [part.dim for part in parts] == [2, 1, 1, 0]
    assert [part.pos.shape[1] for part in parts] == [2, 1, 2, 0]
    for number, part in enumerate(parts):
        nodes = (graph.component == number).nonzero().squeeze(1)
        assert (kind[nodes] == number).all()
        assert torch.equal(part.pos, graph.pos[nodes, : part.pos.shape[1]])
        assert torch.equal(part.confidence, graph.confidence[nodes])
        assert torch.equal(part.sign, graph.sign[nodes])
        assert part.names == tuple(graph.names[node] for node in nodes)
        assert part.live.all()
        assert part.component.unique().tolist() == [0]
        assert part.part_dim == (part.dim,)
    assert graph.component[kind == SINGLE].tolist() == [4]
    assert graph.component[kind == DEAD].tolist() == [-1]


def test_the_union_of_the_parts_is_the_whole():
    graph, _ = shuffled_parts()
    edges, weight, lag = [], [], []
    for number, part in enumerate(graph.parts()):
        nodes = (graph.component == number).nonzero().squeeze(1)
        edges.append(nodes[part.edge_index])
        weight.append(part.edge_weight)
        lag.append(part.lag)
    whole = SharedGraph(graph.pos, torch.cat(edges, 1), torch.cat(weight), lag=torch.cat(lag))
    for name in ("edge_index", "edge_weight", "lag", "component"):
        assert torch.equal(getattr(whole, name), getattr(graph, name))
    together = networkx.disjoint_union_all([part.to_networkx() for part in graph.parts()])
    alone = graph.to_networkx()
    assert {frozenset(together.nodes[i]["name"] for i in pair) for pair in together.edges} == {
        frozenset(alone.nodes[i]["name"] for i in pair) for pair in alone.edges
    }


def test_only_the_part_on_the_lattice_keeps_it():
    graph, _ = shuffled_parts()
    grid, *others = graph.parts()
    assert grid.lattice.shape == (4, 5)
    assert torch.equal(grid.lattice.pos, grid.pos)
    assert torch.equal(grid.lattice.pos, graph.lattice.pos[graph.component == 0])
    assert all(part.lattice is None for part in others)
    true = SharedGraph.from_grid((4, 5))
    where = grid.lattice.flat_index.argsort()
    assert torch.equal(where.argsort()[grid.edge_index].t().sort(0).values, true.edge_index.t().sort(0).values)


def test_a_lattice_goes_to_parts_of_which_most_nodes_have_a_cell():
    chain = SharedGraph.from_grid((5,)).edge_index
    for placed, kept in ((3, True), (2, False)):
        cell = torch.where(torch.arange(5) < placed, torch.arange(5) + 4, -1).unsqueeze(1)
        part = SharedGraph(torch.rand(5, 1), chain, lattice=Lattice(cell, (9,))).parts()[0]
        assert (part.lattice is not None) == kept
        if kept:
            assert part.lattice.cell.squeeze(1).tolist() == [0, 1, 2, -1, -1]
            assert part.lattice.shape == (3,)


def test_closed_axes_stay_whole():
    tube = SharedGraph.from_grid((6, 9), (True, False))
    column = tube.lattice.cell[:, 1]
    edges = tube.edge_index[:, (column[tube.edge_index] != 3).all(0)]
    halves = SharedGraph(tube.pos, edges, live=column != 3, lattice=tube.lattice).parts()
    assert [half.lattice.shape for half in halves] == [(6, 5), (6, 3)]
    assert [half.lattice.periodic for half in halves] == [(True, False)] * 2
    for half, size in zip(halves, (5, 3), strict=True):
        assert torch.equal(half.edge_index, SharedGraph.from_grid((6, size), (True, False)).edge_index)
        assert torch.equal(half.lattice.pos, half.pos)


def test_a_whole_graph_is_its_only_part():
    graph = SharedGraph.from_grid((3, 4))
    (part,) = graph.parts()
    for name in ("pos", "edge_index", "edge_weight", "live", "confidence", "sign", "lag", "component"):
        assert torch.equal(getattr(part, name), getattr(graph, name))
    assert torch.equal(part.lattice.cell, graph.lattice.cell)
    assert SharedGraph(torch.rand(3, 2), torch.empty(2, 0, dtype=torch.long)).parts() == []


def test_edges_to_nodes_that_are_not_live_belong_to_no_part():
    live = torch.tensor([True, True, False, True])
    graph = SharedGraph(torch.rand(4, 1), torch.tensor([[0, 1, 2, 2], [1, 2, 3, 0]]), live=live)
    (part,) = graph.parts()
    assert part.edge_index.tolist() == [[0], [1]]


def test_dimensions_default_to_that_of_the_graph():
    graph, _ = shuffled_parts()
    assert graph.dim == 2
    assert graph.part_dim == (2, 1, 1, 0)
    plain = SharedGraph(graph.pos, graph.edge_index, dim=1)
    assert plain.part_dim == (1, 1, 1, 1)
    assert SharedGraph(graph.pos, graph.edge_index).part_dim == (3,) * 4
    largest_without = SharedGraph(graph.pos, graph.edge_index, part_dim=(0, 1, 1, 0))
    assert largest_without.dim == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part_dim": (2, 1)}, "each of the 4 parts of at least two nodes, got 2 entries"),
        ({"part_dim": (2, 1, 1, 4)}, r"dim must lie in 0\.\.3, got 4"),
        ({"part_dim": (2, -1, 1, 1)}, r"dim must lie in 0\.\.3, got -1"),
        ({"part_dim": (0, 0, 0, 0)}, r"dim must lie in 1\.\.3, got 0; a graph without a geometry"),
        ({"part_dim": (2, 1, 1, 0), "dim": 1}, "largest part: part_dim begins with 2, dim is 1"),
    ],
)
def test_dimensions_that_fit_no_part_are_refused(options, message):
    graph, _ = shuffled_parts()
    with pytest.raises(ValueError, match=message):
        SharedGraph(graph.pos, graph.edge_index, **options)


def test_coarse_parts_keep_their_dimension():
    line, plane = SharedGraph.from_grid((40,)), SharedGraph.from_grid((5, 6))
    pos = torch.cat([torch.cat([line.pos, torch.zeros(40, 1)], 1), plane.pos + torch.tensor([60.0, 0.0])])
    edges = torch.cat([line.edge_index, plane.edge_index + 40], 1)
    graph = SharedGraph(pos, edges, part_dim=(1, 2))
    coarse, cluster = graph.coarsen(stride=2)
    assert coarse.num_nodes == round(40 / 2 + 30 / 4)
    assert coarse.part_dim == (1, 2)
    assert coarse.dim == 1
    first, second = cluster[:40].unique(), cluster[40:].unique()
    assert not set(first.tolist()) & set(second.tolist())
    assert graph.coarsen(1)[0].part_dim == ()
