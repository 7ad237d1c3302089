"""Mending a map on a grid: nodes around faults, or along the rim, are lifted and grow again."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from scge_pyg.discovery.lattices.board import Board

__all__ = ["ONE_BY_ONE", "mend", "trim"]

ONE_BY_ONE = 2048  # nodes; in larger maps all faults are mended at once
_PATIENCE = 3
_MARGINS = (0.0, 0.5, 1.0)
_RADII = (1, 2, 3, 4, 6, 9)
_MARGINS_OF_ALL = (0.5, 1.0)
_RADII_OF_ALL = (2, 4)
_BETTER = 1e-3  # nats by which a part must have improved to be kept


def mend(board: Board, edges: np.ndarray, generator: np.random.Generator, steps: int) -> int:
    """Lift the nodes around faults and let them grow again; keep what is strictly better.

    Up to 2,048 nodes one random fault at a time; in larger maps all at once, which costs a few growths of the nodes
    near faults.

    Args:
        board: The map; changed.
        edges: Edges that should join axis neighbours, ``[2, E]``.
        generator: Source of randomness.
        steps: Number of attempts; the search ends early once every fault has been tried three times in vain.

    Returns:
        Number of parts that were improved.
    """
    if board.num_nodes > ONE_BY_ONE:
        return _mend_all(board, edges)
    improved = idle = 0
    is_fault = board.is_fault(edges)
    for _ in range(steps):
        faults = edges[:, is_fault]
        if not faults.shape[1] or idle >= _PATIENCE * faults.shape[1]:
            break
        idle += 1
        ends = faults[:, generator.integers(faults.shape[1])]
        radius = int(generator.choice(_RADII))
        nodes = board.around(ends, radius)
        if _regrow(board, nodes, margin=float(generator.choice(_MARGINS)), near=True):
            improved += 1
            idle = 0
            moved = np.zeros(board.num_nodes, dtype=bool)
            moved[nodes] = True
            again = moved[edges].any(0)
            is_fault[again] = board.is_fault(edges[:, again])
    return improved


def _mend_all(board: Board, edges: np.ndarray) -> int:
    """The same around all faults at once, with a few radii and margins."""
    improved = 0
    for radius in _RADII_OF_ALL:
        for margin in _MARGINS_OF_ALL:
            faults = board.faults(edges)
            if faults.shape[1]:
                improved += _regrow(board, board.around(faults.ravel(), radius), margin, near=True)
    return improved


def trim(board: Board) -> int:
    """Lift the rim, one to three nodes deep, and let it grow again; keep what is strictly better.

    Nodes with little evidence are placed last and may dangle off the map in chains; with the body of the map in place
    they find their seats.

    Returns:
        Number of parts that were improved.
    """
    improved = 0
    for depth in (1, 2, 3):
        for margin in _MARGINS:
            neighbors = board.neighbors(np.arange(board.num_nodes))
            rim = (board.key_of >= 0) & ((neighbors >= 0).mean(1) < 0.75)
            for _ in range(depth - 1):
                rim[neighbors[rim][neighbors[rim] >= 0]] = True
            if 0 < rim.sum() < (board.key_of >= 0).sum() / 2:
                improved += _regrow(board, np.flatnonzero(rim), margin, near=False)
    return improved


def _regrow(board: Board, nodes: np.ndarray, margin: float, near: bool) -> int:
    """Lift nodes and let them grow; put back those whose part of the map is no better. Returns the parts that are."""
    before, share = board.neighbors(nodes), board.shares(nodes)
    cell = board.lift(nodes)
    board.grow(nodes, margin, start=cell if near else None)
    placed = board.key_of[nodes] >= 0
    if not placed.all():
        board.lift(nodes[placed])
        board.put(nodes, cell)
        return 0
    gain = board.shares(nodes) - share
    part = _parts(board, nodes, cell, before)
    better = np.bincount(part, gain) > _BETTER
    back = ~better[part]
    board.lift(nodes[back])
    board.put(nodes[back], cell[back])
    return int(better.sum())


def _parts(board: Board, nodes: np.ndarray, cell: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Parts ``[n]`` of lifted nodes that neither were nor are beside each other and took no cell of each other."""
    local = np.full(board.num_nodes + 1, -1)
    local[nodes] = np.arange(len(nodes))
    former, taken = board.keys(cell), board.key_of[nodes]
    order = np.argsort(former)
    found = order[np.minimum(np.searchsorted(former[order], taken), len(nodes) - 1)]
    owner = np.where(former[found] == taken, found, -1)
    other = np.concatenate([local[before], local[board.neighbors(nodes)], owner[:, None]], 1)
    own = np.broadcast_to(np.arange(len(nodes))[:, None], other.shape)[other >= 0]
    shape = (len(nodes), len(nodes))
    links = sp.csr_matrix((np.ones(len(own), dtype=bool), (own, other[other >= 0])), shape)
    return connected_components(links, directed=False)[1]
