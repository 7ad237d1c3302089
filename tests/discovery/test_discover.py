import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from scge_pyg import discover
from scge_pyg.metrics import cell_accuracy, edge_scores, procrustes_error


def disc():
    row, col = np.mgrid[:15, :15] - 7
    return row**2 + col**2 < 52


def ring_of_pixels():
    row, col = np.mgrid[:15, :15] - 7
    return disc() & (row**2 + col**2 > 12)


def corner():
    mask = np.zeros((13, 13), dtype=bool)
    mask[:, :6] = mask[8:] = True
    return mask


def holes():
    mask = np.ones((12, 12), dtype=bool)
    mask[3:5, 3:5] = mask[8, 7] = False
    return mask


@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((60,), None),
        ((8, 11), None),
        ((5, 16), None),
        ((5, 5, 5), None),
        ((15, 15), disc()),
        ((15, 15), ring_of_pixels()),
        ((13, 13), corner()),
        ((12, 12), holes()),
    ],
    ids=["chain", "rectangle", "strip", "block", "disc", "ring of pixels", "corner", "holes"],
)
def test_every_node_finds_its_cell(grid_field, shape, mask):
    field = grid_field(shape, 2000, mask=mask)
    graph = discover(field.x)
    assert graph.dim == len(shape)
    assert sorted(graph.lattice.shape) == sorted(shape)
    assert graph.lattice.periodic == (False,) * len(shape)
    assert cell_accuracy(graph, field.cells) == 1.0
    assert torch.equal(graph.pos, graph.lattice.cell.float())
    precision, recall, _ = edge_scores(graph, field.edge_index)
    assert min(precision, recall) == 1.0
    assert torch.equal(graph.component, torch.zeros(len(field.cells), dtype=torch.long))


def test_ring_closes_on_itself(grid_field):
    field = grid_field((50,), 1000, periodic=True)
    graph = discover(field.x)
    assert (graph.dim, graph.pos.shape[1]) == (1, 2)
    assert (graph.lattice.shape, graph.lattice.periodic) == ((50,), (True,))
    assert cell_accuracy(graph, field.cells) == 1.0
    assert edge_scores(graph, field.edge_index).f1 == 1.0
    centre_distance = (graph.pos - graph.pos.mean(0)).norm(dim=1)
    torch.testing.assert_close(centre_distance, torch.full((50,), 0.5 / math.sin(math.pi / 50)))


def test_torus_closes_along_both_axes(grid_field):
    field = grid_field((9, 12), 2000, periodic=True)
    graph = discover(field.x)
    assert graph.dim == 2
    assert sorted(graph.lattice.shape) == [9, 12]
    assert graph.lattice.periodic == (True, True)
    assert cell_accuracy(graph, field.cells) == 1.0
    precision, recall, _ = edge_scores(graph, field.edge_index)
    assert precision == 1.0
    assert recall > 0.9


def test_smooth_noise_on_a_grid(shuffle):
    noise = np.random.default_rng(0).standard_normal((1500, 18, 21))
    x = torch.from_numpy(gaussian_filter(noise, (0, 0.9, 0.9))[:, 4:-4, 4:-4]).flatten(1)
    order = shuffle(130, 0)
    graph = discover(x[:, order])
    cells = torch.cartesian_prod(torch.arange(10), torch.arange(13))[order]
    assert cell_accuracy(graph, cells) == 1.0


def test_random_walks_are_chains(shuffle):
    walk = torch.randn(400, 70, generator=torch.Generator().manual_seed(1)).cumsum(1)
    order = shuffle(70, 1)
    graph = discover(walk[:, order])
    assert cell_accuracy(graph, order.unsqueeze(1)) == 1.0


@pytest.mark.parametrize("gray", [True, False])
def test_photographs(shuffle, gray):
    pytest.importorskip("sklearn")
    from scge_pyg.datasets import PhotoPatches

    ds = PhotoPatches(10, 12, 800, seed=1, gray=gray)
    order = shuffle(120, 2)
    graph = discover(ds.x[:, order])
    assert cell_accuracy(graph, ds.cells[order]) == 1.0


def test_without_snapping_coordinates_are_never_rounded(grid_field):
    field = grid_field((9, 12), 2000)
    graph = discover(field.x, snap=False)
    assert graph.lattice is None
    assert graph.pos.isfinite().all()
    assert (graph.pos != graph.pos.round()).all(1).float().mean() > 0.9
    assert procrustes_error(graph.pos, field.cells) < 0.06
    nearest = torch.cdist(graph.pos, graph.pos).fill_diagonal_(torch.inf).amin(1)
    assert nearest.median() == pytest.approx(1.0, abs=1e-4)
    assert edge_scores(graph, field.edge_index).f1 > 0.99


def test_a_ring_has_two_coordinates_without_a_lattice(grid_field):
    graph = discover(grid_field((50,), 1000, periodic=True).x, snap=False)
    assert graph.lattice is None
    assert graph.pos.shape == (50, 2)
    assert graph.num_edges == 100


def test_dimension_can_be_given(grid_field):
    """Three rows are too few to see that they are rows; whoever knows gets the strip."""
    field = grid_field((3, 20), 3000)
    graph = discover(field.x, dim=2, snap=False)
    assert graph.dim == 2
    assert graph.pos.shape == (60, 2)
    assert edge_scores(graph, field.edge_index).f1 == 1.0
    assert torch.equal(discover(field.x, dim=np.int64(2), snap=False).pos, graph.pos)


def test_the_lattice_puts_the_picture_back_together(grid_field):
    field = grid_field((8, 11), 1500)
    graph = discover(field.x)
    grid = graph.lattice.to_grid(field.x.unsqueeze(2)).squeeze(1)
    true = torch.zeros(1500, 8, 11)
    true[:, field.cells[:, 0], field.cells[:, 1]] = field.x
    if grid.shape[1] != 8:
        grid = grid.transpose(1, 2)
    candidates = [grid.flip(axes) for axes in [(), (1,), (2,), (1, 2)]]
    assert any(torch.equal(candidate, true) for candidate in candidates)


@pytest.mark.parametrize("num_nodes", [100, 150])
def test_a_long_ring_is_closed_though_one_edge_is_hardly_any(grid_field, num_nodes):
    field = grid_field((num_nodes,), 1500, periodic=True)
    graph = discover(field.x)
    assert graph.lattice.periodic == (True,)
    assert graph.pos.shape == (num_nodes, 2)
    assert cell_accuracy(graph, field.cells) == 1.0


def test_digits_have_a_lattice(shuffle):
    """Floored values: a map by correlation alone would be refused here. Pixels that vary at all, 61 of 64."""
    pytest.importorskip("sklearn")
    from scge_pyg.datasets import DigitsNodes

    ds = DigitsNodes()
    order = shuffle(64, 0)
    graph = discover(ds.x[:, order])
    live = ds.x[:, order].std(0).squeeze(1) > 0
    assert int(live.sum()) == 61
    assert graph.fit.ratio > 0.9
    assert cell_accuracy(graph, ds.cells[order], live) > 0.8
