import networkx
import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.discovery.coupling.choice import partial_couplings
from scge_pyg.discovery.parts.edges import significant_edges
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
