import numpy as np
import pytest
from scipy.spatial import Delaunay, cKDTree, procrustes
from scipy.spatial.distance import cdist

from scge_pyg.discovery.maps.places import draw_places, unexplained, without_noise
from scge_pyg.discovery.maps.sketch import Links, scale_geodesics


def links_of(points, k=8):
    """The nearest of each node and their distances in units of the median."""
    near = cKDTree(points).query(points, k=k + 1)[1][:, 1:]
    pairs = np.stack([np.repeat(np.arange(len(points)), k), near.ravel()])
    pairs = np.unique(np.sort(pairs, 0), axis=1)
    length = np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1)
    return Links(pairs, length / np.median(length), len(points))


def trustworthy(points, pos, k=8):
    """Share of the nearest on the map that are among the nearest in truth."""
    true, drawn = (cKDTree(p).query(p, k=k + 1)[1][:, 1:] for p in (points, pos))
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(true, drawn, strict=True)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_nodes", [60, 300])
def test_a_plane_from_lengths_of_its_links(num_nodes, seed):
    points = np.random.default_rng(seed).uniform(0, np.sqrt(num_nodes), (num_nodes, 2)) * [1.5, 1]
    links = links_of(points)
    pos = draw_places(links, 2)
    assert procrustes(points, pos)[2] < 0.003
    assert trustworthy(points, pos) > 0.95
    length = np.linalg.norm(pos[links.pairs[0]] - pos[links.pairs[1]], axis=1)
    np.testing.assert_allclose(length, links.length, atol=0.3)  # in units of the median link
    assert np.median(length) == pytest.approx(1, abs=0.05)


def test_local_stress_is_truer_than_scaling_alone():
    points = np.random.default_rng(0).uniform(0, 12, (200, 2))
    links = links_of(points, 6)
    assert procrustes(points, draw_places(links, 2))[2] < procrustes(points, scale_geodesics(links, 2))[2] / 2


@pytest.mark.parametrize(("columns", "kind"), [(1, "line"), (2, "ring"), (3, "volume"), (3, "sphere")])
def test_other_geometries(columns, kind):
    rng = np.random.default_rng(0)
    if kind == "line":
        points = np.arange(40)[:, None] + rng.uniform(-0.3, 0.3, (40, 1))
    elif kind == "ring":
        turn = 2 * np.pi * (np.arange(60) + rng.uniform(-0.3, 0.3, 60)) / 60
        points = 10 * np.stack([np.cos(turn), np.sin(turn)], 1)
    elif kind == "volume":
        points = rng.uniform(0, 6, (216, 3))
    else:
        points = rng.standard_normal((250, 3))
        points *= 5 / np.linalg.norm(points, axis=1, keepdims=True)
    links = links_of(points, {"line": 4, "ring": 4, "volume": 14, "sphere": 10}[kind])
    pos = draw_places(links, columns)
    assert pos.shape == points.shape
    assert procrustes(np.pad(points, ((0, 0), (0, 1))), np.pad(pos, ((0, 0), (0, 1))))[2] < 0.01


def test_a_wrong_link_is_shrugged_off():
    """One that is said to be short but leads across the map, by the robust weights."""
    points = np.random.default_rng(0).uniform(0, 12, (200, 2))
    links = links_of(points)
    corners = [int(np.argmin(points.sum(1))), int(np.argmax(points[:, 0] - points[:, 1]))]
    wrong = Links(np.concatenate([links.pairs, np.sort(corners)[:, None]], 1), np.r_[links.length, 1.0], 200)
    undisturbed, found = (trustworthy(points, draw_places(one, 2)) for one in (links, wrong))
    assert found > 0.9 * undisturbed
    assert found > trustworthy(points, scale_geodesics(wrong, 2)) + 0.05


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
@pytest.mark.parametrize("num_nodes", [2, 3, 5])
def test_a_handful_of_nodes(num_nodes, columns):
    chain = np.stack([np.arange(num_nodes - 1), np.arange(1, num_nodes)])
    pos = draw_places(Links(chain, np.ones(num_nodes - 1), num_nodes), columns)
    assert pos.shape == (num_nodes, columns)
    np.testing.assert_allclose(np.linalg.norm(np.diff(pos, axis=0), axis=1), 1, atol=0.05)


def test_order_of_the_nodes_does_not_matter():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 10, (100, 2))
    shuffle = rng.permutation(100)
    first, other = draw_places(links_of(points), 2), draw_places(links_of(points[shuffle]), 2)
    assert procrustes(first[shuffle], other)[2] < 1e-4


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_lengths_are_truer_without_noise(noise):
    """Those of the field alone are known; short links look alike where noise is added to all."""
    points = np.random.default_rng(0).uniform(0, 12, (150, 2))
    pairs = links_of(points).pairs
    smooth = np.exp(-(cdist(points, points)[pairs[0], pairs[1]] ** 2) / 20)
    true = np.sqrt(1 - smooth) / np.median(np.sqrt(1 - smooth))
    links = without_noise(pairs, (1 - noise) * smooth, 150)
    assert np.array_equal(links.pairs, pairs)
    assert links.num_nodes == 150
    assert np.median(links.length) == pytest.approx(1)
    raw = without_noise(pairs, (1 - noise) * smooth, 150, noise=0.0)
    error = [np.abs(one.length - true).mean() for one in (links, raw)]
    assert error[0] < 0.5 * error[1]


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.5])
def test_what_can_be_noise_is_bounded(noise):
    correlation = np.linspace(0.3, 0.9, 100)
    pairs = np.stack([np.arange(100), np.arange(1, 101)])
    nugget = min(noise, 0.9 * np.quantile(1 - correlation, 0.02))
    expected = np.sqrt(np.maximum(1 - correlation - nugget, 1e-4))
    np.testing.assert_allclose(without_noise(pairs, correlation, 101, noise).length, expected / np.median(expected))


def test_what_predictions_leave_is_more_than_the_noise():
    """Nodes that share a signal, each with its own noise: eight partners predict all but that."""
    rng = np.random.default_rng(0)
    noise = 0.2
    gain = []
    for _ in range(40):
        x = np.sqrt(1 - noise) * rng.standard_normal(4000) + np.sqrt(noise) * rng.standard_normal((9, 4000))
        left = np.linalg.lstsq(x[1:].T, x[0], rcond=None)[1][0] / 4000
        gain.append(-np.log(left) / 2)
    assert unexplained(np.array(gain)) == pytest.approx(0.8 * noise * (1 + 1 / 8), rel=0.1)


def test_triangles_keep_their_lengths():
    """A map whose links are all edges of a triangulation is rigid: lengths come back."""
    points = np.random.default_rng(0).uniform(0, 7, (50, 2))
    edges = np.unique(
        np.sort(np.concatenate([Delaunay(points).simplices[:, p] for p in ([0, 1], [1, 2], [0, 2])]), 1), axis=0
    ).T
    length = np.linalg.norm(points[edges[0]] - points[edges[1]], axis=1)
    short = length < 2
    links = Links(edges[:, short], length[short], 50)
    pos = draw_places(links, 2)
    found = np.linalg.norm(pos[links.pairs[0]] - pos[links.pairs[1]], axis=1)
    assert np.median(np.abs(found - links.length)) < 0.1
