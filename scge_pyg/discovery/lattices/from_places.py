"""Cells of places that somebody else found: as they may be learned, with noise, and some of them in the wrong place."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from scge_pyg.discovery.lattices.fitting import in_a_row, solid
from scge_pyg.discovery.lattices.from_map import varimax
from scge_pyg.discovery.lattices.snapping import Cells

__all__ = ["cells_of_chain", "cells_of_places", "regular"]

_REACH, _DIAGONAL = 1.3, 1.65  # longer than a side of the unit cell and than its diagonal, shorter than two sides
_OFF = 0.35  # how far a step between neighbours may be from one between cells
_AXIAL = 0.75  # share of the short steps that lie along the axes: grids with one node in 20 astray 0.85, hexagons 0.33
_PLACED = 0.9
_ROUNDS = 8
_EVEN = 0.2  # robust deviation of the log ratio of gaps that follow each other; a tenth of the spacing off makes 0.25
_UNSURE = 1.17  # standard error of a robust deviation of T normal values, in units of it over sqrt(T)
_LONGEST = 3  # cells that a gap between nodes of a chain may span


def cells_of_places(pos: np.ndarray, least: float = _PLACED) -> np.ndarray | None:
    r"""Integer cells ``[N, d]`` of places on a square or cubic grid of any spacing and direction, or None.

    Steps to near nodes are turned into the axes (:func:`varimax`) and rounded, those along axes and diagonals; cells
    are the potential whose differences they are, by least squares without the steps that contradict the others. It
    takes a slow drift of spacing, a few per cent of noise, holes, and nodes astray, which have no cell, -1.

    Cost: :math:`O(N \log N)` and a few sparse solves.

    Args:
        pos: Places ``[N, d]``, d from 1 to 3.
        least: Share of the nodes that must have one.

    Example:
        >>> grid = np.argwhere(np.ones((3, 4))) @ np.array([[0.6, -0.8], [0.8, 0.6]])
        >>> sorted((cells_of_places(0.7 * grid).max(0) + 1).tolist())
        [3, 4]
        >>> cells_of_places(np.random.default_rng(0).random((200, 2)) * 14) is None
        True
    """
    found = _steps(pos, _AXIAL * least / _PLACED)
    if found is None:
        return None
    pairs, step, off_step = found
    num_nodes = len(pos)
    degree = np.maximum(np.bincount(pairs.ravel(), minlength=num_nodes), 1)
    astray = np.bincount(pairs.ravel(), np.tile(off_step, 2), num_nodes) / degree
    for _ in range(_ROUNDS):
        inside = _largest(pairs, num_nodes)
        if inside.sum() < least * num_nodes:
            return None
        kept = inside[pairs].all(0)
        pairs, step = pairs[:, kept], step[kept]
        potential = _potential(pairs, step, num_nodes)
        against = np.abs(potential[pairs[1]] - potential[pairs[0]] - step).max(1)
        if against.max() < 0.5 - 1e-9:
            break
        worst = against > max(0.3, 0.5 * float(against.max()))
        pairs, step = pairs[:, ~worst], step[~worst]
    else:
        return None
    cell = np.round(potential - np.median(potential - np.round(potential), axis=0)).astype(np.int64)
    return _distinct(cell, astray, inside, least)


def _steps(pos: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Pairs ``[2, E]`` beside each other, the steps ``[E, d]`` between their cells, and how far off these are ``[E]``.

    None where a smaller ``share`` of the short steps lies along the axes.
    """
    num_nodes, dim = pos.shape
    if num_nodes <= 2**dim:
        return None
    length = cKDTree(pos).query(pos, k=min(2 * dim, num_nodes - 1) + 1)[0][:, 1:]
    unit, turn = float(np.median(length)), np.eye(dim)
    if not unit > 0:
        return None
    for _ in range(3):  # the spacing as the steps along the axes have it, on which noise cancels
        pairs = cKDTree(pos).query_pairs(_DIAGONAL * unit, output_type="ndarray").T
        vectors = (pos[pairs[1]] - pos[pairs[0]]) / unit
        short = np.linalg.norm(vectors, axis=1) < _REACH
        if short.sum() < num_nodes - 1:
            return None
        turn = _nearest_axes(varimax(vectors[short]))
        turned = vectors @ turn
        step = np.round(turned)
        size = np.abs(step)
        off = np.linalg.norm(turned - step, axis=1)
        near = (off < _OFF) & (size.max(1) == 1)
        axial = near & (size.sum(1) == 1)
        if not axial.any():
            return None
        unit *= float(np.median((turned[axial] * step[axial]).sum(1)))
    if axial[short].mean() < share:
        return None
    return pairs[:, near].astype(np.int64), step[near].astype(np.int64), off[near]


