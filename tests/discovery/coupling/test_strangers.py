"""Proof of links between nodes that are seldom lit, and parts that nothing else joins."""

import networkx
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import hypergeom, kurtosis

from scge_pyg.discovery.coupling.similar import beyond_noise, connected_rows
from scge_pyg.discovery.coupling.strangers import proof, tailedness, without_strangers
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read

SAMPLES = 10_000


@pytest.mark.parametrize("missing", [False, True])
def test_tails_are_those_of_scipy(missing):
    rng = np.random.default_rng(0)
    x = np.stack(
        [rng.standard_normal(2000), rng.random(2000) < 0.01, rng.random(2000) < 0.2, rng.exponential(size=2000)]
    )
    observed = rng.random(x.shape) < 0.7 if missing else np.ones(x.shape, dtype=bool)
    kept = [row[seen] - row[seen].mean() for row, seen in zip(x, observed, strict=True)]
    score = np.zeros(x.shape, dtype=np.float32)
    for row, seen, own in zip(score, observed, kept, strict=True):
        row[seen] = own / own.std()
    found = tailedness(score, observed if missing else None)
    np.testing.assert_allclose(found, [max(0.0, kurtosis(own)) for own in kept], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("first", "second"), [(14, 20), (5, 5), (60, 300), (1, 400)])
def test_common_samples_prove_as_much_as_their_chance_is_small(first, second):
    """Chernoff's bound exp(-z^2 / 2) of the exact chance, which it exceeds by no more than such bounds do."""
    share = np.array([first, second]) / SAMPLES
    tail = (1 - 3 * share * (1 - share)) / (share * (1 - share)) - 3
    mean = first * second / SAMPLES
    common = np.arange(int(mean) + 1, min(first, second) + 1)
    strength = (common - mean) / (SAMPLES * np.sqrt(np.prod(share * (1 - share))))
    deviations = proof(strength, np.repeat(tail[:, None], len(common), 1), SAMPLES)
    logarithm = hypergeom.logsf(common - 1, SAMPLES, first, second)
    bound = -(deviations**2) / 2
    weak = strength < 0.5  # beyond, Fisher's deviations of a correlation near 1 are more
    assert (bound > 1.1 * logarithm - 0.5)[weak].all()
    assert (bound < 0.7 * logarithm + 1.5)[weak].all()
    assert (np.diff(deviations) > 0).all()


def test_a_single_common_sample_proves_nothing():
    lit = np.arange(1, 200)
    tail = np.stack([SAMPLES / lit - 3.0] * 2)
    deviations = proof(1 / lit, tail, SAMPLES)
    fisher = np.arctanh(np.minimum(1 / lit, 1 - 1e-12)) * np.sqrt(SAMPLES - 3)
    assert fisher[:10].min() > 10
    assert deviations[1:].max() < 5


def test_beside_a_normal_variable_deviations_are_those_of_fisher():
    for deviations in (2.0, 6.0):
        strength = np.array([beyond_noise(deviations, 500.0)])
        for tail in (np.zeros((2, 1)), np.array([[0.0], [5000.0]])):
            assert proof(strength, tail, 500.0) == pytest.approx(deviations)


def in_turn(num_nodes, row, col, deviations, needed, large):
    """Parts by Kruskal's algorithm, one link after the other; two large pieces are never joined."""
    proven = deviations >= needed
    graph = networkx.empty_graph(num_nodes)
    graph.add_edges_from(zip(row[proven].tolist(), col[proven].tolist(), strict=True))
    part = {node: piece for piece in map(frozenset, networkx.connected_components(graph)) for node in piece}
    heavy = {piece for piece in part.values() if len(piece) >= large}
    for link in np.argsort(-deviations):
        one, other = part[row[link]], part[col[link]]
        if one != other and not (one in heavy and other in heavy):
            both = one | other
            if one in heavy or other in heavy:
                heavy.add(both)
            part |= dict.fromkeys(both, both)
    return set(part.values())


@pytest.mark.parametrize("seed", range(12))
def test_parts_are_those_of_kruskal(seed):
    rng = np.random.default_rng(seed)
    num_nodes = 60
    row, col = np.triu_indices(num_nodes, 1)
    chosen = rng.random(len(row)) < 0.02
    near = (col - row == 1) & (row % 15 < rng.integers(9, 15))
    row, col, near = row[chosen | near], col[chosen | near], near[chosen | near]
    deviations = rng.permutation(len(row)) / len(row) + np.where(near, 1.0, 0.0)
    graph = networkx.empty_graph(num_nodes)
    graph.add_edges_from(zip(row.tolist(), col.tolist(), strict=True))
    label = np.empty(num_nodes, dtype=np.int64)
    for number, part in enumerate(networkx.connected_components(graph)):
        label[list(part)] = number
    found = without_strangers(label, row, col, deviations, 1.0, large=8)
    expected = in_turn(num_nodes, row, col, deviations, 1.0, 8)
    assert {frozenset(np.flatnonzero(found == part).tolist()) for part in found} == expected
    alone = without_strangers(label, row, col, deviations, 1.0, large=61)
    assert np.array_equal(alone, label)


def pictures(shape, num_samples, seed):
    """Smooth pictures, dark where they are below a level; their rim is seldom lit."""
    field = np.random.default_rng(seed).standard_normal((num_samples, shape[0] + 8, shape[1] + 8))
    field = gaussian_filter(field, (0, 1.2, 1.2))[:, 4:-4, 4:-4]
    inside = np.zeros(shape)
    inside[1:-1, 1:-1] = 1
    inside[2:-2, 2:-2] = 2
    return torch.from_numpy(np.maximum(field / field.std() - np.array([2.6, 1.2, 0])[inside.astype(int)], 0)).float()


@pytest.fixture(scope="module")
def strangers():
    """Two kinds of pictures that have nothing to do with each other, each ``[S, N]``."""
    return [pictures(shape, 2000, seed).flatten(1) for shape, seed in (((8, 9), 100), ((7, 8), 1100))]


def test_seldom_lit_nodes_join_no_strangers(strangers, monkeypatch):
    signals = prepare(read(torch.cat(strangers, 1)))
    found = [sorted(signals.order[rows].tolist()) for rows in connected_rows(signals)]
    assert found == [list(range(72)), list(range(72, 128))]
    monkeypatch.setattr(
        "scge_pyg.discovery.coupling.similar.proof", lambda strength, tail, effective: 99 + 0 * strength
    )
    assert len(connected_rows(signals)) == 1


def test_one_kind_stays_whole(strangers):
    for x in strangers:
        assert len(connected_rows(prepare(read(x)))) == 1


def test_two_likely_ties_do_not_join_what_is_large():
    """Between two chains of ten, one of two ties as strong as chance makes; a node by itself is tied to both."""
    effective, num_nodes = 400.0, 21
    rng = np.random.default_rng(0)
    rows = np.linalg.qr(rng.standard_normal((400, num_nodes)))[0].T * 20
    likely = 1.1 * beyond_noise(float(np.sqrt(4 * np.log(num_nodes))), effective)
    correlation = np.eye(num_nodes)
    ties = [(i, i + 1, 0.4) for i in range(19) if i != 9] + [(0, 10, likely), (3, 20, likely), (13, 20, 0.98 * likely)]
    for i, j, value in ties:
        correlation[i, j] = correlation[j, i] = value
    x = torch.from_numpy((np.linalg.cholesky(correlation) @ rows).T)
    signals = prepare(read(x))
    found = {frozenset(signals.order[part].tolist()) for part in connected_rows(signals)}
    assert found == {frozenset([*range(10), 20]), frozenset(range(10, 20))}
