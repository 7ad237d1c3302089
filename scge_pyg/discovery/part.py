"""One connected part of the node set: judged, then drawn as a lattice, as a map, or as edges alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.discovery.coupling.choice import correlation_coupling, partial_couplings
from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.signs import align_signs
from scge_pyg.discovery.coupling.similar import DENSE_NODES, evident, most_similar
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT
from scge_pyg.discovery.judgement.confidence import place_confidence
from scge_pyg.discovery.judgement.court import Court, Verdict
from scge_pyg.discovery.judgement.judge import Choice, choose, links_a_node
from scge_pyg.discovery.judgement.prediction import nearest
from scge_pyg.discovery.lattices.fitting import edges_on_lattice, grow_lattice, snap_lattice
from scge_pyg.discovery.lattices.snapping import Cells
from scge_pyg.discovery.maps.dimension import tangent_dimension
from scge_pyg.discovery.maps.joining import forest, join_pieces
from scge_pyg.discovery.maps.places import draw_places, unexplained, without_noise
from scge_pyg.discovery.maps.sketch import Links, bridges, spanning_tree
from scge_pyg.discovery.maps.wiring import mutual_top, partners, strong_edges, wire
from scge_pyg.discovery.signals.prepare import Signals
from scge_pyg.graph.drawing.assembly import cell_coordinates, choose_map
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.layout import side_by_side
from scge_pyg.graph.drawing.wiring import adjacency_of, edges_of, strength_of

__all__ = ["FEWEST", "Part", "discover_part"]

FEWEST = 8  # nodes below which neither dimension nor geometry is judged
_UNJUDGED = 0.5
_IN_THE_RUNNING = 0.75  # share of the best map's gain at which partial correlation may still show a lattice
_ADJACENT = 1.25
_ABOUT = 0.985
_TIED = 0.995
_AS_GOOD = 0.99  # of the gain of the best map: true lattices 0.998 and more, those with a node astray 0.93 to 0.987
_NEARLY = 0.97  # the same, of a map that has more columns than the lattice has axes
_MOST_AXES = 3
_WEAKEST = 1e-6
_LINKS = 8


@dataclass(frozen=True)
class Part:
    """The geometry of one connected part.

    Attributes:
        pos: Coordinates ``[n, c]``; without columns where there is no geometry.
        edges: Undirected edges ``[2, E]``.
        weight: Strength of each edge, ``[E]``.
        dim: Intrinsic dimension; 0 where there is no geometry.
        confidence: Trust in each place, ``[n]``.
        sign: Polarity of each node, ``[n]``: 1, -1, or 0 where that is undecided.
        cells: Cells on a lattice, or ``None``.
        choice: Coupling and columns that were chosen, or ``None`` where nodes are too few.
        verdict: What held-out samples say about the map or lattice.
        rows: Nodes that sat in judgement, ``[n]``.
        coupling: Name of the coupling that the edges come from.
        seconds: Time of each stage.
    """

    pos: np.ndarray
    edges: np.ndarray
    weight: np.ndarray
    dim: int
    confidence: np.ndarray
    sign: np.ndarray
    cells: Cells | None
    choice: Choice | None
    verdict: Verdict | None
    rows: np.ndarray
    coupling: str
    seconds: dict[str, float] = field(default_factory=dict)

    def without_map(self) -> Part:
        """The edges alone."""
        pos, confidence = np.zeros((len(self.pos), 0)), np.zeros(len(self.pos))
        return replace(self, pos=pos, confidence=confidence, dim=0, cells=None)


def discover_part(signals: Signals, dim: int | None, snap: bool, seed: int) -> Part:
    """Judge a connected part, then place it.

    Args:
        signals: Signals of its nodes.
        dim: Intrinsic dimension. Default: judged; then a part without a geometry gets edges alone.
        snap: Whether to look for a lattice.
        seed: Seed of all randomness.
    """
    clock = _Clock()
    if signals.num_nodes < FEWEST:
        return _small(signals, dim, clock)
    court = Court(signals, seed)
    choice = choose(court)
    clock("judgement")
    views = _views(signals, choice, seed)
    clock("coupling")
    drawn = dim is not None or choice.verdict.verdict == "geometry"
    if snap and drawn:
        found = _on_lattice(views, court, choice, dim, seed)
        clock("lattice")
        if found is not None:
            return replace(found, seconds=clock.seconds)
    found = _on_map(views, court, choice, dim, snap, seed) if drawn else _edges_alone(views[0], choice)
    clock("map")
    return replace(found, seconds=clock.seconds)


@dataclass(frozen=True)
class _View:
    """Signals with some of them turned over, and their couplings.

    Attributes:
        signals: The signals.
        sign: What each was multiplied by, ``[n]``; 0 where that is undecided and it was left alone.
        direct: Partial correlations, the best one first, where they are in the running.
        similar: Correlation, or its absolute value where some signs are undecided.
    """

    signals: Signals
    sign: np.ndarray
    direct: list[Coupling]
    similar: Coupling


def _views(signals: Signals, choice: Choice, seed: int) -> list[_View]:
    """The signals as they are and, if the chosen coupling ignores signs, with inverted nodes turned over."""
    signs = [np.ones(signals.num_nodes, dtype=np.int64)]
    if choice.absolute and signals.num_nodes <= DENSE_NODES:
        turned = align_signs(signals.correlation, evident(signals.num_nodes, signals.effective))
        if (turned != 1).any():
            signs.append(turned)
    views = []
    for sign in signs:
        own = signals if (sign == 1).all() else signals.scaled(np.where(sign == 0, 1, sign))
        direct = partial_couplings(own, seed) if choice.partial_share >= _IN_THE_RUNNING else []
        views.append(_View(own, sign, direct, correlation_coupling(own, bool((sign == 0).any()))))
    return views


def _on_lattice(views: list[_View], court: Court, choice: Choice, dim: int | None, seed: int) -> Part | None:
    """The part on the lattice that predicts best of those that its couplings grow, if it does so as well as any map.

    Of lattices that predict alike, the one by the coupling that does.
    """
    found = []
    for view in views:
        for direct in view.direct:
            cells = _grow(direct, choice, dim, seed)
            part = None if cells is None else _as_part(view, direct, court, choice, cells)
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
        if own <= _MOST_AXES:
            wiring = wire(direct.matrix, direct.noise, own)
            cells = grow_lattice(direct, wiring, own, np.random.default_rng(seed))
            if cells is not None:
                return cells
    return None


def _as_part(view: _View, direct: Coupling, court: Court, choice: Choice, cells: Cells) -> Part | None:
    """The part on these cells, or ``None`` if neighbours on them predict less than those on the best map."""
    pos = _lattice_places(cells)
    near = nearest(pos[court.rows], court.few)
    verdict = court.verdict([near, near])
    limit = _AS_GOOD if choice.columns <= pos.shape[1] else _NEARLY
    if verdict.gain < limit * choice.verdict.gain:
        return None
    edges = edges_on_lattice(direct, cells)
    weight = np.maximum(strength_of(direct.matrix, edges), _WEAKEST)
    confidence = place_confidence(court, choice.near, pos)
    own = cells.cell.shape[1]
    return Part(pos, edges, weight, own, confidence, view.sign, cells, choice, verdict, court.rows, direct.name)


def _on_map(views: list[_View], court: Court, choice: Choice, dim: int | None, snap: bool, seed: int) -> Part:
    """The part on the map that predicts best, by correlation or partial correlation, or on its cells if it has such."""
    columns = choice.columns
    if dim is not None and (choice.verdict.verdict != "geometry" or not dim <= columns <= 2 * dim):
        columns = dim
    noise = unexplained(choice.verdict.node_gain)
    drawn, wired = [], []
    for view in views:
        for coupling in [view.similar, *(view.direct[:1] if choice.direct else [])]:
            for k in links_a_node(columns):
                pairs = _link_pairs(view.signals, coupling, k)
                pos = draw_places(_lengths(coupling, pairs, view.signals.num_nodes, noise), columns)
                drawn.append((_gain(court, pos), coupling, pos, view))
        if view.direct and (dim or choice.dim) == columns <= _MOST_AXES:
            flat = _wired_map(view.direct[0], columns, seed)
            wired += [] if flat is None else [(_gain(court, flat), view.direct[0], flat, view)]
    best = max(drawn, key=_first)
    rows = max(wired, key=_first, default=None)  # where it predicts about as well, the one that knows of rows
    on_grid = rows is not None and rows[0] >= _ABOUT * best[0]
    _, coupling, pos, view = rows if rows is not None and on_grid else best
    pos = pos / _spacing(pos)
    own = dim if dim is not None else choice.dim if columns <= 2 else tangent_dimension(pos)
    edges = _side_by_side(view.signals, coupling, pos, own, on_grid)
    if snap and own == columns <= _MOST_AXES:
        for _, _, place, seen in [best, *wired]:
            cells = snap_lattice(place / _spacing(place), edges, seen.direct[0]) if seen.direct else None
            found = cells and _as_part(seen, seen.direct[0], court, choice, cells)
            if found:
                return found
    weight = np.maximum(strength_of(coupling.matrix, edges), _WEAKEST)
    confidence = place_confidence(court, choice.near, pos)
    judged = (choice, choice.verdict, court.rows)
    return Part(pos, edges, weight, own, confidence, view.sign, None, *judged, coupling.name)


def _first(entry: tuple[float, Coupling, np.ndarray, _View]) -> float:
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


class _Clock:
    """Seconds of each stage, since the one before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def _small(signals: Signals, dim: int | None, clock: _Clock) -> Part:
    """Edges of a handful of nodes, drawn but not judged."""
    num_nodes = signals.num_nodes
    coupling = partial_couplings(signals)[0]
    edges = _significant(coupling)
    links = _link_pairs(signals, coupling, 2)
    own = dim or max(1, min(intrinsic_dimension(adjacency_of(edges, num_nodes)), num_nodes - 1))
    pos = draw_places(_lengths(coupling, links, num_nodes), own)
    edges = join_pieces(edges, links, np.maximum(strength_of(coupling.matrix, links), _WEAKEST), num_nodes)
    strength = np.maximum(strength_of(coupling.matrix, edges), _WEAKEST)
    sign = align_signs(signals.correlation, evident(num_nodes, signals.effective))
    clock("map")
    confidence = np.full(num_nodes, _UNJUDGED)
    pos = pos / _spacing(pos)
    rows = np.arange(num_nodes)
    return Part(pos, edges, strength, own, confidence, sign, None, None, None, rows, coupling.name, clock.seconds)


