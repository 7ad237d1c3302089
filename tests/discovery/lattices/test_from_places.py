import numpy as np
import pytest

from scge_pyg.discovery.lattices.from_map import cells_of_map
from scge_pyg.discovery.lattices.from_places import cells_of_chain, cells_of_places, regular
from scge_pyg.discovery.lattices.settling import Cells


def grid(*shape):
    return np.argwhere(np.ones(shape)).astype(float)


def steps(cell, pairs):
    return np.abs(cell[pairs[:, 1]] - cell[pairs[:, 0]]).sum(1)


@pytest.mark.parametrize("shape", [(7, 9), (4, 5, 6)])
def test_the_same_cells_as_of_a_map_with_unit_spacing(shape):
    generator = np.random.default_rng(100)
    pos = grid(*shape) @ np.linalg.qr(generator.standard_normal((len(shape),) * 2))[0]
    found, known = cells_of_places(0.3 * pos), cells_of_map(pos)
    pairs = generator.integers(len(pos), size=(500, 2))
    assert np.array_equal(np.sort(found.max(0)), np.sort(known.max(0)))
    assert np.array_equal(steps(found, pairs), steps(known, pairs))


def test_a_slow_drift_and_an_island_beyond_a_corner():
    cells = grid(20, 12)
    pos = cells + 0.012 * np.stack([cells[:, 0] ** 2, cells[:, 0] * cells[:, 1]], 1)
    assert np.array_equal(cells_of_places(pos), cells)
    alone = np.array([[20.0, 12.0]])  # its only neighbour is across a corner
    assert np.array_equal(cells_of_places(np.concatenate([cells, alone]))[-1], [20, 12])


def test_two_nodes_on_one_cell_and_how_many_may_have_none():
    cells = grid(6, 6)
    doubled = np.concatenate([cells, cells[14:15] + 0.1])
    found = cells_of_places(doubled)
    assert np.array_equal(found[:36], cells)
    assert (found[36] == -1).all()
    half = np.concatenate([cells, cells @ np.array([[0.8, -0.6], [0.6, 0.8]]) + [20.0, 0.0]])[:60]
    assert cells_of_places(half) is None
    assert (cells_of_places(half, 0.5)[:36] == cells).all()


def test_places_that_hardly_are_any():
    assert cells_of_places(np.zeros((30, 2))) is None
    assert cells_of_places(grid(2, 2)) is None
    assert cells_of_places(np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0], [30.0, 1.0], [60.0, 5.0]])) is None
    assert cells_of_chain(np.zeros(5)) is None


def test_chains_and_rings():
    cells, size = cells_of_chain(0.5 * np.array([3.0, 0.0, 1.0, 2.0, 5.0]))
    assert cells.ravel().tolist() == [3, 0, 1, 2, 5]
    assert size == 6
    cells, size = cells_of_chain(np.array([0.0, 2.0, 1.0, 5.0]), girth=6.0)
    assert cells.ravel().tolist() == [0, 2, 1, 5]
    assert size == 6
    assert cells_of_chain(np.array([0.0, 1.0, 2.0, 9.0])) is None


@pytest.mark.parametrize(("noise", "even"), [(0.0, True), (0.05, True), (0.12, False)])
def test_how_even_rows_must_be(noise, even):
    pos = grid(15, 15)
    cells = Cells(pos.astype(int), (15, 15), (False, False), np.ones(225), 0.0)
    assert regular(pos + noise * np.random.default_rng(100).standard_normal(pos.shape), cells) is even


def test_few_gaps_say_less_about_how_even_they_are():
    """Of places with noise 0.07, 3 x 3 have 6 gaps that follow each other, 2 x 5 also; one alone says nothing more."""
    generator = np.random.default_rng(100)
    for shape in ((3, 3), (2, 5)):
        pos = grid(*shape)
        cells = Cells(pos.astype(int), shape, (False, False), np.ones(len(pos)), 0.0)
        for noise, least, most in ((0.07, 0.8, 1.0), (0.3, 0.0, 0.1)):
            kept = [regular(pos + noise * generator.standard_normal(pos.shape), cells) for _ in range(200)]
            assert least <= np.mean(kept) <= most
    cells = Cells(np.arange(3)[:, None], (3,), (False,), np.ones(3), 0.0)
    assert regular(np.array([[0.0], [1.0], [2.12]]), cells)
    assert not regular(np.array([[0.0], [1.0], [2.25]]), cells)
