"""Shared by the tests of discovery: fields at any places, and graphs that must agree bit for bit."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from scge_pyg.testing import permuted_graph

TENSORS = ("pos", "edge_index", "edge_weight", "live", "confidence", "component", "sign", "lag")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Matrices as small as those of these tests are slower on two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def matern():
    """Maker of samples ``[S, N]`` of a Gaussian field of Matern smoothness 3/2 at given places, with noise."""

    def make(points, num_samples=2000, seed=100, length=2.5, noise=0.1):
        rng = np.random.default_rng(seed)
        far = np.sqrt(3) * cdist(points, points) / length
        root = np.linalg.cholesky((1 + far) * np.exp(-far) + 1e-6 * np.eye(len(points)))
        x = rng.standard_normal((num_samples, len(points))) @ root.T
        return torch.from_numpy(x + noise * rng.standard_normal(x.shape)).float()

    return make


@pytest.fixture(scope="session")
def places():
    """Maker of ``num_nodes`` random places on a geometry, about one unit apart."""

    def make(kind, num_nodes, seed=100):
        rng = np.random.default_rng(seed)
        even = (np.arange(num_nodes) + rng.uniform(-0.3, 0.3, num_nodes))[:, None]
        turn = 2 * np.pi * even / num_nodes
        if kind == "line":
            return even
        if kind == "ring":
            return num_nodes / (2 * np.pi) * np.concatenate([np.cos(turn), np.sin(turn)], 1)
        if kind == "plane":
            return num_nodes**0.5 * rng.uniform(0, 1, (num_nodes, 2))
        if kind == "volume":
            return num_nodes ** (1 / 3) * rng.uniform(0, 1, (num_nodes, 3))
        if kind == "sphere":
            way = rng.standard_normal((num_nodes, 3))
            return (num_nodes / (4 * np.pi)) ** 0.5 * way / np.linalg.norm(way, axis=1, keepdims=True)
        around, along = 2 * np.pi * rng.random(num_nodes), rng.random(num_nodes)
        if kind == "cylinder":
            radius = (num_nodes / 3) ** 0.5 / np.pi**0.5 / 2
            height = num_nodes / (2 * np.pi * radius)
            return np.stack([radius * np.cos(around), radius * np.sin(around), height * along], 1)
        radius = num_nodes**0.5 / (2 * np.pi)
        other = 2 * np.pi * along
        return radius * np.stack([np.cos(around), np.sin(around), np.cos(other), np.sin(other)], 1)

    return make


@pytest.fixture(scope="session")
def assert_same():
    """Whether two graphs agree bit for bit."""

    def check(graph, other):
        for name in TENSORS:
            torch.testing.assert_close(
                getattr(graph, name), getattr(other, name), rtol=0, atol=0, equal_nan=True, msg=name
            )
        assert (graph.dim, graph.part_dim) == (other.dim, other.part_dim)
        assert len(graph.lattices) == len(other.lattices)
        for own, its in zip(graph.lattices, other.lattices, strict=True):
            assert (own.shape, own.periodic, own.origin) == (its.shape, its.periodic, its.origin)
            assert torch.equal(own.cell, its.cell)

    return check


@pytest.fixture(scope="session")
def permuted():
    """Maker of the graph over the nodes ``order`` of another one."""
    return permuted_graph


@pytest.fixture(scope="session")
def shuffle():
    """Maker of random orders of nodes."""

    def make(num_nodes, seed):
        return torch.randperm(num_nodes, generator=torch.Generator().manual_seed(seed))

    return make
