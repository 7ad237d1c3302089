import numpy as np
import scipy.sparse as sp

from scge_pyg.discovery.lattices.settling import Cells, mend_cells
from scge_pyg.discovery.maps.wiring import wire

SHAPE = (9, 8)
CELLS = np.argwhere(np.ones(SHAPE))


def coupling():
    """Neighbours 0.4, diagonals 0.15, the rest noise, in the order of the cells."""
    apart = np.linalg.norm(CELLS[:, None] - CELLS[None], axis=2)
    noise = 0.02 * np.random.default_rng(100).standard_normal(apart.shape)
    value = np.where(apart == 1, 0.4, np.where(apart < 1.5, 0.15, 0.0)) + (noise + noise.T) / 2
    np.fill_diagonal(value, 0.0)
    return sp.csr_matrix(np.where(value > 0.005, value, 0.0))


def mended(cell):
    matrix = coupling()
    given = Cells(cell, SHAPE, (False, False), np.ones(len(cell)), 0.0)
    return mend_cells(matrix, wire(matrix, 0.02, 2), given, np.random.default_rng(0))


def test_swapped_and_missing_nodes_come_home():
    cell = CELLS.copy()
    cell[[3, 20, 33, 50]] = cell[[50, 3, 20, 33]]
    cell[[0, 41, 71]] = -1
    found = mended(cell)
    assert np.array_equal(found.cell, CELLS)
    assert found.faulty == 0
    assert found.shape == SHAPE


def test_what_is_right_stays_and_what_is_all_wrong_is_given_up():
    assert np.array_equal(mended(CELLS).cell, CELLS)
    assert mended(np.random.default_rng(100).permutation(CELLS)) is None
