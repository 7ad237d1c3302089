"""A part on a lattice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.judgement.confidence import place_confidence
from scge_pyg.discovery.judgement.court import Court, Verdict
from scge_pyg.discovery.judgement.judge import Choice
from scge_pyg.discovery.judgement.prediction import nearest
from scge_pyg.discovery.lattices.fitting import are_moved, differ_alike, edges_on_lattice, grow_lattice
from scge_pyg.discovery.lattices.snapping import Cells
from scge_pyg.discovery.maps.wiring import strong_edges, wire
from scge_pyg.discovery.parts.edges import WEAKEST
from scge_pyg.discovery.parts.part import Part
from scge_pyg.discovery.parts.views import View
from scge_pyg.graph.drawing.assembly import cell_coordinates
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import adjacency_of, strength_of

__all__ = ["MOST_AXES", "as_part", "on_lattice"]

MOST_AXES = 3
_TIED = 0.995
_AS_GOOD = 0.99  # of the gain of the best map: true lattices 0.998 and more, those with a node astray 0.93 to 0.987
_NEARLY = 0.97  # the same, of a map that has more columns than the lattice has axes


def on_lattice(views: list[View], court: Court, choice: Choice, dim: int | None, seed: int) -> Part | None:
    """The part on the lattice that predicts best of those that its couplings grow, if it does so as well as any map.

    Of lattices that predict alike, the one by the coupling that does.
    """
    found = []
    for view in views:
        for direct in view.direct:
            cells = _grow(direct, choice, dim, seed)
            part = None if cells is None else as_part(view, direct, court, choice, cells)
            if part is not None and part.verdict is not None and part.cells is not None:
                found.append((part.verdict.gain, part))
                if np.prod(part.cells.shape) == len(part.pos):
                    return part  # a full box is no accident
    best = max((gain for gain, _ in found), default=0.0)
    return next((part for gain, part in found if gain >= _TIED * best), None)


def _grow(direct: Coupling, choice: Choice, dim: int | None, seed: int) -> Cells | None:
    """Cells that a coupling grows in as many dimensions as its strong edges have, or else as the choice has."""
    strong = strong_edges(direct.matrix, direct.noise)
    grown = intrinsic_dimension(adjacency_of(strong, direct.matrix.shape[0]))
    for own in dict.fromkeys([grown, choice.dim] if dim is None else [dim]):
        if own <= MOST_AXES:
            wiring = wire(direct.matrix, direct.noise, own)
            cells = grow_lattice(direct, wiring, own, np.random.default_rng(seed))
            if cells is not None:
                return cells
    return None


def as_part(view: View, direct: Coupling, court: Court, choice: Choice, cells: Cells) -> Part | None:
    """The part on these cells, or ``None`` if neighbours on them predict less than those on the best map."""
    if view.signals.rooted is None and are_moved(direct, cells, view.signals.effective):
        return None
    if cells.cell.shape[1] == 1:
        if differ_alike(view.signals, cells):
            return None
        if (choice.dim, choice.columns) == (1, 2):  # it closes, though the one link across its end may be weak
            cells = max(cells, replace(cells, periodic=(True,)), key=lambda way: _on_cells(court, way).gain)
    pos = lattice_places(cells)
    verdict = _on_cells(court, cells)
    limit = _AS_GOOD if choice.columns <= pos.shape[1] else _NEARLY
    if verdict.gain < limit * choice.verdict.gain:
        return None
    edges = edges_on_lattice(direct, cells)
    weight = np.maximum(strength_of(direct.matrix, edges), WEAKEST)
    confidence = place_confidence(court, choice.near, pos)
    own = cells.cell.shape[1]
    return Part(pos, edges, weight, own, confidence, view.sign, cells, choice, verdict, court.rows, direct.name)


def _on_cells(court: Court, cells: Cells) -> Verdict:
    near = nearest(lattice_places(cells)[court.rows], court.few)
    return court.verdict([near, near])


def lattice_places(cells: Cells) -> np.ndarray:
    """Coordinates of the cells; nodes without one stand aside."""
    placed = cells.cell[:, 0] >= 0
    pos = cell_coordinates(cells.cell, cells.shape, cells.periodic)
    aside = np.zeros_like(pos)
    aside[:, 0] = pos[placed, 0].max() + 3 + np.arange(len(pos))
    return np.where(placed[:, None], pos, aside)
