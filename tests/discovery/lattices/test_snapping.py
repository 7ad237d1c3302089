import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.spatial import cKDTree

from scge_pyg.discovery.coupling.choice import partial_couplings
from scge_pyg.discovery.lattices.snapping import find_cells
from scge_pyg.discovery.maps.wiring import wire
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.graph.lattice import Lattice
from scge_pyg.metrics import cell_accuracy

NOISE = 0.01


def grid(*shape):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))


def disc(inner=0.0, outer=8.0):
    cells = grid(17, 17)
    radius = np.linalg.norm(cells - 8, axis=1)
    return cells[(radius >= inner) & (radius <= outer)]


def corner():
    cells = grid(14, 14)
    return cells[(cells[:, 1] < 6) | (cells[:, 0] >= 8)]


def holes():
    cells = grid(12, 13)
    missing = {(3, 3), (3, 4), (4, 3), (4, 4), (8, 7), (6, 10)}
    return np.array([cell for cell in cells.tolist() if tuple(cell) not in missing])


def shuffled(cells, seed=0):
    return cells[np.random.default_rng(seed).permutation(len(cells))]


def snap(coupling, dim, nodes=None, seed=0):
    nodes = np.arange(coupling.shape[0]) if nodes is None else nodes
    return find_cells(coupling, wire(coupling, NOISE, dim), nodes, dim, np.random.default_rng(seed))


def accuracy(found, cells):
    """Share of exact cells up to the grid's symmetries."""
    lattice = Lattice(torch.from_numpy(found.cell), found.shape, found.periodic)
    live = torch.ones(len(cells), dtype=torch.bool)
    return cell_accuracy(SimpleNamespace(lattice=lattice, live=live), torch.from_numpy(cells))


@pytest.mark.parametrize(
    "cells",
    [grid(9, 14), grid(5, 24), disc(), disc(4.5), corner(), holes(), grid(6, 5, 4), grid(60)],
    ids=["rectangle", "strip", "disc", "ring of pixels", "corner", "holes", "block", "chain"],
)
def test_every_node_finds_its_cell(grid_coupling, cells):
    cells = shuffled(cells)
    dim = cells.shape[1]
    found = snap(grid_coupling(cells), dim)
    assert accuracy(found, cells) == 1.0
    assert found.periodic == (False,) * dim
    assert sorted(found.shape) == sorted(np.ptp(cells, axis=0) + 1)
    assert found.cell.min(0).tolist() == [0] * dim
    assert found.faulty < 0.02


@pytest.mark.parametrize("shape", [(40,), (9, 12)], ids=["ring", "torus"])
def test_periodic_axes_are_found(grid_coupling, shape):
    cells = shuffled(grid(*shape))
    found = snap(grid_coupling(cells, shape, periodic=True), len(shape))
    assert found.periodic == (True,) * len(shape)
    assert sorted(found.shape) == sorted(shape)
    assert accuracy(found, cells) == 1.0


def test_one_of_two_axes_closes(grid_coupling):
    """A cylinder."""
    cells = shuffled(grid(6, 16))
    found = snap(grid_coupling(cells, (6, 16), periodic=(False, True)), 2)
    assert dict(zip(found.shape, found.periodic, strict=True)) == {6: False, 16: True}
    assert accuracy(found, cells) == 1.0


def test_a_torus_with_a_hole(grid_coupling):
    cells = shuffled(grid(9, 12))[1:]
    found = snap(grid_coupling(cells, (9, 12), periodic=True), 2)
    assert found.periodic == (True, True)
    assert accuracy(found, cells) == 1.0


def sparse_coupling(cells, seed=100, weak=0.0):
    """As ``grid_coupling``, from the pairs within two steps and eight random partners a node; weak ends of the rows."""
    rng = np.random.default_rng(seed)
    near = cKDTree(cells).query_pairs(2.3, output_type="ndarray")
    far = rng.integers(0, len(cells), (4 * len(cells), 2))
    pairs = np.unique(np.sort(np.concatenate([near, far[far[:, 0] != far[:, 1]]]), axis=1), axis=0)
    square = ((cells[pairs[:, 0]] - cells[pairs[:, 1]]) ** 2).sum(1)
    value = np.where(square == 1, 0.2, np.where(square == 2, 0.04, 0.0)) * rng.uniform(0.7, 1.3, len(pairs))
    value = value * np.where(cells[pairs[:, 0], -1] < cells[:, -1].max() / 2, 1, 1 - weak)
    value = np.maximum(value + NOISE * rng.standard_normal(len(pairs)), 0)
    half = sp.csr_matrix((value, pairs.T), (len(cells),) * 2)
    coupling = (half + half.T).tocsr()
    coupling.eliminate_zeros()
    return coupling


