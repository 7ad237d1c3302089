"""One connected part of the node set: judged, then drawn as a lattice, as a map, or as edges alone."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from scge_pyg.discovery.coupling.choice import correlation_coupling, partial_coupling
from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.signs import align_signs
from scge_pyg.discovery.coupling.similar import DENSE_NODES, evident, most_similar
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT
from scge_pyg.discovery.judgement.confidence import cell_confidence, map_confidence
from scge_pyg.discovery.judgement.judge import Judgement, judge, links_a_node
from scge_pyg.discovery.lattices.fitting import fit_lattice
from scge_pyg.discovery.lattices.snapping import Cells
from scge_pyg.discovery.maps.dimension import tangent_dimension
from scge_pyg.discovery.maps.joining import forest, join_pieces
from scge_pyg.discovery.maps.places import draw_places, without_noise
from scge_pyg.discovery.maps.sketch import Links
from scge_pyg.discovery.maps.wiring import mutual_top, partners
from scge_pyg.discovery.signals.prepare import Signals
from scge_pyg.graph.drawing.assembly import cell_coordinates
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.layout import side_by_side
from scge_pyg.graph.drawing.wiring import adjacency_of, edges_of, strength_of

__all__ = ["FEWEST", "Part", "discover_part"]

FEWEST = 8  # nodes below which neither dimension nor geometry is judged
_UNJUDGED = 0.5
_IN_THE_RUNNING = 0.95  # share of the best map's gain at which partial correlation may still show a lattice
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
        judgement: What was judged, or ``None`` where nodes are too few.
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
    judgement: Judgement | None
    coupling: str
    seconds: dict[str, float]


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
    judged = judge(signals, seed)
    clock("judgement")
    sign = np.ones(signals.num_nodes, dtype=np.int64)
    if judged.absolute and signals.num_nodes <= DENSE_NODES:
        sign = align_signs(signals.correlation, evident(signals.num_nodes, signals.effective))
        signals = signals.scaled(np.where(sign == 0, 1, sign))
    loose = bool((sign == 0).any())
    if dim is None and judged.verdict != "geometry":
        return _edges_alone(signals, judged, sign, seed, clock)
    direct = partial_coupling(signals, seed) if judged.direct or judged.partial_share >= _IN_THE_RUNNING else None
    clock("coupling")
    own_dim, columns = _dimension(signals, judged, direct, dim, loose)
    clock("dimension")
    if snap and direct is not None and own_dim <= 3:
        fitted = fit_lattice(direct, own_dim, np.random.default_rng(seed))
        clock("lattice")
        if fitted is not None:
            cells, edges = fitted
            pos = _lattice_places(cells)
            strength = strength_of(direct.matrix, edges)
            confidence = cell_confidence(cells, judged)
            return Part(pos, edges, strength, own_dim, confidence, sign, cells, judged, direct.name, clock.seconds)
    coupling = direct if direct is not None and judged.direct else correlation_coupling(signals, loose)
    pairs = _link_pairs(signals, coupling, links_a_node(columns)[1])
    pos = draw_places(_lengths(coupling, pairs, signals.num_nodes), columns)
    pos = pos / _spacing(pos)
    clock("map")
    edges = _side_by_side(signals, coupling, pos, own_dim)
    confidence = map_confidence(judged, pos)
    clock("edges")
    strength = np.maximum(strength_of(coupling.matrix, edges), 1e-6)
    return Part(pos, edges, strength, own_dim, confidence, sign, None, judged, coupling.name, clock.seconds)


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
    coupling = partial_coupling(signals)
    edges = _significant(coupling)
    links = _link_pairs(signals, coupling, 2)
    own = intrinsic_dimension(adjacency_of(edges, num_nodes)) if dim is None else dim
    own = max(1, min(own, num_nodes - 1)) if dim is None else own
    pos = draw_places(_lengths(coupling, links, num_nodes), own) if num_nodes > 1 else np.zeros((1, own))
    pos = pos / _spacing(pos)
    edges = join_pieces(edges, links, np.maximum(strength_of(coupling.matrix, links), 1e-6), num_nodes)
    strength = np.maximum(strength_of(coupling.matrix, edges), 1e-6)
    clock("map")
    confidence = np.full(num_nodes, _UNJUDGED)
    sign = align_signs(signals.correlation, evident(num_nodes, signals.effective))
    return Part(pos, edges, strength, own, confidence, sign, None, None, coupling.name, clock.seconds)


def _edges_alone(signals: Signals, judged: Judgement, sign: np.ndarray, seed: int, clock: _Clock) -> Part:
    """Couplings that stand out from the noise, without a map."""
    coupling = partial_coupling(signals, seed)
    edges = _significant(coupling) if judged.verdict != "undecided" else np.zeros((2, 0), dtype=np.int64)
    clock("coupling")
    pos, confidence = np.zeros((signals.num_nodes, 0)), np.zeros(signals.num_nodes)
    strength = strength_of(coupling.matrix, edges)
    return Part(pos, edges, strength, 0, confidence, sign, None, judged, coupling.name, clock.seconds)


def _significant(coupling: Coupling) -> np.ndarray:
    """Pairs whose coupling no unrelated pair reaches, ``[2, E]``."""
    pairs = edges_of(coupling.matrix)
    limit = max(SIGNIFICANT, float(np.sqrt(4 * np.log(coupling.matrix.shape[0])))) * coupling.noise
    return pairs[:, strength_of(coupling.matrix, pairs) > limit]


def _dimension(
    signals: Signals, judged: Judgement, direct: Coupling | None, dim: int | None, loose: bool
) -> tuple[int, int]:
    """Intrinsic dimension, and columns of the map."""
    columns = judged.columns
    if dim is not None and (judged.verdict != "geometry" or not dim <= columns <= 2 * dim):
        columns = dim
    if dim is not None:
        return dim, columns
    if columns <= 2:
        return judged.dim, columns
    part = signals.take(judged.rows) if len(judged.rows) < signals.num_nodes else signals
    whole = len(judged.rows) == signals.num_nodes
    coupling = direct if judged.direct and whole and direct is not None else correlation_coupling(part, loose)
    links = _lengths(coupling, _link_pairs(part, coupling, links_a_node(columns)[1]), part.num_nodes)
    return tangent_dimension(draw_places(links, columns)), columns


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
    key = np.unique(pairs.min(0) * num_nodes + pairs.max(0))
    return np.stack([key // num_nodes, key % num_nodes])


def _lengths(coupling: Coupling, pairs: np.ndarray, num_nodes: int) -> Links:
    """Links with the lengths that the dissimilarity gives them."""
    return without_noise(pairs, 1 - coupling.dissimilarity(pairs), num_nodes)


def _spacing(pos: np.ndarray) -> float:
    """Median distance to the nearest other node."""
    if len(pos) < 2:
        return 1.0
    nearest = cKDTree(pos).query(pos, k=2)[0][:, 1]
    unit = float(np.median(nearest))
    return unit if unit > 0 else float(nearest.max()) or 1.0


def _side_by_side(signals: Signals, coupling: Coupling, pos: np.ndarray, dim: int) -> np.ndarray:
    """Mutual partners that lie side by side on the map, and what holds their pieces together."""
    pairs = mutual_top(coupling.matrix, 2 * dim + 1)
    pairs = pairs[:, strength_of(coupling.matrix, pairs) > SIGNIFICANT * coupling.noise]
    edges = pairs[:, side_by_side(pos, pairs, dim)]
    links = _link_pairs(signals, coupling, 2 * dim + 1)
    length = np.linalg.norm(pos[links[0]] - pos[links[1]], axis=1)
    return join_pieces(edges, links, 1 / (1 + length), signals.num_nodes)


def _lattice_places(cells: Cells) -> np.ndarray:
    """Coordinates of the cells; nodes without one stand aside."""
    placed = (cells.cell >= 0).all(1)
    pos = cell_coordinates(cells.cell, cells.shape, cells.periodic)
    aside = np.zeros_like(pos)
    aside[:, 0] = pos[placed, 0].max() + 3 + np.arange(len(pos))
    return np.where(placed[:, None], pos, aside)
