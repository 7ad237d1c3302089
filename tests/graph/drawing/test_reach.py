import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from scge_pyg.graph.drawing import reach
from scge_pyg.graph.drawing.reach import pairs_within


@pytest.mark.parametrize("tile", [1, 7, 128, 1000])
@pytest.mark.parametrize("place", ["near", "random", "same"])
def test_pairs_are_those_of_a_search_from_every_node(tile, place, monkeypatch):
    """However bad the map, and whether or not all hangs together."""
    monkeypatch.setattr(reach, "_TILE", tile)
    rng = np.random.default_rng(0)
    points = rng.random((300, 2)) * 15
    near = cKDTree(points).query_pairs(1.3, output_type="ndarray").T
    length = 0.5 + rng.random(near.shape[1])
    links = sp.csr_matrix((length, near), (300, 300))
    links = links + links.T
    pos = {"near": points, "random": rng.random((300, 2)), "same": np.zeros((300, 2))}[place]
    pairs, found = pairs_within(links, 3.0, pos)
    distance = dijkstra(links)
    expected = np.argwhere(np.triu(distance <= 3.0, 1)).T
    assert np.array_equal(pairs, expected)
    np.testing.assert_allclose(found, distance[tuple(expected)])
