import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from scge_pyg import discover
from scge_pyg.discovery.parts.on_map import _truest
from scge_pyg.metrics import trustworthiness


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([1.0, 1.002], 0),
        ([1.0, 1.01], 1),
        ([1.0, 1.01, 1.012], 1),
        ([1.2, 1.0, 0.5], 0),
        ([-0.1, -0.2], 0),
        ([-0.2, -0.1], 1),
        ([-0.1002, -0.1], 0),
    ],
)
def test_of_maps_that_predict_alike_the_first_is_taken(gains, expected):
    """Those of many links come first; few links gain up to 0.3 % more from a map in worse shape."""
    entries = [(gain, number) for number, gain in enumerate(gains)]
    assert _truest(entries)[1] == expected


def test_clusters_of_a_rough_field_do_not_fold():
    """Maps of links alone have a trustworthiness of 0.995 here."""
    rng = np.random.default_rng(2)
    points = 12 * rng.random((10, 2))[rng.integers(10, size=150)] + 1.1 * rng.standard_normal((150, 2))
    root = np.linalg.cholesky(np.exp(-cdist(points, points) / 4) + 0.02 * np.eye(150))
    graph = discover(torch.from_numpy(rng.standard_normal((2000, 150)) @ root.T).float())
    assert graph.pos.shape == (150, 2)
    assert trustworthiness(graph.pos.double(), torch.from_numpy(points), 8) > 0.999
