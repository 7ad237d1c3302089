"""Cells of a lattice for further tables in the frame of the one that it was read off."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.nn.fixed.tap_table import active_nodes
from scge_pyg.nn.trained.node_embedding import NodeEmbedding

__all__ = ["Seating"]


class Seating:
    """The graph of each table: the one given, or its cells in blocks for a coarser table.

    Args:
        graph: Graph of the finest table.
        nodes: Node sets of all layers.
    """

    def __init__(self, graph: SharedGraph, nodes: list[Any]) -> None:
        tables = [one for one in nodes if isinstance(one, NodeEmbedding)]
        sizes = (graph.num_nodes, int(graph.live.sum()))
        finest = next((one for one in tables if one.num_nodes in sizes), None)
        if finest is None:
            counts = sorted({one.num_nodes for one in tables})
            raise ValueError(
                f"settle: the graph has {graph.num_nodes} nodes, and the model's trained places are those of "
                f"{', '.join(map(str, counts)) or 'no'} nodes; give the graph of its finest table, table.to_graph()"
            )
        self.graph = graph
        own = graph if finest.num_nodes == graph.num_nodes else _living(graph)
        active = (active_nodes(own) & finest.live).cpu()
        places, target = _raw(finest)[active], own.pos.detach().cpu().double()[active]
        self._frame = torch.linalg.lstsq(_homogeneous(places), target, driver="gelsd").solution
        self._known: dict[int, SharedGraph] = {}

    def __getitem__(self, nodes: Any) -> SharedGraph:
        if nodes.num_nodes == self.graph.num_nodes:
            return self.graph
        key = id(nodes.weight)
        if key not in self._known and nodes.num_nodes == int(self.graph.live.sum()):
            self._known[key] = _living(self.graph)
        elif key not in self._known:
            self._known[key] = self._coarse(_homogeneous(_raw(nodes)) @ self._frame)
        return self._known[key]

    def _coarse(self, places: Tensor) -> SharedGraph:
        """Places ``[M, d]`` in the frame of the lattice on every s-th cell, or between cells."""
        lattice = self.graph.lattice
        assert lattice is not None
        if any(lattice.periodic):
            raise ValueError("settle: coarser tables on a lattice that closes on itself have no place yet")
        unit, dim = torch.tensor(lattice.stride, dtype=torch.float64), lattice.dim
        at = (places - torch.tensor(lattice.origin, dtype=torch.float64)) / unit
        active = int(active_nodes(self.graph).sum())
        step = max(1, round((active / places.shape[0]) ** (1 / dim)))
        best = min((_seated(at, step, torch.tensor(o) / 2) for o in product(range(2 * step), repeat=dim)), key=_total)
        cell, origin, _ = best
        shape = (cell.amax(0) + 1).tolist()
        start = torch.tensor(lattice.origin, dtype=torch.float64) + unit * origin
        coarse = Lattice(cell, shape, None, start.tolist(), (unit * step).tolist())
        return SharedGraph(coarse.pos.to(self.graph.pos), torch.zeros(2, 0, dtype=torch.long), lattice=coarse)


def _living(graph: SharedGraph) -> SharedGraph:
    """The live nodes alone, in their order, without edges: layers read places."""
    lattice, live = graph.lattice, graph.live
    assert lattice is not None
    own = Lattice(lattice.cell[live], lattice.shape, lattice.periodic, lattice.origin, lattice.stride)
    return SharedGraph(graph.pos[live], torch.zeros(2, 0, dtype=torch.long), dim=graph.dim, lattice=own)


_Seats = tuple[Tensor, Tensor, float]


def _total(seats: _Seats) -> float:
    return seats[2]


def _seated(at: Tensor, step: int, shift: Tensor) -> _Seats:
    """Cells from 0 for places ``[M, d]`` on a grid of ``step`` cells, its origin, and the sum of squared distances."""
    scaled = (at - shift) / step
    low, high = scaled.round().amin(0).long(), scaled.round().amax(0).long()
    seat = torch.cartesian_prod(*[torch.arange(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True)])
    seat = seat.view(-1, at.shape[1])
    if seat.shape[0] < at.shape[0]:
        return seat, shift, torch.inf
    cost = torch.cdist(scaled, seat.double()).square()
    chosen = torch.from_numpy(linear_sum_assignment(cost.numpy())[1])
    cell = seat[chosen]
    first = cell.amin(0)
    return cell - first, shift + step * first, float(cost[torch.arange(len(at)), chosen].sum())


def _raw(table: NodeEmbedding) -> Tensor:
    """Places as the table holds them ``[N, d]``, whatever the unit that a layer reads them in."""
    return NodeEmbedding.forward(table).detach().cpu().double()


def _homogeneous(places: Tensor) -> Tensor:
    return torch.cat([places, places.new_ones(places.shape[0], 1)], 1)
