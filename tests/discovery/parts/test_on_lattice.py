import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.metrics import cell_accuracy


@pytest.mark.parametrize(("sd", "is_lattice"), [(0.0, True), (0.1, False)])
@pytest.mark.parametrize("seed", [3000, 3001])
def test_nodes_beside_their_cells_have_no_lattice(matern, seed, sd, is_lattice):
    """All of them would fit into cells of their own, as the wiring is that of a grid."""
    cells = np.argwhere(np.ones((9, 9)))
    points = cells + sd * np.random.default_rng(seed).standard_normal(cells.shape)
    graph = discover(matern(points, 3000, seed))
    assert (graph.lattice is not None) == is_lattice
    assert not is_lattice or cell_accuracy(graph, torch.from_numpy(cells)) == 1.0


def ring(gaps):
    """Places on a circle with these gaps along it."""
    along = np.cumsum(gaps) * 2 * np.pi / gaps.sum()
    return gaps.sum() / (2 * np.pi) * np.stack([np.cos(along), np.sin(along)], 1)


@pytest.mark.parametrize("seed", [7300, 7301, 7302, 7303])
@pytest.mark.parametrize(("count", "regular"), [(50, False), (60, True)])
def test_noise_neither_evens_the_gaps_of_a_ring_nor_opens_a_regular_one(matern, seed, count, regular):
    rng = np.random.default_rng(seed)
    gaps = np.ones(count) if regular else rng.uniform(0.3, 1.7, count)
    x = matern(ring(gaps), 4000 if regular else 1000, seed, length=4.0 if regular else 2.5)
    graph = discover(x.numpy() + 0.7 * rng.standard_normal(x.shape))
    assert (graph.dim, graph.pos.shape[1]) == (1, 2)
    assert (graph.lattice is not None) == regular
    assert not regular or (graph.lattice.shape, graph.lattice.periodic) == ((60,), (True,))
