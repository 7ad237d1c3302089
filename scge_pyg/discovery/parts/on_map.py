"""A part on a map, or on cells that are read off it."""

from __future__ import annotations

import numpy as np

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.similar import DENSE_NODES, beyond_noise
from scge_pyg.discovery.judgement.confidence import place_confidence
from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import Choice, links_a_node
from scge_pyg.discovery.judgement.prediction import nearest
from scge_pyg.discovery.lattices.fitting import snap_lattice
from scge_pyg.discovery.maps.calibration import CHANCE, PARTNERS, calibrated_places
from scge_pyg.discovery.maps.chain import along_chain, around_ring
from scge_pyg.discovery.maps.dimension import tangent_dimension
from scge_pyg.discovery.maps.places import draw_places, unexplained
from scge_pyg.discovery.maps.wiring import partners, strong_edges, wire
from scge_pyg.discovery.parts.edges import WEAKEST, lengths_of, link_pairs, nearest_edges, settled_edges, spacing
from scge_pyg.discovery.parts.on_lattice import MOST_AXES, as_part
from scge_pyg.discovery.parts.part import UNJUDGED, Part
from scge_pyg.discovery.parts.views import View
from scge_pyg.graph.drawing.assembly import choose_map
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import adjacency_of, strength_of

__all__ = ["on_map"]

_Drawn = tuple[float, Coupling, np.ndarray, View]  # gain, coupling for the edges, places, what they were drawn from

_ABOUT = 0.985
_TIED = 0.003


def on_map(views: list[View], court: Court, choice: Choice, dim: int | None, snap: bool, seed: int) -> Part:
    """The part on the map that predicts best, or on its cells if it has such.

    In two and more dimensions that is a calibrated map (:func:`calibrated_places`). Maps by either coupling, from few
    and from many links, are drawn for chains and rings, which are then spaced by a curve of their own
    (:func:`along_chain`), and where it predicts less than the maps that were judged. The map of a wiring
    (:func:`_wired_map`) that predicts as well as these is preferred: it has rows, and at times fewer columns.
    """
    columns = choice.columns
    if dim is not None and not _agrees(choice, dim):
        columns = dim
    line = (dim or choice.dim) == 1
    noise = unexplained(choice.verdict.node_gain)
    drawn, wired = [], []
    for view in views:
        if not line:
            drawn.append(_calibrated(view, court, columns, noise))
        for axes in _axes(view, columns, dim or choice.dim, dim) if view.direct else ():
            flat = _wired_map(view.direct[0], axes, seed)
            wired += [] if flat is None else [(_gain(court, flat), view.direct[0], flat, view)]
    wanted = choice.verdict.gain * (_ABOUT if views[0].signals.num_nodes > DENSE_NODES else 1)
    reached = max(map(_first, drawn), default=-np.inf)
    if reached < wanted:
        plain = _plain(views, court, choice, columns, noise, line)
        drawn = plain + drawn if reached < (1 - _TIED) * wanted else drawn + plain  # the first win a tie
    best = _truest(drawn)
    rows = None if line else max(wired, key=_first, default=None)  # as good, it knows of rows
    on_grid = rows is not None and rows[0] >= (1 - _TIED) * best[0]
    _, coupling, pos, view = rows if rows is not None and on_grid else best
    pos = pos / spacing(pos)
    own = dim if dim is not None else choice.dim if columns <= 2 else tangent_dimension(pos)
    edges = settled_edges(view.signals, coupling, pos, own, on_grid)
    if snap and own == columns <= MOST_AXES:
        for _, _, place, seen in [best, *wired]:
            cells = snap_lattice(place / spacing(place), edges, seen.direct[0]) if seen.direct else None
            found = cells and as_part(seen, seen.direct[0], court, choice, cells)
            if found:
                return found
    weight = np.maximum(strength_of(coupling.matrix, edges), WEAKEST)
    if not on_grid or own == 1:
        edges, weight = nearest_edges(view.signals, coupling, view.similar, pos, own)
    confidence = place_confidence(court, choice.near, pos)
    if choice.verdict.verdict != "geometry":
        confidence = np.minimum(confidence, UNJUDGED)
    judged = (choice, choice.verdict, court.rows)
    return Part(pos, edges, weight, own, confidence, view.sign, None, *judged, coupling.name)


