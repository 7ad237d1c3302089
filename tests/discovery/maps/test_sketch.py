import networkx
import numpy as np
import pytest
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import procrustes
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.manifold import ClassicalMDS

from scge_pyg.discovery.maps.sketch import (
    Links,
    bridges,
    leading_eigenvectors,
    ranked_partners,
    scale_geodesics,
    signal_distance,
    spanning_tree,
    strongest_links,
)


def coupling(num_nodes=50, seed=0):
    """Couplings that fall off with distance on random places of a square, -inf on the diagonal; and the places."""
    points = np.random.default_rng(seed).uniform(0, 5, (num_nodes, 2))
    value = np.exp(-cdist(points, points))
    np.fill_diagonal(value, -np.inf)
    return value, points


def complete(distance):
    """Links between all pairs."""
    return Links(np.stack(np.triu_indices(len(distance), 1)), squareform(distance, checks=False), len(distance))


def neighbors_of(points, reach):
    distance = cdist(points, points)
    pairs = np.stack(np.nonzero(np.triu((distance < reach) & (distance > 0))))
    return Links(pairs, distance[pairs[0], pairs[1]], len(points))


def up_to_sign(found, expected, tolerance):
    for a, b in zip(found.T, expected.T, strict=True):
        np.testing.assert_allclose(a if a @ b > 0 else -a, b, atol=tolerance)


def as_set(pairs):
    return set(map(tuple, np.sort(pairs, 0).T.tolist()))


@pytest.mark.parametrize("k", [1, 5, 49, 200])
def test_partners_are_ranked_by_falling_value(k):
    value, _ = coupling()
    assert np.array_equal(ranked_partners(value, k), np.argsort(-value, axis=1)[:, : min(k, 49)])


@pytest.mark.parametrize("seed", range(3))
def test_spanning_tree_is_that_of_networkx(seed):
    value, _ = coupling(seed=seed)
    apart = set()
    for k in (1, 2, 3, 16, 49):
        ranked = ranked_partners(value, k)
        graph = networkx.Graph()
        graph.add_weighted_edges_from((i, j, value[i, j]) for i in range(50) for j in ranked[i].tolist())
        apart.add(not networkx.is_connected(graph))
        if not networkx.is_connected(graph):
            graph.add_weighted_edges_from((i, j, value[i, j]) for i in range(50) for j in range(i))
        expected = {(min(edge), max(edge)) for edge in networkx.maximum_spanning_tree(graph).edges}
        assert as_set(spanning_tree(value, ranked)) == expected
    assert apart == {False, True}


def test_spanning_tree_among_negative_couplings():
    value = -np.random.default_rng(0).random((12, 12))
    value = np.triu(value, 1) + np.triu(value, 1).T
    np.fill_diagonal(value, -np.inf)
    tree = spanning_tree(value, ranked_partners(value, 11))
    assert networkx.is_tree(networkx.Graph(tree.T.tolist()))


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(("k", "threshold"), [(2, 0.0), (4, 0.4), (8, 0.0), (4, 2.0)])
def test_links_are_the_strongest_of_each_node_and_a_tree(k, threshold, direct):
    value, _ = coupling()
    links = strongest_links(value, ranked_partners(value, 16), k, threshold, direct)
    expected, chosen = as_set(spanning_tree(value, ranked_partners(value, 16))), []
    for i in range(50):
        for j in np.argsort(-value[i])[:k].tolist():
            if value[i, j] > threshold:
                expected.add((min(i, j), max(i, j)))
                chosen.append((i, j))
    chosen = np.array(chosen, dtype=np.int64).reshape(-1, 2).T
    expected |= as_set(bridges(value, chosen, k))
    assert as_set(links.pairs) == expected
    assert len(expected) == links.pairs.shape[1] == len(links.length)
    assert (links.pairs[0] < links.pairs[1]).all()
    pairs = links.pairs
    np.testing.assert_allclose(links.length, 1.0 if direct else np.sqrt(1 - value[pairs[0], pairs[1]]))
    matrix = links.matrix().toarray()
    assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(matrix[pairs[0], pairs[1]], links.length)
    assert (matrix > 0).sum() == 2 * len(links.length)


@pytest.mark.parametrize("k", [2, 3, 6])
@pytest.mark.parametrize("reach", [0.3, 0.6, 0.8, 9.0])
def test_pieces_are_tied_to_the_rest_by_their_strongest_pairs(reach, k):
    value, points = coupling()
    pairs = neighbors_of(points, reach).pairs
    graph = networkx.empty_graph(50)
    graph.add_edges_from(pairs.T.tolist())
    expected = set()
    for piece in networkx.connected_components(graph):
        if max(k, 8) <= len(piece) < 50:
            leaving = [(value[i, j], min(i, j), max(i, j)) for i in piece for j in set(range(50)) - piece]
            expected |= {(i, j) for _, i, j in sorted(leaving)[-k:]}
    if reach in (0.6, 9.0):
        assert bool(expected) == (reach == 0.6)
    assert as_set(bridges(value, pairs, k)) == expected


