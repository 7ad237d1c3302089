"""Shared by the tests of judgement: signals as they come before the court."""

import networkx
import numpy as np
import pytest

from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read


@pytest.fixture(scope="session")
def signals_of():
    """Maker of prepared signals from samples ``[S, N]``."""
    return lambda x: prepare(read(x))


@pytest.fixture(scope="session")
def random_graph_field():
    """Maker of samples of a Gaussian Markov field on an Erdos-Renyi graph."""

    def make(num_nodes=80, degree=7, num_samples=2000, seed=100):
        graph = networkx.gnp_random_graph(num_nodes, degree / num_nodes, seed=seed)
        precision = networkx.laplacian_matrix(graph).toarray() + np.eye(num_nodes)
        noise = np.random.default_rng(seed).standard_normal((num_nodes, num_samples))
        return np.linalg.solve(np.linalg.cholesky(precision).T, noise).T

    return make
