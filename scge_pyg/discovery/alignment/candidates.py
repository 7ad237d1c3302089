"""All ways to lay one geometry on another."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from scge_pyg.discovery.alignment.closed_curves import around, circle
from scge_pyg.discovery.alignment.transport import turns_by_transport
from scge_pyg.graph import Lattice, SharedGraph, knn

__all__ = ["Candidate", "candidates"]

_TURNS = 24  # angles at which maps are tried, for each of the two sides up
_FITS = 10  # of turn and shift to the nearest, as in iterative closest points (Besl and McKay, 1992)
_CLOSED_FITS = 3  # for closed curves, of which there are as many starts as nodes
_MATCHED = 0.75  # share of the most partners that a way around a closed curve must have: of a few, any agree
_CLOSEST = 12  # of them are kept: those on which most places meet


class Candidate(NamedTuple):
    """The node of b for each node of a ``[N_a]``, -1 for none, and the map from axes to axes that it comes from."""

    partner: Tensor
    axes: Tensor


def candidates(
    a: SharedGraph,
    b: SharedGraph,
    shape_a: Tensor,
    shape_b: Tensor,
    gaps: tuple[float | None, float | None] = (None, None),
) -> list[Candidate]:
    """Partners under each symmetry: those of the grid for lattices, or turns of chains, rings, planes and other maps.

    A side of a lattice that is shorter than that of the other lies anywhere inside it; periodic ones are turned on.
    Closed curves are turned on a circle, and where they have as many nodes as each other also laid node by node; a
    chain whose ends are told to be ``gaps`` apart is one.
    Maps of three and more columns are turned as statistics of their nodes ``[N, f]`` advise (:mod:`.transport`).

    Raises:
        ValueError: If the two have no geometry of the same dimension, or only one of them closes.
    """
    for name, graph in (("graph_a", a), ("graph_b", b)):
        if graph.dim == 0:
            raise ValueError(f"align: {name} has no geometry (dim is 0), so nothing can be laid on the other graph")
    if a.dim != b.dim:
        raise ValueError(
            f"align: graph_a has dimension {a.dim} and graph_b {b.dim}; only geometries of one kind can be aligned"
        )
    if a.lattice is not None and b.lattice is not None:
        found = _of_lattices(a.lattice, b.lattice)
        if not found:
            raise ValueError(
                f"align: graph_a is a lattice of {_described(a.lattice)} and graph_b of {_described(b.lattice)}, which "
                f"fit in no way; cut a periodic one open, or give maps alone (SharedGraph.from_pos)"
            )
        return found
    if a.dim == 1 and all(graph.pos.shape[1] == 2 or gap for graph, gap in zip((a, b), gaps, strict=True)):
        return _of_closed(a, b, gaps)
    if a.pos.shape[1] != b.pos.shape[1]:
        raise ValueError(
            f"align: maps must have as many columns as each other, got {a.pos.shape[1]} and {b.pos.shape[1]} for "
            f"dimension {a.dim}: one of them closes, the other doesn't"
        )
    return _of_maps(a, b, shape_a, shape_b)


def _of_lattices(a: Lattice, b: Lattice) -> list[Candidate]:
    found = []
    at = torch.full(b.shape, -1)
    placed = b.placed.nonzero().squeeze(1)
    at[tuple(b.cell[placed].T)] = placed
    sides, closed = torch.tensor(b.shape), torch.tensor(b.periodic)
    for order in itertools.permutations(range(len(a.shape))):
        shape = [a.shape[axis] for axis in order]
        if shape != list(b.shape) and sorted(shape) == sorted(b.shape):
            continue
        if any(a.periodic[axis] != other for axis, other in zip(order, b.periodic, strict=True)):
            continue
        ranges = [_shifts(*sizes) for sizes in zip(shape, b.shape, b.periodic, strict=True)]
        for flips, shift in itertools.product(
            itertools.product((1, -1), repeat=len(order)), itertools.product(*ranges)
        ):
            cell = a.cell[:, list(order)]
            cell = torch.where(torch.tensor(flips) > 0, cell, torch.tensor(shape) - 1 - cell) + torch.tensor(shift)
            cell = torch.where(closed, cell % sides, cell)
            inside = a.placed & (cell >= 0).all(1) & (cell < sides).all(1)
            partner = torch.full((len(cell),), -1)
            partner[inside] = at[tuple(cell[inside].T)]
            axes = torch.zeros(len(order), len(order))
            axes[torch.arange(len(order)), list(order)] = torch.tensor(flips, dtype=torch.float)
            found.append(Candidate(partner, axes))
    return found


def _shifts(own: int, other: int, closed: bool) -> range:
    """Shifts at which the shorter of two sides lies inside the longer one; all of a closed one of the same length."""
    if closed:
        return range(other if own == other else 0)
    return range(min(0, other - own), max(0, other - own) + 1)


def _described(lattice: Lattice) -> str:
    closed = [str(axis) for axis, periodic in enumerate(lattice.periodic) if periodic]
    return " x ".join(map(str, lattice.shape)) + (f", periodic along {' and '.join(closed)}" if closed else "")


def _of_closed(a: SharedGraph, b: SharedGraph, gaps: tuple[float | None, float | None]) -> list[Candidate]:
    """Turns of circles, and of as many nodes also all ways around in their order."""
    length = float(max(a.live.sum(), b.live.sum()))
    own, other = (circle(graph, gap, length) for graph, gap in zip((a, b), gaps, strict=True))
    found = _fitted(a, b, own, other, _turns(2, max(_TURNS, len(other))), _CLOSED_FITS)[0]
    if len(own) == len(other):
        live_a, live_b = (graph.live.cpu().nonzero().squeeze(1) for graph in (a, b))
        for nearest in around(own, other):
            left, _, right = torch.linalg.svd(other[nearest].T @ own)
            found.append(Candidate(torch.full((a.num_nodes,), -1).scatter(0, live_a, live_b[nearest]), left @ right))
    partners = torch.tensor([int((way.partner >= 0).sum()) for way in found])
    most = [way for way, count in zip(found, partners, strict=True) if count >= _MATCHED * partners.max()]
    return list({tuple(way.partner.tolist()): way for way in reversed(most)}.values())


def _of_maps(a: SharedGraph, b: SharedGraph, shape_a: Tensor, shape_b: Tensor) -> list[Candidate]:
    """Turns of the centred maps on which the places meet best, each node with the nearest of the other."""
    own, other = (_in_spacings(graph.pos[graph.live]) for graph in (a, b))
    columns = own.shape[1]
    if columns > 2:
        starts = turns_by_transport(own, other, shape_a[a.live], shape_b[b.live])
    else:
        starts = _turns(columns, _TURNS)
    found, apart = _fitted(a, b, own, other, starts, _FITS)
    best = torch.tensor(apart).argsort(stable=True).tolist()
    alike = {tuple(found[i].partner.tolist()): i for i in reversed(best)}  # many turns end at the same
    return [found[i] for i in sorted(alike.values(), key=best.index)][:_CLOSEST]


def _fitted(
    a: SharedGraph, b: SharedGraph, own: Tensor, other: Tensor, starts: list[Tensor], fits: int
) -> tuple[list[Candidate], list[float]]:
    """From each start the turn and shift at which places meet, and the median distance at which they do."""
    index = b.live.nonzero().squeeze(1)
    found, apart = [], []
    for start in starts:
        axes, shift = start.to(own), other.mean(0) - own.mean(0) @ start.T.to(own)
        for _ in range(fits):
            distance, nearest = knn(own @ axes.T + shift, other, 1)
            met = other[nearest.squeeze(1)]
            left, _, right = torch.linalg.svd((met - met.mean(0)).T @ (own - own.mean(0)))
            axes = left @ right
            shift = met.mean(0) - own.mean(0) @ axes.T
        mutual = knn(other, own @ axes.T + shift, 1)[1][nearest.squeeze(1), 0] == torch.arange(len(own))
        partner = torch.full((a.num_nodes,), -1)
        partner[a.live] = torch.where(mutual & (distance.squeeze(1) < 1), index[nearest.squeeze(1)], -1)
        found.append(Candidate(partner, axes))
        apart.append(float(distance.median()))
    return found, apart


def _in_spacings(pos: Tensor) -> Tensor:
    """Places in units of the median distance to the nearest."""
    return pos / knn(pos, pos, 1, exclude_self=True)[0].median().clamp_min(1e-30)


def _turns(columns: int, steps: int) -> list[Tensor]:
    if columns == 1:
        return [torch.tensor([[1.0]]), torch.tensor([[-1.0]])]
    turns = []
    for side, step in itertools.product((1.0, -1.0), range(steps)):
        cos, sin = math.cos(2 * math.pi * step / steps), math.sin(2 * math.pi * step / steps)
        turns.append(torch.tensor([[cos, -sin * side], [sin, cos * side]]))
    return turns
