"""Growing a grid node by node from its most certain corner, and mending it by local regrowth.

The score of a placement is the sum of log-likelihood ratios of all pairs that end up in each other's first two rings
(:mod:`scge_pyg.discovery.lattices.evidence`). Growth always takes the placement with the largest *margin*: how much
better the node fits that cell than any other node would, and than the node would fit any other open cell.
"""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.lattices.evidence import Evidence

__all__ = ["Board"]

_PATIENCE = 3
_MARGINS = (0.0, 0.5, 1.0)
_RADII = (1, 2, 3, 4, 6, 9)


class Board:
    """Nodes on the cells of an unbounded integer grid, periodic along some axes.

    Args:
        evidence: Pair evidence; it may be exchanged for a better one later.
        period: Cells per axis where it closes on itself, 0 where it does not.

    Example:
        >>> import numpy as np
        >>> from scge_pyg.discovery.lattices.evidence import bin_pairs, evidence_from_graph
        >>> chain = np.array([np.arange(7), np.arange(1, 8)])
        >>> coupling = np.zeros((8, 8))
        >>> coupling[chain[0], chain[1]] = coupling[chain[1], chain[0]] = 0.4
        >>> board = Board(evidence_from_graph(bin_pairs(coupling), chain, dim=1), np.zeros(1, dtype=int))
        >>> board.put([3, 4], np.array([[0], [1]]))
        >>> board.grow(np.array([0, 1, 2, 5, 6, 7]))
        >>> board.cells()[0].ravel().tolist()
        [-3, -2, -1, 0, 1, 2, 3, 4]
    """

    def __init__(self, evidence: Evidence, period: np.ndarray) -> None:
        self.num_nodes = len(evidence.bins)
        self.dim = evidence.offsets.shape[1]
        self.period = period
        self._closed = bool(period.any())
        # one integer per cell: mixed radix, wide enough for any connected shape of N nodes around the origin
        self._radix = 4 * self.num_nodes + 9
        self._scale = self._radix ** np.arange(self.dim, dtype=np.int64)
        self.key_of = np.full(self.num_nodes, -1, dtype=np.int64)
        self.node_at: dict[int, int] = {}
        self.set_evidence(evidence)

    def set_evidence(self, evidence: Evidence) -> None:
        """Use new log-likelihood ratios; the placements stay."""
        self.evidence = evidence
        self._steps = evidence.offsets @ self._scale

    def _key(self, cell: np.ndarray) -> np.ndarray:
        wrapped = np.where(self.period > 0, cell % np.maximum(self.period, 1), cell)
        return (wrapped + self._radix // 2) @ self._scale

    def _cell(self, key: np.ndarray) -> np.ndarray:
        return key[..., None] // self._scale % self._radix - self._radix // 2

    def around(self, key: int) -> list[int]:
        """Keys of the cells in the first two rings, in the order of ``evidence.offsets``."""
        if not self._closed:
            return (key + self._steps).tolist()
        return self._key(self._cell(np.array(key)) + self.evidence.offsets).tolist()

    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells ``[N, dim]`` and the mask of placed nodes ``[N]``."""
        return self._cell(self.key_of), self.key_of >= 0

    def put(self, nodes: list[int] | np.ndarray, cell: np.ndarray) -> None:
        """Place nodes on given free cells."""
        for node, key in zip(nodes, self._key(cell).tolist(), strict=True):
            self.key_of[node] = key
            self.node_at[key] = int(node)

    def lift(self, nodes: np.ndarray) -> np.ndarray:
        """Take nodes off the board; returns their keys."""
        keys = self.key_of[nodes]
        for key in keys.tolist():
            self.node_at.pop(key, None)
        self.key_of[nodes] = -1
        return keys

    def restore(self, nodes: np.ndarray, keys: np.ndarray) -> None:
        """Undo :meth:`lift`."""
        self.key_of[nodes] = keys
        for node, key in zip(nodes.tolist(), keys.tolist(), strict=True):
            if key >= 0:
                self.node_at[key] = node

    def score(self, nodes: np.ndarray | None = None) -> np.ndarray:
        """Evidence for the place of each given node: the sum over its first two rings, ``[len(nodes)]``."""
        nodes = np.flatnonzero(self.key_of >= 0) if nodes is None else nodes
        neighbors = self.neighbors(nodes)
        ratio = self.evidence.ratio[np.arange(neighbors.shape[1]), self.evidence.bins[nodes[:, None], neighbors]]
        return np.where(neighbors >= 0, ratio, 0.0).sum(1)

    def neighbors(self, nodes: np.ndarray) -> np.ndarray:
        """Nodes on the cells around given nodes, ``[len(nodes), Q]``, -1 where a cell is empty."""
        get = self.node_at.get
        rows = [
            [get(key, -1) for key in self.around(own)] if own >= 0 else [-1] * len(self._steps)
            for own in self.key_of[nodes].tolist()
        ]
        return np.array(rows, dtype=np.int64).reshape(len(nodes), len(self._steps))

    def total(self, nodes: np.ndarray) -> float:
        """Evidence of all pairs with at least one end among the given nodes, each pair once."""
        neighbors = self.neighbors(nodes)
        inside = np.zeros(self.num_nodes + 1, dtype=bool)
        inside[nodes] = True
        ratio = self.evidence.ratio[np.arange(neighbors.shape[1]), self.evidence.bins[nodes[:, None], neighbors]]
        weight = np.where(inside[neighbors], 0.5, 1.0)
        return float(np.where(neighbors >= 0, ratio * weight, 0.0).sum())

    def grow(self, nodes: np.ndarray, margin: float = 0.5, start: np.ndarray | None = None) -> None:
        """Place all given nodes, the surest first, on cells that have an occupied axis neighbour.

        Cost: :math:`O(Q m)` a placement for ``m`` nodes.

        Args:
            nodes: Nodes to place; none of them is on the board.
            margin: Weight of the runner-up (another node, or another cell) against the score itself.
            start: Keys of open cells near which growth may begin. Default: around every occupied cell.
        """
        if not len(nodes):
            return
        bins, ratio, num_axis = self.evidence.bins, self.evidence.ratio, self.evidence.num_axis
        closed = np.zeros(len(nodes), dtype=np.float32)
        capacity = 256
        table = np.empty((capacity, len(nodes)), dtype=np.float32)
        key_at = np.empty(capacity, dtype=np.int64)
        best, first, second = np.empty(capacity, dtype=np.int64), np.empty(capacity), np.empty(capacity)
        row_of: dict[int, int] = {}

        def refresh(rows: list[int]) -> None:
            view = table[rows]
            top = view.argmax(1)
            pick = np.arange(len(rows))
            best[rows], first[rows] = top, view[pick, top]
            view[pick, top] = -np.inf
            second[rows] = view.max(1)

        def open_cell(key: int) -> int:
            nonlocal capacity, table, key_at, best, first, second
            row = len(row_of)
            if row == capacity:
                capacity *= 2
                table = np.concatenate([table, np.empty_like(table)])
                key_at, best = np.concatenate([key_at, key_at]), np.concatenate([best, best])
                first, second = np.concatenate([first, first]), np.concatenate([second, second])
            row_of[key], key_at[row] = row, key
            table[row] = closed
            for q, other in enumerate(self.around(key)):
                occupant = self.node_at.get(other, -1)
                if occupant >= 0:
                    table[row] += ratio[q][bins[occupant, nodes]]
            return row

        def drop_cell(key: int) -> None:
            row, last = row_of.pop(key), len(row_of)
            if row != last:
                table[row], key_at[row], best[row] = table[last], key_at[last], best[last]
                first[row], second[row] = first[last], second[last]
                row_of[int(key_at[row])] = row

        frontier = {key for own in self.node_at for key in self.around(own)[:num_axis]} if start is None else set()
        for key in [] if start is None else start.tolist():
            frontier.update(k for k in (key, *self.around(key)[:num_axis]))
        opened = []
        for key in sorted(frontier):
            if key not in self.node_at and any(k in self.node_at for k in self.around(key)[:num_axis]):
                opened.append(open_cell(key))
        if opened:
            refresh(opened)

        for _ in range(len(nodes)):
            rows = len(row_of)
            if rows == 0:
                break
            leading = np.argsort(-first[:rows], kind="stable")[:32]
            contest = table[:rows][:, best[leading]]
            contest[leading, np.arange(len(leading))] = -np.inf
            runner_up = np.maximum(np.maximum(second[leading], contest.max(0)), 0.0)
            row = leading[(first[leading] - margin * runner_up).argmax()]
            chosen, key = int(best[row]), int(key_at[row])
            node = int(nodes[chosen])
            self.key_of[node], self.node_at[key] = key, node
            drop_cell(key)
            closed[chosen] = -np.inf
            table[: len(row_of), chosen] = -np.inf
            stale = set(np.flatnonzero(best[: len(row_of)] == chosen).tolist())
            for q, other in enumerate(self.around(key)):
                if other in self.node_at:
                    continue
                if other in row_of:
                    table[row_of[other]] += ratio[q][bins[node, nodes]]
                    stale.add(row_of[other])
                elif q < num_axis:
                    stale.add(open_cell(other))
            if stale:
                refresh(list(stale))

    def faults(self, edges: np.ndarray) -> np.ndarray:
        """Those of the undirected edges ``[2, E]`` that speak for axis neighbours but join other cells."""
        i, j = edges
        speaks = self.evidence.ratio[0][self.evidence.bins[i, j]] > 0
        beside = (self.neighbors(i)[:, : self.evidence.num_axis] == j[:, None]).any(1)
        return edges[:, speaks & ~beside]

    def mend(self, edges: np.ndarray, generator: np.random.Generator, steps: int) -> int:
        """Lift the nodes around a random fault and let them grow again; keep what is strictly better.

        Args:
            edges: Edges that should join axis neighbours, ``[2, E]``.
            generator: Source of randomness.
            steps: Number of attempts; the search ends early once every fault has been tried three times in vain.

        Returns:
            Number of improvements.
        """
        improved = idle = 0
        faults = self.faults(edges)
        for _ in range(steps):
            if not faults.shape[1] or idle >= _PATIENCE * faults.shape[1]:
                break
            idle += 1
            ends = faults[:, generator.integers(faults.shape[1])]
            radius = int(generator.choice(_RADII))
            cell, placed = self.cells()
            near = np.zeros(self.num_nodes, dtype=bool)
            for node in ends.tolist():
                step = np.abs(cell - cell[node])
                step = np.where(self.period > 0, np.minimum(step, self.period - step), step)
                near |= placed & (step.max(1) <= radius)
            nodes = np.flatnonzero(near)
            if self._regrow(nodes, margin=float(generator.choice(_MARGINS)), near=True):
                improved += 1
                idle = 0
                faults = self.faults(edges)
        return improved

    def trim(self) -> int:
        """Lift the rim, one to three nodes deep, and let it grow again; keep what is strictly better.

        Nodes with little evidence are placed last and may dangle off the map in chains; with the body of the map in
        place they find their seats.

        Returns:
            Number of improvements.
        """
        improved = 0
        for depth in (1, 2, 3):
            for margin in _MARGINS:
                neighbors = self.neighbors(np.arange(self.num_nodes))
                rim = (self.key_of >= 0) & ((neighbors >= 0).mean(1) < 0.75)
                for _ in range(depth - 1):
                    rim[neighbors[rim][neighbors[rim] >= 0]] = True
                if 0 < rim.sum() < (self.key_of >= 0).sum() / 2:
                    improved += self._regrow(np.flatnonzero(rim), margin, near=False)
        return improved

    def _regrow(self, nodes: np.ndarray, margin: float, near: bool) -> bool:
        before = self.total(nodes)
        keys = self.lift(nodes)
        self.grow(nodes, margin, start=keys if near else None)
        if (self.key_of[nodes] >= 0).all() and self.total(nodes) > before + 1e-3:
            return True
        self.lift(nodes)
        self.restore(nodes, keys)
        return False
