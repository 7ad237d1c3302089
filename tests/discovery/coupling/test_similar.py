from types import SimpleNamespace

import networkx
import numpy as np
import pytest
import torch

from scge_pyg.discovery.coupling import similar
from scge_pyg.discovery.coupling.similar import beyond_noise, connected_rows, evident, most_similar
from scge_pyg.discovery.signals.most_correlated import most_correlated
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read


@pytest.fixture(scope="module")
def signals():
    """Forty correlated nodes, a third of them inverted."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 6, (40, 2))
    root = np.linalg.cholesky(np.exp(-np.linalg.norm(points[:, None] - points[None], axis=-1)))
    return prepare(read(rng.standard_normal((500, 40)) @ root.T * np.where(rng.random(40) < 0.33, -1, 1)))


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("k", [1, 7, 39, 60])
def test_the_strongest_partners_by_falling_strength(signals, k, signed):
    index, value = most_similar(signals, k, signed)
    correlation = np.corrcoef(signals.score.astype(float))
    np.fill_diagonal(correlation, 0 if not signed else -np.inf)
    strength = correlation if signed else np.abs(correlation)
    k = min(k, 39)
    assert index.shape == value.shape == (40, k)
    expected = np.argsort(-strength, axis=1)[:, :k]
    assert np.array_equal(index, expected)
    np.testing.assert_allclose(value, np.take_along_axis(correlation, expected, 1), atol=1e-5)


@pytest.mark.parametrize("signed", [False, True])
def test_many_nodes_give_the_same_without_a_matrix(signals, signed, monkeypatch):
    index, value = most_similar(signals, 6, signed)
    monkeypatch.setattr(similar, "DENSE_NODES", 10)
    again = most_similar(signals, 6, signed)
    assert np.array_equal(again[0], index)
    np.testing.assert_allclose(again[1], value, atol=1e-5)


def pieces(sizes, seed, num_samples=150):
    """Signals of independent fields on chains and of single nodes, so few that some ties are but likely."""
    rng = np.random.default_rng(seed)
    parts = []
    for size in sizes:
        step = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        parts.append(rng.standard_normal((num_samples, size)) @ np.linalg.cholesky(0.55**step).T)
    return prepare(read(np.concatenate(parts, 1)))


@pytest.mark.parametrize("most", [2048, 10])
@pytest.mark.parametrize(("size", "tie", "joined"), [(8, "likely", True), (7, "likely", False), (8, "weak", False)])
def test_a_likely_tie_is_enough_to_a_large_part(size, tie, joined, most, monkeypatch):
    """Rows whose correlations are exactly these: a chain of evident links, and a node tied to its end."""
    monkeypatch.setattr(similar, "DENSE_NODES", most)
    effective, num_nodes = 400.0, 20
    likely = np.tanh(np.sqrt(4 * np.log(num_nodes)) / np.sqrt(effective - 3))
    value = (likely + evident(num_nodes, effective)) / 2 if tie == "likely" else 0.95 * likely
    correlation = np.eye(num_nodes)
    for node in range(size - 1):
        correlation[node, node + 1] = correlation[node + 1, node] = 0.4
    correlation[0, size] = correlation[size, 0] = -value
    rows = np.linalg.qr(np.random.default_rng(0).standard_normal((400, num_nodes)))[0].T * 20
    score = (np.linalg.cholesky(correlation) @ rows).astype(np.float32)
    near = tuple(a.numpy() for a in most_correlated(torch.from_numpy(score), num_nodes - 1))
    known = {"num_nodes": num_nodes, "effective": effective, "score": score, "observed": None}
    signals = SimpleNamespace(**known, correlation=correlation, similar=near)
    assert connected_rows(signals)[0].tolist() == list(range(size + joined))


@pytest.mark.parametrize("most", [2048, 10])
@pytest.mark.parametrize("seed", range(8))
def test_parts_are_those_of_networkx(seed, most, monkeypatch):
    """Evident links, and likely ones to what eight nodes or more already hold together."""
    monkeypatch.setattr(similar, "DENSE_NODES", most)
    signals = pieces([15, 9, 4, 1, 1, 1], seed)
    num_nodes, effective = signals.num_nodes, signals.effective
    strength = np.abs(np.corrcoef(signals.score.astype(float)))
    likely = np.tanh(np.sqrt(4 * np.log(num_nodes)) / np.sqrt(effective - 3))
    graph = networkx.empty_graph(num_nodes)
    graph.add_edges_from(np.argwhere(np.triu(strength > evident(num_nodes, effective), 1)).tolist())
    large = set().union(*(part for part in networkx.connected_components(graph) if len(part) >= 8))
    pairs = np.argwhere(np.triu(strength > likely, 1)).tolist()
    graph.add_edges_from((i, j) for i, j in pairs if i in large or j in large)
    expected = sorted(map(sorted, networkx.connected_components(graph)), key=lambda part: (-len(part), part[0]))
    assert [part.tolist() for part in connected_rows(signals)] == expected


def test_independent_fields_come_apart_by_falling_size():
    signals = pieces([4, 12, 1, 8], 0, 2000)
    found = [sorted(signals.order[part].tolist()) for part in connected_rows(signals)]
    assert found == [list(range(4, 16)), list(range(17, 25)), list(range(4)), [16]]


def test_fisher_makes_correlations_of_noise_normal():
    """A share of 4.6 % of unrelated pairs lies beyond two deviations, at any number of samples."""
    rng = np.random.default_rng(0)
    for num_samples in (12, 400):
        chance = np.corrcoef(rng.standard_normal((200, num_samples)))[np.triu_indices(200, 1)]
        assert (np.abs(chance) > beyond_noise(2.0, num_samples)).mean() == pytest.approx(0.0455, abs=0.01)
    assert beyond_noise(3.0, 1e6) == pytest.approx(3e-3, rel=1e-3)
    assert 0.99 < beyond_noise(1.0, 0.0) <= 1.0


@pytest.mark.parametrize(("num_nodes", "num_samples"), [(200, 50), (400, 300)])
def test_no_unrelated_pair_is_evident(num_nodes, num_samples):
    rng = np.random.default_rng(0)
    for _ in range(5):
        chance = np.corrcoef(rng.standard_normal((num_nodes, num_samples)))[np.triu_indices(num_nodes, 1)]
        limit = evident(num_nodes, num_samples)
        assert 0.6 * limit < np.abs(chance).max() < limit


def test_more_nodes_need_more_and_more_samples_less():
    assert evident(1000, 500) > evident(10, 500) > evident(10, 5000)
    assert evident(1, 0.0) == pytest.approx(1.0)
