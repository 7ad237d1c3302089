"""A map on a grid brought to rest: mended with evidence from itself, and read off as cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from scge_pyg.discovery.lattices.bins import bin_pairs
from scge_pyg.discovery.lattices.board import Board, OutgrownError
from scge_pyg.discovery.lattices.evidence import evidence_from_cells
from scge_pyg.discovery.lattices.search import ONE_BY_ONE, mend, trim
from scge_pyg.graph.drawing.wiring import Wiring, strength_of

__all__ = ["CLEAN", "Cells", "as_cells", "gap_of_chain", "mend_cells", "settle"]

CLEAN = 0.01  # share of strong edges off the grid at which the first map is good enough to mend
_ROUNDS = 5
_BINS = 24
_SETTLED = 0.98  # share of the faults that a round leaves above which the next one isn't worth its time, in large maps
_ASTRAY = 0.75  # share of strong edges off a given map at which it is given up; a quarter of the nodes swapped make 0.4
_FAULTY = 0.1  # share of strong edges off the grid: below 0.04 on pixel grids, above 0.12 on hexagons and blue noise


@dataclass(frozen=True)
class Cells:
    """Cells of the nodes of one grid.

    Attributes:
        cell: Integer cells ``[N, dim]``, from 0; -1 where a node has none.
        shape: Extent along each axis.
        periodic: Whether each axis closes on itself.
        confidence: Probability that the node fits its cell better than the next best one beside it, ``[N]``.
        faulty: Share of the strong edges that do not join axis neighbours.
    """

    cell: np.ndarray
    shape: tuple[int, ...]
    periodic: tuple[bool, ...]
    confidence: np.ndarray
    faulty: float


def mend_cells(coupling: sp.csr_matrix, wiring: Wiring, cells: Cells, generator: np.random.Generator) -> Cells | None:
    """Cells that are mostly right, put right by the coupling as :func:`find_cells` mends its own, or ``None``.

    Nodes without a cell grow onto the others first.

    Args:
        coupling: Symmetric sparse coupling ``[N, N]``.
        wiring: Edges of the coupling.
        cells: Cells of the N nodes, -1 where one has none.
        generator: Source of randomness.
    """
    num_nodes, strong = coupling.shape[0], wiring.strong
    if wiring.dense or not strong.shape[1]:
        return None
    placed = cells.cell[:, 0] >= 0
    period = np.where(cells.periodic, cells.shape, 0)
    split = gap_of_chain(coupling, strong) if len(cells.shape) == 1 else None
    bins = bin_pairs(coupling, _BINS, split)
    try:
        board = Board(evidence_from_cells(bins, cells.cell, placed, period), period)
        board.put(np.flatnonzero(placed), cells.cell[placed])
        board.grow(np.flatnonzero(~placed))
        if board.faults(strong).shape[1] > _ASTRAY * strong.shape[1]:
            return None
        mend(board, strong, generator, 2 * num_nodes)
        settle(board, strong, wiring.edges, generator)
    except OutgrownError:
        return None
    faulty = board.faults(strong).shape[1] / strong.shape[1]
    return as_cells(board, faulty, np.arange(num_nodes), num_nodes)


def settle(board: Board, strong: np.ndarray, edges: np.ndarray, generator: np.random.Generator) -> None:
    """Mend a map with evidence from itself until that stops helping."""
    bins, budget, large = board.evidence.bins, 2 * board.num_nodes, board.num_nodes > ONE_BY_ONE
    left = board.faults(strong).shape[1]
    for turn in range(_ROUNDS):
        cell, placed = board.cells()
        board.evidence = evidence_from_cells(bins, cell, placed, board.period)
        improved = trim(board) + mend(board, strong if turn == 0 else edges, generator, budget)
        before, left = left, board.faults(strong).shape[1]
        if turn > 0 and (not improved or (large and left > _SETTLED * before)):
            break


def as_cells(board: Board, faulty: float, nodes: np.ndarray, num_nodes: int) -> Cells | None:
    """The cells of a finished map, or ``None`` if too many strong edges are off it or nodes have none."""
    cell, placed = board.cells()
    if faulty > _FAULTY or placed.mean() < 0.9:
        return None
    origin = np.where(board.period > 0, 0, cell[placed].min(0))
    extent = np.where(board.period > 0, board.period, cell[placed].max(0) - origin + 1)
    result = np.full((num_nodes, board.dim), -1)
    result[nodes[placed]] = cell[placed] - origin
    confidence = np.zeros(num_nodes)
    confidence[nodes] = expit(board.margins())
    shape = tuple(int(n) for n in extent)
    return Cells(result, shape, tuple(bool(p) for p in board.period), confidence, faulty)


def gap_of_chain(coupling: sp.csr_matrix, strong: np.ndarray) -> float | None:
    """The weakest strong edge, where hardly another pair is as strong."""
    weakest = float(strength_of(coupling, strong).min())
    others = int((coupling.data >= weakest).sum()) // 2 - strong.shape[1]
    return weakest if others <= CLEAN * strong.shape[1] else None
