import numpy as np
import pytest
import scipy.sparse as sp
import torch

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.lattices.fitting import (
    are_moved,
    beside,
    differ_alike,
    edges_on_lattice,
    grow_lattice,
    snap_lattice,
)
from scge_pyg.discovery.lattices.snapping import Cells
from scge_pyg.discovery.maps.wiring import wire
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read


def grid(*shape):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))


def cells_at(cell, shape, periodic=None):
    return Cells(cell, shape, periodic or (False,) * len(shape), np.ones(len(cell)), 0.0)


def coupling_of(matrix):
    return Coupling("partial", matrix, 0.01, 0.0, 0.0, lambda pairs: 1 - np.asarray(matrix[pairs[0], pairs[1]]).ravel())


def pairs_of(edges):
    return set(map(tuple, np.sort(edges, axis=0).T.tolist()))


def pieces_of(edges, num_nodes):
    """Number of pieces that edges leave, by joining their ends one by one."""
    piece = list(range(num_nodes))
    for i, j in edges.T.tolist():
        piece = [piece[i] if own == piece[j] else own for own in piece]
    return len(set(piece))


@pytest.mark.parametrize("periodic", [(False, False), (True, False), (True, True)])
def test_beside_are_neighbouring_cells(periodic):
    cell, shape = grid(4, 5), (4, 5)
    i, j = np.triu_indices(20, 1)
    found = beside(cells_at(cell, shape, periodic), np.stack([i, j]))
    for one, other, is_beside in zip(i, j, found, strict=True):
        steps = np.abs(cell[one] - cell[other])
        steps = [min(s, n - s) if p else s for s, n, p in zip(steps, shape, periodic, strict=True)]
        assert is_beside == (sum(steps) == 1)


def test_nodes_without_a_cell_lie_beside_none():
    assert not beside(cells_at(np.array([[0], [-1], [1]]), (2,)), np.array([[0, 1], [1, 2]])).any()


@pytest.mark.parametrize("shape", [(6, 7), (4, 4, 5), (30,)])
def test_a_grid_is_grown_with_its_edges(grid_coupling, shape):
    cells = np.random.default_rng(100).permutation(grid(*shape))
    coupling = coupling_of(grid_coupling(cells))
    dim = len(shape)
    wiring = wire(coupling.matrix, coupling.noise, dim)
    found = grow_lattice(coupling, wiring, dim, np.random.default_rng(0))
    assert sorted(found.shape) == sorted(shape)
    edges = edges_on_lattice(coupling, found)
    i, j = np.triu_indices(len(cells), 1)
    true = np.abs(cells[i] - cells[j]).sum(1) == 1
    assert pairs_of(edges) == pairs_of(np.stack([i[true], j[true]]))


def test_edges_hold_all_nodes_together(grid_coupling):
    """A node without a significant partner keeps its strongest one."""
    cells = grid(5, 5)
    matrix = grid_coupling(cells).tolil()
    matrix[0, :] = matrix[:, 0] = 0
    matrix[0, 1] = matrix[1, 0] = 0.015
    edges = edges_on_lattice(coupling_of(matrix.tocsr()), cells_at(cells, (5, 5)))
    assert (0, 1) in pairs_of(edges)
    assert set(edges.ravel().tolist()) == set(range(25))


@pytest.mark.parametrize(
    ("cells", "periodic"),
    [
        (grid(5, 6), (False, False)),
        (grid(4, 5), (True, True)),
        (np.delete(grid(6, 6), [7, 14, 15, 22], 0), (False, False)),
    ],
    ids=["box", "torus", "holes"],
)
@pytest.mark.parametrize("seed", [100, 101, 102])
def test_edges_join_neighbouring_cells_alone(cells, periodic, seed):
    """Whatever the coupling says, as long as the cells hang together."""
    rng = np.random.default_rng(seed)
    half = np.triu(rng.random((len(cells),) * 2) * (rng.random((len(cells),) * 2) < 0.2), 1)
    shape = tuple(cells.max(0) + 1)
    found = cells_at(cells, shape, periodic)
    edges = edges_on_lattice(coupling_of(sp.csr_matrix(half + half.T)), found)
    assert beside(found, edges).all()
    assert pieces_of(edges, len(cells)) == 1


