import numpy as np
import pytest

from scge_pyg.discovery.maps.flattening import flattened, near_pairs, typical_step


def grid(*shape):
    return np.argwhere(np.ones(shape)).astype(float)


@pytest.mark.parametrize(("shape", "columns"), [((12, 9), 2), ((12, 9), 6), ((2, 15), 3), ((4, 5, 4), 4), ((20,), 3)])
def test_lengths_stay_and_columns_without_spread_go(shape, columns):
    turn = np.linalg.qr(np.random.default_rng(100).standard_normal((columns, columns)))[0][: len(shape)]
    pos = 2.5 * grid(*shape) @ turn
    flat = flattened(pos + 0.02 * np.random.default_rng(101).standard_normal(pos.shape))
    assert flat.pos.shape[1] == flat.dim == len(shape)
    pairs = near_pairs(pos, 8)
    before, after = (np.linalg.norm(places[pairs[0]] - places[pairs[1]], axis=1) for places in (pos, flat.pos))
    assert np.abs(after - before).max() < 0.2
    assert typical_step(pos, 2 * len(shape)) == pytest.approx(2.5)


def test_arcs_rings_and_what_closes():
    angle = np.arange(40) / 10
    arc = 10 * np.stack([np.cos(angle), np.sin(angle)], 1)
    flat = flattened(arc)
    assert (flat.dim, flat.pos.shape[1], flat.girth) == (1, 1, 0.0)
    assert np.ptp(np.abs(np.diff(flat.pos[:, 0]))) < 1e-9
    angle = np.arange(24) * 2 * np.pi / 24
    circle = flattened(np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1))
    assert (circle.dim, circle.pos.shape[1]) == (1, 2)
    assert circle.girth == pytest.approx(24 * 2 * np.sin(np.pi / 24))
    rows = grid(16, 12)
    turn = rows[:, 0] * 2 * np.pi / 16
    tube = np.stack([2.56 * np.cos(turn), 2.56 * np.sin(turn), rows[:, 1]], 1)
    assert flattened(tube).pos.shape[1] == 3
    sheet = np.stack([6 * np.cos(rows[:, 0] / 6), 6 * np.sin(rows[:, 0] / 6), rows[:, 1]], 1)
    assert flattened(sheet).pos.shape[1] == flattened(sheet).dim == 2


@pytest.mark.parametrize("length", [3, 4, 15])
def test_two_rows_are_no_chain_that_turns_back(length):
    generator = np.random.default_rng(100)
    for _ in range(8):  # which way round the spanning tree goes hangs on the order of equal lengths
        flat = flattened(generator.permutation(grid(2, length)))
        assert (flat.dim, flat.along) == (2, None)
    there = np.stack([np.arange(30.0), np.zeros(30)], 1)  # and back, far enough apart to be one
    back = flattened(np.concatenate([there, there[::-1] + np.array([0.0, 3.0])]))
    assert (back.dim, back.girth) == (1, 0.0)
