"""Nodes on the cells of an integer grid, and the evidence for where they stand."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d

from scge_pyg.discovery.lattices.evidence import Evidence
from scge_pyg.discovery.lattices.growth import Ground, Marks, fill

__all__ = ["Board", "OutgrownError"]

_CELLS = 2**22  # cells of the largest box, or as many a node as below
_CELLS_A_NODE = 64
_ROOM = 4  # empty cells around the nodes, at least; half of their extent where that is more


class OutgrownError(Exception):
    """Nodes are strung so far apart that their box would hold far more cells than nodes."""


class Board:
    """Nodes on the cells of an unbounded integer grid, periodic along some axes.

    The score of a placement is the sum of log-likelihood ratios of all pairs that end up in each other's first two
    rings (:mod:`scge_pyg.discovery.lattices.evidence`). Cells lie in a box that is framed anew when nodes outgrow it.

    Args:
        evidence: Pair evidence; it may be exchanged for a better one later.
        period: Cells per axis where it closes on itself, 0 where it does not.

    Example:
        >>> import numpy as np
        >>> import scipy.sparse as sp
        >>> from scge_pyg.discovery.lattices.bins import bin_pairs
        >>> from scge_pyg.discovery.lattices.evidence import evidence_from_graph
        >>> chain = np.array([np.arange(7), np.arange(1, 8)])
        >>> coupling = np.zeros((8, 8))
        >>> coupling[chain[0], chain[1]] = coupling[chain[1], chain[0]] = 0.4
        >>> evidence = evidence_from_graph(bin_pairs(sp.csr_matrix(coupling)), chain, dim=1)
        >>> board = Board(evidence, np.zeros(1, dtype=int))
        >>> board.put(np.array([3, 4]), np.array([[0], [1]]))
        >>> board.grow(np.array([0, 1, 2, 5, 6, 7]))
        >>> board.cells()[0].ravel().tolist()
        [-3, -2, -1, 0, 1, 2, 3, 4]
    """

    def __init__(self, evidence: Evidence, period: np.ndarray) -> None:
        self.num_nodes = len(evidence.bins)
        self.dim = evidence.offsets.shape[1]
        self.period = period
        self.evidence = evidence
        self.key_of = np.full(self.num_nodes, -1, dtype=np.int64)
        self._frame(np.zeros((1, self.dim), dtype=np.int64))

    def _frame(self, cell: np.ndarray) -> None:
        """Lay a box around cells ``[n, dim]`` and the nodes on the board."""
        placed = self.placed
        own = self.cells()[0][placed] if len(placed) else cell[:0]
        every = np.concatenate([cell, own])
        low, extent = every.min(0), np.ptp(every, axis=0) + 1
        room = np.maximum(_ROOM, extent // 2)
        self._low = np.where(self.period > 0, 0, low - room)
        self._size = np.where(self.period > 0, self.period, extent + 2 * room)
        if self._size.astype(float).prod() > max(_CELLS, _CELLS_A_NODE * self.num_nodes):
            raise OutgrownError(f"{len(every)} cells span a box of {' x '.join(map(str, self._size.tolist()))}")
        box = np.indices(tuple(self._size.tolist())).reshape(self.dim, -1).T
        self._ring = np.full((len(box) + 1, len(self.evidence.offsets)), -1)
        for q, offset in enumerate(self.evidence.offsets):
            beside = np.where(self.period > 0, (box + offset) % self._size, box + offset)
            inside = ((beside >= 0) & (beside < self._size)).all(1)
            self._ring[:-1][inside, q] = np.ravel_multi_index(tuple(beside[inside].T), tuple(self._size))
        self._node_at = np.full(len(box) + 1, -1, dtype=np.int64)
        nowhere, unmet = np.zeros((2, self.num_nodes), dtype=bool)
        self._marks = Marks(nowhere, unmet, np.zeros(self.num_nodes), np.full(len(box) + 1, -1))
        self._set(placed, own)

    def keys(self, cell: np.ndarray) -> np.ndarray:
        """Numbers ``[n]`` of cells ``[n, dim]`` within the box."""
        inside = np.where(self.period > 0, cell % self._size, cell - self._low)
        return np.ravel_multi_index(tuple(inside.T), tuple(self._size))

    def _set(self, nodes: np.ndarray, cell: np.ndarray) -> None:
        keys = self.keys(cell)
        self.key_of[nodes], self._node_at[keys] = keys, nodes

    @property
    def placed(self) -> np.ndarray:
        """Nodes on the board, ascending."""
        return np.flatnonzero(self.key_of >= 0)

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells ``[N, dim]`` and the mask of placed nodes ``[N]``."""
        return self._cells_at(np.maximum(self.key_of, 0)), self.key_of >= 0

    def _cells_at(self, keys: np.ndarray) -> np.ndarray:
        return np.stack(np.unravel_index(keys, tuple(self._size)), -1) + self._low

    def put(self, nodes: np.ndarray, cell: np.ndarray) -> None:
        """Place nodes on given free cells ``[n, dim]``."""
        self._make_room(cell)
        self._set(nodes, cell)

    def lift(self, nodes: np.ndarray) -> np.ndarray:
        """Take placed nodes off the board; returns their cells ``[n, dim]``."""
        cell = self._cells_at(self.key_of[nodes])
        self._node_at[self.key_of[nodes]] = -1
        self.key_of[nodes] = -1
        return cell

    def _make_room(self, cell: np.ndarray) -> None:
        """Frame the board anew if cells, or what lies beside them, are outside of it."""
        inside = (cell > self._low) & (cell < self._low + self._size - 1)
        if not (inside | (self.period > 0)).all():
            self._frame(cell)

    def neighbors(self, nodes: np.ndarray) -> np.ndarray:
        """Nodes on the cells around given nodes, ``[n, Q]``, -1 where a cell is empty."""
        return self._node_at[self._ring[self.key_of[nodes]]]

    def around(self, nodes: np.ndarray, radius: int) -> np.ndarray:
        """Nodes within ``radius`` cells of any of the given placed ones along every axis, ascending."""
        near = np.zeros(self._size, dtype=bool)
        near.ravel()[self.key_of[nodes]] = True
        for axis, size in enumerate(self.period.tolist()):
            near = maximum_filter1d(near, 2 * radius + 1, axis, mode="wrap" if size else "constant")
        return np.flatnonzero((self.key_of >= 0) & near.ravel()[self.key_of])

    def evidence_at(self, nodes: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
        """Log-likelihood ratios of nodes ``[n, 1...]`` with neighbours ``[..., Q]``, 0 where there is none."""
        ratio = self.evidence.ratio[np.arange(neighbors.shape[-1]), self.evidence.bins.at(nodes, neighbors)]
        return np.where(neighbors >= 0, ratio, np.float32(0.0))

    def shares(self, nodes: np.ndarray) -> np.ndarray:
        """Evidence of each node with its neighbours, ``[n]``, that of a pair of given nodes halved between them."""
        neighbors = self.neighbors(nodes)
        inside = np.zeros(self.num_nodes + 1, dtype=bool)
        inside[nodes] = True
        return (self.evidence_at(nodes[:, None], neighbors) * np.where(inside[neighbors], 0.5, 1.0)).sum(1)

    def total(self, nodes: np.ndarray) -> float:
        """Evidence of all pairs with at least one end among the given nodes, each pair once."""
        return float(self.shares(nodes).sum())

    def margins(self) -> np.ndarray:
        """Evidence for each node's own cell above that for the best cell beside it, ``[N]``; -inf off the board."""
        nodes = np.arange(self.num_nodes)
        own = self.evidence_at(nodes[:, None], self.neighbors(nodes)).sum(1)
        around = self._node_at[self._ring[self._ring[self.key_of, : self.evidence.num_axis]]]
        around = np.where(around == nodes[:, None, None], -1, around)
        beside = self.evidence_at(nodes[:, None, None], around).sum(2).max(1)
        return np.where(self.key_of >= 0, own - beside, -np.inf)

    def grow(self, nodes: np.ndarray, margin: float = 0.5, start: np.ndarray | None = None) -> None:
        """Place all given nodes, the surest first, on cells that have an occupied axis neighbour.

        Growth always takes the placement with the largest *margin*: how much better the node fits that cell than any
        other node would, and than the node would fit any other open cell (:func:`fill`).

        Args:
            nodes: Nodes to place; none of them is on the board.
            margin: Weight of the runner-up (another node, or another cell) against the score itself.
            start: Cells ``[s, dim]`` near which growth may begin. Default: around every occupied cell.
        """
        axial, outgrown = self.evidence.num_axis, True
        begin = self.cells()[0][self.placed] if start is None else start
        while outgrown and len(nodes):
            self._make_room(begin)
            keys = self.keys(begin)
            beside = self._ring[keys, :axial].ravel()
            frontier = np.unique(np.concatenate([keys, beside[beside >= 0]]))
            open_beside = (self._node_at[self._ring[frontier, :axial]] >= 0).any(1) & (self._node_at[frontier] < 0)
            ground = self._ground()
            outgrown = fill(self._node_at, self.key_of, ground, self._marks, nodes, frontier[open_beside], margin)
            done = self.key_of[nodes] >= 0
            begin, nodes = np.concatenate([begin, self._cells_at(self.key_of[nodes[done]])]), nodes[~done]
        self._make_room(begin)

    def _ground(self) -> Ground:
        bins, ratio = self.evidence.bins, self.evidence.ratio.astype(float)
        unrelated = ratio[:, bins.rest]
        excess = ratio - unrelated[:, None]
        return Ground(self._ring, self.evidence.num_axis, bins.start, bins.partner, bins.bin, unrelated, excess)

    def faults(self, edges: np.ndarray) -> np.ndarray:
        """Those of the undirected edges ``[2, E]`` that speak for axis neighbours but join other cells."""
        return edges[:, self.is_fault(edges)]

    def is_fault(self, edges: np.ndarray) -> np.ndarray:
        """Whether undirected edges ``[2, E]`` speak for axis neighbours but join other cells, ``[E]``."""
        i, j = edges
        speaks = self.evidence.ratio[0][self.evidence.bins.at(i, j)] > 0
        beside = (self.neighbors(i)[:, : self.evidence.num_axis] == j[:, None]).any(1)
        return speaks & ~beside