@pytest.mark.parametrize("shape", [(9000,), (96, 96), (21, 21, 20)], ids=["chain", "square", "block"])
def test_lattices_of_many_nodes(shape):
    """More than an array of one byte a pair could reasonably hold."""
    cells = shuffled(grid(*shape))
    found = snap(sparse_coupling(cells), len(shape))
    assert accuracy(found, cells) == 1.0
    assert sorted(found.shape) == sorted(shape)


def test_large_maps_are_mended_where_couplings_are_weak():
    """Half of the map hangs together by a third of the coupling, and a tenth of its cells are empty."""
    rng = np.random.default_rng(100)
    cells = grid(64, 60)
    cells = shuffled(cells[rng.random(len(cells)) > 0.1])
    found = snap(sparse_coupling(cells, weak=0.65), 2)
    assert accuracy(found, cells) > 0.995


@pytest.mark.parametrize("seed", [3003, 3018, 3038])
def test_photographs_of_few_samples_are_mended(seed):
    """Left out, the first mending costs all of it, those after it 0.06, and regrowing the rim 0.02."""
    pytest.importorskip("sklearn")
    from scge_pyg.datasets import PhotoPatches

    ds = PhotoPatches(8, 12, 800, seed=seed)
    signals = prepare(read(ds.x))
    coupling = partial_couplings(signals)[0]
    wiring = wire(coupling.matrix, coupling.noise, 2)
    found = find_cells(coupling.matrix, wiring, np.arange(96), 2, np.random.default_rng(0))
    assert accuracy(found, ds.cells.numpy()[signals.order]) == 1.0


def test_a_box_that_is_full_is_mended_too():
    """As it has grown, two nodes stand in each other's cells: six edges of 612 are off the grid."""
    rng = np.random.default_rng(3009)
    cells = grid(18, 18)[rng.permutation(324)]
    square = np.square(cells[:, None] - cells[None]).sum(-1)
    value = np.where(square == 1, 0.2, np.where(square == 2, 0.04, 0.0)) * rng.uniform(0.5, 1.5, square.shape)
    value = np.triu(value + 0.03 * rng.standard_normal(square.shape), 1)
    coupling = sp.csr_matrix(np.maximum(value + value.T, 0))
    wiring = wire(coupling, 0.03, 2)
    found = find_cells(coupling, wiring, np.arange(324), 2, np.random.default_rng(0))
    assert found.shape == (18, 18)
    assert accuracy(found, cells) == 1.0


def irregular_coupling(points, seed=0):
    """Coupling that falls with distance."""
    rng = np.random.default_rng(seed)
    pairs = cKDTree(points).query_pairs(2.5, output_type="ndarray").T
    distance = np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1)
    value = 0.3 * np.exp(-(distance**2)) * rng.uniform(0.7, 1.3, len(distance))
    half = sp.coo_matrix((value, (pairs[0], pairs[1])), (len(points),) * 2)
    noise = np.triu(0.01 * rng.standard_normal(half.shape), 1)
    return sp.csr_matrix(np.maximum((half + half.T).toarray() + noise + noise.T, 0))


def hexagonal():
    row, col = grid(14, 12).T
    return np.stack([row * math.sqrt(3) / 2, col + row % 2 / 2], -1)


def jittered():
    return grid(13, 13) + np.random.default_rng(0).uniform(-0.4, 0.4, (169, 2))


def blue_noise():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 12, (1, 2))
    for _ in range(159):
        candidates = rng.uniform(0, 12, (40, 2))
        points = np.vstack([points, candidates[cKDTree(points).query(candidates)[0].argmax()]])
    return points


@pytest.mark.parametrize("points", [hexagonal(), jittered(), blue_noise()], ids=["hexagonal", "jittered", "blue noise"])
def test_what_is_no_grid_gets_no_cells(points):
    assert snap(irregular_coupling(shuffled(points)), 2) is None


