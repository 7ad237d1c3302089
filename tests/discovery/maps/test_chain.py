import numpy as np
import pytest
from scipy.spatial import procrustes
from scipy.spatial.distance import cdist

from scge_pyg.discovery.maps.calibration import length_curve
from scge_pyg.discovery.maps.chain import along_chain, around_ring


def chain(seed, num_nodes=80):
    return np.cumsum(np.random.default_rng(seed).uniform(0.1, 1.9, num_nodes))[:, None]


def ring(seed, num_nodes=80):
    along = chain(seed, num_nodes)[:, 0]
    angle = 2 * np.pi * along / (along[-1] + 1)
    return (along[-1] + 1) / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], 1)


def crowded(points):
    """The same order, gaps that alternate in length."""
    gap = np.tile([0.3, 1.7], len(points))[: len(points)]
    if points.shape[1] == 1:
        return np.cumsum(gap)[:, None]
    angle = 2 * np.pi * np.cumsum(gap) / gap.sum()
    return np.stack([np.cos(angle), np.sin(angle)], 1)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
@pytest.mark.parametrize(("make", "space"), [(chain, along_chain), (ring, around_ring)])
@pytest.mark.parametrize("seed", range(7000, 7003))
def test_places_from_fields_of_any_smoothness(make, space, power, seed):
    """Wherever the first map put the nodes, in whatever order they are given."""
    points = make(seed)
    unlike = 1 - np.exp(-((cdist(points, points) / 4) ** power))
    order = np.random.default_rng(seed).permutation(len(points))
    found = np.empty_like(points)
    found[order] = space(crowded(points)[order], lambda p: unlike[order[p[0]], order[p[1]]])
    assert procrustes(points, crowded(points))[2] > 1e-3
    assert procrustes(points, found)[2] < 2e-4
    gap = np.linalg.norm(np.diff(found, axis=0), axis=1)
    assert np.corrcoef(gap, np.linalg.norm(np.diff(points, axis=0), axis=1))[0, 1] > 0.97


@pytest.mark.parametrize("num_nodes", [3, 7, 40])
def test_is_the_least_squares_solution(num_nodes):
    """A loop over all pairs, a row an equation, once the curve stays as it is."""
    points = chain(7000, num_nodes)
    noise = np.random.default_rng(1).uniform(0.9, 1.1, (num_nodes, num_nodes))
    unlike = 1 - np.exp(-cdist(points, points) / 4) * (noise + noise.T) / 2.3
    found = points
    for _ in range(3):
        pairs = np.array([(i, i + s) for s in range(1, 7) for i in range(num_nodes - s)]).T
        apart = unlike[pairs[0], pairs[1]]
        length = np.interp(apart, *length_curve(apart, (found[pairs[1]] - found[pairs[0]])[:, 0]))
        rows = []
        for (a, b), ell in zip(pairs.T, length, strict=True):
            row = np.zeros(num_nodes)
            row[b], row[a] = 1 / ell, -1 / ell
            rows.append(row)
        found = np.linalg.lstsq(np.array(rows), np.ones(len(rows)), rcond=None)[0][:, None]
        assert (np.diff(found[:, 0]) > 0).all()
    got = along_chain(points, lambda p: unlike[p[0], p[1]])
    assert np.allclose(got - got[0], found - found[0], atol=1e-8)


@pytest.mark.parametrize("num_nodes", range(8, 15))
def test_small_rings_close(num_nodes):
    angle = 2 * np.pi * np.arange(num_nodes) / num_nodes
    points = np.stack([np.cos(angle), np.sin(angle)], 1)
    unlike = 1 - np.exp(-cdist(points, points))
    found = around_ring(points * [1.0, 0.6], lambda p: unlike[p[0], p[1]])
    assert procrustes(points, found)[2] < 5e-3 < procrustes(points, points * [1.0, 0.6])[2]


def test_a_first_map_on_a_line_goes_around_nothing():
    """Angles about its mean are two, 0 and pi, and neighbours in their order have no length."""
    points = ring(9203)
    unlike = 1 - np.exp(-cdist(points, points) / 4)
    flat = points * [1.0, 0.0]
    np.testing.assert_array_equal(around_ring(flat, lambda p: unlike[p[0], p[1]]), flat)