def test_cells_that_are_apart_are_joined_by_what_couples_them():
    """Two blocks with a gap between: one edge crosses it, the strongest that does."""
    cells = grid(3, 7)
    cells = cells[cells[:, 1] != 3]
    left = np.flatnonzero(cells[:, 1] < 3)
    matrix = sp.lil_matrix((18, 18))
    for i, j, value in ((left[2], 15, 0.3), (left[8], 5, 0.2)):
        matrix[i, j] = matrix[j, i] = value
    found = cells_at(cells, (3, 7))
    edges = edges_on_lattice(coupling_of(matrix.tocsr()), found)
    assert pairs_of(edges[:, ~beside(found, edges)]) == {(left[2], 15)}
    assert pieces_of(edges, 18) == 1


def test_a_turned_map_is_snapped_with_its_edges():
    cells = grid(6, 5)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    i, j = np.triu_indices(30, 1)
    step = np.abs(cells[i] - cells[j])
    near = np.stack([i, j])[:, step.sum(1) == 1]
    pos = cells @ turn + np.random.default_rng(100).normal(0, 0.05, (30, 2))
    found = snap_lattice(pos, near, None)
    assert sorted(found.shape) == [5, 6]
    assert beside(found, near).all()
    jumps = np.stack([i, j])[:, step.max(1) == 3][:, :20]
    assert snap_lattice(pos, np.concatenate([near, jumps], 1), None) is None


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_scattered_and_hexagonal_maps_have_no_cells(seed):
    rng = np.random.default_rng(seed)
    scattered = 6 * rng.random((36, 2))
    row, col = grid(6, 6).T
    hexagonal = np.stack([row * 0.75**0.5, col + row % 2 / 2], 1)
    none = np.zeros((2, 0), dtype=np.int64)
    assert snap_lattice(scattered, none, None) is None
    assert snap_lattice(hexagonal, none, None) is None


def gaps_of(places):
    """A coupling that knows only how far apart its nodes are, as of photographs."""

    def dissimilarity(pairs):
        return 1 - np.exp(-np.linalg.norm(places[pairs[0]] - places[pairs[1]], axis=1) / 3)

    return Coupling("places", None, 0.0, 0.0, 0.0, dissimilarity)


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_moved_places_are_no_lattice(seed):
    """Whatever their outline, where samples can tell; regular places are one with any number of samples."""
    cells = grid(12, 12)
    exact, moved = (cells + sd * np.random.default_rng(seed).standard_normal(cells.shape) for sd in (0.02, 0.1))
    disc = np.linalg.norm(cells - 5.5, axis=1) < 6
    for kept in (disc, np.ones(144, dtype=bool)):
        found = cells_at(cells[kept], (12, 12))
        assert not are_moved(gaps_of(exact[kept]), found, 10_000)
        assert are_moved(gaps_of(moved[kept]), found, 5000)
        assert not are_moved(gaps_of(moved[kept]), found, 100)


def test_true_differences_of_gaps_are_shared_by_both_sides():
    """Against the correlations of the samples by numpy, node by node."""
    rng = np.random.default_rng(7310)
    gaps = rng.uniform(0.3, 1.7, 40)
    for own, differ in ((gaps, True), (np.ones(40), False)):
        place = np.cumsum(own)
        root = np.linalg.cholesky(np.exp(-np.abs(place[:, None] - place) / 3) + 1e-9 * np.eye(40))
        x = rng.standard_normal((1500, 40)) @ root.T + 0.5 * rng.standard_normal((1500, 40))
        signals = prepare(read(torch.from_numpy(x)))
        cells = Cells(signals.order[:, None], (40,), (False,), np.ones(40), 0.0)
        assert differ_alike(signals, cells) == differ
        sides = [signals.score[:, signals.split.side(which)].astype(float) for which in (0, 1)]
        in_order = [np.corrcoef(side[np.argsort(signals.order)]) for side in sides]
        ratios = [np.diff(np.log(1 - np.diag(r, 1))) / 2 for r in in_order]
        shared = (ratios[0] - ratios[0].mean()) * (ratios[1] - ratios[1].mean())
        one, two = (np.mean([1 - np.diag(r, k).mean() for r in in_order]) for k in (1, 2))
        clear = two / one - 1
        beyond = shared.mean() - 2 * shared.std() / np.sqrt(len(shared))
        assert (beyond > (0.065 * clear) ** 2) == differ
        assert 0.05 < clear < 1
