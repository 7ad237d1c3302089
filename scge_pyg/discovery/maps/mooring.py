"""Links for what only hangs on the map: chains of nodes that close no short cycle with the rest."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, dijkstra

from scge_pyg.graph.drawing.layout import Dissimilarity, local_lengths, robust_stress
from scge_pyg.graph.drawing.wiring import adjacency_of, edges_of, strength_of

__all__ = ["hanging", "moor"]

_MOST_PAIRS = 2**22
_FEW = 0.1
_CONVINCING = 0.5
_ASTRAY = 3.0


def hanging(edges: np.ndarray, num_nodes: int) -> np.ndarray:
    r"""Nodes outside the largest part, of their component, that cycles of four edges hold together, ``[N]`` bool.

    An edge lies on such a cycle if there are more walks of three edges between its ends i and j than the
    :math:`d_i + d_j - 1` that run along it. The border of an image is often coupled along itself only: it hangs like a
    thread, fastened at a few nodes, and the map is free to let it fall anywhere.

    Cost: :math:`O(N d^3)` for degree d.

    Example:
        >>> square_with_tail = np.array([[0, 1, 2, 0, 3], [1, 2, 3, 3, 4]])
        >>> hanging(square_with_tail, 5).tolist()
        [False, False, False, False, True]
    """
    adjacency = adjacency_of(edges, num_nodes)
    pairs = edges_of(adjacency)
    degree = np.diff(adjacency.indptr)
    walks = strength_of(adjacency @ adjacency @ adjacency, pairs)
    held = pairs[:, walks > degree[pairs[0]] + degree[pairs[1]] - 1]
    component = connected_components(adjacency, directed=False)[1]
    part = connected_components(adjacency_of(held, num_nodes), directed=False)[1]
    size = np.bincount(part)[part]
    largest = np.zeros(component.max() + 1, dtype=size.dtype)
    np.maximum.at(largest, component, size)
    return size < largest[component]


def moor(pos: np.ndarray, edges: np.ndarray, dissimilarity: Dissimilarity) -> np.ndarray:
    """The map with its hanging nodes put where they are most similar to the rest.

    A hanging node is linked to the most similar node of its component that doesn't hang, if it is at least half as
    similar (by correlation) as the node's most similar partner. Threads all of whose links are short stay as they are.
    In the others, a node starts one step outwards from where it is moored, one without
    such a link where its nearest neighbour that has one is, and the stress of edges, of pairs two steps apart
    and of links is minimised from this start. Nothing is moored where that would take over four million comparisons, or
    where more than a tenth of the nodes hang: then the map has holes, and the part that does not hang is no map.

    Args:
        pos: Coordinates ``[N, d]``.
        edges: Undirected edges ``[2, E]``.
        dissimilarity: One minus the correlation of any pairs ``[2, P]``.
    """
    loose = hanging(edges, len(pos))
    if loose.mean() > _FEW:
        return pos
    links = _links(loose, edges, dissimilarity)
    adjacency = adjacency_of(edges, len(pos))
    loose, links = _astray(pos, loose, links, adjacency)
    if not links.shape[1]:
        return pos
    firm_part = sp.diags((~loose).astype(float))
    inner = firm_part @ adjacency @ firm_part
    degree = np.asarray(inner.sum(1))
    outward = pos - inner @ pos / np.maximum(degree, 1)
    norm = np.linalg.norm(outward, axis=1, keepdims=True)
    outward = np.where(norm > 1e-6, outward / np.maximum(norm, 1e-6), np.eye(pos.shape[1])[0])
    start = pos.copy()
    start[links[0]] = pos[links[1]] + outward[links[1]]
    outward[links[0]] = outward[links[1]]
    placed = ~loose
    placed[links[0]] = True
    sources = np.flatnonzero(placed)
    hops, _, source = dijkstra(adjacency, indices=sources, unweighted=True, min_only=True, return_predecessors=True)
    rest = np.flatnonzero(~placed & np.isfinite(hops))
    start[rest] = start[source[rest]] + 0.5 * hops[rest, None] * outward[source[rest]]
    pairs, length = local_lengths(adjacency, dense=False)
    return robust_stress(
        start,
        np.concatenate([pairs, links], 1),
        np.r_[length, np.ones(links.shape[1])],
        np.ones(len(length) + links.shape[1]),
    )


def _astray(
    pos: np.ndarray, loose: np.ndarray, links: np.ndarray, adjacency: sp.csr_matrix
) -> tuple[np.ndarray, np.ndarray]:
    """The hanging nodes, and their links, of threads with a node more than three spacings from where it is moored."""
    far = np.linalg.norm(pos[links[0]] - pos[links[1]], axis=1) > _ASTRAY
    inside = sp.diags(loose.astype(float))
    thread = connected_components(inside @ adjacency @ inside, directed=False)[1]
    lost = loose & np.isin(thread, thread[links[0, far]])
    return lost, links[:, lost[links[0]]]


def _links(loose: np.ndarray, edges: np.ndarray, dissimilarity: Dissimilarity) -> np.ndarray:
    """Each hanging node and the most similar firm one of its component, ``[2, M]``."""
    nodes, firm = np.flatnonzero(loose), np.flatnonzero(~loose)
    if not len(nodes) or len(nodes) * len(firm) > _MOST_PAIRS:
        return np.zeros((2, 0), dtype=np.int64)
    component = connected_components(adjacency_of(edges, len(loose)), directed=False)[1]
    pairs = np.stack(np.broadcast_arrays(nodes[:, None], firm[None, :])).reshape(2, -1)
    similarity = (1 - dissimilarity(pairs)).reshape(len(nodes), -1)
    similarity[component[nodes][:, None] != component[firm][None, :]] = -np.inf
    own = np.zeros(len(loose))
    for end in edges:
        np.maximum.at(own, end, 1 - dissimilarity(edges))
    best = similarity.argmax(1)
    chosen = similarity[np.arange(len(nodes)), best] > _CONVINCING * own[nodes]
    return np.stack([nodes, firm[best]])[:, chosen]
