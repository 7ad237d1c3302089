"""From learned places to a `SharedGraph`: what :meth:`NodeEmbedding.to_graph` does."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from scge_pyg.discovery.assemble import assemble
from scge_pyg.discovery.maps.flattening import near_pairs, typical_step
from scge_pyg.discovery.parts.on_places import judged_places, placed_part
from scge_pyg.discovery.signals.delays import aligned_in_time, node_delays
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.discovery.signals.signals import Signals
from scge_pyg.discovery.signals.twins import without_near_twins
from scge_pyg.graph.shared_graph import SharedGraph
from scge_pyg.nn.trained.place_advice import advice_on_places

__all__ = ["graph_of_places"]

_LINKS = 8
_APART = 4.0  # spacings between parts, at least


@dataclass(frozen=True)
class _Rows:
    """Which node each row is, where there are no samples to say more."""

    order: np.ndarray

    @property
    def num_nodes(self) -> int:
        return len(self.order)

    @property
    def twins(self) -> np.ndarray:
        return np.zeros((2, 0), dtype=np.int64)

    @property
    def twin_sign(self) -> np.ndarray:
        return np.zeros(0, dtype=np.int64)

    @property
    def delay(self) -> np.ndarray:
        return np.zeros(len(self.order), dtype=np.int64)

    @property
    def effective(self) -> float:
        return 0.0


def graph_of_places(places: np.ndarray, live: np.ndarray, x: Any = None, seed: int = 0) -> SharedGraph:
    """The graph of the places ``[N, d]`` of the ``live [N]`` nodes; see :meth:`NodeEmbedding.to_graph`.

    Example:
        >>> graph_of_places(0.5 * np.argwhere(np.ones((3, 4))), np.ones(12, dtype=bool))
        SharedGraph(num_nodes=12, live=12, dim=2, edges=17 (undirected), components=1, lattice=3x4)
    """
    if x is None:
        nodes = np.flatnonzero(live)
        rows = _Rows(nodes[np.lexsort(places[nodes].T)])
        own_places = _apart(places[rows.order])
        parts = [(own, placed_part(own_places[own])) for own in _parts(own_places)]
        _warn(advice_on_places(own_places, rows.order, parts, False))
        return assemble(rows, parts, len(live), None, 0, {})
    samples = read(x, seed=seed)
    if len(samples.live) != len(live):
        raise ValueError(
            f"to_graph: x must be samples [S, {len(live)}] or [S, {len(live)}, C] of the table's {len(live)} nodes, "
            f"got {len(samples.live)} nodes"
        )
    signals = _known(without_near_twins(prepare(samples)), live)
    signals = aligned_in_time(signals, node_delays(signals))
    own_places = _apart(places[signals.order])
    judged = []
    for own in _parts(own_places):
        taken = signals if len(own) == signals.num_nodes else signals.take(own)
        judged.append((own, judged_places(own_places[own], taken, seed)))
    _warn(advice_on_places(own_places, signals.order, judged, True))
    return assemble(signals, judged, len(live), samples.names, len(samples.values), {})


def _apart(places: np.ndarray) -> np.ndarray:
    """The places, which may not all be one."""
    if len(places) > 1 and not np.ptp(places, axis=0).any():
        raise ValueError(
            f"to_graph: all {len(places)} nodes stand on one place, which has no geometry; start the table from places "
            f"apart, as NodeEmbedding({len(places)}, 2) does"
        )
    return places


def _warn(texts: list[str]) -> None:
    for text in texts:
        warnings.warn(f"to_graph: {text}", UserWarning, stacklevel=4)


def _known(signals: Signals, live: np.ndarray) -> Signals:
    """The signals of nodes that have a place."""
    rows = np.flatnonzero(live[signals.order])
    if len(rows) == signals.num_nodes:
        return signals
    kept = live[signals.twins].all(0)
    return replace(signals.take(rows), twins=signals.twins[:, kept], twin_sign=signals.twin_sign[kept])


def _parts(places: np.ndarray) -> list[np.ndarray]:
    """Rows of each part, by falling size: near places hang together, each with its eight nearest."""
    count = len(places)
    if count < 3:
        return [np.arange(count)]
    reach = _APART * typical_step(places, min(_LINKS, count - 1))
    pairs = np.concatenate([near_pairs(places, _LINKS), cKDTree(places).query_pairs(reach, output_type="ndarray").T], 1)
    label = connected_components(sp.csr_matrix((np.ones(pairs.shape[1]), pairs), (count, count)), directed=False)[1]
    size = np.bincount(label)
    return [np.flatnonzero(label == part) for part in np.argsort(-size, kind="stable")]
