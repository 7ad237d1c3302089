"""From wiring and cells to a `SharedGraph`: one map per connected geometry, side by side in one frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.csgraph import connected_components

from scge_pyg.graph.drawing.layout import Dissimilarity, layout, side_by_side
from scge_pyg.graph.drawing.wiring import Wiring, adjacency_of

__all__ = ["Map", "cell_coordinates", "choose_map", "map_components"]

_GAP = 3.0  # empty space between the maps of two components, in units of node spacing


@dataclass(frozen=True)
class Map:
    """Coordinates of all nodes.

    Attributes:
        pos: Coordinates ``[N, d]``, unit distance between nearest nodes.
        component: Connected geometry of each node, by falling size, ``[N]``.
    """

    pos: np.ndarray
    component: np.ndarray


def choose_map(
    wiring: Wiring, num_nodes: int, dim: int, seed: int, dissimilarity: Dissimilarity | None = None
) -> tuple[Wiring, Map]:
    """The map of a triangulation with or without the doubtful edges, whichever agrees with more edges of both kinds.

    A triangulation that is sparsely wired may be torn: edges across the tear close it and end up short, while shortcuts
    fold the map and make other edges long. An edge agrees with a map if its ends
    lie side by side. On a grid
    every true edge closes a cycle of four, and doubt is enough.
    """
    chart = map_components(wiring, num_nodes, dim, np.random.default_rng(seed), dissimilarity)
    if not wiring.dense or not wiring.doubtful.shape[1]:
        return wiring, chart
    every = np.concatenate([wiring.edges, wiring.doubtful], 1)
    bold = replace(wiring, edges=every, doubtful=wiring.doubtful[:, :0])
    bold_chart = map_components(bold, num_nodes, dim, np.random.default_rng(seed), dissimilarity)
    agreement = [float(side_by_side(c.pos, every, dim).mean()) for c in (chart, bold_chart)]
    return (bold, bold_chart) if agreement[1] > agreement[0] else (wiring, chart)


def map_components(
    wiring: Wiring,
    num_nodes: int,
    dim: int,
    generator: np.random.Generator,
    dissimilarity: Dissimilarity | None = None,
) -> Map:
    """Lay out each connected part of the wiring on its own and set them side by side along the first axis."""
    links = np.concatenate([wiring.edges, wiring.attached], 1)
    part = connected_components(adjacency_of(links, num_nodes), directed=False)[1]
    size = np.bincount(part)
    order = np.argsort(-size, kind="stable")
    component = np.argsort(order, kind="stable")[part]
    members = np.split(np.argsort(component, kind="stable"), np.cumsum(size[order])[:-1])
    charts = []
    for nodes in members:
        local = np.full(num_nodes, -1)
        local[nodes] = np.arange(len(nodes))
        inside = local[links[:, component[links[0]] == component[nodes[0]]]]
        apart = _restricted(dissimilarity, nodes) if wiring.dense else None
        charts.append(_unit_spacing(layout(inside, len(nodes), dim, wiring.dense, generator, apart), inside))
    pos = np.zeros((num_nodes, max(chart.shape[1] for chart in charts)))
    edge = 0.0
    for nodes, chart in zip(members, charts, strict=True):
        chart = chart - chart.min(0)
        pos[nodes, : chart.shape[1]] = chart
        pos[nodes, 0] += edge
        edge += chart[:, 0].max() + _GAP
    return Map(pos, component)


def _restricted(dissimilarity: Dissimilarity | None, nodes: np.ndarray) -> Dissimilarity | None:
    return None if dissimilarity is None else lambda pairs: dissimilarity(nodes[pairs])


def _unit_spacing(pos: np.ndarray, links: np.ndarray) -> np.ndarray:
    """Scale so that the median node has its nearest linked node at distance 1."""
    if not links.shape[1]:
        return pos
    length = np.linalg.norm(pos[links[0]] - pos[links[1]], axis=1)
    nearest = np.full(len(pos), np.inf)
    np.minimum.at(nearest, links.ravel(), np.tile(length, 2))
    unit = np.median(nearest[np.isfinite(nearest)])
    return pos / unit if unit > 0 else pos


def cell_coordinates(cell: np.ndarray, shape: tuple[int, ...], periodic: tuple[bool, ...]) -> np.ndarray:
    """Coordinates of cells: the integers along an open axis, a circle of unit chords along a periodic one.

    Example:
        >>> import numpy as np
        >>> ring = cell_coordinates(np.arange(6)[:, None], (6,), (True,))
        >>> float(np.linalg.norm(ring[0] - ring[1]).round(6))
        1.0
    """
    columns = []
    for axis, (size, wraps) in enumerate(zip(shape, periodic, strict=True)):
        if wraps:
            angle = 2 * math.pi * cell[:, axis] / size
            radius = 0.5 / math.sin(math.pi / size)
            columns += [radius * np.cos(angle), radius * np.sin(angle)]
        else:
            columns.append(cell[:, axis].astype(float))
    return np.stack(columns, 1)