def _axes(view: View, columns: int, judged: int, dim: int | None) -> list[int]:
    """Numbers of columns for a map of the wiring: those judged, and as many as its strong edges have dimensions.

    Borders that are alike, such as the black ones of pictures of single objects, bend the maps that are judged towards
    each other, which takes more columns than a surface has; a wiring without shortcuts draws it flat.
    """
    wanted = [columns] if judged == columns else []
    if columns > 2:
        direct = view.direct[0]
        strong = adjacency_of(strong_edges(direct.matrix, direct.noise), view.signals.num_nodes)
        own = intrinsic_dimension(strong) if dim is None else dim
        wanted += [own] if 1 < own < columns else []
    return [axes for axes in wanted if axes <= MOST_AXES]


def _calibrated(view: View, court: Court, columns: int, noise: float) -> _Drawn:
    """The map by a curve of length over correlation."""
    similar, num_nodes = view.similar, view.signals.num_nodes
    links = lengths_of(similar, link_pairs(view.signals, similar, links_a_node(columns)[1]), num_nodes, noise)
    index, value = partners(similar.matrix, PARTNERS)
    strong = np.stack([np.repeat(np.arange(num_nodes), index.shape[1]), index.ravel()])
    strong = strong[:, value.ravel() > beyond_noise(CHANCE, view.signals.effective)]
    pos = calibrated_places(links, strong, columns, similar.dissimilarity)
    return _gain(court, pos), similar, pos, view


def _plain(views: list[View], court: Court, choice: Choice, columns: int, noise: float, line: bool) -> list[_Drawn]:
    """Maps by either coupling, from many and from few links a node; of chains, which many fold, few come first."""
    drawn = []
    for view in views:
        for coupling in [view.similar, *(view.direct[:1] if choice.direct else [])]:
            for k in sorted(links_a_node(columns), reverse=columns > 1):
                pairs = link_pairs(view.signals, coupling, k)
                pos = draw_places(lengths_of(coupling, pairs, view.signals.num_nodes, noise), columns)
                places = (
                    [(along_chain if columns == 1 else around_ring)(pos, view.similar.dissimilarity)] if line else []
                )
                drawn += [(_gain(court, place), coupling, place, view) for place in [*places, pos]]
    return drawn


def _agrees(choice: Choice, dim: int) -> bool:
    """Whether a geometry of this dimension may need the columns that were chosen."""
    if choice.verdict.verdict != "geometry":
        return False
    return choice.dim == dim if choice.columns <= 2 else dim <= choice.columns <= 2 * dim


def _truest(drawn: list[_Drawn]) -> _Drawn:
    """The first map that predicts about as well as the best: few links predict by a hair more from a worse shape."""
    top = max(map(_first, drawn))
    return next(entry for entry in drawn if entry[0] >= top - _TIED * abs(top))


def _first(entry: _Drawn) -> float:
    return entry[0]


def _gain(court: Court, pos: np.ndarray) -> float:
    """Held-out gain of nearest neighbours on a map of all nodes."""
    near = nearest(pos[court.rows], court.few)
    return float(court.gains([near, near]).mean())


def _wired_map(direct: Coupling, columns: int, seed: int) -> np.ndarray | None:
    """The map of a wiring with the cycles of a grid, whose corners tell straight from across; ``None`` off grids."""
    wiring = wire(direct.matrix, direct.noise, columns)
    if wiring.dense:
        return None
    chart = choose_map(wiring, direct.matrix.shape[0], columns, seed)[1]
    return chart.pos if chart.pos.shape[1] == columns and not chart.component.any() else None
