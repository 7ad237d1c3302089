import importlib
import pkgutil

import networkx
import numpy as np
import pytest
import torch

from scge_pyg import discovery
from scge_pyg.discovery.judgement import court
from scge_pyg.discovery.parts.discover_part import discover_part
from scge_pyg.discovery.parts.part import FEWEST
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.metrics import trustworthiness


@pytest.fixture(scope="module")
def signals_of():
    return lambda x: prepare(read(x))


def test_a_grid_is_a_lattice(grid_field, signals_of):
    field = grid_field((7, 8), 1500, seed=100)
    signals = signals_of(field.x)
    part = discover_part(signals, None, snap=True, seed=0)
    assert sorted(part.cells.shape) == [7, 8]
    step = np.abs(part.cells.cell[part.edges[0]] - part.cells.cell[part.edges[1]]).sum(1)
    assert (step == 1).all()
    true = field.cells.numpy()[signals.order]
    assert (np.abs(true[part.edges[0]] - true[part.edges[1]]).sum(1) == 1).all()
    assert part.verdict.verdict == "geometry"
    assert part.verdict.gain >= 0.97 * part.choice.verdict.gain
    np.testing.assert_allclose(np.linalg.norm(part.pos[part.edges[0]] - part.pos[part.edges[1]], axis=1), 1.0)


def test_without_snapping_the_same_part_is_a_map(grid_field, signals_of):
    part = discover_part(signals_of(grid_field((7, 8), 1500, seed=100).x), None, snap=False, seed=0)
    assert part.cells is None
    assert part.dim == part.pos.shape[1] == 2


def test_edges_are_distinct_pairs_with_positive_weights(places, matern, signals_of):
    part = discover_part(signals_of(matern(places("plane", 60, 100), 1500, 100)), None, snap=True, seed=0)
    low, high = np.sort(part.edges, axis=0)
    assert (low < high).all()
    assert len(np.unique(low * 60 + high)) == part.edges.shape[1]
    assert (part.weight > 0).all()
    assert ((part.confidence >= 0) & (part.confidence <= 1)).all()
    assert set(part.seconds) >= {"judgement", "coupling", "map"}


@pytest.mark.parametrize(("kind", "columns"), [("sphere", 3), ("plane", 2)])
def test_what_is_flat_in_one_neighbourhood_may_bend_at_large(places, matern, signals_of, monkeypatch, kind, columns):
    """600 nodes judged as thousands are, by 100 that lie together."""
    for info in pkgutil.walk_packages(discovery.__path__, f"{discovery.__name__}."):
        module = importlib.import_module(info.name)
        if hasattr(module, "DENSE_NODES"):
            monkeypatch.setattr(module, "DENSE_NODES", 200)
    monkeypatch.setattr(court, "_MOST_NODES", 100)
    points = places(kind, 600, 3000)
    signals = signals_of(matern(points, 1500, 3000, length=3.0))
    part = discover_part(signals, None, snap=False, seed=0)
    assert (part.dim, part.pos.shape[1]) == (2, columns)
    assert trustworthiness(torch.from_numpy(part.pos), torch.from_numpy(points[signals.order]), 8) > 0.999


@pytest.mark.parametrize("num_nodes", [FEWEST - 1, FEWEST])
def test_too_few_nodes_are_not_judged(signals_of, num_nodes):
    walk = np.random.default_rng(100).standard_normal((2000, num_nodes)).cumsum(1)
    part = discover_part(signals_of(walk), None, snap=True, seed=0)
    assert (part.choice is None) == (part.verdict is None) == (num_nodes < FEWEST)
    assert part.edges.shape[1] == num_nodes - 1
    assert part.dim == 1


def test_a_given_dimension_holds_for_few_nodes_too(signals_of):
    walk = np.random.default_rng(100).standard_normal((2000, 6)).cumsum(1)
    part = discover_part(signals_of(walk), 2, snap=True, seed=0)
    assert (part.dim, part.pos.shape) == (2, (6, 2))


def test_without_map_leaves_the_edges(grid_field, signals_of):
    part = discover_part(signals_of(grid_field((6, 6), 1500).x), None, snap=False, seed=0)
    bare = part.without_map()
    assert (bare.dim, bare.pos.shape, bare.cells) == (0, (36, 0), None)
    assert not bare.confidence.any()
    assert np.array_equal(bare.edges, part.edges)


@pytest.mark.parametrize("seed", [7000, 7001])
def test_nodes_that_are_all_alike_hang_together(signals_of, seed):
    """The twenty nodes of a cluster correlate by 0.74, and none of them says what the other eighteen don't."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1000, 1)) + 0.6 * rng.standard_normal((1000, 20))
    part = discover_part(signals_of(x), None, snap=True, seed=0)
    assert part.verdict.verdict == "no geometry"
    graph = networkx.Graph(part.edges.T.tolist())
    assert networkx.is_connected(graph)
    assert graph.number_of_nodes() == 20
    assert (part.weight > 0).all()
