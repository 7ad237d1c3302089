"""Integer cells for a geometry that is a regular grid, and the verdict whether it is one."""

from __future__ import annotations

import logging

import numpy as np
import scipy.sparse as sp

from scge_pyg.discovery.lattices.bins import PairBins, bin_pairs
from scge_pyg.discovery.lattices.board import Board, OutgrownError
from scge_pyg.discovery.lattices.evidence import Evidence, evidence_from_cells, evidence_from_graph
from scge_pyg.discovery.lattices.search import ONE_BY_ONE, mend
from scge_pyg.discovery.lattices.settling import CLEAN, Cells, as_cells, gap_of_chain, settle
from scge_pyg.graph.drawing.wiring import Wiring, adjacency_of, strength_of

__all__ = ["Cells", "find_cells"]

logger = logging.getLogger("scge_pyg")

_STARTS = 3
_RESOLUTIONS = (24, 32)  # histogram bins; the second is tried where the first leaves faults
_HOPELESS = 0.3  # share at which the first map is given up: an axis of L cells that closes on itself makes 1 / L
_LOST = 0.12  # the same after the first mending: 0.11 at most on pixel grids, 0.2 and more on most spheres


def find_cells(
    coupling: sp.csr_matrix, wiring: Wiring, nodes: np.ndarray, dim: int, generator: np.random.Generator
) -> Cells | None:
    """Place ``nodes`` on an integer grid, or return ``None`` where the geometry is none.

    The pair evidence is estimated first from the strong edges and then from the map itself, as long as that improves
    it, at most five times; each time the rim is regrown and faults are mended. Where faults remain, the search is
    repeated with finer histograms, and the map that fills a box, or else has fewer faults, is kept. Strong edges that
    all jump by the same distance along an axis reveal a periodic one. Above 2,048 nodes the map is grown a second time,
    with evidence from the first one, all faults are mended at once, and histograms are those of the first search.

    Cost: memory and, but for a pass over the rim a node, time linear in N.

    Args:
        coupling: Symmetric sparse coupling ``[N, N]``.
        wiring: Edges of the coupling.
        nodes: The nodes of one connected geometry, ascending.
        dim: Intrinsic dimension.
        generator: Source of randomness.
    """
    if wiring.dense or dim > 3 or len(nodes) <= 2**dim:
        return None
    local = np.full(coupling.shape[0], -1)
    local[nodes] = np.arange(len(nodes))

    def inside(edges: np.ndarray) -> np.ndarray:
        mapped = local[edges]
        return mapped[:, (mapped >= 0).all(0)]

    strong, edges = inside(wiring.strong), inside(wiring.edges)
    if not strong.shape[1]:
        return None
    own = coupling[nodes][:, nodes]
    split = gap_of_chain(own, strong) if dim == 1 else None  # a single error tears a chain
    best: Board | None = None
    faulty = 1.0
    for count in _RESOLUTIONS if len(nodes) <= ONE_BY_ONE else _RESOLUTIONS[:1]:
        try:
            board = _search(bin_pairs(own, count, split), strong, edges, dim, generator)
        except OutgrownError as error:
            logger.info("no lattice of %d nodes in %d dimensions: they hang in threads, %s", len(nodes), dim, error)
            return None
        if board is None:
            return None
        share = board.faults(strong).shape[1] / strong.shape[1]
        if best is None or (not _fills_box(board), share) < (not _fills_box(best), faulty):
            best, faulty = board, share
        if faulty <= CLEAN or _fills_box(best):
            break
    if best is None:
        return None
    return as_cells(best, faulty, nodes, coupling.shape[0])


def _search(
    bins: PairBins, strong: np.ndarray, edges: np.ndarray, dim: int, generator: np.random.Generator
) -> Board | None:
    """Grow a map, close its periodic axes, and mend it with evidence from itself until that stops helping."""
    board = _best_start(evidence_from_graph(bins, strong, dim), strong, dim)
    if board is None:
        return None
    if board.faults(strong).shape[1] > _HOPELESS * strong.shape[1]:
        return None
    board = _close_axes(board, strong)
    budget, large = 2 * len(bins), len(bins) > ONE_BY_ONE
    if _complete(board, strong):
        mend(board, strong, generator, budget)
        return board
    if large:
        board = _grown_again(board, strong)
    mend(board, strong, generator, budget)
    board = _close_axes(board, strong)
    if board.faults(strong).shape[1] > _LOST * strong.shape[1]:
        return None
    settle(board, strong, edges, generator)
    return board


def _grown_again(board: Board, strong: np.ndarray) -> Board:
    """The map grown anew with the evidence of this one, if it is the likelier one."""
    cell, placed = board.cells()
    everyone = np.arange(board.num_nodes)
    board.evidence = evidence_from_cells(board.evidence.bins, cell, placed, board.period)
    keep = _unit_squares(board.evidence, strong)[0] if board.dim > 1 else _strongest(board.evidence, strong)[0]
    if not placed[keep].all():
        return board
    again = Board(board.evidence, board.period)
    again.put(keep, cell[keep])
    again.grow(np.setdiff1d(everyone, keep))
    return again if again.total(everyone) > board.total(everyone) else board


