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
