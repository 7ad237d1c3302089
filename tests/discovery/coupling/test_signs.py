import networkx
import numpy as np
import pytest

from scge_pyg.discovery.coupling.signs import align_signs


def field(kind, num_nodes=36, seed=0):
    """Correlations ``exp(-distance / 2)`` on a chain, a grid, a ring or random places; and those places."""
    if kind == "chain":
        points = np.arange(num_nodes)[:, None] * np.array([[1.0, 0.0]])
    elif kind == "ring":
        turn = 2 * np.pi * np.arange(num_nodes) / num_nodes
        points = num_nodes / (2 * np.pi) * np.stack([np.cos(turn), np.sin(turn)], 1)
    elif kind == "grid":
        points = np.stack(np.meshgrid(*2 * [np.arange(6.0)]), -1).reshape(-1, 2)[:num_nodes]
    else:
        points = np.random.default_rng(seed).uniform(0, 6, (num_nodes, 2))
    return np.exp(-np.linalg.norm(points[:, None] - points[None], axis=-1) / 2)


def flips(num_nodes, share, seed):
    return np.where(np.random.default_rng(seed).random(num_nodes) < share, -1, 1)


def flipped(correlation, sign, noise=0.0, seed=0):
    disturbance = noise * np.random.default_rng(seed).standard_normal(correlation.shape)
    result = np.clip(correlation * np.outer(sign, sign) + (disturbance + disturbance.T) / 2, -1, 1)
    np.fill_diagonal(result, 1.0)
    return result


def up_to_one_flip(sign):
    """Most are positive."""
    return sign if sign.sum() >= 0 else -sign


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.05, 0.33, 0.5])
@pytest.mark.parametrize("kind", ["chain", "grid", "ring", "places"])
def test_inverted_nodes_are_found(kind, share, seed):
    sign = flips(36, share, seed)
    if sign.sum() == 0:
        sign[0] = -sign[0]
    found = align_signs(flipped(field(kind, seed=seed), sign, 0.02, seed), 0.1)
    assert found.dtype == np.int64
    assert np.array_equal(found, up_to_one_flip(sign))


@pytest.mark.parametrize("seed", range(3000, 3006))
def test_a_gap_between_strong_links_leaves_no_half_inverted(seed):
    """The four strongest links of each node stay on its side; weaker ones across say how the sides face each other."""
    place = np.r_[np.arange(10.0), 14 + np.arange(10.0)]
    sign = flips(20, 0.33, seed)
    found = align_signs(flipped(np.exp(-np.abs(place[:, None] - place[None]) / 3), sign, 0.02, seed), 0.1)
    assert abs((found * sign).sum()) == 20


def test_each_part_has_a_majority_of_its_own():
    parts = [np.array([1, -1, -1, -1]), np.array([1, 1, -1]), np.array([-1])]
    correlation = np.zeros((8, 8))
    start = 0
    for sign in parts:
        here = slice(start, start + len(sign))
        correlation[here, here] = flipped(field("chain", len(sign)), sign)
        start += len(sign)
    assert align_signs(correlation, 0.1).tolist() == [-1, 1, 1, 1, 1, 1, -1, 1]


def test_nodes_without_links_are_positive():
    assert align_signs(np.eye(5), 0.1).tolist() == [1] * 5
    weak = flipped(0.05 * field("chain", 5), flips(5, 0.5, 0))
    assert align_signs(weak, 0.1).tolist() == [1] * 5


@pytest.mark.parametrize("num_nodes", [3, 4, 5, 8])
def test_a_loop_that_disagrees_with_itself_has_nodes_without_a_sign(num_nodes):
    """Around the loop the signs multiply to -1: wherever it is cut, both ends of the cut are undecided."""
    loop = np.eye(num_nodes)
    for node in range(num_nodes):
        other = (node + 1) % num_nodes
        loop[node, other] = loop[other, node] = -0.8 if node == 0 else 0.8
    found = align_signs(loop, 0.1)
    assert (found == 0).sum() == 2
    first, second = np.flatnonzero(found == 0)
    assert loop[first, second] != 0
    loop[0, 1] = loop[1, 0] = 0.8
    assert align_signs(loop, 0.1).tolist() == [1] * num_nodes


def test_a_node_at_odds_has_no_sign_and_the_others_keep_theirs():
    sign = flips(36, 0.3, 3)
    correlation = flipped(field("grid"), sign)
    neighbors = np.argsort(-np.abs(correlation[14]))[1:5]
    correlation[14], correlation[:, 14] = 0.0, 0.0
    for place, other in enumerate(neighbors):
        correlation[14, other] = correlation[other, 14] = (0.8 if place % 2 else -0.8) * sign[other]
    found = align_signs(correlation, 0.1)
    assert found[14] == 0
    assert np.array_equal(np.delete(found, 14), np.delete(up_to_one_flip(sign), 14))


@pytest.mark.parametrize("seed", range(5))
def test_strong_links_agree_as_well_as_any_signs_can_make_them(seed):
    """A chain of loops by networkx: balanced graphs have signs that satisfy every edge, the signs found."""
    graph = networkx.random_regular_graph(3, 14, seed=seed)
    sign = flips(14, 0.5, seed)
    correlation = np.eye(14)
    strength = np.random.default_rng(seed).uniform(0.4, 0.9, graph.number_of_edges())
    for (i, j), value in zip(graph.edges, strength, strict=True):
        correlation[i, j] = correlation[j, i] = value * sign[i] * sign[j]
    found = align_signs(correlation, 0.1)
    for part in networkx.connected_components(graph):
        nodes = sorted(part)
        assert abs((found[nodes] * sign[nodes]).sum()) == len(nodes)
        assert found[nodes].sum() >= 0
    for i, j in graph.edges:
        assert correlation[i, j] * found[i] * found[j] > 0


def test_order_of_nodes_and_one_flip_of_all_change_nothing():
    sign = flips(36, 0.33, 1)
    correlation = flipped(field("places"), sign, 0.02)
    shuffle = np.random.default_rng(2).permutation(36)
    found = align_signs(correlation, 0.1)
    assert np.array_equal(align_signs(correlation[np.ix_(shuffle, shuffle)], 0.1), found[shuffle])


def test_the_matrix_given_is_left_alone():
    correlation = flipped(field("grid"), flips(36, 0.3, 0))
    copy = correlation.copy()
    align_signs(correlation, 0.1)
    assert np.array_equal(correlation, copy)
