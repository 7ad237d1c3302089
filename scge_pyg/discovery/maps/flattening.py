"""Given places in the columns that they need: chains are pulled straight, sheets laid flat, and noise is dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from scipy.spatial import cKDTree

from scge_pyg.discovery.maps.dimension import tangent_dimension
from scge_pyg.discovery.maps.places import draw_places
from scge_pyg.discovery.maps.sketch import Links

__all__ = ["Flat", "flattened", "near_pairs", "typical_step"]

_FLAT = 0.3  # deviation of a column in spacings, below which nothing but noise spreads along it: two rows have 0.5
_MOST_COLUMNS = 4
_ALONG = 0.95  # share of nodes whose two nearest are at most two steps away along a chain
_BESIDE = 1.3  # usual gaps: longer than the side of a square, shorter than its diagonal
_CLOSES, _HALF = 2.5, 0.6  # usual gaps, and shares of the way across, that part the ends of a chain that closes
_FEWEST_ON_RING = 6
_BENT = 0.1  # change of nine in ten lengths, up to which a sheet was unrolled and not squeezed
_WHOLE, _TORN = 0.995, 1.5  # share of the lengths that grow less than this factor: what closes would tear or fold
_LINKS = 8


@dataclass(frozen=True)
class Flat:
    """Places in as many columns as the geometry needs.

    Attributes:
        pos: Places ``[N, c]``, in the units they came in.
        dim: Intrinsic dimension.
        girth: Length of the ring on which the nodes lie, 0 if they lie on none.
        along: Place of each node along a chain or ring, ``[N]``; None in two and more dimensions.
    """

    pos: np.ndarray
    dim: int
    girth: float = 0.0
    along: np.ndarray | None = None


def typical_step(pos: np.ndarray, k: int) -> float:
    """Median distance of places ``[N, c]`` to their ``k`` nearest; on a grid of ``k / 2`` axes, its spacing."""
    length = cKDTree(pos).query(pos, k=min(k + 1, len(pos)))[0][:, 1:]
    return float(np.median(length)) or float(length.max()) or 1.0


def near_pairs(pos: np.ndarray, k: int) -> np.ndarray:
    """Pairs ``[2, E]`` with ``i < j`` of which one is among the ``k`` nearest of the other."""
    near = cKDTree(pos).query(pos, k=min(k + 1, len(pos)))[1]
    pairs = np.stack([np.repeat(np.arange(len(pos)), near.shape[1]), near.ravel()])
    found: np.ndarray = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], 0), axis=1)
    return found


def flattened(pos: np.ndarray) -> Flat:
    r"""Places of one connected node set without the columns that it doesn't fill.

    Principal axes along which the deviation is below 0.3 spacings hold noise. Where the spanning tree is a path whose
    neighbours are the nearest, the nodes are a chain, or a ring if its ends lie side by side, at the distances along
    it. A surface bent through further columns is unrolled (:func:`draw_places`) if that keeps lengths within a tenth;
    a sphere keeps its columns.

    Cost: :math:`O(N \log N)`.

    Args:
        pos: Places ``[N, d]``, N at least 3.

    Example:
        >>> sheet = np.random.default_rng(0).random((200, 2)) * 14
        >>> tilted = sheet @ np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
        >>> flattened(tilted).pos.shape, flattened(tilted).dim
        ((200, 2), 2)
        >>> angle = np.arange(24) * 2 * np.pi / 24
        >>> ring = flattened(4 * np.stack([np.cos(angle), np.sin(angle)], 1))
        >>> ring.dim, ring.pos.shape, round(ring.girth, 1)
        (1, (24, 2), 25.1)
    """
    centred = pos - pos.mean(0)
    turn = np.linalg.svd(centred, full_matrices=False)[2]
    turned = centred @ turn.T
    kept = max(1, int((turned.std(0) > _FLAT * typical_step(pos, 2)).sum()))
    turned = centred if kept == pos.shape[1] else turned[:, :kept]
    chain = _chain(turned)
    if chain is not None:
        return chain
    if kept > _MOST_COLUMNS:
        turned = (centred @ turn.T)[:, :_MOST_COLUMNS]
    dim = tangent_dimension(turned) if turned.shape[1] > 1 else 1
    dim = max(dim, min(2, turned.shape[1]))  # no chain, so no line
    if dim < turned.shape[1]:
        pairs = near_pairs(turned, _LINKS)
        length = np.linalg.norm(turned[pairs[0]] - turned[pairs[1]], axis=1)
        unit = float(np.median(length))
        unrolled = unit * draw_places(Links(pairs, np.maximum(length / unit, 1e-3), len(pos)), dim)
        if _kept_whole(turned, unrolled, pairs):
            turned = unrolled
    return Flat(turned, dim)


def _kept_whole(pos: np.ndarray, flat: np.ndarray, pairs: np.ndarray) -> bool:
    """Whether near places ``pairs [2, E]`` are as far apart on the flat map, and what is near there was near before."""
    before, after = (np.linalg.norm(places[pairs[0]] - places[pairs[1]], axis=1) for places in (pos, flat))
    change = after / np.maximum(before, 1e-3 * np.median(before))
    beside = near_pairs(flat, _LINKS)
    apart = np.linalg.norm(pos[beside[0]] - pos[beside[1]], axis=1)
    level = np.quantile(change, _WHOLE) < _TORN and np.quantile(apart, _WHOLE) < _TORN * before.max()
    return bool(level and np.quantile(np.abs(change - 1), 0.9) < _BENT)


def _chain(pos: np.ndarray) -> Flat | None:
    """The nodes along a chain or ring, or None if they lie on neither."""
    num_nodes = len(pos)
    if num_nodes < 3:
        return None
    order = _longest_path(pos)
    if len(order) < _ALONG * num_nodes:
        return None
    path = pos[order]
    gap = np.linalg.norm(np.diff(path, axis=0), axis=1)
    last = float(np.linalg.norm(path[-1] - path[0]))
    across = float(np.linalg.norm(path - path[0], axis=1).max())
    ring = len(order) >= _FEWEST_ON_RING and last < min(_CLOSES * float(np.median(gap)), _HALF * across)
    tree = cKDTree(path)
    apart = np.abs(tree.query(path, k=3)[1] - np.arange(len(order))[:, None])
    apart = np.minimum(apart, len(order) - apart) if ring else apart
    if (apart <= 2).all(1).mean() < _ALONG:
        return None
    along = np.r_[0.0, np.cumsum(gap)]
    if _side_by_side(tree, path, along, float(gap.sum()) + last if ring else 0.0).mean() > 1 - _ALONG:
        return None
    along = along[np.argsort(order) if len(order) == num_nodes else tree.query(pos)[1]]
    if not ring:
        return Flat(along[:, None], 1, 0.0, along)
    girth = float(gap.sum()) + last
    angle = 2 * np.pi * along / girth
    circle = girth / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], 1)
    return Flat(circle, 1, girth, along)


def _side_by_side(tree: cKDTree, path: np.ndarray, along: np.ndarray, girth: float) -> np.ndarray:
    """Which nodes of a path have one beside them that is far from them along it, as the two rows of 2 x 3 have."""
    reach = _BESIDE * float(np.median(np.diff(along)))
    pairs = tree.query_pairs(reach, output_type="ndarray")
    way = np.abs(along[pairs[:, 1]] - along[pairs[:, 0]])
    way = np.minimum(way, girth - way) if girth else way
    found = np.zeros(len(path), dtype=bool)
    found[pairs[way > 2 * reach]] = True
    return found


def _longest_path(pos: np.ndarray) -> np.ndarray:
    """Nodes of the longest path (by links) through the minimum spanning tree of near nodes."""
    num_nodes = len(pos)
    pairs = near_pairs(pos, _LINKS)
    length = np.maximum(np.linalg.norm(pos[pairs[0]] - pos[pairs[1]], axis=1), 1e-9)
    tree = minimum_spanning_tree(sp.csr_matrix((length, pairs), (num_nodes, num_nodes)))
    tree = tree + tree.T
    far = breadth_first_order(tree, 0, directed=False)[0][-1]
    visited, before = breadth_first_order(tree, far, directed=False)
    path = [int(visited[-1])]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return np.array(path)
