"""Proof of links between nodes that are seldom lit, and parts that nothing else joins."""

from types import SimpleNamespace

import networkx
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.stats import hypergeom, kurtosis

from scge_pyg.discovery.coupling.similar import _as_if_whole, beyond_noise, connected_rows
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


def in_turn(num_nodes, row, col, proven, deviations, large):
    """Parts by Kruskal's algorithm, one link after the other; two large pieces are never joined."""
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
    expected = in_turn(num_nodes, row, col, deviations >= 1.0, deviations, 8)
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


def tied(num_nodes, chains, ties, effective=1000.0):
    """Signals of exactly these correlations: chains of evident links, and ``ties`` by their deviations."""
    correlation = np.eye(num_nodes)
    links = [(node, node + 1, 0.4) for first, last in chains for node in range(first, last - 1)]
    for i, j, value in [*links, *((i, j, beyond_noise(z, effective)) for i, j, z in ties)]:
        correlation[i, j] = correlation[j, i] = value
    rows = np.random.default_rng(0).standard_normal((num_nodes, 1000)).astype(np.float32)
    return SimpleNamespace(num_nodes=num_nodes, effective=effective, correlation=correlation, score=rows, observed=None)


@pytest.mark.parametrize(("deviations", "joined"), [(4.1, False), (4.25, True)])
def test_large_pieces_are_joined_by_what_is_certain_among_their_pairs(deviations, joined):
    """Of 60 nodes 4.05 deviations are likely and 4.94 evident; one in 100 sets of 320 pairs reaches 4.16 by chance."""
    found = connected_rows(tied(60, [(0, 40), (40, 48)], [(3, 44, deviations)]))
    sizes = [48] if joined else [40, 8]
    assert [len(part) for part in found] == sizes + [1] * 12


def test_what_is_tied_to_two_large_pieces_goes_to_one():
    """Of 23 nodes 3.54 deviations are likely; sides of 12 and 11 are joined by 3.96, also across a small piece."""
    ties = [(0, 12, 3.8), (3, 20, 3.8), (20, 21, 9.0), (5, 22, 3.6), (15, 22, 3.7)]
    found = connected_rows(tied(23, [(0, 10), (10, 20)], [*ties, (13, 20, 3.7)]))
    assert [part.tolist() for part in found] == [[*range(10), 20, 21], [*range(10, 20), 22]]
    found = connected_rows(tied(23, [(0, 10), (10, 20)], [*ties, (3, 21, 4.3), (13, 20, 4.1)]))
    assert [part.tolist() for part in found] == [[*range(23)]]


def test_weak_links_of_a_slow_field_hold_it_together():
    """Slow fields are worth some thirty samples; two of them side by side don't become one."""
    large = []
    for seed in range(100, 112):
        noise = np.random.default_rng(seed).standard_normal((2, 2000, 20, 21))
        smooth = gaussian_filter(noise, (0, 0, 1, 1))[..., 6:-6, 6:-6].reshape(2, 2000, 72)
        fields = gaussian_filter1d(smooth, 20, axis=1)[:, np.arange(2000).reshape(2, 1000).T.ravel()]
        parts = [
            connected_rows(prepare(read(x, missing_value=None, seed=0)))
            for x in (fields[0], np.concatenate([*fields], 1))
        ]
        large.append([sum(len(part) >= 8 for part in found) for found in parts])
    one, two = np.array(large).T
    assert (one == 1).sum() >= 11
    assert (two > 1).all()


def test_gaps_join_no_strangers():
    """With three in ten values missing a pair shares half of the samples, and chance makes correlations of 0.15."""
    for seed in range(100, 106):
        rng = np.random.default_rng(seed)
        field = gaussian_filter(rng.standard_normal((1000, 12, 12)), (0, 0.8, 0.8))[:, 2:-2, 2:-2].reshape(1000, 64)
        x = np.concatenate([field, rng.standard_normal((1000, 30)).cumsum(1)], 1).astype(np.float32)
        x[rng.random(x.shape) < 0.3] = np.nan
        rows = connected_rows(prepare(read(x, missing_value=None, seed=0)))
        assert [len(part) for part in rows[:2]] == [64, 30]


def test_a_correlation_proves_as_much_as_the_samples_that_both_have():
    """Fisher's deviations of a pair, from the samples it shares, are those of the correlation that stands for it."""
    rng = np.random.default_rng(0)
    observed = rng.random((3, 4000)) < np.array([[0.9], [0.5], [0.3]])
    row, col, strength = np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([0.1, 0.4, 0.8])
    signals = SimpleNamespace(observed=observed, effective=1000.0)
    shared = [(observed[i] & observed[j]).mean() for i, j in zip(row, col, strict=True)]
    expected = np.arctanh(strength) * np.sqrt(1000.0 * np.array(shared) - 3)
    found = np.arctanh(_as_if_whole(strength, row, col, signals)) * np.sqrt(997.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
