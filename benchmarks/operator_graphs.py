"""Four graphs over the same pixels, and the node sets that pooling makes of each: from edges alone, by one rule."""

from __future__ import annotations

import networkx
import torch
from torch import Tensor

from scge_pyg import SharedGraph
from scge_pyg.graph import knn

__all__ = ["edges_only", "halve", "levels", "nearest_signals", "random_graph"]


def edges_only(edge_index: Tensor, num_nodes: int) -> SharedGraph:
    """The graph of these edges in both directions, each with weight 1, without places."""
    both = torch.cat([edge_index, edge_index.flip(0)], 1)
    return SharedGraph(torch.zeros(num_nodes, 0), both)


def nearest_signals(x: Tensor, k: int, metric: str) -> SharedGraph:
    """Each node joined to the ``k`` nodes whose values over the samples ``[S, N, C]`` are nearest to its own.

    Args:
        x: Samples.
        k: Neighbours a node; the graph holds the union of both directions.
        metric: ``"euclidean"``, or ``"correlation"``: the same after each node has mean 0 and deviation 1.

    Example:
        >>> x = torch.tensor([[0.0, 0.1, 9.0, 9.1], [0.3, 0.0, 9.3, 9.0], [0.0, 0.2, 9.0, 9.2]]).unsqueeze(2)
        >>> nearest_signals(x, 1, "euclidean").edge_index.tolist()
        [[0, 1, 2, 3], [1, 0, 3, 2]]
        >>> nearest_signals(x, 1, "correlation").edge_index.tolist()
        [[0, 1, 2, 3], [2, 3, 0, 1]]
    """
    signal = x.transpose(0, 1).flatten(1)
    if metric == "correlation":
        signal = signal - signal.mean(1, keepdim=True)
        signal = signal / signal.norm(dim=1, keepdim=True).clamp_min(torch.finfo(signal.dtype).tiny)
    nearest = knn(signal, signal, k, exclude_self=True)[1]
    listener = torch.arange(len(signal)).repeat_interleave(k)
    return edges_only(torch.stack([nearest.flatten(), listener]), len(signal))


def random_graph(num_nodes: int, degree: int, seed: int) -> SharedGraph:
    """A random regular graph.

    Example:
        >>> random_graph(8, 3, seed=0).edge_index[0].bincount().tolist()
        [3, 3, 3, 3, 3, 3, 3, 3]
    """
    edges = list(networkx.random_regular_graph(degree, num_nodes, seed).edges)
    return edges_only(torch.tensor(edges).T, num_nodes)


def halve(edge_index: Tensor, weight: Tensor, num_nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Merge the pairs of a maximum-weight matching; nodes that find no partner stay alone.

    The step of Graclus coarsening (Dhillon, Guan, Kulis, "Weighted Graph Cuts without Eigenvectors", 2007), with the
    best matching in place of a greedy one.

    Returns:
        Edges between the pairs, once in each direction, how many old edges each of them holds, and the pair of each
        old node ``[N]``.

    Example:
        >>> chain = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
        >>> edges, weight, pair = halve(chain, torch.ones(6), 4)
        >>> edges.tolist(), weight.tolist(), pair.tolist()
        ([[0, 1], [1, 0]], [1.0, 1.0], [0, 0, 1, 1])
    """
    graph = networkx.Graph()
    graph.add_weighted_edges_from(zip(*edge_index.tolist(), weight.tolist(), strict=True))
    partner = torch.arange(num_nodes)
    pairs = list(networkx.max_weight_matching(graph, maxcardinality=True))
    first, second = torch.tensor(pairs, dtype=torch.long).view(-1, 2).sort(1).values.T
    partner[second] = first
    pair = torch.unique(partner, return_inverse=True)[1]
    edges = pair[edge_index]
    between = edges[0] != edges[1]
    edges, index = torch.unique(edges[:, between], dim=1, return_inverse=True)
    return edges, torch.zeros(edges.shape[1]).index_add_(0, index, weight[between]), pair


def levels(graph: SharedGraph, count: int) -> list[tuple[SharedGraph, Tensor]]:
    """``count`` coarser graphs, each of about a quarter of the nodes of the one before, and the cluster of each node.

    Each is two steps of :func:`halve` away from the one before. Nothing but edges is looked at, so that a graph with
    places has no advantage.

    Example:
        >>> coarse, cluster = levels(SharedGraph.from_grid((4, 4)), 1)[0]
        >>> coarse, cluster.bincount().tolist()
        (SharedGraph(num_nodes=4, live=4, dim=0, edges=4 (undirected), components=1, lattice=None), [4, 4, 4, 4])
    """
    edges, nodes, found = graph.edge_index, graph.num_nodes, []
    for _ in range(count):
        weight, cluster = torch.ones(edges.shape[1]), torch.arange(nodes)
        for _ in range(2):
            edges, weight, pair = halve(edges, weight, nodes)
            cluster, nodes = pair[cluster], int(pair.max()) + 1
        found.append((edges_only(edges, nodes), cluster))
    return found
