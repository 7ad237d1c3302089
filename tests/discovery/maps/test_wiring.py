import networkx
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial import Delaunay

from scge_pyg.discovery.maps.wiring import mutual_top, partners, strong_edges, wire
from scge_pyg.graph.drawing.wiring import adjacency_of, edges_of, strength_of, transitivity

NOISE = 0.01


def grid(*shape):
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))


def true_edges(cells):
    step = np.abs(cells[:, None] - cells[None]).sum(-1)
    return np.stack(np.nonzero(np.triu(step == 1)))


def as_set(edges):
    return set(map(tuple, np.sort(edges, 0).T.tolist()))


def random_coupling(num_nodes, density, seed, levels=None):
    """Symmetric with a zero diagonal; with ``levels``, full of ties."""
    rng = np.random.default_rng(seed)
    value = rng.random((num_nodes, num_nodes)) if levels is None else rng.integers(1, levels, (num_nodes,) * 2) / levels
    value = np.triu(value * (rng.random(value.shape) < density), 1)
    return sp.csr_matrix(value + value.T)


def test_edges_and_adjacency_are_inverse():
    edges = true_edges(grid(4, 5))
    adjacency = adjacency_of(edges[:, ::-1][::-1], 20)
    assert (adjacency != adjacency.T).nnz == 0
    assert np.array_equal(edges_of(adjacency), edges)


def test_repeated_edges_count_once():
    adjacency = adjacency_of(np.array([[0, 1, 0, 2], [1, 0, 1, 1]]), 3)
    assert adjacency.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]


def test_strength_of_edges():
    coupling = random_coupling(12, 0.5, 0)
    edges = np.array([[0, 3, 7], [5, 1, 2]])
    assert np.array_equal(strength_of(coupling, edges), coupling.toarray()[edges[0], edges[1]])
    assert strength_of(coupling, edges[:, :0]).shape == (0,)


@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("density", [0.05, 0.6])
def test_mutual_top_is_what_it_says(density, k, levels):
    coupling = random_coupling(30, density, 1, levels)
    dense = coupling.toarray()
    top = []
    for node in range(30):
        ranked = sorted(range(30), key=lambda other: (-dense[node, other], other))
        top.append({other for other in ranked if dense[node, other] > 0} & set(ranked[:k]))
    expected = {(i, j) for i in range(30) for j in top[i] if i < j and i in top[j]}
    assert as_set(mutual_top(coupling, k)) == expected


@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("k", [1, 3, 40])
def test_partners_come_in_falling_strength_and_then_by_their_number(k, levels):
    coupling = random_coupling(30, 0.4, 2, levels)
    index, value = partners(coupling, k)
    for node, row in enumerate(coupling.toarray()):
        expected = sorted(np.flatnonzero(row).tolist(), key=lambda other: (-row[other], other))[:k]
        missing = k - len(expected)
        assert index[node].tolist() == expected + [-1] * missing
        assert value[node].tolist() == row[expected].tolist() + [0.0] * missing


def test_strong_edges_are_split_from_the_rest():
    """Direct neighbours couple with about 0.2, the next ones with about 0.04."""
    cells = grid(7, 8)
    step = np.abs(cells[:, None] - cells[None])
    rng = np.random.default_rng(0)
    value = np.where(step.sum(-1) == 1, 0.2, np.where((step == 1).all(-1), 0.04, 0)) * rng.uniform(0.8, 1.2, (56, 56))
    coupling = sp.csr_matrix(np.triu(value) + np.triu(value).T)
    assert as_set(strong_edges(coupling, NOISE)) == as_set(true_edges(cells))


def test_strong_edges_stand_out_of_the_noise():
    coupling = random_coupling(20, 0.4, 0) * 0.3
    assert strong_edges(coupling, 0.0).shape[1] > 0
    assert strength_of(coupling, strong_edges(coupling, 0.08)).min() > 0.24
    assert strong_edges(coupling, 0.1).shape[1] == 0


def test_transitivity():
    assert transitivity(adjacency_of(true_edges(grid(6, 6)), 36)) == 0.0
    assert transitivity(adjacency_of(np.array([[0, 0, 1], [1, 2, 2]]), 3)) == 1.0
    points = np.random.default_rng(0).random((200, 2))
    triangles = Delaunay(points).simplices
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]).T
    adjacency = adjacency_of(edges, 200)
    assert transitivity(adjacency) == pytest.approx(networkx.transitivity(networkx.from_scipy_sparse_array(adjacency)))
    assert transitivity(sp.csr_matrix((5, 5))) == 0.0


