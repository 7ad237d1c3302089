"""A part whose places are given: on a lattice where they form one, and judged where there are samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.discovery.clock import Clock
from scge_pyg.discovery.judgement.confidence import place_confidence
from scge_pyg.discovery.judgement.court import Court, Verdict
from scge_pyg.discovery.judgement.few_factors import few_factors
from scge_pyg.discovery.judgement.judge import Choice
from scge_pyg.discovery.judgement.prediction import nearest
from scge_pyg.discovery.lattices.fitting import mend_lattice, side_by_side_cells
from scge_pyg.discovery.lattices.from_places import cells_of_chain, cells_of_places, regular
from scge_pyg.discovery.lattices.snapping import Cells
from scge_pyg.discovery.maps.flattening import Flat, flattened, near_pairs
from scge_pyg.discovery.maps.joining import join_pieces
from scge_pyg.discovery.maps.wiring import wire
from scge_pyg.discovery.parts.discover_part import edges_alone
from scge_pyg.discovery.parts.edges import nearest_edges, spacing
from scge_pyg.discovery.parts.on_lattice import MOST_AXES, as_part, lattice_places
from scge_pyg.discovery.parts.part import FEWEST, UNJUDGED, Part
from scge_pyg.discovery.parts.views import View, judged_views
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["judged_places", "placed_part"]

_LINKS = 8
_MENDABLE = 0.5  # share of the nodes that must stand on one grid, where coupling can mend the rest
_WIDE = 3  # halves: as many near rows as the judge keeps


@dataclass(frozen=True)
class _Standing:
    """Flat places in units of their spacing, and their cells."""

    flat: Flat
    pos: np.ndarray
    cells: Cells | None


def placed_part(pos: np.ndarray) -> Part:
    """A connected part on its places alone, which nothing judges: confidence is at most 0.5.

    Args:
        pos: Places ``[n, d]``.
    """
    return _alone(_standing(pos, 0.9))


def judged_places(pos: np.ndarray, signals: Signals, seed: int) -> Part:
    """The same, judged by samples as :func:`.discover_part` judges its own maps, and mended by their couplings.

    Edges and their weights are couplings then. Without a geometry there are edges alone.

    Args:
        pos: Places ``[n, d]``.
        signals: Signals of the nodes.
        seed: Seed of all randomness.
    """
    clock = Clock()
    if len(pos) < FEWEST:
        return _alone(_standing(pos, 0.9))
    standing = _standing(pos, _MENDABLE)
    clock("places")
    court, choice, views = judged_views(signals, seed, clock)
    part = None if standing.cells is None else _mended(standing.cells, views, court, choice, seed)
    clock("lattice")
    if part is not None:
        return replace(part, seconds=clock.seconds)
    own, view = standing.flat.dim, views[0]
    verdict = _verdict(court, standing.pos)
    if verdict.verdict != "geometry":
        part = edges_alone(view, replace(choice, verdict=verdict))
    else:
        edges, weight = nearest_edges(view.signals, view.similar, view.similar, standing.pos, own)
        confidence = place_confidence(court, choice.near, standing.pos)
        judged = (choice, verdict, court.rows, view.similar.name)
        part = Part(standing.pos, edges, weight, own, confidence, view.sign, None, *judged)
    clock("map")
    return replace(part, seconds=clock.seconds)


def _mended(cells: Cells, views: list[View], court: Court, choice: Choice, seed: int) -> Part | None:
    """The part on these cells, mended by the first coupling that agrees with them, if samples call it a geometry."""
    for view in views:
        for direct in view.direct:
            wiring = wire(direct.matrix, direct.noise, len(cells.shape))
            mended = mend_lattice(direct, wiring, cells, np.random.default_rng(seed))
            part = None if mended is None else as_part(view, direct, court, choice, mended)
            if part is not None and part.verdict is not None and part.verdict.verdict == "geometry":
                return part
    return None


def _verdict(court: Court, pos: np.ndarray) -> Verdict:
    """What held-out samples say about the nearest nodes on the given map."""
    near = nearest(pos[court.rows], min(_WIDE * court.few // 2, len(court.rows) - 1))
    verdict = court.verdict([near[:, : court.few]] * 2)
    factors = few_factors(court, [near, near]) if verdict.verdict == "geometry" else 0
    return replace(verdict, verdict="no geometry", factors=factors) if factors else verdict


def _standing(pos: np.ndarray, least: float) -> _Standing:
    """Flat places and their cells, if at least a share of the nodes stands on one grid."""
    if len(pos) < 3:
        along = np.linalg.norm(pos - pos[0], axis=1)
        return _Standing(Flat(along[:, None], 1, 0.0, along), (along / (along.max() or 1.0))[:, None], None)
    flat = flattened(pos)
    return _Standing(flat, flat.pos / spacing(flat.pos), _cells(flat, least))


def _cells(flat: Flat, least: float) -> Cells | None:
    shape: tuple[int, ...]
    periodic = (False,) * flat.dim
    if flat.along is not None:
        found = cells_of_chain(flat.along, flat.girth)
        if found is None:
            return None
        cell, shape, periodic = found[0], (found[1],), (flat.girth > 0,)
    elif flat.dim == flat.pos.shape[1] <= MOST_AXES:
        places = cells_of_places(flat.pos, least)
        if places is None:
            return None
        cell, shape = places, tuple(int(n) for n in places.max(0) + 1)
    else:
        return None
    return Cells(cell, shape, periodic, np.ones(len(cell)), 0.0)


def _alone(standing: _Standing) -> Part:
    """Mutually nearest places are joined, on a lattice neighbouring cells."""
    count, dim, cells = len(standing.pos), standing.flat.dim, standing.cells
    cells = cells if cells is not None and regular(standing.flat.pos, cells) else None
    pos = standing.pos if cells is None else _on_cells(standing.flat.pos, cells)
    links = near_pairs(pos, _LINKS)
    length = np.linalg.norm(pos[links[0]] - pos[links[1]], axis=1)
    edges = _mutual(pos, dim) if cells is None else side_by_side_cells(cells)
    edges = join_pieces(edges, links, 1 / (1 + length), count) if count > 1 else links
    unit = spacing(pos)
    weight = np.exp(-np.square(np.linalg.norm(pos[edges[0]] - pos[edges[1]], axis=1) / unit))
    trust, sign = np.full(count, UNJUDGED), np.ones(count, dtype=np.int64)
    return Part(pos, edges, weight, dim, trust, sign, cells, None, None, np.zeros(0, np.int64), "places")


def _mutual(pos: np.ndarray, dim: int) -> np.ndarray:
    """The at most ``N dim`` shortest pairs that are among each other's ``2 dim + 2`` nearest, by the reach of both."""
    count = len(pos)
    k = min(2 * dim + 2, count - 1)
    length, index = cKDTree(pos).query(pos, k=k + 1)
    pairs = np.stack([np.repeat(np.arange(count), k + 1), index.ravel()])
    away = pairs[0] != pairs[1]
    pairs, apart = np.sort(pairs[:, away], 0), length.ravel()[away]
    _, first, times = np.unique(pairs[0] * count + pairs[1], return_index=True, return_counts=True)
    mutual = first[times == 2]
    pairs, apart = pairs[:, mutual], apart[mutual]
    reach = length[:, min(2 * dim, count - 1)]
    order = np.argsort(apart / np.maximum(np.maximum(*reach[pairs]), 1e-12), kind="stable")
    return pairs[:, order[: count * dim]]


def _on_cells(pos: np.ndarray, cells: Cells) -> np.ndarray:
    """Places of the cells; nodes without one where the linear map from places to cells puts them."""
    on = lattice_places(cells)
    placed = cells.cell[:, 0] >= 0
    if placed.all() or any(cells.periodic):
        return on
    known = np.column_stack([pos, np.ones(len(pos))])
    return np.where(placed[:, None], on, known @ np.linalg.lstsq(known[placed], on[placed], rcond=None)[0])
