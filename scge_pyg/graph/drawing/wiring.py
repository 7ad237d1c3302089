"""Undirected edges as arrays and sparse matrices, and the wiring that a map is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

__all__ = [
    "TRIANGULATED",
    "Wiring",
    "adjacency_of",
    "edges_of",
    "strength_of",
    "transitivity",
    "wiring_from_edges",
]

TRIANGULATED = 0.03  # transitivity above which triangles belong to the geometry: at most 0.01 on grids, 0.05 off them


@dataclass(frozen=True)
class Wiring:
    """Undirected edges of a coupling.

    Attributes:
        edges: Edges ``[2, E]`` with ``i < j``.
        attached: Weak links that hold nodes without an edge at their strongest partner, ``[2, A]``.
        strong: The edges among them that are trusted on their coupling alone, ``[2, F]``.
        doubtful: Candidates left out because they close no short cycle, ``[2, D]``: shortcuts, or the sides of a tear.
        dense: Whether neighbours of a node are often neighbours (a triangulation rather than a grid).
    """

    edges: np.ndarray
    attached: np.ndarray
    strong: np.ndarray
    doubtful: np.ndarray
    dense: bool


def adjacency_of(edges: np.ndarray, num_nodes: int) -> sp.csr_matrix:
    """Symmetric 0/1 matrix of undirected edges ``[2, E]``."""
    half = sp.csr_matrix((np.ones(edges.shape[1]), (edges[0], edges[1])), (num_nodes, num_nodes))
    return half.maximum(half.T).sign().tocsr()


def edges_of(matrix: sp.spmatrix) -> np.ndarray:
    """Upper-triangular entries of a symmetric sparse matrix as edges ``[2, E]``."""
    upper = sp.triu(matrix, 1).tocoo()
    order = np.lexsort((upper.col, upper.row))
    return np.stack([upper.row[order], upper.col[order]]).astype(np.int64)


def strength_of(coupling: sp.csr_matrix, edges: np.ndarray) -> np.ndarray:
    """Entries ``[E]`` of a sparse matrix at edges ``[2, E]``."""
    if not edges.shape[1]:
        return np.zeros(0)
    return np.asarray(coupling[edges[0], edges[1]]).ravel()


def transitivity(adjacency: sp.csr_matrix) -> float:
    """Share of two-step paths whose ends are joined: about 0 on a grid, 0.4 in a triangulation."""
    paths = adjacency @ adjacency
    back = paths.diagonal()
    closed = paths.multiply(adjacency).sum() - back @ adjacency.diagonal()
    return float(closed / max(paths.sum() - back.sum(), 1.0))


def wiring_from_edges(edges: np.ndarray, num_nodes: int) -> Wiring:
    """The wiring of a known graph with edges ``[2, E]``: nothing in doubt, nothing attached."""
    adjacency = adjacency_of(edges, num_nodes)
    pairs = edges_of(adjacency)
    return Wiring(pairs, pairs[:, :0], pairs, pairs[:, :0], transitivity(adjacency) > TRIANGULATED)
