"""What a result does not claim: trust in maps of nothing, lags of held values, lattices of moved places."""

import numpy as np
import pytest
import torch

from scge_pyg import discover
from scge_pyg.discovery.signals.delays import node_delays
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read


def test_a_map_of_nothing_is_trusted_by_half_at_most():
    x = np.random.default_rng(100).standard_normal((1000, 12))
    with pytest.warns(UserWarning, match="no low-dimensional geometry"):
        graph = discover(x, dim=2)
    assert graph.pos.shape == (12, 2)
    assert float(graph.confidence.max()) <= 0.5


def test_a_dimension_given_decides_the_columns_of_a_flat_map(grid_field):
    field = grid_field((7, 8), 1500)
    assert discover(field.x, snap=False).pos.shape == (56, 2)
    assert discover(field.x, dim=1, snap=False).pos.shape == (56, 1)
    ring = grid_field((40,), 1500, periodic=True)
    assert discover(ring.x, dim=1, snap=False).pos.shape == (40, 2)


def late_chain(num_samples=3000, num_nodes=30):
    """A chain of slow signals, every other node two steps late."""
    rng = np.random.default_rng(100)
    x = rng.standard_normal((num_samples + 2, num_nodes))
    for node in range(1, num_nodes):
        x[:, node] = 0.9 * x[:, node - 1] + 0.44 * x[:, node]
    for step in range(1, len(x)):
        x[step] = 0.8 * x[step - 1] + 0.6 * x[step]
    late = np.arange(num_nodes) % 2 * 2
    return np.stack([x[2 - k : 2 - k + num_samples, node] for node, k in enumerate(late)], 1)


def test_held_values_have_no_lags():
    """Copies count once, and without them there are no steps to count."""
    x = torch.from_numpy(late_chain())
    assert set(node_delays(prepare(read(x))).tolist()) == {0, 2}
    held = prepare(read(x[:1500].repeat_interleave(3, 0)))
    assert not node_delays(held).any()


@pytest.mark.parametrize(("moved", "found"), [(0.0, True), (0.3, False)])
def test_places_moved_by_a_third_are_no_lattice(matern, moved, found):
    cells = np.argwhere(np.ones((9, 9)))
    places = cells + moved * np.random.default_rng(100).standard_normal((81, 2))
    assert (discover(matern(places, 3000, 100)).lattice is not None) == found