def _complete(board: Board, edges: np.ndarray) -> bool:
    """Whether the nodes fill a box without a gap and hardly an edge is off it: there is nothing to mend."""
    return _fills_box(board) and board.faults(edges).shape[1] <= CLEAN * edges.shape[1]


def _fills_box(board: Board) -> bool:
    cell, placed = board.cells()
    return bool(placed.all() and not board.period.any() and np.prod(np.ptp(cell, axis=0) + 1) == board.num_nodes)


def _best_start(evidence: Evidence, strong: np.ndarray, dim: int) -> Board | None:
    """Grow from the few surest unit squares (edges in a chain) and keep the likeliest map."""
    num_nodes = len(evidence.bins)
    period = np.zeros(dim, dtype=np.int64)
    everyone = np.arange(num_nodes)
    best, best_total = None, -np.inf
    for seed in _unit_squares(evidence, strong) if dim > 1 else _strongest(evidence, strong):
        board = Board(evidence, period)
        corner = np.zeros((len(seed), dim), dtype=np.int64)
        corner[1, -1] = 1
        if dim > 1:
            corner[2, -2], corner[3, -2:] = 1, 1
        board.put(seed, corner)
        board.grow(np.setdiff1d(everyone, seed))
        total = board.total(everyone)
        if total > best_total:
            best, best_total = board, total
        if board.faults(strong).shape[1] <= CLEAN * strong.shape[1]:
            break
    return best


def _strongest(evidence: Evidence, strong: np.ndarray) -> np.ndarray:
    value = evidence.ratio[0][evidence.bins.at(strong[0], strong[1])]
    return strong[:, np.argsort(-value, kind="stable")[:: max(1, len(value) // _STARTS)][:_STARTS]].T


def _unit_squares(evidence: Evidence, strong: np.ndarray) -> np.ndarray:
    """Four-cycles of strong edges (a, b, d, c) with the best weakest edge, no two through one node, as a, b, c, d."""
    num_nodes = len(evidence.bins)
    adjacency = adjacency_of(strong, num_nodes)
    end = np.repeat(np.arange(num_nodes), np.diff(adjacency.indptr))
    count = np.diff(adjacency.indptr)[adjacency.indices]
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    first, middle = np.repeat(end, count), np.repeat(adjacency.indices, count)
    last = adjacency.indices[adjacency.indptr[middle] + step]
    across = (first < last) & (strength_of(adjacency, np.stack([first, last])) == 0)
    first, middle, last = first[across], middle[across], last[across]
    ratio = evidence.ratio[0]
    weaker = np.minimum(ratio[evidence.bins.at(first, middle)], ratio[evidence.bins.at(last, middle)])
    order = np.lexsort((middle, -weaker, last, first))
    first, middle, last, weaker = first[order], middle[order], last[order], weaker[order]
    opens = np.r_[True, (np.diff(first) != 0) | (np.diff(last) != 0)]
    second = np.flatnonzero(opens[:-1] & ~opens[1:]) + 1
    second = second[np.argsort(-weaker[second], kind="stable")]
    squares = np.stack([first[second], middle[second - 1], middle[second], last[second]], 1)
    chosen = np.zeros((0, 4), dtype=np.int64)
    while len(squares) and len(chosen) < _STARTS:
        chosen = np.concatenate([chosen, squares[:1]])
        squares = squares[~np.isin(squares, chosen).any(1)]
    return chosen


def _close_axes(board: Board, strong: np.ndarray) -> Board:
    """Declare an axis periodic if the faults that jump by one and the same length along it span a cross-section."""
    faults = board.faults(strong)
    cell, placed = board.cells()
    extent = cell[placed].max(0) - cell[placed].min(0) + 1
    period = np.zeros(board.dim, dtype=np.int64)
    jump = np.abs(cell[faults[0]] - cell[faults[1]])
    for axis in range(board.dim):
        across = jump[(np.delete(jump, axis, 1) == 0).all(1) & (jump[:, axis] >= 2), axis]
        if across.size:
            length = np.bincount(across).argmax() + 1
            section = board.num_nodes / extent[axis]
            if (across == length - 1).sum() > section / 2 and length >= 0.75 * extent[axis]:
                period[axis] = length
    if not period.any():
        return board
    closed = Board(board.evidence, period)
    wrapped = np.where(period > 0, cell % np.maximum(period, 1), cell)
    first = np.unique(wrapped, axis=0, return_index=True)[1]
    keep = np.intersect1d(first, np.flatnonzero(placed))
    closed.put(keep, cell[keep])
    closed.grow(np.setdiff1d(np.arange(board.num_nodes), keep))
    return closed
