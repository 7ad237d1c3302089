import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.maps.settling import settle
from scge_pyg.discovery.maps.wiring import wire
from scge_pyg.graph.drawing.assembly import Map, choose_map
from scge_pyg.graph.drawing.wiring import adjacency_of

NOISE = 0.01


def grid(*shape):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))


def true_edges(cells):
    step = np.abs(cells[:, None] - cells[None]).sum(-1)
    return np.stack(np.nonzero(np.triu(step == 1)))


def as_set(edges):
    return set(map(tuple, np.sort(edges, 0).T.tolist()))


def coupling_of(matrix, cells):
    """The coupling ``matrix`` with a dissimilarity that grows with the distance of the cells."""
    distance = np.linalg.norm(cells[:, None] - cells[None], axis=-1)
    return Coupling(sp.csr_matrix(matrix), NOISE, 0.01, 1.0, lambda pairs: 0.1 * distance[pairs[0], pairs[1]])


def drawn(cells):
    return Map(cells.astype(float), np.zeros(len(cells), dtype=np.int64))


@pytest.mark.parametrize("shape", [(40,), (9, 9), (4, 20), (5, 5, 4)])
def test_the_edges_of_a_grid(grid_coupling, shape):
    cells = grid(*shape)
    coupling = coupling_of(grid_coupling(cells), cells)
    wiring = wire(coupling.matrix, NOISE, len(shape))
    wiring, chart = choose_map(wiring, len(cells), len(shape), 0)
    edges, chart = settle(coupling, wiring, chart, len(shape), 0)
    assert as_set(edges) == as_set(true_edges(cells))
    assert chart.pos.shape == cells.shape


def test_strong_pairs_across_the_map_are_no_edges(grid_coupling):
    cells = grid(9, 9)
    matrix = grid_coupling(cells).toarray()
    matrix[4, 76] = matrix[76, 4] = 0.15
    coupling = coupling_of(matrix, cells)
    edges, _ = settle(coupling, wire(coupling.matrix, NOISE, 2), drawn(cells), 2, 0)
    assert as_set(edges) == as_set(true_edges(cells))


def test_weak_pairs_far_apart_that_the_map_took_for_neighbours_are_found_out(grid_coupling):
    """Pairs across a hole: the first map was drawn with them, and the dissimilarity knows better."""
    whole = grid(14, 14)
    holes = np.array([[3, 3], [3, 9], [9, 4], [9, 10], [6, 6], [11, 7]])
    cells = whole[~(whole[:, None] == holes).all(-1).any(1)]
    index = {tuple(cell): k for k, cell in enumerate(cells.tolist())}
    across = np.array([[index[r, c - 1], index[r, c + 1]] for r, c in holes.tolist()]).T
    matrix = grid_coupling(cells).toarray()
    matrix[across[0], across[1]] = matrix[across[1], across[0]] = 0.05
    coupling = coupling_of(matrix, cells)
    wiring = wire(coupling.matrix, NOISE, 2)
    squeezed = cells.astype(float)
    squeezed[across[0], 1] += 0.45
    squeezed[across[1], 1] -= 0.45
    assert (np.linalg.norm(squeezed[across[0]] - squeezed[across[1]], axis=1) < 1.25).all()
    edges, chart = settle(coupling, wiring, drawn(squeezed), 2, 0)
    assert as_set(edges) == as_set(true_edges(cells))
    assert np.linalg.norm(chart.pos[across[0]] - chart.pos[across[1]], axis=1).min() > 1.9


def test_edges_of_a_triangulation_lie_side_by_side(grid_coupling):
    cells = grid(8, 8)
    matrix = adjacency_of(true_edges(cells), 64).toarray() * 0.2
    matrix[0, 2] = matrix[2, 0] = 0.3
    coupling = coupling_of(matrix, cells)
    wiring = wire(coupling.matrix, NOISE, 2)
    wiring = type(wiring)(wiring.edges, wiring.attached, wiring.strong, wiring.doubtful, True)
    edges, _ = settle(coupling, wiring, drawn(cells), 2, 0)
    assert as_set(edges) == as_set(true_edges(cells))


def test_no_candidates_no_edges():
    cells = grid(5, 5)
    coupling = coupling_of(np.zeros((25, 25)), cells)
    edges, chart = settle(coupling, wire(coupling.matrix, NOISE, 2), drawn(cells), 2, 0)
    assert edges.shape == (2, 0)
    assert np.array_equal(chart.pos, cells)
