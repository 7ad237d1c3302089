"""Sensors that share a place, each with noise of its own."""

import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.discovery.signals.sites import site_of


def doubled(x, per, noise, seed):
    """Each column of ``x`` read by several sensors with noise of their own, in random order, and the column of each."""
    rng = np.random.default_rng(seed)
    site = rng.permutation(np.repeat(np.arange(x.shape[1]), per))
    return x[:, site] + noise * torch.from_numpy(rng.standard_normal((len(x), len(site)))).float(), site


def found(x):
    return site_of(np.corrcoef(x.numpy().T), len(x))


def chain(num_nodes, num_samples, coefficient, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((num_samples, num_nodes))
    for node in range(1, num_nodes):
        x[:, node] = coefficient * x[:, node - 1] + np.sqrt(1 - coefficient**2) * x[:, node]
    return torch.from_numpy(x).float()


@pytest.mark.parametrize(("per", "noise"), [(2, 0.05), (2, 0.3), (3, 0.05), (3, 0.3)])
def test_sensors_at_one_site_are_found(grid_field, per, noise):
    x = grid_field((5, 6), 2000, seed=3000).x
    x, site = doubled(x / x.std(), per, noise, 3000)
    same = found(x)
    assert np.array_equal(same[:, None] == same[None, :], site[:, None] == site[None, :])


@pytest.mark.parametrize("seed", [3000, 3001, 3002])
@pytest.mark.parametrize("kind", ["line", "ring", "plane", "volume"])
def test_neighbours_are_no_site(places, matern, kind, seed):
    assert np.array_equal(found(matern(places(kind, 60, seed), 1500, seed)), np.arange(60))


@pytest.mark.parametrize("seed", [3000, 3001, 3002])
def test_the_ends_of_a_chain_are_no_site(seed):
    """An end and its neighbour differ by what no third node knows either."""
    assert np.array_equal(found(chain(14, 4000, 0.9, seed)), np.arange(14))


def test_dense_grids_have_no_sites(grid_field, places, matern):
    assert np.array_equal(found(grid_field((8, 8), 800, seed=3000).x), np.arange(64))
    cells = np.argwhere(np.ones((8, 8)))
    assert np.array_equal(found(matern(cells, 500, 3000, length=8.0, noise=0.3)), np.arange(64))


@pytest.mark.parametrize(("per", "seed"), [(2, 3000), (3, 3001)])
def test_a_plane_of_pairs_is_a_plane(places, matern, per, seed):
    """Left alone, partners explain each other away, and what is left looks like a chain."""
    points = places("plane", 50, seed)
    x, site = doubled(matern(points, 2500, seed, noise=0.0), per, 0.1, seed)
    x = torch.where(torch.arange(len(site)) % 3 == 0, -x, x)
    graph = discover(x)
    assert (graph.dim, graph.pos.shape[1], graph.component.max()) == (2, 2, 0)
    apart = torch.cdist(graph.pos, graph.pos)
    near = apart[site[:, None] == site[None, :]].mean() / apart.mean()
    assert near < 0.02
    turned = np.where(np.arange(len(site)) % 3 == 0, -1, 1) * graph.sign.numpy()
    assert (turned == turned[0]).all()
