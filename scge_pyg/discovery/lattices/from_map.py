"""Cells read off a map whose nodes already stand in rows."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

__all__ = ["cells_of_map", "varimax"]

_REACH = 1.3  # longer than a side of the unit cell, shorter than its diagonal
_OFF = 0.35  # how far a step between neighbours may be from a unit step
_AXIAL = 0.9  # share of the steps that must be unit steps
_ROUNDS = 100


def varimax(vectors: np.ndarray) -> np.ndarray:
    r"""Rotation ``[d, d]`` that turns vectors ``[M, d]`` into the axes as nearly as may be (Kaiser, 1958).

    Maximises :math:`\sum_m \sum_a (v_m R)_a^4`, which is largest where every vector lies along one axis.

    Example:
        >>> turn = np.array([[0.6, -0.8], [0.8, 0.6]])
        >>> steps = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]) @ turn
        >>> bool(np.allclose(np.sort(np.abs(steps @ varimax(steps))), [[0, 1]] * 3, atol=1e-6))
        True
    """
    dim = vectors.shape[1]
    best, best_value = np.eye(dim), -np.inf
    starts = np.random.default_rng(0).standard_normal((2 * dim, dim, dim))
    for start in starts:
        turn = np.linalg.qr(start)[0]
        for _ in range(_ROUNDS):
            left, _, right = np.linalg.svd(vectors.T @ (vectors @ turn) ** 3)
            if np.allclose(left @ right, turn, atol=1e-10):
                break
            turn = left @ right
        value = float(((vectors @ turn) ** 4).sum())
        if value > best_value + 1e-9:
            best, best_value = turn, value
    return best


def cells_of_map(pos: np.ndarray) -> np.ndarray | None:
    """Integer cells ``[N, d]`` of a map with unit spacing, or ``None`` where it is no axis-aligned unit grid.

    Steps to nodes within 1.3 spacings are turned into the axes (:func:`varimax`) and rounded; cells are the potential
    whose differences they are, by least squares. The map is a grid if nine tenths of the steps are unit steps within
    0.35, all nodes hang together by them, each step is met and no two nodes share a cell.

    Cost: :math:`O(N \\log N)` and one sparse solve.

    Example:
        >>> grid = np.argwhere(np.ones((3, 4))) @ np.array([[0.6, -0.8], [0.8, 0.6]])
        >>> cells = cells_of_map(grid)
        >>> sorted((cells.max(0) + 1).tolist())
        [3, 4]
    """
    num_nodes, dim = pos.shape
    pairs = cKDTree(pos).query_pairs(_REACH, output_type="ndarray").T
    if pairs.shape[1] < num_nodes - 1:
        return None
    vectors = pos[pairs[1]] - pos[pairs[0]]
    vectors = vectors @ varimax(vectors)
    step = np.round(vectors)
    unit = (np.abs(step).sum(1) == 1) & (np.linalg.norm(vectors - step, axis=1) < _OFF)
    if unit.mean() < _AXIAL:
        return None
    pairs, step = pairs[:, unit], step[unit]
    count = pairs.shape[1]
    rows = np.tile(np.arange(count), 2)
    difference = sp.csr_matrix((np.repeat([-1.0, 1.0], count), (rows, pairs.ravel())), (count, num_nodes))
    if connected_components(difference.T @ difference, directed=False)[0] > 1:
        return None
    anchored = (difference.T @ difference).tolil()
    anchored[0, 0] += 1.0
    potential = spsolve(anchored.tocsc(), difference.T @ step).reshape(num_nodes, dim)
    cell = np.round(potential).astype(np.int64)
    met = (cell[pairs[1]] - cell[pairs[0]] == step).all(1)
    if not met.all() or len(np.unique(cell, axis=0)) < num_nodes:
        return None
    return cell - cell.min(0)
