import math

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from scge_pyg.graph.drawing.layout import layout, local_lengths, side_by_side, stretched_lengths
from scge_pyg.graph.drawing.stress import robust_stress
from scge_pyg.graph.drawing.wiring import adjacency_of
from scge_pyg.metrics import procrustes_error


def grid(*shape):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))


def grid_edges(cells):
    step = np.abs(cells[:, None] - cells[None]).sum(-1)
    return np.stack(np.nonzero(np.triu(step == 1)))


def ring_edges(count):
    return np.stack([np.arange(count), (np.arange(count) + 1) % count])


def lay_out(edges, num_nodes, dim, dense=False, seed=0):
    return layout(edges, num_nodes, dim, dense, np.random.default_rng(seed))


def error(pos, true):
    return procrustes_error(torch.from_numpy(pos), torch.from_numpy(true))


def lengths(pos, edges):
    return np.linalg.norm(pos[edges[0]] - pos[edges[1]], axis=1)


@pytest.mark.parametrize("shape", [(40,), (12, 17), (4, 30), (6, 6, 6)], ids=["chain", "image", "strip", "volume"])
def test_a_grid_comes_out_flat(shape):
    cells = grid(*shape)
    edges = grid_edges(cells)
    pos = lay_out(edges, len(cells), len(shape))
    assert pos.shape == cells.shape
    assert error(pos, cells) < 0.02
    np.testing.assert_allclose(lengths(pos, edges), 1.0, atol=0.1)


def test_holes_and_outline_do_not_bend_the_map():
    cells = grid(16, 16)
    radius = np.linalg.norm(cells - 7.5, axis=1)
    cells = cells[(radius < 8) & (radius > 3)]
    assert error(lay_out(grid_edges(cells), len(cells), 2), cells) < 0.03


def test_order_of_the_nodes_does_not_matter():
    cells = np.random.default_rng(0).permutation(grid(10, 11))
    assert error(lay_out(grid_edges(cells), 110, 2), cells) < 0.02


def test_wrong_edges_are_shrugged_off():
    """Three edges that jump over two nodes inside the map."""
    cells = grid(14, 14)
    wrong = np.array([[46, 75, 120], [49, 117, 123]])
    pos = lay_out(np.concatenate([grid_edges(cells), wrong], 1), 196, 2)
    assert error(pos, cells) < 0.05
    assert lengths(pos, wrong).min() > 2.5


def test_missing_edges_do_not_matter():
    cells = grid(14, 14)
    edges = grid_edges(cells)
    edges = edges[:, np.random.default_rng(0).random(edges.shape[1]) > 0.08]
    assert error(lay_out(edges, 196, 2), cells) < 0.08


def test_a_ring_is_a_circle_in_the_plane():
    pos = lay_out(ring_edges(48), 48, 1)
    assert pos.shape == (48, 2)
    radius = np.linalg.norm(pos - pos.mean(0), axis=1)
    assert radius.std() / radius.mean() < 0.03
    np.testing.assert_allclose(lengths(pos, ring_edges(48)), 1.0, atol=0.05)


@pytest.mark.parametrize(
    ("shape", "closed", "columns"),
    [((10, 32), (1, 0), 3), ((32, 10), (1, 0), 3), ((10, 10), (1, 1), 4), ((9, 12), (1, 1), 4)],
    ids=["pipe", "hoop", "torus", "oblong torus"],
)
def test_what_closes_on_itself_gets_the_columns_to_unfold(shape, closed, columns):
    """An open axis takes one column, a closed one two, however long the other axis is."""
    cells = grid(*shape)
    step = np.abs(cells[:, None] - cells[None])
    step = np.where(closed, np.minimum(step, np.array(shape) - step), step).sum(-1)
    pos = lay_out(np.stack(np.nonzero(np.triu(step == 1))), len(cells), 2)
    assert pos.shape[1] == columns
    apart = np.linalg.norm(pos[:, None] - pos[None], axis=-1)
    assert apart[step == 1].max() < 1.5
    assert apart[step > 3].min() > 1.5


def test_triangulation():
    row, col = np.mgrid[:13, :13].reshape(2, -1)
    points = np.stack([row * math.sqrt(3) / 2, col + row % 2 / 2], 1)
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    edges = np.stack(np.nonzero(np.triu(np.abs(distance - 1) < 0.01)))
    pos = lay_out(edges, 169, 2, dense=True)
    assert error(pos, points) < 0.03
    np.testing.assert_allclose(lengths(pos, edges), 1.0, atol=0.1)


def test_irregular_triangulation():
    points = grid(12, 12) + np.random.default_rng(0).uniform(-0.3, 0.3, (144, 2))
    triangles = Delaunay(points).simplices
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]).T
    edges = edges[:, lengths(points, edges) < 1.8]
    assert error(lay_out(edges, 144, 2, dense=True), points) < 0.12