def _nearest_axes(turn: np.ndarray) -> np.ndarray:
    """The columns in the order and with the signs that turn least: rows along the axes stay as they are."""
    order = linear_sum_assignment(-np.abs(turn))[1]
    turn = turn[:, order]
    return np.where(np.diag(turn) < 0, -turn, turn)


def _largest(pairs: np.ndarray, num_nodes: int) -> np.ndarray:
    """Nodes ``[N]`` of the largest piece that pairs hold together."""
    half = sp.csr_matrix((np.ones(pairs.shape[1]), pairs), (num_nodes, num_nodes))
    label = connected_components(half, directed=False)[1]
    result: np.ndarray = label == np.bincount(label).argmax()
    return result


def _potential(pairs: np.ndarray, step: np.ndarray, num_nodes: int) -> np.ndarray:
    """Places ``[N, d]`` whose differences are the steps, by least squares; 0 for nodes without a step."""
    count = pairs.shape[1]
    rows = np.tile(np.arange(count), 2)
    difference = sp.csr_matrix((np.repeat([-1.0, 1.0], count), (rows, pairs.ravel())), (count, num_nodes))
    laplacian = difference.T @ difference
    alone = np.asarray(laplacian.diagonal() == 0, dtype=float)
    alone[pairs[0, 0]] += 1.0
    result: np.ndarray = spsolve((laplacian + sp.diags(alone)).tocsc(), difference.T @ step)
    return result.reshape(num_nodes, step.shape[1])


def _distinct(cell: np.ndarray, off: np.ndarray, inside: np.ndarray, least: float) -> np.ndarray | None:
    """Cells from 0, one node in each: of several the one that fits best, the others -1; None if too many have none."""
    order = np.lexsort((off, ~inside))
    first = order[np.unique(cell[order], axis=0, return_index=True)[1]]
    placed = np.zeros(len(cell), dtype=bool)
    placed[first] = True
    placed &= inside
    if placed.mean() < least:
        return None
    return np.where(placed[:, None], cell - cell[placed].min(0), -1)


def cells_of_chain(along: np.ndarray, girth: float = 0.0) -> tuple[np.ndarray, int] | None:
    """Integer cells ``[N, 1]`` of evenly spaced places along a line or ring, and their number, or None.

    Nodes may be missing: a gap may span up to three cells.

    Args:
        along: Places ``[N]``.
        girth: Length of the ring; 0 for a line.

    Example:
        >>> cells, size = cells_of_chain(np.array([0.0, 1.02, 4.0, 2.98]))
        >>> cells.ravel().tolist(), size
        ([0, 1, 4, 3], 5)
        >>> cells_of_chain(np.array([0.0, 1.0, 1.4, 2.9, 3.3, 4.7])) is None
        True
    """
    order = np.argsort(along, kind="stable")
    gap = np.diff(along[order], append=along[order[0]] + girth) if girth else np.diff(along[order])
    unit = float(np.median(gap))
    if not unit > 0:
        return None
    for _ in range(3):
        step = np.round(gap / unit)
        near = (np.abs(gap / unit - step) < _OFF) & (step >= 1)
        if not near.any():
            return None
        unit = float(gap[near].sum() / step[near].sum())
    step = np.round(gap / unit)
    if near.mean() < _PLACED or step.max() > _LONGEST:
        return None
    cell = np.zeros(len(along), dtype=np.int64)
    cell[order[1:]] = np.cumsum(step[: len(along) - 1])
    size = int(step.sum()) if girth else int(cell.max()) + 1
    off = np.abs(along - along[order[0]] - unit * cell)
    placed = _distinct(cell[:, None], off, np.ones(len(cell), dtype=bool), _PLACED)
    return None if placed is None else (placed, size)


def regular(pos: np.ndarray, cells: Cells) -> bool:
    r"""Whether places ``[N, d]`` stand on their cells, not anywhere about them, and the cells side by side.

    Gaps that follow each other along an axis have a log ratio of which 1.48 times the median size is at most 0.2, as
    with noise of a twelfth of the spacing, and its standard error over T > 1 ratios, :math:`0.2 \cdot 1.17 / \sqrt T`.
    """
    ratios = [np.zeros(0)]
    for three in in_a_row(cells):
        first, second = (np.linalg.norm(pos[three[k + 1]] - pos[three[k]], axis=1) for k in (0, 1))
        ratios.append(np.log(np.maximum(second, 1e-9) / np.maximum(first, 1e-9)))
    every = np.abs(np.concatenate(ratios))
    allowed = _EVEN * (1 + _UNSURE / np.sqrt(len(every))) if len(every) > 1 else _EVEN
    even = not len(every) or 1.4826 * float(np.median(every)) <= allowed
    return bool(even) and solid(cells)
