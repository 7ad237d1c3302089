import networkx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.spatial.distance import cdist
from scipy.stats import false_discovery_control, norm

from scge_pyg import discover
from scge_pyg.discovery.coupling.choice import partial_couplings
from scge_pyg.discovery.coupling.direct import Coupling, sparse_coupling
from scge_pyg.discovery.parts.edges import nearest_edges, significant_edges
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read


@pytest.mark.parametrize("seed", [3000, 3001, 3002])
def test_edges_of_a_random_graph_are_found_with_one_in_twenty_false(seed):
    """Couplings that no chance reaches are half to two thirds of the edges here; these are nine tenths."""
    graph = networkx.gnp_random_graph(120, 8 / 120, seed=seed)
    precision = networkx.laplacian_matrix(graph).toarray() + np.eye(120)
    noise = np.random.default_rng(seed).standard_normal((120, 2500))
    signals = prepare(read(torch.from_numpy(np.linalg.solve(np.linalg.cholesky(precision).T, noise).T)))
    edges = signals.order[significant_edges(partial_couplings(signals)[0])]
    right = networkx.to_numpy_array(graph)[edges[0], edges[1]]
    assert right.mean() > 0.93
    assert right.sum() > 0.85 * graph.number_of_edges()


@pytest.mark.filterwarnings("ignore:discover")
@pytest.mark.parametrize("seed", range(3000, 3004))
def test_noise_has_no_edges(seed):
    assert discover(np.random.default_rng(seed).standard_normal((800, 60))).num_edges == 0


@pytest.mark.parametrize("seed", range(3000, 3004))
def test_independent_nodes_have_no_significant_edges(seed):
    """Three deviations alone are reached by some 20 to 30 of 19,900 pairs."""
    signals = prepare(read(np.random.default_rng(seed).standard_normal((800, 200))))
    assert significant_edges(partial_couplings(signals)[0]).shape[1] <= 1


def test_significant_edges_are_discoveries_beyond_three_deviations():
    """Of all pairs by scipy; a third of them is coupled, so that 2.4 deviations are discoveries."""
    rng = np.random.default_rng(3000)
    one, other = np.triu_indices(40, 1)
    deviations = rng.standard_normal(780) + np.where(rng.random(780) < 0.3, 3.0, 0.0)
    found = false_discovery_control(norm.sf(deviations)) <= 0.05
    assert deviations[found].min() < 2.6
    strong = deviations > 0
    matrix = sp.csr_matrix((0.02 * deviations[strong], (one[strong], other[strong])), (40, 40))
    coupling = Coupling("any", sp.csr_matrix(matrix + matrix.T), 0.02, 0.0, 0.0, lambda pairs: np.zeros(pairs.shape[1]))
    expected = np.stack([one, other])[:, found & (deviations > 3)]
    assert np.array_equal(significant_edges(coupling), expected)


def test_some_of_few_strong_pairs_are_no_discoveries():
    """Pairs without a coupling count among the tests: of 780, the fifth largest must be beyond 3.4 deviations."""
    deviations = np.array([3.9, 3.7, 3.5, 3.3, 3.1])
    matrix = sp.csr_matrix((0.02 * deviations, (np.arange(5), np.arange(5) + 10)), (40, 40))
    coupling = Coupling("any", sp.csr_matrix(matrix + matrix.T), 0.02, 0.0, 0.0, lambda pairs: np.zeros(pairs.shape[1]))
    every = np.r_[norm.sf(deviations), np.full(775, 0.5)]
    expected = (false_discovery_control(every) <= 0.05).sum()
    assert expected < 5
    assert significant_edges(coupling).shape[1] == expected


@pytest.mark.parametrize("seed", [3000, 3001])
def test_nearest_edges_are_what_coupling_and_map_agree_on(seed):
    """Every pair looked at, in a loop: a map with faults, a coupling of the true places."""
    rng = np.random.default_rng(seed)
    points = 8 * rng.random((60, 2))
    pos = points + 0.3 * rng.standard_normal(points.shape)
    far = cdist(points, points)
    strength = np.exp(-far) * (1 - np.eye(60))
    ranked = np.argsort(-strength, 1)[:, :20]
    matrix = sparse_coupling(ranked, np.take_along_axis(strength, ranked, 1), 60)
    coupling = Coupling("true", matrix, 1e-3, 0.0, 0.0, lambda pairs: far[pairs[0], pairs[1]] ** 2)
    x = rng.standard_normal((200, 60)) @ np.linalg.cholesky(np.exp(-far)).T
    edges, weight = nearest_edges(prepare(read(x)), coupling, coupling, pos, 2)
    on_map = cdist(pos, pos)
    fourth_true, eighth_true = np.sort(far, 1)[:, [4, 8]].T
    fourth, sixth, eighth = np.sort(on_map, 1)[:, [4, 6, 8]].T
    found = []
    for i in range(60):
        for j in range(i + 1, 60):
            units = far[i, j] / max(fourth_true[i], fourth_true[j]), on_map[i, j] / max(fourth[i], fourth[j])
            alike = far[i, j] <= min(eighth_true[i], eighth_true[j])
            around = on_map[i, j] <= min(eighth[i], eighth[j]) and max(units) < 1
            if on_map[i, j] <= min(sixth[i], sixth[j]) or (around and alike):
                found.append((not alike, max(units), i, j))
    expected = {(i, j) for *_, i, j in sorted(found)[:120]}
    got = list(map(tuple, edges.T.tolist()))
    assert expected <= set(got)
    joins = [w for pair, w in zip(got, weight, strict=True) if pair not in expected]
    assert len(joins) < 10
    assert all(w < min(w for pair, w in zip(got, weight, strict=True) if pair in expected) for w in joins)
