import math

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice
from scge_pyg.graph.coarsening import coarsen_lattice, coarsen_points


def test_a_grid_halves():
    graph = SharedGraph.from_grid((32, 32))
    coarse, cluster = graph.coarsen(stride=2)
    half = SharedGraph.from_grid((16, 16))
    assert coarse.lattice.shape == (16, 16)
    assert torch.equal(coarse.edge_index, half.edge_index)
    assert torch.equal(coarse.pos, 2 * half.pos)
    assert coarse.spacing == 2.0
    row, col = graph.lattice.cell.unbind(1)
    assert torch.equal(cluster, row // 2 * 16 + col // 2)


def test_coarse_nodes_sit_where_a_strided_convolution_puts_its_outputs():
    graph = SharedGraph.from_grid((7, 6))
    coarse, _ = graph.coarsen(stride=3)
    image = graph.lattice.to_grid(graph.pos)
    strided = torch.nn.functional.conv2d(image.unsqueeze(1), torch.ones(1, 1, 1, 1), stride=3)[:, 0]
    assert torch.equal(coarse.lattice.to_grid(coarse.pos), strided)


def test_outlines_holes_and_unplaced_nodes():
    cell = torch.tensor([[0, 0], [0, 1], [-1, -1], [3, 3], [2, 2], [3, 0]])
    coarse, cluster = coarsen_lattice(Lattice(cell, (4, 4)), 2)
    assert coarse.cell.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert cluster.tolist() == [0, 0, -1, 2, 2, 1]


def test_periodic_axes_stay_closed():
    coarse, _ = SharedGraph.from_grid((8, 6), (True, False)).coarsen(stride=2)
    assert torch.equal(coarse.edge_index, SharedGraph.from_grid((4, 3), (True, False)).edge_index)
    with pytest.raises(ValueError, match="stride=3 doesn't divide the periodic axis of 8 cells"):
        SharedGraph.from_grid((8, 6), (True, False)).coarsen(stride=3)


def test_coarse_levels_nest():
    graph = SharedGraph.from_grid((8, 8))
    once, first = graph.coarsen(stride=2)
    twice, second = once.coarsen(stride=2)
    at_once, cluster = graph.coarsen(stride=4)
    assert torch.equal(second[first], cluster)
    assert torch.equal(twice.pos, at_once.pos)


def test_points_join_their_nearest_centre():
    points = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    centres, assignment = coarsen_points(points, 20)
    assert centres.shape == (20, 2)
    assert torch.equal(assignment, torch.cdist(points, centres).argmin(1))
    for centre in range(20):
        torch.testing.assert_close(centres[centre], points[assignment == centre].mean(0))


def test_separate_clusters_are_found():
    corner = torch.tensor([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]])
    noise = torch.rand(25, 4, 2, generator=torch.Generator().manual_seed(1))
    points = (corner + noise).view(100, 2)
    _, assignment = coarsen_points(points, 4)
    groups = assignment.view(25, 4)
    assert (groups == groups[0]).all()
    assert groups[0].unique().numel() == 4


@pytest.mark.parametrize("turn", [0.0, 0.3, 1.2])
def test_a_turned_grid_falls_into_blocks(turn):
    cell = SharedGraph.from_grid((12, 10)).lattice.cell
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    jitter = 0.1 * torch.randn(120, 2, generator=torch.Generator().manual_seed(0))
    shuffle = torch.randperm(120, generator=torch.Generator().manual_seed(1))
    _, cluster = coarsen_points(((cell + jitter) @ rotation.T + 3.3)[shuffle], 30)
    block = (cell // 2)[shuffle]
    assert torch.equal(cluster[:, None] == cluster, (block[:, None] == block).all(2))


def test_a_stray_node_leaves_the_blocks_of_the_others_in_line():
    cell = SharedGraph.from_grid((16, 16)).lattice.cell
    jitter = 0.005 * torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    pos = cell + jitter
    pos[16] = torch.tensor([1.1, -0.8])
    coarse, cluster = SharedGraph.from_pos(pos).coarsen(stride=2)
    assert coarse.num_nodes == 65
    assert (torch.bincount(cluster) == 4).sum() >= 63
    assert coarse.coarsen(stride=2)[0].num_nodes <= 17


def test_coordinates_have_blocks_too():
    grid = SharedGraph.from_grid((13, 10))
    ragged = grid.pos[(grid.pos - torch.tensor([6.0, 4.5])).norm(dim=1) < 6.5]
    places = SharedGraph.from_pos(ragged @ torch.tensor([[0.8, -0.6], [0.6, 0.8]]))
    shifts = torch.cartesian_prod(torch.arange(2), torch.arange(2))
    filled = min(torch.unique((ragged + shift) // 2, dim=0).shape[0] for shift in shifts)
    assert filled <= places.coarsen(stride=2)[0].num_nodes <= filled + 2
    assert places.coarsen(stride=1)[0].num_nodes == len(ragged)
    irregular = SharedGraph.from_pos(torch.rand(400, 2, generator=torch.Generator().manual_seed(0)))
    assert irregular.coarsen(stride=2)[0].num_nodes == 125


def test_a_graph_without_a_lattice():
    generator = torch.Generator().manual_seed(0)
    pos = torch.rand(120, 2, generator=generator) * 10
    pos[:20] = torch.nan
    graph = SharedGraph.from_pos(pos)
    coarse, cluster = graph.coarsen()
    assert coarse.num_nodes == 25
    assert coarse.lattice is None
    assert (cluster[:20] == -1).all()
    assert torch.equal(cluster[20:].unique(), torch.arange(25))
    pairs = {tuple(sorted(p)) for p in cluster[graph.edge_index].t().tolist() if p[0] != p[1]}
    assert {tuple(p) for p in coarse.edge_index.t().tolist()} == pairs | {(b, a) for a, b in pairs}


def test_bad_input_is_refused():
    graph = SharedGraph.from_grid((4, 4))
    with pytest.raises(ValueError, match="num_nodes or stride, not both"):
        graph.coarsen(4, stride=2)
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        graph.coarsen(stride=0)
    with pytest.raises(ValueError, match=r"num_nodes must lie in 1\.\.16 \(live nodes\), got 17"):
        graph.coarsen(17)
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        SharedGraph.from_pos(torch.rand(9, 2)).coarsen(stride=0)


def test_the_order_of_the_points_changes_no_bit():
    points = torch.rand(300, 2, generator=torch.Generator().manual_seed(0))
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    centres, assignment = coarsen_points(points, 75)
    shuffled, again = coarsen_points(points[order], 75)
    assert torch.equal(shuffled, centres)
    assert torch.equal(again, assignment[order])
