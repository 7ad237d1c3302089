import numpy as np
import pytest
import torch

from scge_pyg.discovery.coupling import choice, similar
from scge_pyg.discovery.coupling.choice import correlation_coupling, partial_couplings
from scge_pyg.discovery.coupling.direct import direct_coupling
from scge_pyg.discovery.coupling.local import local_coupling
from scge_pyg.discovery.signals.moments_of_scores import correlation_of
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read


def field(num_nodes=45, num_samples=800, inverted=0.0, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, np.sqrt(num_nodes), (num_nodes, 2))
    root = np.linalg.cholesky(np.exp(-np.linalg.norm(points[:, None] - points[None], axis=-1) / 2))
    return rng.standard_normal((num_samples, num_nodes)) @ root.T * np.where(rng.random(num_nodes) < inverted, -1, 1)


def dense(coupling):
    return coupling.matrix.toarray()


@pytest.mark.parametrize("most", [2048, 10])
@pytest.mark.parametrize("absolute", [False, True])
def test_correlation_with_the_32_most_similar(absolute, most, monkeypatch):
    for module in (choice, similar):
        monkeypatch.setattr(module, "DENSE_NODES", most)
    signals = prepare(read(field(inverted=0.3)))
    coupling = correlation_coupling(signals, absolute)
    correlation = np.corrcoef(signals.score.astype(float))
    strength = np.abs(correlation) if absolute else correlation.copy()
    np.fill_diagonal(strength, -np.inf)
    ranked = strength if most > 45 else np.abs(correlation) - 2 * np.eye(45)  # many nodes keep the 32 of either sign
    kept = ranked >= np.sort(ranked, 1)[:, [-32]]
    expected = np.where(kept | kept.T, np.maximum(strength, 0), 0)
    assert coupling.name == ("|correlation|" if absolute else "correlation")
    np.testing.assert_allclose(dense(coupling), expected, atol=1e-5)
    assert coupling.noise == pytest.approx(1 / np.sqrt(signals.effective))
    pairs = np.array([[0, 5, 12, 40], [3, 1, 44, 2]])
    own = correlation[pairs[0], pairs[1]]
    np.testing.assert_allclose(coupling.dissimilarity(pairs), 1 - (np.abs(own) if absolute else own), atol=1e-5)
    assert coupling.dissimilarity(pairs[:, :0]).shape == (0,)


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_partial_coupling_is_fitted_on_one_side_and_judged_on_the_other(gaps):
    x = field()
    x[np.random.default_rng(1).random(x.shape) < gaps] = np.nan
    signals = prepare(read(x))
    sides = [correlation_of(signals.score, signals.observed, signals.split.side(side), 25) for side in (0, 1)]
    expected = direct_coupling(*sides, signals.correlation, signals.effective)
    (found,) = partial_couplings(signals)
    assert (found.name, found.gain, found.noise) == (expected.name, expected.gain, expected.noise)
    assert np.array_equal(dense(found), dense(expected))


def spots(num_nodes=45, num_samples=800):
    """Spots of light of random strength, a few a sample, each seen by the nodes around it."""
    rng = np.random.default_rng(0)
    points = rng.uniform(0, np.sqrt(num_nodes), (num_nodes, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    light = rng.exponential(1, (num_samples, num_nodes)) * (rng.random((num_samples, num_nodes)) < 0.1)
    return light @ np.where(distance < 1.5, np.exp(-(distance**2)), 0)


def test_roots_and_scores_by_falling_gain():
    """How bright a spot is goes on from node to node; ranks of dark pixels don't tell it."""
    rare = np.maximum(field() - 1.5, 0)
    for x, rooted in ((spots(), True), (spots() ** 0.5, False), (rare**8, False)):
        signals = prepare(read(x))
        sides = [signals.split.side(side) for side in (0, 1)]
        scores, roots = (
            direct_coupling(*(correlation_of(s, None, side) for side in sides), correlation_of(s, None)).gain
            for s in (signals.score, signals.rooted)
        )
        assert [coupling.gain for coupling in partial_couplings(signals)] == sorted([scores, roots], reverse=True)
        assert (roots > 1.15 * scores) if rooted else (roots < 1.08 * scores)


def test_roots_of_short_recordings_with_gaps_are_coupled():
    """Pairs need as many common samples as the whole recording can give."""
    x = np.maximum(field(12, 70) - 0.3, 0)
    x[np.random.default_rng(1).random(x.shape) < 0.05] = np.nan
    signals = prepare(read(x))
    assert signals.rooted is not None
    assert signals.fewest < 50
    coupling = choice._partial(signals, signals.rooted, 0)
    assert (coupling.dissimilarity(np.stack(np.triu_indices(12, 1))) != 1).mean() > 0.9


def test_many_nodes_are_regressed_on_their_most_similar(monkeypatch):
    monkeypatch.setattr(choice, "DENSE_NODES", 10)
    signals = prepare(read(np.stack([field(), field(seed=1)], -1)))
    score = torch.from_numpy(signals.score)
    index = torch.from_numpy(signals.similar[0])
    expected = local_coupling(score / score.square().mean(1, keepdim=True).sqrt(), seed=3, index=index)
    (found,) = partial_couplings(signals, seed=3)
    assert found.name == expected.name
    assert np.array_equal(dense(found), dense(expected))
