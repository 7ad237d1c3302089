import networkx
import numpy as np
import pytest
import torch

from scge_pyg import discover


def random_graph_field(seed, num_nodes=80, num_samples=2000):
    graph = networkx.gnp_random_graph(num_nodes, 0.09, seed=seed)
    precision = networkx.laplacian_matrix(graph).toarray() + np.eye(num_nodes)
    noise = np.random.default_rng(seed).standard_normal((num_nodes, num_samples))
    return np.linalg.solve(np.linalg.cholesky(precision).T, noise).T, graph


def autoregressive(coefficient, seed, shape=(2000, 40)):
    x = np.random.default_rng(seed).standard_normal(shape)
    for step in range(1, len(x)):
        x[step] += coefficient * x[step - 1]
    return x


def shares(seed):
    """Independent parts of a whole."""
    parts = np.random.default_rng(seed).random((1500, 50))
    return parts / parts.sum(1, keepdims=True)


@pytest.mark.parametrize("seed", [100, 101])
@pytest.mark.parametrize(
    "make",
    [
        lambda seed: autoregressive(0.0, seed),
        lambda seed: autoregressive(0.9, seed),
        lambda seed: autoregressive(0.99, seed),
        lambda seed: autoregressive(1.0, seed),
        lambda seed: np.sin(np.arange(2000) / 23)[:, None] + autoregressive(0.0, seed),
        shares,
    ],
    ids=["noise", "AR 0.9", "AR 0.99", "random walks", "daily cycle", "shares"],
)
def test_no_edge_comes_without_a_warning(make, seed):
    with pytest.warns(UserWarning, match=r"no coupling|too short|no low-dimensional") as record:
        graph = discover(make(seed))
    assert record[0].filename == __file__
    assert graph.dim == 0
    assert graph.pos.shape[1] == 0
    assert graph.lattice is None
    assert (graph.confidence == 0).all()
    assert graph.live.all()


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_random_graphs_keep_their_edges_alone(seed):
    x, truth = random_graph_field(seed)
    with pytest.warns(UserWarning, match=r"no low-dimensional geometry.*ratio 0\.\d\d \+- 0\.\d\d"):
        graph = discover(x)
    assert (graph.dim, graph.pos.shape) == (0, (80, 0))
    assert graph.fit.verdict == "no geometry"
    found = {(min(pair), max(pair)) for pair in graph.edge_index.T.tolist()}
    true = {(min(pair), max(pair)) for pair in truth.edges}
    assert len(found & true) > 0.9 * len(found)
    assert len(found & true) > 0.3 * len(true)


@pytest.mark.parametrize(("factors", "seed"), [(6, 100), (8, 101), (6, 102)])
def test_factors_are_no_geometry(factors, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2000, factors)) @ rng.standard_normal((factors, 60)) + rng.standard_normal((2000, 60))
    with pytest.warns(UserWarning, match="no low-dimensional geometry"):
        assert discover(x).dim == 0


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_given_dimension_draws_a_map_and_warns(dim):
    with pytest.warns(UserWarning, match="no low-dimensional geometry") as record:
        graph = discover(random_graph_field(100)[0], dim=dim)
    assert "discover(x, dim=" not in str(record[0].message)
    assert (graph.dim, graph.pos.shape) == (dim, (80, dim))
    assert graph.pos.isfinite().all()
    assert graph.num_edges > 0
    assert graph.confidence.mean() < 0.6


def test_noise_is_drawn_where_a_dimension_is_given():
    x = torch.randn(500, 30, generator=torch.Generator().manual_seed(100))
    with pytest.warns(UserWarning, match="no low-dimensional geometry"):
        graph = discover(x, dim=2)
    assert graph.pos.shape == (30, 2)
    assert graph.pos.isfinite().all()
    assert graph.fit.gain < 0.02


def chain(num_nodes, seed, num_samples=5000):
    x = np.random.default_rng(seed).standard_normal((num_samples, num_nodes))
    for node in range(1, num_nodes):
        x[:, node] = 0.9 * x[:, node - 1] + 0.19**0.5 * x[:, node]
    return x


@pytest.mark.parametrize("seed", [100, 101])
@pytest.mark.parametrize("num_nodes", [3, 4, 5, 7])
def test_few_nodes_have_edges_and_a_warning(num_nodes, seed):
    with pytest.warns(UserWarning, match="fewer than 8 nodes"):
        graph = discover(chain(num_nodes, seed))
    assert graph.confidence.max() <= 0.5
    assert graph.fit is None
    pairs = [[i, j] for i in range(num_nodes) for j in (i - 1, i + 1) if 0 <= j < num_nodes]
    assert graph.edge_index.T.tolist() == pairs


@pytest.mark.parametrize("num_nodes", [8, 12])
def test_from_eight_nodes_on_chains_are_judged(num_nodes):
    graph = discover(chain(num_nodes, 100))
    assert graph.dim == 1
    assert graph.fit.verdict == "geometry"
    assert graph.num_edges == 2 * (num_nodes - 1)


def test_few_nodes_of_noise_have_no_edge():
    with pytest.warns(UserWarning, match="no coupling"):
        assert discover(autoregressive(0.0, 100, (2000, 5))).num_edges == 0