def _edges_alone(view: _View, choice: Choice) -> Part:
    """Couplings that stand out from the noise, without a map; none where too little is known to tell."""
    coupling = (view.direct or partial_couplings(view.signals))[0]
    edges = _significant(coupling) if choice.verdict.verdict == "no geometry" else np.zeros((2, 0), dtype=np.int64)
    count = view.signals.num_nodes
    rows = np.zeros(0, dtype=np.int64)
    return Part(
        *(np.zeros((count, 0)), edges, strength_of(coupling.matrix, edges), 0, np.zeros(count), view.sign, None),
        *(choice, choice.verdict, rows, coupling.name),
    )


def _significant(coupling: Coupling) -> np.ndarray:
    """Pairs whose coupling no unrelated pair reaches, ``[2, E]``."""
    pairs = edges_of(coupling.matrix)
    limit = max(SIGNIFICANT, float(np.sqrt(4 * np.log(coupling.matrix.shape[0])))) * coupling.noise
    return pairs[:, strength_of(coupling.matrix, pairs) > limit]


def _link_pairs(signals: Signals, coupling: Coupling, k: int) -> np.ndarray:
    """The ``k`` strongest partners of each node and a spanning tree, ``[2, L]`` with ``i < j``.

    Where the coupling leaves nodes apart, the most similar signals join them.
    """
    num_nodes = signals.num_nodes
    index, value = partners(coupling.matrix, k)
    row = np.repeat(np.arange(num_nodes), k)
    keep = (index.ravel() >= 0) & (value.ravel() > SIGNIFICANT * coupling.noise)
    pairs = np.stack([row[keep], index.ravel()[keep]])
    similar, correlation = most_similar(signals, _LINKS)
    own = np.repeat(np.arange(num_nodes), similar.shape[1])
    every = edges_of(coupling.matrix)
    reach = np.concatenate([every, np.stack([own, similar.ravel()])], 1)
    strength = np.r_[1 + strength_of(coupling.matrix, every), np.abs(correlation).ravel()]
    pairs = np.concatenate([pairs, forest(reach, strength, num_nodes)], 1)
    if num_nodes <= DENSE_NODES:
        value = np.abs(signals.correlation)
        np.fill_diagonal(value, -np.inf)
        pairs = np.concatenate([pairs, bridges(value, pairs[:, : keep.sum()], k), spanning_tree(value, similar)], 1)
    key = np.unique(pairs.min(0) * num_nodes + pairs.max(0))
    return np.stack([key // num_nodes, key % num_nodes])


def _lengths(coupling: Coupling, pairs: np.ndarray, num_nodes: int, noise: float = 1.0) -> Links:
    """Links with the lengths that the dissimilarity gives them."""
    return without_noise(pairs, 1 - coupling.dissimilarity(pairs), num_nodes, noise)


def _spacing(pos: np.ndarray) -> float:
    """Median distance to the nearest other node."""
    if len(pos) < 2:
        return 1.0
    nearest = cKDTree(pos).query(pos, k=2)[0][:, 1]
    unit = float(np.median(nearest))
    return unit if unit > 0 else float(nearest.max()) or 1.0


def _side_by_side(signals: Signals, coupling: Coupling, pos: np.ndarray, dim: int, on_grid: bool = False) -> np.ndarray:
    """Mutual partners that lie side by side on the map, and what holds their pieces together.

    Off grids that is 1.5 times what is usual around a node, on grids 1.25 spacings: the next distance is
    :math:`\\sqrt 2`.
    """
    pairs = mutual_top(coupling.matrix, 4 * dim if on_grid else 2 * dim + 1)
    pairs = pairs[:, strength_of(coupling.matrix, pairs) > SIGNIFICANT * coupling.noise]
    if on_grid:
        edges = pairs[:, np.linalg.norm(pos[pairs[0]] - pos[pairs[1]], axis=1) < _ADJACENT]
    else:
        edges = pairs[:, side_by_side(pos, pairs, dim)]
    links = _link_pairs(signals, coupling, 2 * dim + 1)
    length = np.linalg.norm(pos[links[0]] - pos[links[1]], axis=1)
    return join_pieces(edges, links, 1 / (1 + length), signals.num_nodes)


def _lattice_places(cells: Cells) -> np.ndarray:
    """Coordinates of the cells; nodes without one stand aside."""
    placed = cells.cell[:, 0] >= 0
    pos = cell_coordinates(cells.cell, cells.shape, cells.periodic)
    aside = np.zeros_like(pos)
    aside[:, 0] = pos[placed, 0].max() + 3 + np.arange(len(pos))
    return np.where(placed[:, None], pos, aside)
