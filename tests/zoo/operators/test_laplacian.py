"""Laplacians: against dense ones, scipy and networkx, and their eigenvalues."""

import networkx as nx
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import laplacian as scipy_laplacian

from scge_pyg import SharedGraph
from scge_pyg.nn.fixed.sparse_rows import sparse_rows
from scge_pyg.zoo.operators.laplacian import laplacian_of


def weighted(nodes=40, seed=300, lonely=True):
    """A map whose weights differ, and, if wanted, a node without neighbours."""
    pos = torch.rand(nodes, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    graph = SharedGraph.from_pos(pos)
    keep = (graph.edge_index != 0).all(0) if lonely else torch.ones(graph.num_edges, dtype=torch.bool)
    return SharedGraph(graph.pos, graph.edge_index[:, keep], graph.edge_weight[keep])


def dense(graph, normalization):
    found = laplacian_of(graph, normalization)
    return sparse_rows(found.pointer, found.column, found.value, graph.num_nodes).to_dense(), found.lambda_max


@pytest.mark.parametrize("normalization", [None, "sym"])
@pytest.mark.parametrize("lonely", [False, True])
def test_equal_to_scipy_and_networkx(normalization, lonely):
    graph = weighted(lonely=lonely)
    matrix, bound = dense(graph, normalization)
    weight = graph.edge_weight.double().numpy()
    adjacency = sp.coo_matrix((weight, graph.edge_index.numpy()), shape=(40, 40)).tocsr()
    expected = torch.from_numpy(scipy_laplacian(adjacency, normed=normalization == "sym").toarray())
    assert torch.allclose(matrix, expected, atol=1e-12)
    other = nx.from_scipy_sparse_array(adjacency)
    named = nx.normalized_laplacian_matrix(other) if normalization else nx.laplacian_matrix(other)
    assert torch.allclose(matrix, torch.from_numpy(named.toarray()), atol=1e-12)
    values = torch.linalg.eigvalsh(matrix)
    assert values[-1] <= bound <= 1.02 * values[-1]
    assert int((values.abs() < 1e-10).sum()) == nx.number_connected_components(other) == 1 + lonely


def test_the_bound_of_a_grid_is_certain():
    assert dense(SharedGraph.from_grid((30, 30)), "sym")[1] == 2.0
    assert dense(SharedGraph.from_grid((2,)), None)[1] == 2.0
    assert dense(SharedGraph.from_grid((40, 40)), None)[1] <= 8.0


def test_weights_count():
    graph = SharedGraph.from_grid((3,))
    matrix, _ = dense(SharedGraph(graph.pos, graph.edge_index, torch.tensor([2.0, 2.0, 3.0, 3.0])), None)
    assert matrix.tolist() == [[2, -2, 0], [-2, 5, -3], [0, -3, 3]]


def test_refused():
    graph = SharedGraph.from_grid((3,))
    with pytest.raises(TypeError, match="graph must be a SharedGraph, got Tensor"):
        laplacian_of(torch.zeros(3))
    with pytest.raises(ValueError, match="normalization must be None or 'sym', got 'rw'"):
        laplacian_of(graph, "rw")
    one_way = SharedGraph(graph.pos, graph.edge_index, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(ValueError, match="same weight in both directions"):
        laplacian_of(one_way)
    with pytest.raises(ValueError, match="edges with weights above 0"):
        laplacian_of(SharedGraph(graph.pos, graph.edge_index, torch.zeros(4)))
