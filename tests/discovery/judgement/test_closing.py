import numpy as np
import pytest

from scge_pyg.discovery.judgement.closing import chain_order, closes, nearest_along


def covariance(num_nodes, ring, length=4.0):
    """Falls with the distance along a chain, or around a ring."""
    apart = np.abs(np.arange(num_nodes)[:, None] - np.arange(num_nodes)[None, :])
    if ring:
        apart = np.minimum(apart, num_nodes - apart)
    return np.exp(-apart / length)


def measured(num_nodes, ring, seed, num_samples=1000, length=4.0):
    """Correlation of samples of shuffled nodes, -inf on the diagonal, and the true place of each node."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(num_nodes)
    root = np.linalg.cholesky(covariance(num_nodes, ring, length))
    draws = (root @ rng.standard_normal((num_nodes, num_samples)))[place]
    correlation = np.corrcoef(draws)
    np.fill_diagonal(correlation, -np.inf)
    return correlation, place


@pytest.mark.parametrize("seed", range(100, 104))
@pytest.mark.parametrize(("num_nodes", "length"), [(12, 2.0), (30, 4.0), (60, 4.0)])
def test_rings_close_and_chains_do_not(num_nodes, length, seed):
    for ring in (True, False):
        correlation, _ = measured(num_nodes, ring, seed, length=length)
        assert closes(chain_order(correlation), correlation, 1000) == ring


def test_a_chain_among_noise_does_not_close():
    """The ends of the order correlate more than the middle, but no more than chance."""
    correlation = np.corrcoef(np.random.default_rng(100).standard_normal((20, 400)))
    order = np.arange(20)
    correlation[:10, 10:] = correlation[10:, :10] = 0
    correlation[0, 19] = correlation[19, 0] = 0.15
    assert not closes(order, correlation, 400)
    assert closes(order, correlation, 40_000)


def test_too_few_nodes_never_close():
    assert not closes(np.arange(7), covariance(7, ring=True, length=1.0), 1000)
    assert closes(np.arange(8), covariance(8, ring=True, length=1.0), 1000)


@pytest.mark.parametrize("seed", range(100, 105))
def test_the_order_of_a_chain_is_found(seed):
    correlation, place = measured(25, ring=False, seed=seed, num_samples=4000)
    along = place[chain_order(correlation)]
    assert along.tolist() in (list(range(25)), list(range(24, -1, -1)))


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_nearest_along_are_the_nearest_places(ring, k):
    order = np.random.default_rng(100).permutation(15)
    found = nearest_along(order, k, ring)
    place = np.argsort(order)
    for node in range(15):
        apart = np.abs(place - place[node])
        if ring:
            apart = np.minimum(apart, 15 - apart)
        apart = np.delete(apart, node)
        assert node not in found[node]
        assert len(set(found[node].tolist())) == k
        own = np.abs(place[found[node]] - place[node])
        own = np.minimum(own, 15 - own) if ring else own
        assert sorted(own.tolist()) == sorted(apart.tolist())[:k]


@pytest.mark.parametrize("ring", [True, False])
def test_dense_stretches_and_a_gap_at_the_cut(ring):
    """A third of the nodes crowds on a twentieth of the way: nodes a quarter of all apart are near there."""
    place = np.sort(np.r_[np.linspace(20, 22, 20), np.linspace(0, 38, 40)])
    apart = np.abs(place[:, None] - place[None, :])
    apart = np.minimum(apart, 40 - apart) if ring else apart
    assert closes(np.arange(60), np.exp(-apart / 4), 1000) == ring
