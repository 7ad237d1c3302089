"""One part of the counts: judged, then placed, or left as edges alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from scge_pyg.discovery.counts.judging import Judged, first_placed, judge
from scge_pyg.discovery.counts.placing import Placed, place
from scge_pyg.discovery.counts.profiles import alike_rows, evident, links_of, once
from scge_pyg.discovery.counts.trust import filled_directions, trust
from scge_pyg.discovery.maps.sketch import Links
from scge_pyg.discovery.parts.edges import spacing

__all__ = ["FEWEST", "CountPart", "discover_part_of_counts", "edges_alone"]

FEWEST = 8
_STEPS = 800
_STEPS_OF_MANY = 400
_COURT = 2048
_LARGE = 4096
_HALF = 0.5
_WEAKEST = 1e-6
_ALIKE = 16


@dataclass(frozen=True)
class CountPart:
    """Places of the rows and columns of one part.

    Attributes:
        pos: Places of the rows ``[n, c]``, without columns where there is no geometry.
        partner_pos: Places of the columns ``[m, c]``.
        edges: Undirected edges ``[2, E]`` between the rows.
        weight: Contact at the length of each edge, ``[E]``.
        dim: Intrinsic dimension.
        confidence: Trust in each place, ``[n]``.
        judged: What the halves say, or ``None`` where rows are too few.
        row_gain: Held-out gain of each row, ``[n]``, NaN where not judged.
    """

    pos: np.ndarray
    partner_pos: np.ndarray
    edges: np.ndarray
    weight: np.ndarray
    dim: int
    confidence: np.ndarray
    judged: Judged | None
    row_gain: np.ndarray


def discover_part_of_counts(
    counts: sp.csr_matrix,
    dim: int | None,
    seed: int,
    *,
    shared: bool = False,
    log_yield: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
    clock: Callable[[str], None] = lambda _: None,
) -> CountPart:
    """Judge and place the rows and columns of one part.

    Above 4,096 rows, the 2,048 nearest to the first along links sit in judgement, with the columns that meet mostly
    them.

    Args:
        counts: Counts ``[n, m]`` in canonical order, without empty rows and columns.
        dim: Number of columns. Default: judged; then a part without a geometry gets edges alone.
        seed: Seed of the halves.
        shared: Whether rows meet rows.
        log_yield: Logarithm of the yields of the columns ``[m]``, where they are known.
        tick: Called after each step of a fit.
        clock: Called with the name of each stage when it ends.
    """
    links = links_of(counts)[0]
    clock("links")
    rows, cols, own = _court(counts, links, shared)
    known = None if log_yield is None else log_yield[cols]
    judged = judge(own, seed, dim=dim, shared=shared, log_yield=known, tick=tick)
    clock("judgement")
    num_rows = counts.shape[0]
    row_gain = np.full(num_rows, np.nan)
    row_gain[rows] = judged.row_gain
    if dim is None and judged.verdict != "geometry":
        part = edges_alone(counts)
        return CountPart(part.pos, part.partner_pos, part.edges, part.weight, 0, part.confidence, judged, row_gain)
    start = first_placed(counts, links, judged.columns, judged.kernel, shared, log_yield)
    placed = _upright(place(counts, start, _STEPS if num_rows <= _LARGE else _STEPS_OF_MANY, tick))
    clock("places")
    maps = tuple(np.full((num_rows, judged.columns), np.nan) for _ in judged.maps)
    for whole, half in zip(maps, judged.maps, strict=True):
        whole[rows] = half
    confidence = trust(placed.z, (maps[0], maps[1]))
    if judged.verdict != "geometry":
        confidence = np.minimum(confidence, _HALF)
    own_dim = filled_directions(placed.z) if dim is None else dim
    edges = _near_pairs(placed.z, 2 * own_dim)
    square = np.square(placed.z[edges[0]] - placed.z[edges[1]]).sum(1)
    weight = np.maximum(np.exp(-placed.kernel.energy(square)), _WEAKEST)
    unit = spacing(placed.z)
    clock("edges")
    return CountPart(*(placed.z / unit, placed.y / unit, edges, weight, own_dim, confidence, judged, row_gain))


def _upright(placed: Placed) -> Placed:
    """The same around the mean of the rows, with columns by falling spread, the farthest row on the positive side."""
    middle = placed.z.mean(0)
    turn = np.linalg.svd(placed.z - middle, full_matrices=False)[2].T
    z = (placed.z - middle) @ turn
    turn = turn * np.sign(z[np.abs(z).argmax(0), np.arange(z.shape[1])])
    z, y = (placed.z - middle) @ turn, (placed.y - middle) @ turn
    return replace(placed, z=z, y=z if placed.shared else y)


def edges_alone(counts: sp.csr_matrix) -> CountPart:
    """Rows alike beyond chance, without places; the weight is how alike they are."""
    alike = alike_rows(counts, _ALIKE)
    row, place = np.nonzero(evident(alike, counts.shape[0]))
    pairs, weight = once(row, alike.index[row, place], alike.lift[row, place], counts.shape[0])
    none = np.full(counts.shape[0], np.nan)
    return CountPart(
        *(np.zeros((counts.shape[0], 0)), np.zeros((counts.shape[1], 0)), pairs, np.maximum(weight, _WEAKEST), 0),
        *(np.zeros(counts.shape[0]), None, none),
    )


def _court(counts: sp.csr_matrix, links: Links, shared: bool) -> tuple[np.ndarray, np.ndarray, sp.csr_matrix]:
    """Rows that sit in judgement, their columns, and their counts without empty rows and columns."""
    num_rows = counts.shape[0]
    if num_rows <= _LARGE:
        return np.arange(num_rows), np.arange(counts.shape[1]), counts
    apart = dijkstra(links.matrix(), directed=False, indices=0)
    rows = np.sort(np.argsort(apart, kind="stable")[:_COURT])
    met = np.asarray(counts[rows].sum(0)).ravel()
    cols = rows if shared else np.flatnonzero(met >= _HALF * np.asarray(counts.sum(0)).ravel())
    own = counts[rows][:, cols]
    full = np.flatnonzero(np.diff(own.indptr))
    return (rows[full], cols[full], own[full][:, full]) if shared else (rows[full], cols, own[full])


def _near_pairs(pos: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` nearest of each row on the map, and the shortest pairs that join what they leave apart, ``[2, E]``."""
    count = len(pos)
    edges = _nearest(pos, k)
    while True:
        label = connected_components(sp.csr_matrix((np.ones(edges.shape[1]), edges), (count, count)), directed=False)[1]
        if not label.any():
            return edges
        inside = np.flatnonzero(label == np.bincount(label).argmin())
        outside = np.flatnonzero(label != label[inside[0]])
        length, at = cKDTree(pos[outside]).query(pos[inside])
        ends = np.sort([inside[length.argmin()], outside[at[length.argmin()]]])
        edges = np.concatenate([edges, ends[:, None]], 1)


def _nearest(pos: np.ndarray, k: int) -> np.ndarray:
    """Pairs of each row and its ``k`` nearest others, once, with ``i < j``, ``[2, E]``."""
    count = len(pos)
    near = cKDTree(pos).query(pos, k=min(k, count - 1) + 1)[1]
    row, col = np.repeat(np.arange(count), near.shape[1]), near.ravel()
    key = np.unique((np.minimum(row, col) * count + np.maximum(row, col))[row != col])
    return np.stack([key // count, key % count])
