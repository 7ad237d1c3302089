import networkx
import numpy as np
import pytest

from scge_pyg.discovery.maps.joining import forest, join_pieces


def random_pairs(num_nodes, count, seed):
    """Pairs in either direction, some of them twice, and strengths without ties."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, num_nodes, (2, 3 * count))
    pairs = pairs[:, pairs[0] != pairs[1]][:, :count]
    return pairs, rng.permutation(count) / count - 0.3


def graph_of(pairs, strength, num_nodes):
    graph = networkx.empty_graph(num_nodes)
    for (i, j), value in zip(pairs.T.tolist(), strength.tolist(), strict=True):
        if not graph.has_edge(i, j) or graph[i][j]["weight"] < value:
            graph.add_edge(i, j, weight=value)
    return graph


def as_set(pairs):
    return set(map(tuple, np.asarray(pairs).T.tolist()))


def parts(num_nodes, *many):
    graph = networkx.empty_graph(num_nodes)
    for pairs in many:
        graph.add_edges_from(pairs.T.tolist())
    return sorted(map(sorted, networkx.connected_components(graph)))


@pytest.mark.parametrize("count", [5, 25, 80])
@pytest.mark.parametrize("seed", range(4))
def test_forest_is_the_heaviest(count, seed):
    pairs, strength = random_pairs(25, count, seed)
    found = forest(pairs, strength, 25)
    heaviest = networkx.maximum_spanning_tree(graph_of(pairs, strength, 25))
    assert as_set(found) == {(min(edge), max(edge)) for edge in heaviest.edges}
    assert found.dtype == np.int64
    assert (found[0] < found[1]).all()
    assert np.array_equal(found, found[:, np.lexsort((found[1], found[0]))])


def test_equal_strengths_still_span():
    pairs, _ = random_pairs(25, 60, 0)
    assert parts(25, forest(pairs, np.ones(60), 25)) == parts(25, pairs)
    assert parts(25, forest(pairs, np.zeros(60), 25)) == parts(25, pairs)


def test_no_pairs_no_forest():
    assert forest(np.zeros((2, 0), dtype=np.int64), np.zeros(0), 5).shape == (2, 0)


@pytest.mark.parametrize("seed", range(6))
def test_pieces_are_joined_by_the_heaviest_pairs_between_them(seed):
    """Kruskal on the pieces, by networkx."""
    edges, _ = random_pairs(25, 14, seed)
    pairs, strength = random_pairs(25, 60, seed + 100)
    found = join_pieces(edges, pairs, strength, 25)
    label = {node: place for place, part in enumerate(parts(25, edges)) for node in part}
    pieces = np.array([[label[node] for node in row] for row in pairs.tolist()])
    between = graph_of(pieces, strength, len(set(label.values())))
    between.remove_edges_from(list(networkx.selfloop_edges(between)))
    own = as_set(np.sort(edges, 0))
    added = as_set(found) - own
    assert own <= as_set(found)
    assert parts(25, found) == parts(25, edges, pairs)
    heaviest = networkx.maximum_spanning_tree(between)
    assert len(added) == heaviest.number_of_edges()
    best = {
        (min(i, j), max(i, j)): max(strength[(pairs == [[i], [j]]).all(0) | (pairs == [[j], [i]]).all(0)])
        for i, j in added
    }
    assert sum(best.values()) == pytest.approx(heaviest.size(weight="weight"))
    assert (found[0] < found[1]).all()
    assert np.array_equal(found, found[:, np.lexsort((found[1], found[0]))])


def test_what_is_connected_needs_nothing():
    chain = np.stack([np.arange(9), np.arange(1, 10)])
    assert np.array_equal(join_pieces(chain, *random_pairs(10, 20, 0), 10), chain)


def test_what_no_pair_joins_stays_apart():
    chain, none = np.array([[0, 2], [1, 3]]), np.zeros((2, 0), dtype=np.int64)
    assert np.array_equal(join_pieces(chain, none, np.zeros(0), 5), chain)
    assert join_pieces(none, none, np.zeros(0), 5).shape == (2, 0)
