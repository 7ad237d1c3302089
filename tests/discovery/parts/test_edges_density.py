"""Edges where nodes are dense in one place and sparse in another, beside the true places and the correlations alone."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from scge_pyg import discover


def field(points, nu, noise, seed, samples=2000, length=3.0):
    """Samples of a Matern field of smoothness 0.5 or 1.5."""
    s = np.sqrt(2 * nu) * cdist(points, points) / length
    covariance = np.exp(-s) * (1 if nu == 0.5 else 1 + s) + noise**2 * np.eye(len(points))
    return np.random.default_rng(seed).standard_normal((samples, len(points))) @ np.linalg.cholesky(covariance).T


def clusters(seed, num_nodes=150):
    rng = np.random.default_rng(seed)
    centre = np.sqrt(num_nodes) * rng.random((num_nodes // 15, 2))
    return centre[rng.integers(len(centre), size=num_nodes)] + 1.2 * rng.standard_normal((num_nodes, 2))


def chain(seed, num_nodes=100):
    return np.sort(num_nodes * np.random.default_rng(seed).random(num_nodes))[:, None]


def ring(seed, num_nodes=80):
    angle = 2 * np.pi * np.random.default_rng(seed).random(num_nodes)
    return num_nodes / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], 1)


def in_units(distance, m):
    distance = distance.copy()
    np.fill_diagonal(distance, np.inf)
    reach = np.sort(distance, 1)[:, m - 1]
    return distance / np.maximum.outer(reach, reach)


def share_near(points, pairs, dim):
    """Pairs of which one is among the ``2 dim`` truly nearest of the other."""
    return float((in_units(cdist(points, points), 2 * dim)[pairs[0], pairs[1]] <= 1 + 1e-9).mean())


def strongest(x, count, m):
    """The pairs with the largest correlations, in units of the larger distance to the m-th nearest of both ends."""
    row, column = np.triu_indices(x.shape[1], 1)
    units = in_units(np.sqrt(np.maximum(1 - np.corrcoef(x.T), 0)), m)[row, column]
    best = np.argsort(units, kind="stable")[:count]
    return np.stack([row[best], column[best]])


def found(x, count):
    """The heaviest edges of the graph."""
    graph = discover(torch.from_numpy(x).float())
    half = graph.edge_index[0] < graph.edge_index[1]
    pairs, weight = graph.edge_index[:, half].numpy(), graph.edge_weight[half].numpy()
    return graph, pairs[:, np.argsort(-weight, kind="stable")[:count]]


CASES = [
    *((clusters, 2, 0.5, seed) for seed in (7000, 7001, 7002)),
    *((chain, 1, 0.5, seed) for seed in (7000, 7001, 7002)),
    *((ring, 1, 0.5, seed) for seed in (7000, 7001)),
]


@pytest.mark.filterwarnings("ignore:discover")
@pytest.mark.parametrize(("make", "dim", "nu", "seed"), CASES)
def test_edges_are_as_good_as_the_strongest_correlations(make, dim, nu, seed):
    points = make(seed)
    x = field(points, nu, 0.2, seed)
    graph, pairs = found(x, dim * len(points))
    assert graph.dim == dim
    assert pairs.shape[1] == dim * len(points)
    by_correlation = share_near(points, strongest(x, dim * len(points), 2 * dim), dim)
    assert share_near(points, pairs, dim) >= by_correlation - 0.01


@pytest.mark.filterwarnings("ignore:discover")
@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_eight_nodes_have_edges_in_any_dimension(dim):
    """With as many neighbours a node as there are other nodes."""
    points = 3 * np.random.default_rng(7000).random((8, 2))
    graph = discover(torch.from_numpy(field(points, 0.5, 0.2, 7000)).float(), dim=dim)
    assert 7 <= graph.num_undirected_edges <= min(8 * dim + 7, 28)
