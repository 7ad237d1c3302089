"""How strongly a coupling value speaks for two nodes being neighbours on a grid, estimated from the data themselves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize
from scipy.sparse.csgraph import dijkstra

__all__ = ["Evidence", "bin_pairs", "evidence_from_cells", "evidence_from_graph", "ring_offsets"]

_PRIOR_PAIRS = 5.0  # weight of the "far" histogram in a class that holds few pairs


@dataclass(frozen=True)
class Evidence:
    r"""Log-likelihood ratios :math:`\log p(c_{ij} \mid \delta) / p(c_{ij} \mid \text{far})`.

    Attributes:
        bins: Histogram bin of the coupling of each pair, ``[N, N]`` uint8.
        offsets: Grid offsets that have a class of their own, ``[Q, dim]``: the axis neighbours come first.
        ratio: Log-likelihood ratio of each bin at each offset, ``[Q, bins]`` float32.
        num_axis: How many of the offsets are axis neighbours (``2 dim``).
    """

    bins: np.ndarray
    offsets: np.ndarray
    ratio: np.ndarray
    num_axis: int


def ring_offsets(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the first two rings of the integer grid and their class (0: axis neighbours, 1: second ring).

    The second ring is :math:`|\\delta|^2 = 2` (in one dimension, where there is none, :math:`\\delta = \\pm 2`).

    Example:
        >>> offsets, ring = ring_offsets(2)
        >>> len(offsets), ring.tolist()
        (8, [0, 0, 0, 0, 1, 1, 1, 1])
    """
    second = 2 if dim > 1 else 4
    cube = np.array(list(itertools.product(range(-2, 3), repeat=dim)))
    square = (cube**2).sum(1)
    first = cube[square == 1]
    return np.concatenate([first, cube[square == second]]), np.repeat(
        [0, 1], [len(first), int((square == second).sum())]
    )


def bin_pairs(coupling: np.ndarray, count: int = 24) -> np.ndarray:
    """Histogram bin of each pair's coupling: wide where most pairs lie, ever finer towards the strongest ones.

    Args:
        coupling: Pairwise coupling ``[N, N]``.
        count: Number of bins, at most 255.

    Returns:
        ``[N, N]`` uint8.
    """
    num_nodes = len(coupling)
    tail = 1 - np.geomspace(0.07, min(0.07, 0.6 / num_nodes), count - 3)
    levels = np.quantile(coupling[~np.eye(num_nodes, dtype=bool)], np.concatenate([[0.5, 0.9], tail]))
    return np.digitize(coupling, levels).astype(np.uint8)


def _tables(bins: np.ndarray, classes: list[np.ndarray], far: np.ndarray) -> np.ndarray:
    length = int(bins.max()) + 1

    def histogram(mask: np.ndarray) -> np.ndarray:
        count = np.bincount(bins[mask], minlength=length).astype(float)
        return gaussian_filter1d(count, 1.0, mode="nearest")

    background = histogram(far) + 0.05
    background /= background.sum()
    rows = []
    for mask in classes:
        count = histogram(mask)
        rows.append(np.log((count + _PRIOR_PAIRS * background) / (count.sum() + _PRIOR_PAIRS) / background))
    return np.stack(rows)


def _evidence(bins: np.ndarray, classes: list[np.ndarray], far: np.ndarray, dim: int) -> Evidence:
    offsets, ring = ring_offsets(dim)
    ratio = _tables(bins, classes, far)[ring].astype(np.float32)
    return Evidence(bins, offsets, ratio, 2 * dim)


def evidence_from_graph(bins: np.ndarray, edges: np.ndarray, dim: int) -> Evidence:
    """First estimate, before there is a map.

    Joined nodes count as axis neighbours, nodes that are not joined but share two others (one in a chain) as second
    ring, and nodes more than four hops apart as far.

    Args:
        bins: From :func:`bin_pairs`.
        edges: Undirected edges ``[2, E]``.
        dim: Dimension of the grid.
    """
    num_nodes = len(bins)
    half = sp.coo_matrix((np.ones(edges.shape[1]), (edges[0], edges[1])), (num_nodes, num_nodes)).tocsr()
    adjacency = half.maximum(half.T)
    upper = np.triu(np.ones((num_nodes, num_nodes), dtype=bool), 1)
    joined = adjacency.toarray() > 0
    shared = (adjacency @ adjacency).toarray() >= (2 if dim > 1 else 1)
    near = np.isfinite(dijkstra(adjacency, unweighted=True, limit=4.5))
    return _evidence(bins, [joined & upper, shared & ~joined & upper], upper & ~near, dim)


def evidence_from_cells(bins: np.ndarray, cell: np.ndarray, placed: np.ndarray, period: np.ndarray) -> Evidence:
    """Estimate from a map: pairs by their offset on the grid, beyond the 5 x 5 window as far.

    Every ratio is raised by what the compactness of the map adds to the odds that a cell is taken.

    Args:
        bins: From :func:`bin_pairs`.
        cell: Integer cells ``[N, dim]``.
        placed: Nodes that have a cell, ``[N]`` bool.
        period: Cells per axis where it closes on itself, 0 where it does not, ``[dim]``.
    """
    dim = cell.shape[1]
    contact = _contact(cell[placed], period)
    square = np.zeros(bins.shape, dtype=np.int64)
    for axis in range(dim):
        step = np.abs(cell[:, None, axis] - cell[None, :, axis])
        if period[axis]:
            step = np.minimum(step % period[axis], -step % period[axis])
        square += step**2
    pairs = np.triu(placed[:, None] & placed[None, :], 1)
    second = 2 if dim > 1 else 4
    evidence = _evidence(bins, [(square == 1) & pairs, (square == second) & pairs], (square > 8) & pairs, dim)
    return replace(evidence, ratio=evidence.ratio + np.float32(contact))


def _contact(cell: np.ndarray, period: np.ndarray) -> float:
    r"""Log-odds that one more occupied neighbour adds to a cell being occupied.

    Nodes of a grid fill a region; how compactly is read off the map: the maximum of the pseudo-likelihood (Besag, 1975)
    of an Ising model, :math:`\operatorname{logit} p = a + \beta n` for a cell with n occupied cells in its two rings.
    """
    dim = cell.shape[1]
    low = cell.min(0) - np.where(period > 0, 0, 2)
    shape = np.where(period > 0, period, cell.max(0) + 3 - low)
    occupied = np.zeros(shape)
    occupied[tuple((cell - low).T)] = 1
    count = np.zeros_like(occupied)
    for offset in ring_offsets(dim)[0]:
        count += _shifted(occupied, offset, period)
    near = count > 0
    sign, number = 2 * occupied[near] - 1, count[near]

    def loss(parameters: np.ndarray) -> float:
        bias, slope = parameters
        return float(np.logaddexp(0, -sign * (bias + slope * number)).sum() + slope**2 / 2)

    return float(np.clip(minimize(loss, np.zeros(2)).x[1], 0.0, None))


def _shifted(grid: np.ndarray, offset: np.ndarray, period: np.ndarray) -> np.ndarray:
    """``grid`` moved by ``offset``, wrapping along periodic axes and filled with zeros along the others."""
    moved = np.roll(grid, tuple(offset), axis=tuple(range(grid.ndim)))
    for axis, step in enumerate(offset.tolist()):
        if step and not period[axis]:
            edge = slice(0, step) if step > 0 else slice(step, None)
            moved[(slice(None),) * axis + (edge,)] = 0
    return moved
