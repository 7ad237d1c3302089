"""Halves of a grid are mirrored as numpy flips them."""

import numpy as np

from scge_pyg.discovery.layouts.halves import halves


def test_halves_of_a_grid_are_flips():
    places = np.argwhere(np.ones((4, 6))).astype(float)
    found = {(half.split, half.high, half.along): half.order.reshape(4, 6) for half in halves(places, 1.0)}
    grid = np.arange(24).reshape(4, 6)
    assert len(found) == 8
    left = grid.copy()
    left[:, :3] = left[::-1, :3]
    np.testing.assert_array_equal(found[1, False, 0], left)
    lower = grid.copy()
    lower[2:] = lower[2:, ::-1]
    np.testing.assert_array_equal(found[0, True, 1], lower)


def test_the_middle_belongs_to_neither():
    places = np.arange(9.0)[:, None] * np.ones((1, 1))
    low, high = halves(places, 1.0)
    assert low.order.tolist() == [3, 2, 1, 0, 4, 5, 6, 7, 8]
    assert high.order.tolist() == [0, 1, 2, 3, 4, 8, 7, 6, 5]
