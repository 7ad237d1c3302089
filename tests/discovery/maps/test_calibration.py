import numpy as np
import pytest
from scipy.spatial import cKDTree, procrustes
from scipy.spatial.distance import cdist
from sklearn.isotonic import IsotonicRegression

from scge_pyg.discovery.maps import calibration
from scge_pyg.discovery.maps.calibration import calibrated_places, length_curve
from scge_pyg.discovery.maps.places import draw_places
from scge_pyg.discovery.maps.sketch import Links, ranked_partners, spanning_tree


def drawn(correlation, columns, k=8):
    """A calibrated map, and one with lengths taken as the root of the dissimilarity."""
    value = correlation.copy()
    np.fill_diagonal(value, -np.inf)
    num_nodes = len(value)
    ranked = ranked_partners(value, calibration.PARTNERS)
    strong = np.stack([np.repeat(np.arange(num_nodes), ranked.shape[1]), ranked.ravel()])
    few = np.stack([np.repeat(np.arange(num_nodes), k), ranked[:, :k].ravel()])
    pairs = np.unique(np.sort(np.concatenate([few, spanning_tree(value, ranked)], 1), 0), axis=1)
    length = np.sqrt(1 - value[pairs[0], pairs[1]])
    links = Links(pairs, length / np.median(length), num_nodes)
    found = calibrated_places(links, strong, columns, lambda p: 1 - correlation[p[0], p[1]])
    return found, draw_places(links, columns)


def trustworthy(points, pos, k=8):
    """Share of the nearest on the map that are among the nearest in truth."""
    true, near = (cKDTree(p).query(p, k=k + 1)[1][:, 1:] for p in (points, pos))
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(true, near, strict=True)])


def clusters(seed, num_nodes=200):
    rng = np.random.default_rng(seed)
    centre = np.sqrt(num_nodes) * rng.random((num_nodes // 15, 2))
    return centre[rng.integers(len(centre), size=num_nodes)] + 1.1 * rng.standard_normal((num_nodes, 2))


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("columns", [2, 3])
def test_places_from_fields_of_any_smoothness(power, columns):
    points = np.random.default_rng(0).uniform(0, [14, 7][columns - 2], (200, columns))
    found, rooted = drawn(np.exp(-((cdist(points, points) / 4) ** power)), columns)
    assert procrustes(points, found)[2] < 0.003
    assert trustworthy(points, found) > 0.95
    assert trustworthy(points, found) > trustworthy(points, rooted)


@pytest.mark.parametrize("seed", range(3))
def test_clusters_across_gaps(seed):
    """Few links cross a gap, and clusters fold where only links hold them."""
    points = clusters(seed)
    noise = np.random.default_rng(seed).normal(0, 0.01, (200, 200))
    correlation = np.exp(-cdist(points, points) / 4) + (noise + noise.T) / 2
    found, rooted = drawn(np.minimum(correlation, 0.999), 2)
    assert trustworthy(points, found) > 0.85
    assert trustworthy(points, found) > trustworthy(points, rooted) + 0.03


def test_what_lies_on_top_of_each_other_is_pushed_apart(monkeypatch):
    """A strip that is folded in its middle at first: links alone hold either half as it is."""
    points = np.random.default_rng(0).uniform(0, [8, 20], (200, 2))
    correlation = np.exp(-cdist(points, points) / 4)
    folded = np.stack([points[:, 0], np.abs(points[:, 1] - 17)], 1) + np.random.default_rng(1).normal(0, 0.3, (200, 2))
    monkeypatch.setattr(calibration, "scale_geodesics", lambda *_: folded)
    assert trustworthy(points, folded) < 0.75
    assert trustworthy(points, drawn(correlation, 2)[0]) > 0.95


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_close_to_an_isotonic_regression(seed):
    rng = np.random.default_rng(seed)
    unlike = rng.uniform(0, 1, 3000)
    distance = np.sqrt(unlike) + rng.normal(0, 0.05, 3000)
    at, length = length_curve(unlike, distance)
    assert (np.diff(length) >= 0).all()
    within = np.linspace(at[0], at[-1], 50)
    expected = IsotonicRegression(out_of_bounds="clip").fit(unlike, distance).predict(within)
    np.testing.assert_allclose(np.interp(within, at, length), expected, atol=0.04)


def test_the_curve_shrugs_off_wrong_distances():
    unlike = np.linspace(0, 1, 2400)
    distance = unlike.copy()
    distance[::5] = 50
    at, length = length_curve(unlike, distance)
    np.testing.assert_allclose(length, at, atol=0.02)


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("num_nodes", [2, 3, 5, 9])
def test_a_handful_of_nodes(num_nodes, columns):
    chain = np.stack([np.arange(num_nodes - 1), np.arange(1, num_nodes)])
    links = Links(chain, np.ones(num_nodes - 1), num_nodes)
    every = np.stack(np.triu_indices(num_nodes, 1))
    pos = calibrated_places(links, every, columns, lambda p: 0.1 * np.abs(p[0] - p[1]))
    assert pos.shape == (num_nodes, columns)
    assert np.isfinite(pos).all()
    assert (np.linalg.norm(np.diff(pos, axis=0), axis=1) > 0.3).all()


def test_order_of_the_nodes_does_not_matter():
    points = np.random.default_rng(0).uniform(0, 10, (100, 2))
    shuffle = np.random.default_rng(1).permutation(100)
    correlation = np.exp(-cdist(points, points) / 3)
    first, other = drawn(correlation, 2)[0], drawn(correlation[np.ix_(shuffle, shuffle)], 2)[0]
    assert procrustes(first[shuffle], other)[2] < 1e-3
