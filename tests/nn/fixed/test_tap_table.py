import itertools

import pytest
import torch

from scge_pyg.graph import SharedGraph
from scge_pyg.nn.fixed.tap_table import build_taps
from scge_pyg.nn.layer.kernel import kernel_points


def dense(table):
    weights = torch.zeros(*table.size, dtype=torch.float64)
    weights[table.tap, table.target, table.source] = table.phi
    return weights


def by_formula(source, target, points, spacing):
    """The two formulas of the module, node by node."""
    result = torch.zeros(len(points), target.num_nodes, source.num_nodes, dtype=torch.float64)
    for p, i in itertools.product(range(len(points)), range(target.num_nodes)):
        if not target.live[i]:
            continue
        hats = torch.zeros(source.num_nodes, dtype=torch.float64)
        for j in range(source.num_nodes):
            if source.live[j]:
                offset = (source.pos[j] - target.pos[i]).double() / spacing - points[p]
                hats[j] = (1 - offset.abs()).clamp_min(0).prod()
        result[p, i] = hats / max(0.5, float(hats.sum()))
    return result


def spacing_of(graph):
    """Median distance to the four nearest of each live node."""
    live = graph.pos[graph.live]
    distance = torch.cdist(live.double(), live.double()).sort(1).values[:, 1:5]
    return distance.flatten().sort().values[(distance.numel() - 1) // 2]


def test_kernel_points_are_a_centred_lattice():
    assert kernel_points(2, 1).flatten().tolist() == [-0.5, 0.5]
    assert kernel_points((1, 3), 2, dilation=(4, 2)).tolist() == [[0, -2], [0, 0], [0, 2]]
    assert kernel_points(3, 3).shape == (27, 3)


@pytest.mark.parametrize("value", [0, -1, (3, 3, 3), 2.5, (3, 0)])
def test_kernel_size_out_of_range(value):
    with pytest.raises((ValueError, TypeError), match="kernel_size"):
        kernel_points(value, 2)


def test_too_many_taps():
    with pytest.raises(ValueError, match="taps"):
        kernel_points(3, 8)


def test_irregular_weights_follow_the_formula(irregular_graph):
    points = kernel_points(3, 2)
    table = build_taps(irregular_graph, irregular_graph, points)
    expected = by_formula(irregular_graph, irregular_graph, points, spacing_of(irregular_graph))
    for dead in (3, 17):
        expected[4, dead, dead] = 1  # a dead node hears itself at the centre tap
    torch.testing.assert_close(dense(table), expected, atol=2e-5, rtol=0)


def test_bipartite_weights_follow_the_formula(irregular_graph):
    coarse, _ = irregular_graph.coarsen(num_nodes=9)
    points = kernel_points(3, 2, dilation=2)
    spacing = min(spacing_of(irregular_graph), spacing_of(coarse))
    for pair in ((irregular_graph, coarse), (coarse, irregular_graph)):
        expected = by_formula(*pair, points, spacing)
        torch.testing.assert_close(dense(build_taps(*pair, points)), expected, atol=2e-5, rtol=0)


def test_coordinates_on_a_grid_give_the_same_table_as_the_lattice():
    grid = SharedGraph.from_grid((4, 5))
    points = kernel_points(3, 2)
    found = build_taps(SharedGraph.from_pos(grid.pos * 0.3), SharedGraph.from_pos(grid.pos * 0.3), points)
    torch.testing.assert_close(dense(found), dense(build_taps(grid, grid, points)))


def test_each_tap_of_a_lattice_meets_at_most_one_node(make_lattice_graph):
    graph = make_lattice_graph((5, 6), missing=4, dead=3, unplaced=2)
    weights = dense(build_taps(graph, graph, kernel_points(3, 2)))
    assert set(weights.unique().tolist()) == {0, 1}
    assert weights.sum(2).max() == 1
    silent = ~graph.live | ~graph.lattice.placed
    assert weights[:, :, silent].sum() == silent.sum()  # each only to itself
    assert weights[4].diagonal().tolist() == [1] * graph.num_nodes


def test_periodic_axes_wrap():
    ring = SharedGraph.from_grid((5,), periodic=(True,))
    weights = dense(build_taps(ring, ring, kernel_points(3, 1)))
    assert torch.equal(weights[0], torch.eye(5).double().roll(1, 0))
    assert torch.equal(weights[2], torch.eye(5).double().roll(-1, 0))


def test_a_ring_in_the_plane_uses_its_lattice():
    angle = torch.arange(12) * (2 * torch.pi / 12)
    pos = torch.stack([angle.cos(), angle.sin()], 1) / (2 * torch.pi / 12)
    line = SharedGraph.from_grid((12,), periodic=(True,))
    ring = SharedGraph(pos, line.edge_index, dim=1, lattice=line.lattice)
    found = build_taps(ring, ring, kernel_points(3, 1))
    torch.testing.assert_close(dense(found), dense(build_taps(line, line, kernel_points(3, 1))))


def test_places_between_cells_are_interpolated():
    grid = SharedGraph.from_grid((3, 3))
    weights = dense(build_taps(grid, grid, kernel_points(2, 2)))
    centre, last = 4, 3
    assert weights[last, centre, [4, 5, 7, 8]].tolist() == [0.25] * 4


def test_adjoint_table(irregular_graph):
    coarse, _ = irregular_graph.coarsen(num_nodes=9)
    table = build_taps(irregular_graph, coarse, kernel_points(3, 2))
    torch.testing.assert_close(dense(table.transposed()), dense(table).transpose(1, 2))


def test_node_sets_in_different_frames():
    with pytest.raises(ValueError, match="one frame"):
        build_taps(SharedGraph.from_grid((4,)), SharedGraph.from_grid((4, 4)), kernel_points(3, 2))