@pytest.mark.parametrize("num_nodes", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_a_handful_of_nodes(num_nodes, dim):
    edges = np.stack([np.arange(num_nodes - 1), np.arange(1, num_nodes)])
    pos = lay_out(edges, num_nodes, dim)
    assert pos.shape == (num_nodes, dim)
    np.testing.assert_allclose(lengths(pos, edges), 1.0, atol=0.05)


def test_same_generator_same_bits():
    cells = grid(20, 21)
    first, second = (lay_out(grid_edges(cells), 420, 2, seed=3) for _ in range(2))
    assert np.array_equal(first, second)


def test_chains_repeat_themselves_bit_for_bit():
    """Their Gram matrix has rank one, on which an iterative eigensolver restarts from random vectors of its own."""
    for count in range(3, 60):
        edges = np.stack([np.arange(count - 1), np.arange(1, count)])
        first, second = (lay_out(edges, count, 1) for _ in range(2))
        assert np.array_equal(first, second), count


@pytest.mark.parametrize(("dense", "corner"), [(False, math.sqrt(2)), (True, math.sqrt(3))])
def test_local_lengths_of_pairs_two_steps_apart(dense, corner):
    cells = grid(4, 5)
    pairs, length = local_lengths(adjacency_of(grid_edges(cells), 20), dense)
    assert (pairs[0] < pairs[1]).all()
    found = dict(zip(map(tuple, pairs.T.tolist()), length.tolist(), strict=True))
    expected = {1: 1.0, 2: corner, 4: 2.0}
    for i in range(20):
        for j in range(i + 1, 20):
            square = int(((cells[i] - cells[j]) ** 2).sum())
            assert found.get((i, j)) == expected.get(square)


def test_robust_stress_keeps_a_perfect_map():
    cells = grid(6, 7).astype(float)
    pairs, length = local_lengths(adjacency_of(grid_edges(cells), 42), dense=False)
    pos = robust_stress(cells, pairs, length, np.ones(len(length)))
    np.testing.assert_allclose(pos, cells, atol=1e-6)


def test_robust_stress_takes_influence_from_the_impossible():
    """One length contradicts all others by far."""
    cells = grid(6, 7).astype(float)
    pairs, length = local_lengths(adjacency_of(grid_edges(cells), 42), dense=False)
    pairs = np.concatenate([pairs, [[0], [41]]], 1)
    start = cells + np.random.default_rng(0).normal(0, 0.2, cells.shape)
    pos = robust_stress(start, pairs, np.r_[length, 1.0], np.ones(len(length) + 1))
    assert error(pos, cells) < 0.01
    assert error(start, cells) > 0.05


def test_robust_stress_finds_the_lengths_again():
    cells = grid(8, 8).astype(float)
    pairs, length = local_lengths(adjacency_of(grid_edges(cells), 64), dense=False)
    start = cells * 0.7 + np.random.default_rng(1).normal(0, 0.1, cells.shape)
    pos = robust_stress(start, pairs, length, np.ones(len(length)))
    np.testing.assert_allclose(lengths(pos, pairs), length, atol=1e-2)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_stretched_lengths_invert_a_power_of_the_distance(exponent):
    """Spacing doubles from left to right; the dissimilarity knows, the steps don't."""
    rng = np.random.default_rng(0)
    steps = np.repeat([1.0, 2.0, math.sqrt(3)], 400)
    true = steps * np.tile(np.geomspace(0.5, 2.0, 401)[rng.permutation(401)][:400], 3)
    found = stretched_lengths(steps, 0.07 * true**exponent)
    np.testing.assert_allclose(found, true / np.median(true[:400]), rtol=1e-4)


def test_dissimilarity_that_is_flat_says_nothing():
    steps = np.array([1.0, 1.0, 2.0, 2.0])
    assert np.array_equal(stretched_lengths(steps, np.array([0.3, 0.4, 0.35, 0.36])), steps)
    assert np.array_equal(stretched_lengths(steps[:2], np.array([0.3, 0.4])), steps[:2])


def test_a_foveated_map_keeps_its_proportions():
    radius = np.geomspace(1, 9, 12)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    points = np.stack([np.outer(radius, np.cos(angle)), np.outer(radius, np.sin(angle))], -1).reshape(-1, 2)
    points += np.random.default_rng(0).normal(0, 0.02, points.shape)
    triangles = Delaunay(points).simplices
    edges = np.unique(
        np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]), 1), axis=0
    ).T
    rim = np.linalg.norm(points[edges].mean(0), axis=1)
    edges = edges[:, lengths(points, edges) < 0.5 * rim + 0.3]
    flat = layout(edges, len(points), 2, True, np.random.default_rng(0))
    true = layout(edges, len(points), 2, True, np.random.default_rng(0), lambda p: 0.1 * lengths(points, p) ** 0.7)
    assert error(true, points) < 0.05 < error(flat, points)


def test_side_by_side_against_brute_force():
    pos = np.random.default_rng(0).random((60, 2)) ** 2
    pairs = np.stack(np.triu_indices(60, 1))
    distance = np.linalg.norm(pos[:, None] - pos[None], axis=-1)
    usual = [np.mean(sorted(row)[1:5]) for row in distance]
    expected = [distance[i, j] <= 1.5 * math.sqrt(usual[i] * usual[j]) for i, j in pairs.T]
    assert side_by_side(pos, pairs, dim=2).tolist() == expected
    assert 0 < sum(expected) < len(expected)
