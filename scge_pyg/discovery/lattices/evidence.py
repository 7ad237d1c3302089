"""How strongly a coupling value speaks for two nodes being neighbours on a grid, estimated from the data themselves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import minimize

from scge_pyg.discovery.lattices.bins import PairBins
from scge_pyg.graph.drawing.wiring import adjacency_of

__all__ = ["Evidence", "evidence_from_cells", "evidence_from_graph", "ring_offsets"]

_PRIOR_PAIRS = 5.0  # weight of the "far" histogram in a class that holds few pairs
_WINDOW = 8  # squared distance of the corners of the 5 x 5 window
_ROWS = 4096


@dataclass(frozen=True)
class Evidence:
    r"""Log-likelihood ratios :math:`\log p(c_{ij} \mid \delta) / p(c_{ij} \mid \text{far})`.

    Attributes:
        bins: Histogram bin of the coupling of each pair.
        offsets: Grid offsets that have a class of their own, ``[Q, dim]``: the axis neighbours come first.
        ratio: Log-likelihood ratio of each bin at each offset, ``[Q, bins]`` float32.
        num_axis: How many of the offsets are axis neighbours (``2 dim``).
    """

    bins: PairBins
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


def _histogram(bins: PairBins, stored: np.ndarray, pairs: int) -> np.ndarray:
    """How many of ``pairs`` pairs lie in each bin; those among them that are stored have bins ``stored``."""
    count = np.bincount(stored, minlength=bins.count)
    count[bins.rest] += pairs - len(stored)
    return count.astype(float)


def _evidence(bins: PairBins, classes: list[np.ndarray], far: np.ndarray, dim: int) -> Evidence:
    """Evidence from the histograms ``[bins]`` of both rings and of the pairs that are far."""
    background = _blurred(far) + 0.05
    background /= background.sum()
    rows = []
    for near in classes:
        count = _blurred(near)
        rows.append(np.log((count + _PRIOR_PAIRS * background) / (count.sum() + _PRIOR_PAIRS) / background))
    offsets, ring = ring_offsets(dim)
    return Evidence(bins, offsets, np.stack(rows)[ring].astype(np.float32), 2 * dim)


def _blurred(count: np.ndarray) -> np.ndarray:
    return gaussian_filter1d(count, 1.0, mode="nearest")


def evidence_from_graph(bins: PairBins, edges: np.ndarray, dim: int) -> Evidence:
    """First estimate, before there is a map.

    Joined nodes count as axis neighbours, nodes that are not joined but share two others (one in a chain) as second
    ring, and nodes more than four hops apart as far.

    Cost: linear in N where nodes have few edges.

    Args:
        bins: From :func:`.bin_pairs`.
        edges: Undirected edges ``[2, E]``.
        dim: Dimension of the grid.
    """
    num_nodes = len(bins)
    joined = adjacency_of(edges, num_nodes)
    within_two = joined @ joined
    shared = within_two >= (2 if dim > 1 else 1)
    near = within_two + joined + sp.eye(num_nodes, format="csr")
    i, j, stored = bins.pairs()
    is_joined, is_shared = (_entries(relation, i, j) > 0 for relation in (joined, shared))
    across = int(shared.sum() - shared.diagonal().sum() - shared.multiply(joined).sum()) // 2
    is_near, pairs = np.zeros(len(i), dtype=bool), 0
    begin = np.searchsorted(i, np.arange(0, num_nodes + _ROWS, _ROWS))
    for block, first in enumerate(range(0, num_nodes, _ROWS)):
        within_four = (near[first : first + _ROWS] @ near).tocsr()
        pairs += within_four.nnz
        own = slice(begin[block], begin[block + 1])
        is_near[own] = _entries(within_four, i[own] - first, j[own]) > 0
    far = num_nodes * (num_nodes - 1) // 2 - (pairs - num_nodes) // 2
    first_ring = _histogram(bins, stored[is_joined], joined.nnz // 2)
    second_ring = _histogram(bins, stored[is_shared & ~is_joined], across)
    return _evidence(bins, [first_ring, second_ring], _histogram(bins, stored[~is_near], far), dim)


def _entries(matrix: sp.csr_matrix, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[i, j]).ravel() if len(i) else np.zeros(0)


def evidence_from_cells(bins: PairBins, cell: np.ndarray, placed: np.ndarray, period: np.ndarray) -> Evidence:
    """Estimate from a map: pairs by their offset on the grid, beyond the 5 x 5 window as far.

    Every ratio is raised by what the compactness of the map adds to the odds that a cell is taken.

    Cost: linear in N and in the number of cells of the box around the map.

    Args:
        bins: From :func:`.bin_pairs`.
        cell: Integer cells ``[N, dim]``.
        placed: Nodes that have a cell, ``[N]`` bool.
        period: Cells per axis where it closes on itself, 0 where it does not, ``[dim]``.
    """
    dim = cell.shape[1]
    occupied = _occupied(cell[placed], period)
    pairs = _pairs_by_square(occupied, period)
    i, j, stored = bins.pairs()
    on_map = placed[i] & placed[j]
    i, j, stored = i[on_map], j[on_map], stored[on_map]
    square = (_wrapped(cell[i] - cell[j], period) ** 2).sum(1)
    first, second = (_histogram(bins, stored[square == size], pairs[size]) for size in (1, 2 if dim > 1 else 4))
    count = int(placed.sum())
    far = _histogram(bins, stored[square > _WINDOW], count * (count - 1) // 2 - int(pairs.sum()))
    evidence = _evidence(bins, [first, second], far, dim)
    return replace(evidence, ratio=evidence.ratio + np.float32(_contact(occupied, period)))


def _wrapped(step: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Shortest steps ``[n, dim]``, up to sign."""
    size = np.maximum(period, 1)
    return np.where(period > 0, np.minimum(step % size, -step % size), np.abs(step))


def _pairs_by_square(occupied: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Number of pairs of nodes at each squared distance up to that of the 5 x 5 window, ``[_WINDOW + 1]``."""
    reach = int(_WINDOW**0.5)
    steps = np.arange(-reach, reach + 1)
    axes = [steps[(2 * steps > -size) & (2 * steps <= size)] if size else steps for size in period.tolist()]
    count = np.zeros(_WINDOW + 1, dtype=np.int64)
    for offset in itertools.product(*axes):
        square = sum(step * step for step in offset)
        if 0 < square <= _WINDOW:
            count[square] += int((occupied * _shifted(occupied, np.array(offset), period)).sum())
    return count // 2


def _occupied(cell: np.ndarray, period: np.ndarray) -> np.ndarray:
    """Box of 0 and 1 around cells ``[n, dim]``, with two empty ones beyond them along open axes."""
    low = cell.min(0) - np.where(period > 0, 0, 2)
    occupied = np.zeros(np.where(period > 0, period, cell.max(0) + 3 - low))
    occupied[tuple((cell - low).T)] = 1
    return occupied


def _contact(occupied: np.ndarray, period: np.ndarray) -> float:
    r"""Log-odds that one more occupied neighbour adds to a cell being occupied.

    Nodes of a grid fill a region; how compactly is read off the map: the maximum of the pseudo-likelihood (Besag, 1975)
    of an Ising model, :math:`\operatorname{logit} p = a + \beta n` for a cell with n occupied cells in its two rings.
    """
    count = np.zeros_like(occupied)
    for offset in ring_offsets(occupied.ndim)[0]:
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