@pytest.mark.parametrize("points", [hexagonal(), blue_noise()], ids=["hexagonal", "blue noise"])
def test_strong_edges_off_the_grid_speak_against_it(points):
    """Even where nobody noticed the triangles."""
    coupling = irregular_coupling(shuffled(points))
    wiring = replace(wire(coupling, NOISE, 2), dense=False)
    assert find_cells(coupling, wiring, np.arange(len(points)), 2, np.random.default_rng(0)) is None


def test_cells_of_some_of_the_nodes(grid_coupling):
    """The others belong to another geometry."""
    cells = shuffled(grid(7, 8))
    nodes = np.sort(np.random.default_rng(1).permutation(66)[:56])
    coupling = np.zeros((66, 66))
    coupling[np.ix_(nodes, nodes)] = grid_coupling(cells).toarray()
    found = snap(sp.csr_matrix(coupling), 2, nodes)
    others = np.setdiff1d(np.arange(66), nodes)
    assert (found.cell[others] == -1).all()
    assert (found.confidence[others] == 0).all()
    found = SimpleNamespace(cell=found.cell[nodes], shape=found.shape, periodic=found.periodic)
    assert accuracy(found, cells) == 1.0


def test_confidence_is_high_inside_and_bounded(grid_coupling):
    cells = grid(8, 8)
    confidence = snap(grid_coupling(cells), 2).confidence
    assert ((confidence >= 0) & (confidence <= 1)).all()
    inside = ((cells > 0) & (cells < 7)).all(1)
    assert confidence[inside].min() > 0.99


def test_a_node_that_fits_two_cells_is_trusted_less(grid_coupling):
    """Its couplings to its own and to the next cell's neighbours are made equal."""
    cells = grid(8, 8)
    coupling = grid_coupling(cells).toarray()
    node = 63
    confidence = snap(sp.csr_matrix(coupling), 2).confidence[node]
    coupling[node] = coupling[:, node] = 0.02
    coupling[node, 62] = coupling[62, node] = 0.1
    assert snap(sp.csr_matrix(coupling), 2).confidence[node] < confidence


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_no_edges_no_cells(dim):
    assert snap(sp.csr_matrix((30, 30)), dim) is None


def test_edges_without_squares_are_no_grid(grid_coupling):
    assert snap(grid_coupling(grid(40)), 2) is None


def test_pairs_that_stand_apart_are_no_grid():
    pair = np.kron(np.eye(20), [[0.0, 0.3], [0.3, 0.0]])
    assert snap(sp.csr_matrix(pair), 2) is None


def test_four_dimensions_are_left_alone(grid_coupling):
    assert snap(grid_coupling(grid(3, 3, 3, 3)), 4) is None


def test_maps_that_outgrow_any_board_are_none_and_say_so(grid_coupling, monkeypatch, caplog):
    monkeypatch.setattr("scge_pyg.discovery.lattices.board._CELLS", 100)
    monkeypatch.setattr("scge_pyg.discovery.lattices.board._CELLS_A_NODE", 1)
    with caplog.at_level("INFO", logger="scge_pyg"):
        assert snap(grid_coupling(grid(12, 12)), 2) is None
    assert "no lattice of 144 nodes in 2 dimensions" in caplog.text


def test_same_seed_same_cells(grid_coupling):
    coupling = grid_coupling(shuffled(disc()), seed=3)
    first, second = snap(coupling, 2, seed=4), snap(coupling, 2, seed=4)
    assert np.array_equal(first.cell, second.cell)
    assert np.array_equal(first.confidence, second.confidence)


def test_a_hopeless_map_is_given_up_before_it_is_mended(grid_coupling, monkeypatch):
    """Half of the nodes carry the coupling of other nodes: nothing that regrowth could mend."""
    cells = grid(14, 14)
    matrix = grid_coupling(cells).toarray()
    mixed = np.arange(196)
    mixed[::2] = np.random.default_rng(0).permutation(mixed[::2])
    coupling = sp.csr_matrix((matrix + matrix[np.ix_(mixed, mixed)]) / 2)
    monkeypatch.setattr("scge_pyg.discovery.lattices.snapping.mend", None)
    wiring = replace(wire(coupling, NOISE, 2), dense=False)
    assert find_cells(coupling, wiring, np.arange(196), 2, np.random.default_rng(0)) is None
