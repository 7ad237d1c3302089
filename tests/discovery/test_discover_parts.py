import networkx
import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.metrics import cell_accuracy, procrustes_error, trustworthiness

GAP = 64.0


@pytest.fixture(scope="module")
def grid(grid_field):
    return grid_field((8, 9), 2000, seed=100)


def apart(graph):
    """Smallest distance between nodes of different parts."""
    distance = torch.cdist(graph.pos, graph.pos)
    same = graph.component[:, None] == graph.component[None]
    return float(distance.masked_fill(same, torch.inf).min())


@pytest.mark.parametrize(("length", "first"), [(5, True), (15, False), (40, True)])
def test_a_grid_beside_a_chain_keeps_its_lattice(grid, grid_field, length, first):
    chain = grid_field((length,), 2000, seed=101)
    both = [grid.x, chain.x] if first else [chain.x, grid.x]
    graph = discover(torch.cat(both, 1))
    assert graph.dim == 2
    assert graph.part_dim == (2, 1)
    large, small = graph.parts()
    assert (large.num_nodes, small.num_nodes) == (72, length)
    assert cell_accuracy(large, grid.cells) == 1.0
    assert small.dim == 1
    place = chain.cells.squeeze(1)
    step = (place[small.edge_index[0]] - place[small.edge_index[1]]).abs()
    assert (step == 1).sum() == 2 * (length - 1)
    assert step.max() <= 2
    assert (graph.component == 0).sum() == 72
    assert apart(graph) >= GAP


def test_each_part_is_judged_by_itself(grid, grid_field):
    """Beside a chain of strong couplings the grid's figures are those that it has alone."""
    chain = grid_field((20,), 2000, seed=101, coherence=0.02)
    graph = discover(torch.cat([chain.x, grid.x], 1))
    large, small = graph.parts()
    for part, x in ((large, grid.x), (small, chain.x)):
        alone = discover(x).fit
        assert part.fit.node_gain.shape == (part.num_nodes,)
        for name in ("verdict", "coupling", "columns"):
            assert getattr(part.fit, name) == getattr(alone, name)
        for name in ("gain", "ceiling", "chance", "ratio"):
            assert getattr(part.fit, name) == pytest.approx(getattr(alone, name), abs=0.03)
        torch.testing.assert_close(part.fit.node_gain, alone.node_gain, atol=0.05, rtol=0)
    assert small.fit.gain > large.fit.gain + 0.3
    assert graph.fit.gain == large.fit.gain
    judged = torch.cat([small.fit.node_gain, large.fit.node_gain])
    assert torch.equal(graph.fit.node_gain, judged)


def test_two_grids_are_both_exact(grid, grid_field):
    other = grid_field((7, 8), 2000, seed=102)
    graph = discover(torch.cat([other.x, grid.x], 1))
    large, small = graph.parts()
    assert cell_accuracy(large, grid.cells) == 1.0
    assert cell_accuracy(small, other.cells) == 1.0
    assert graph.component.tolist() == [1] * 56 + [0] * 72
    assert (len(graph.lattices), sorted(graph.lattice.shape)) == (2, [8, 9])
    assert (graph.lattice.cell[:56] == -1).all()
    row, col = graph.edge_index
    assert torch.equal(graph.component[row], graph.component[col])
    assert apart(graph) >= GAP


def test_a_lattice_beside_a_larger_map(grid_field, places, matern):
    field = grid_field((6, 24), 2000, seed=103)
    points = places("plane", 160, 103)
    graph = discover(torch.cat([field.x, matern(points, 2000, 103)], 1))
    large, small = graph.parts()
    assert (large.lattice, large.dim) == (None, 2)
    assert trustworthiness(large.pos, torch.from_numpy(points)) > 0.99
    assert cell_accuracy(small, field.cells) == 1.0
    assert graph.lattice.cell[144:].unique().tolist() == [-1]


def test_columns_are_those_of_the_widest_part(grid_field, places, matern):
    chain = grid_field((90,), 2000, seed=104)
    points = places("sphere", 80, 104)
    graph = discover(torch.cat([chain.x, matern(points, 2000, 104)], 1))
    assert graph.part_dim == (1, 2)
    assert (graph.dim, graph.pos.shape[1]) == (1, 3)
    assert not graph.pos[:90, 1:].any()
    assert [part.pos.shape[1] for part in graph.parts()] == [1, 3]
    assert procrustes_error(graph.parts()[1].pos, torch.from_numpy(points)) < 0.2


def test_single_nodes_stand_apart_and_are_no_parts(grid):
    noise = torch.randn(2000, 3, generator=torch.Generator().manual_seed(100))
    graph = discover(torch.cat([noise, grid.x], 1))
    assert graph.component.tolist() == [1, 2, 3] + [0] * 72
    assert [part.num_nodes for part in graph.parts()] == [72]
    assert cell_accuracy(graph.parts()[0], grid.cells) == 1.0
    assert not graph.confidence[:3].any()
    assert apart(graph) >= GAP


def test_a_part_without_a_geometry_beside_a_grid(grid):
    """It is the largest, so the graph has dimension 0; the grid keeps its cells."""
    truth = networkx.gnp_random_graph(80, 0.09, seed=100)
    precision = networkx.laplacian_matrix(truth).toarray() + np.eye(80)
    noise = np.random.default_rng(100).standard_normal((80, 2000))
    x = torch.from_numpy(np.linalg.solve(np.linalg.cholesky(precision).T, noise).T).float()
    with pytest.warns(UserWarning, match="no low-dimensional geometry"):
        graph = discover(torch.cat([x, grid.x], 1))
    assert (graph.dim, graph.part_dim) == (0, (0, 2))
    assert cell_accuracy(graph.parts()[1], grid.cells) == 1.0
