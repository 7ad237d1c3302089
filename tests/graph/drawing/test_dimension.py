import math

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial import Delaunay, cKDTree

from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import adjacency_of


def grid(shape, periodic=False):
    cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))
    step = np.abs(cells[:, None] - cells[None])
    step = np.minimum(step, np.array(shape) - step) if periodic else step
    return sp.csr_matrix((step.sum(-1) == 1).astype(float))


def unit_distance(points):
    """Nodes one apart are joined."""
    return adjacency_of(cKDTree(points).query_pairs(1.01, output_type="ndarray").T, len(points))


def triangular():
    row, col = np.mgrid[:14, :14].reshape(2, -1)
    return np.stack([row * math.sqrt(3) / 2, col + row % 2 / 2], 1)


def honeycomb():
    """The triangular lattice without the centres of its hexagons."""
    row, col = np.mgrid[:18, :18].reshape(2, -1)
    kept = (col - row // 2 + 2 * row) % 3 != 0
    points = np.stack([row * math.sqrt(3) / 2, col + row % 2 / 2], 1)
    return points[kept]


@pytest.mark.parametrize(
    ("adjacency", "dim"),
    [
        (grid((50,)), 1),
        (grid((50,), periodic=True), 1),
        (grid((8, 8)), 2),
        (grid((20, 30)), 2),
        (grid((6, 40)), 2),
        (grid((4, 40)), 2),
        (grid((9, 12), periodic=True), 2),
        (unit_distance(triangular()), 2),
        (unit_distance(honeycomb()), 2),
        (grid((6, 6, 6)), 3),
        (grid((8, 9, 10)), 3),
        (grid((7, 7, 7), periodic=True), 3),
        (grid((7, 7, 7, 7), periodic=True), 4),
    ],
    ids=[
        *("chain", "ring", "small image", "image", "strip of six", "strip of four", "torus", "triangular", "honeycomb"),
        *("small volume", "volume", "periodic volume", "four"),
    ],
)
def test_dimension_of(adjacency, dim):
    assert intrinsic_dimension(adjacency) == dim


def test_dimension_of_a_triangulation():
    points = np.random.default_rng(0).random((400, 2))
    triangles = Delaunay(points).simplices
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]).T
    assert intrinsic_dimension(adjacency_of(edges, 400)) == 2


def test_missing_nodes_and_edges_change_nothing():
    adjacency = grid((20, 20))
    rng = np.random.default_rng(0)
    kept = np.flatnonzero(rng.random(400) > 0.1)
    assert intrinsic_dimension(adjacency[kept][:, kept]) == 2
    half = sp.triu(adjacency).tocoo()
    edges = np.stack([half.row, half.col])[:, rng.random(half.nnz) > 0.1]
    assert intrinsic_dimension(adjacency_of(edges, 400)) == 2


def test_nodes_without_edges_do_not_count():
    image = grid((9, 9))
    assert intrinsic_dimension(sp.block_diag([image, sp.csr_matrix((300, 300))]).tocsr()) == 2


def test_no_edges():
    assert intrinsic_dimension(sp.csr_matrix((5, 5))) == 1


def test_a_sample_of_the_nodes_is_enough():
    assert intrinsic_dimension(grid((25, 25)), sample=60) == 2
