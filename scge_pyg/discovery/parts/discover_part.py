"""One connected part: judged, then drawn as a lattice, as a map, or as edges alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scge_pyg.discovery.clock import Clock
from scge_pyg.discovery.coupling.choice import partial_couplings
from scge_pyg.discovery.coupling.signs import align_signs
from scge_pyg.discovery.coupling.similar import evident, evident_links
from scge_pyg.discovery.judgement.judge import Choice
from scge_pyg.discovery.maps.joining import join_pieces
from scge_pyg.discovery.maps.places import draw_places
from scge_pyg.discovery.parts.edges import WEAKEST, lengths_of, link_pairs, significant_edges, spacing
from scge_pyg.discovery.parts.on_lattice import on_lattice
from scge_pyg.discovery.parts.on_map import on_map
from scge_pyg.discovery.parts.part import FEWEST, UNJUDGED, Part
from scge_pyg.discovery.parts.views import View, judged_views
from scge_pyg.discovery.signals.signals import Signals
from scge_pyg.graph.drawing.dimension import intrinsic_dimension
from scge_pyg.graph.drawing.wiring import adjacency_of, strength_of

__all__ = ["discover_part", "edges_alone"]


def discover_part(signals: Signals, dim: int | None, snap: bool, seed: int) -> Part:
    """Judge a connected part, then place it.

    Args:
        signals: Signals of its nodes.
        dim: Intrinsic dimension. Default: judged; then a part without a geometry gets edges alone.
        snap: Whether to look for a lattice.
        seed: Seed of all randomness.
    """
    clock = Clock()
    if signals.num_nodes < FEWEST:
        return _small(signals, dim, clock)
    court, choice, views = judged_views(signals, seed, clock)
    drawn = dim is not None or choice.verdict.verdict == "geometry"
    if snap and drawn:
        found = on_lattice(views, court, choice, dim, seed)
        clock("lattice")
        if found is not None:
            return replace(found, seconds=clock.seconds)
    found = on_map(views, court, choice, dim, snap, seed) if drawn else edges_alone(views[0], choice)
    clock("map")
    return replace(found, seconds=clock.seconds)


def _small(signals: Signals, dim: int | None, clock: Clock) -> Part:
    """Edges of a handful of nodes, drawn but not judged."""
    num_nodes = signals.num_nodes
    coupling = partial_couplings(signals)[0]
    edges = significant_edges(coupling)
    links = link_pairs(signals, coupling, 2)
    own = dim or max(1, min(intrinsic_dimension(adjacency_of(edges, num_nodes)), num_nodes - 1))
    pos = draw_places(lengths_of(coupling, links, num_nodes), own)
    edges = join_pieces(edges, links, np.maximum(strength_of(coupling.matrix, links), WEAKEST), num_nodes)
    strength = np.maximum(strength_of(coupling.matrix, edges), WEAKEST)
    sign = align_signs(signals.correlation, evident(num_nodes, signals.effective))
    clock("map")
    confidence = np.full(num_nodes, UNJUDGED)
    pos = pos / spacing(pos)
    rows = np.arange(num_nodes)
    return Part(pos, edges, strength, own, confidence, sign, None, None, None, rows, coupling.name, clock.seconds)


def edges_alone(view: View, choice: Choice) -> Part:
    """Couplings that stand out from the noise, without a map; none where too little is known to tell.

    Among nodes that are all alike, such as those of a cluster, each pair has little to say that others don't. What
    couplings leave apart is joined by its most evident correlations.
    """
    coupling = (view.direct or partial_couplings(view.signals))[0]
    count = view.signals.num_nodes
    edges = np.zeros((2, 0), dtype=np.int64)
    if choice.verdict.verdict == "no geometry":
        links = evident_links(view.signals).tocoo()
        edges = join_pieces(significant_edges(coupling), np.stack([links.row, links.col]), -links.data, count)
    weight = np.maximum(strength_of(coupling.matrix, edges), WEAKEST)
    rows = np.zeros(0, dtype=np.int64)
    return Part(
        *(np.zeros((count, 0)), edges, weight, 0, np.zeros(count), view.sign, None),
        *(choice, choice.verdict, rows, coupling.name),
    )