@pytest.mark.parametrize("shape", [(60,), (9, 11), (5, 5, 5)])
def test_wiring_of_a_grid(grid_coupling, shape):
    cells = grid(*shape)
    wiring = wire(grid_coupling(cells), NOISE, len(shape))
    true, found = as_set(true_edges(cells)), as_set(wiring.edges)
    assert len(found & true) > 0.99 * len(true)
    assert len(found - true) < 0.02 * len(true)
    assert as_set(wiring.strong) <= true
    assert not wiring.dense
    assert (wiring.edges[0] < wiring.edges[1]).all()


def test_shortcuts_across_the_graph_are_left_out(grid_coupling):
    """Mirror twins on the left and the right border, coupled less than neighbours but more than diagonals."""
    cells = grid(9, 12)
    coupling = grid_coupling(cells).toarray()
    left, right = np.flatnonzero(cells[:, 1] == 0)[1:8:2], np.flatnonzero(cells[:, 1] == 11)[1:8:2]
    coupling[left, right] = coupling[right, left] = 0.12
    wiring = wire(sp.csr_matrix(coupling), NOISE, 2)
    planted = {(min(i, j), max(i, j)) for i, j in zip(left.tolist(), right.tolist(), strict=True)}
    assert planted <= as_set(mutual_top(sp.csr_matrix(coupling), 4))
    assert not planted & as_set(wiring.edges)
    assert planted <= as_set(wiring.doubtful)


def test_a_weak_neighbour_is_admitted_where_it_closes_a_square(grid_coupling):
    cells = grid(8, 8)
    coupling = grid_coupling(cells).toarray()
    i, j = 27, 28
    coupling[i, j] = coupling[j, i] = 0.08
    assert (i, j) in as_set(wire(sp.csr_matrix(coupling), NOISE, 2).edges)


def test_triangulation_is_recognised():
    points = np.random.default_rng(0).random((150, 2)) * 12
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    coupling = np.where(distance > 0, 0.3 * np.exp(-(distance**2)), 0)
    wiring = wire(sp.csr_matrix(np.where(coupling > 0.001, coupling, 0)), 0.001, 2)
    assert wiring.dense
    assert np.linalg.norm(points[wiring.edges[0]] - points[wiring.edges[1]], axis=1).max() < 3


def test_independent_parts_stay_apart(grid_coupling):
    first, second = grid_coupling(grid(6, 7)), grid_coupling(grid(5, 5), seed=1)
    noise = np.abs(0.01 * np.random.default_rng(2).standard_normal((42, 25)))
    wiring = wire(sp.bmat([[first, noise], [noise.T, second]]).tocsr(), NOISE, 2)
    assert not ((wiring.edges[0] < 42) & (wiring.edges[1] >= 42)).any()


def test_parts_are_joined_by_their_strongest_candidate(grid_coupling):
    """Two halves of a chain with one weaker link between them."""
    coupling = grid_coupling(grid(30)).toarray()
    coupling[14, 15] = coupling[15, 14] = 0.09
    assert (14, 15) in as_set(wire(sp.csr_matrix(coupling), NOISE, 1).edges)


def test_a_node_without_an_edge_is_attached_to_its_strongest_partner(grid_coupling):
    """Node 49 leans on node 3, which has stronger partners."""
    coupling = sp.lil_matrix((50, 50))
    coupling[:49, :49] = grid_coupling(grid(7, 7))
    inner = 24
    coupling[49, inner] = coupling[inner, 49] = 0.035
    wiring = wire(coupling.tocsr(), NOISE, 2)
    assert 49 not in wiring.edges
    assert wiring.attached.tolist() == [[49], [inner]]


def test_what_noise_could_be_is_no_edge():
    rng = np.random.default_rng(0)
    value = np.triu(np.clip(np.abs(0.01 * rng.standard_normal((40, 40))), 0, 0.029), 1)
    wiring = wire(sp.csr_matrix(value + value.T), NOISE, 2)
    assert wiring.edges.shape == wiring.attached.shape == wiring.strong.shape == (2, 0)


def test_no_coupling_at_all():
    wiring = wire(sp.csr_matrix((10, 10)), 0.0, 2)
    assert wiring.edges.shape == wiring.attached.shape == wiring.strong.shape == (2, 0)
