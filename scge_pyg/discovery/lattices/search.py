"""Mending a map on a grid: nodes around faults, or along the rim, are lifted and grow again."""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.lattices.board import Board

__all__ = ["mend", "trim"]

_PATIENCE = 3
_MARGINS = (0.0, 0.5, 1.0)
_RADII = (1, 2, 3, 4, 6, 9)


def mend(board: Board, edges: np.ndarray, generator: np.random.Generator, steps: int) -> int:
    """Lift the nodes around a random fault and let them grow again; keep what is strictly better.

    Args:
        board: The map; changed.
        edges: Edges that should join axis neighbours, ``[2, E]``.
        generator: Source of randomness.
        steps: Number of attempts; the search ends early once every fault has been tried three times in vain.

    Returns:
        Number of improvements.
    """
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


def trim(board: Board) -> int:
    """Lift the rim, one to three nodes deep, and let it grow again; keep what is strictly better.

    Nodes with little evidence are placed last and may dangle off the map in chains; with the body of the map in place
    they find their seats.

    Returns:
        Number of improvements.
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


def _regrow(board: Board, nodes: np.ndarray, margin: float, near: bool) -> bool:
    before = board.total(nodes)
    cell = board.lift(nodes)
    board.grow(nodes, margin, start=cell if near else None)
    placed = board.key_of[nodes] >= 0
    if placed.all() and board.total(nodes) > before + 1e-3:
        return True
    board.lift(nodes[placed])
    board.put(nodes, cell)
    return False