def test_signal_distance_is_that_of_standardised_signals():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, 500))
    z = (z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True)
    correlation = np.corrcoef(z)[0, 1]
    expected = np.sqrt(((z[0] - z[1]) ** 2).mean() / 2)
    assert signal_distance(np.array([correlation])) == pytest.approx(expected)
    assert signal_distance(np.array([correlation]), 0.2) == pytest.approx(np.sqrt(1 - correlation - 0.2))
    assert signal_distance(np.array([1.0]), 0.3) == 0.01  # never nothing


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_scaling_of_all_pairs_is_classical(columns):
    distance = squareform(pdist(np.random.default_rng(0).standard_normal((30, 3)) * [3, 2, 1]))
    expected = ClassicalMDS(n_components=columns, metric="precomputed").fit_transform(distance)
    up_to_sign(scale_geodesics(complete(distance), columns), expected, 1e-8)


@pytest.mark.parametrize("kind", ["plane", "ring", "volume"])
def test_scaling_of_geodesics_against_all_of_their_eigenvectors(kind):
    rng = np.random.default_rng(0)
    if kind == "ring":
        turn = 2 * np.pi * (np.arange(60) + rng.uniform(-0.3, 0.3, 60)) / 60
        links, columns = neighbors_of(np.stack([np.cos(turn), np.sin(turn)], 1), 0.25), 2
    else:
        columns = 2 if kind == "plane" else 3
        links = neighbors_of(rng.uniform(0, 1, (100, columns)) * np.arange(columns + 1, 1, -1), 0.45 * columns)
    geodesic = dijkstra(links.matrix(), directed=False)
    assert np.isfinite(geodesic).all()
    center = np.eye(len(geodesic)) - 1 / len(geodesic)
    value, vector = np.linalg.eigh(-center @ geodesic**2 @ center / 2)
    expected = (vector * np.sqrt(np.maximum(value, 0)))[:, ::-1][:, :columns]
    found = scale_geodesics(links, columns)
    if kind == "ring":  # two columns of nearly the same spread may turn
        assert procrustes(found, expected)[2] < 1e-3
    else:
        up_to_sign(found, expected, 1e-3 * np.abs(expected).max())
    assert (np.diff(found.std(0)) <= 1e-9).all()


def test_a_few_landmarks_place_all_others():
    points = np.random.default_rng(0).uniform(0, 5, (200, 2))
    found = scale_geodesics(complete(cdist(points, points)), 2, landmarks=12)
    assert procrustes(points, found)[2] < 1e-10


@pytest.mark.parametrize("num_nodes", [2, 3, 4])
def test_columns_that_a_handful_of_nodes_cannot_fill_stay_empty(num_nodes):
    links = complete(np.abs(np.subtract.outer(np.arange(num_nodes), np.arange(num_nodes))).astype(float))
    pos = scale_geodesics(links, 4)
    assert pos.shape == (num_nodes, 4)
    np.testing.assert_allclose(np.abs(np.diff(pos[:, 0])), 1)
    np.testing.assert_allclose(pos[:, 1:], 0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("kind", ["positive", "indefinite", "small"])
def test_leading_eigenvectors_are_those_of_a_full_decomposition(kind, count):
    rng = np.random.default_rng(0)
    size = 6 if kind == "small" else 120
    basis = np.linalg.qr(rng.standard_normal((size, size)))[0]
    spectrum = np.r_[[90.0, 60.0, 40.0, 25.0], rng.uniform(0, 8, size - 4)]
    if kind == "indefinite":
        spectrum[4:10] = [-100.0, -70.0, -50.0, -20.0, -10.0, -9.0]
    matrix = (basis * spectrum) @ basis.T
    value, vector = leading_eigenvectors(matrix, count)
    expected, vectors = np.linalg.eigh(matrix)
    np.testing.assert_allclose(value, expected[::-1][:count], rtol=1e-9)
    up_to_sign(vector, vectors[:, ::-1][:, :count], 1e-5)
    np.testing.assert_allclose(vector.T @ vector, np.eye(count), atol=1e-12)


def test_leading_eigenvectors_repeat_themselves_bit_for_bit():
    matrix = cdist(*2 * [np.random.default_rng(0).random((40, 2))])
    first, second = leading_eigenvectors(matrix, 3), leading_eigenvectors(matrix, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
