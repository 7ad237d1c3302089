"""Few factors are told from fields; second sources are how samples were made, and scikit-learn's factor analysis."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.few_factors import factor_gains, factor_model, few_factors, spread_of_directions
from scge_pyg.discovery.judgement.judge import choose


def sampled(loading, noise, num_samples, seed):
    """Samples ``[S, N]`` of factors with loadings ``[q, N]``."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((num_samples, len(loading))) @ loading
    return torch.from_numpy(x + noise * rng.standard_normal(x.shape)).float()


def factors(count, seed, num_nodes=40, num_samples=2000, noise=0.5):
    loading = np.random.default_rng(seed).standard_normal((count, num_nodes)) / np.sqrt(count)
    return sampled(loading, noise, num_samples, seed)


def field(points, length, seed, num_samples=1000, noise=0.5):
    root = np.linalg.cholesky(np.exp(-((cdist(points, points) / length) ** 2)) + 1e-6 * np.eye(len(points)))
    return sampled(root.T, noise, num_samples, seed)


@pytest.fixture(scope="module")
def judged(signals_of):
    """Maker of the verdict on samples, and of how many factors explain them."""

    def make(x):
        court = Court(signals_of(x))
        choice = choose(court)
        return choice.verdict, few_factors(court, choice.near)

    return make


@pytest.mark.parametrize(("count", "seed", "noise"), [(1, 7000, 0.5), (3, 7000, 0.2), (3, 7002, 0.9), (4, 7001, 0.7)])
def test_as_many_factors_as_there_are(judged, count, seed, noise):
    verdict, found = judged(factors(count, seed, noise=noise))
    assert found == count
    assert verdict.verdict == "no geometry"


@pytest.mark.parametrize("seed", [7000, 7001, 7003])
def test_three_factors_are_refused_though_their_map_predicts(judged, seed):
    verdict, _ = judged(factors(3, seed, noise=0.8))
    assert verdict.ratio > 0.85
    assert verdict.verdict == "no geometry"


def test_a_star_is_one_factor(judged):
    rng = np.random.default_rng(7000)
    hub = rng.standard_normal((2000, 1))
    x = np.hstack([hub, 0.4 * hub * rng.uniform(0.2, 2, 30) + rng.standard_normal((2000, 30))])
    verdict, _ = judged(torch.from_numpy(x).float())
    assert verdict.verdict == "no geometry"


def ring(num_nodes, seed):
    return 2 * np.pi * np.random.default_rng(seed).random(num_nodes)


@pytest.mark.parametrize("seed", [7000, 7001])
@pytest.mark.parametrize("harmonics", [[1], [0, 1], [1, 2], [0, 1, 2]])
def test_few_harmonics_on_a_ring_are_places_on_it(judged, harmonics, seed):
    """Two to five factors explain all, exactly; but their loadings lie on a curve."""
    angle = ring(50, seed)
    waves = [f(k * angle) for k in harmonics for f in ((np.cos, np.sin) if k else (np.ones_like,))]
    verdict, found = judged(sampled(np.stack(waves), 0.5, 2000, seed))
    assert found == 0
    assert verdict.verdict == "geometry"


@pytest.mark.parametrize("seed", [7000, 7001])
@pytest.mark.parametrize(("num_nodes", "length", "num_samples"), [(9, 2.0, 200), (16, 4.0, 150), (40, 8.0, 300)])
def test_smooth_fields_of_few_nodes_and_samples_are_kept(judged, num_nodes, length, num_samples, seed):
    points = np.sqrt(num_nodes) * np.random.default_rng(seed).random((num_nodes, 2))
    verdict, found = judged(field(points, length, seed, num_samples))
    assert found == 0
    assert verdict.verdict == "geometry"


def test_sensors_of_uneven_noise_in_a_smooth_field_are_kept(judged):
    """Three factors leave nothing, and signal to noise differs by more than among normal loadings."""
    points = 8 * np.random.default_rng(7000).random((60, 2))
    x = field(points, 9.0, 7000, num_samples=400, noise=0.3)
    x = x * torch.from_numpy(np.random.default_rng(1).choice([-1.0, 1.0], 60)).float()
    x = x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * torch.linspace(-3, 1, 60).exp()
    verdict, found = judged(x)
    assert found == 0
    assert verdict.verdict == "geometry"


def test_the_model_is_that_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    x = factors(3, 7000, noise=0.6).double().numpy()
    x = (x - x.mean(0)) / x.std(0)
    peer = decomposition.FactorAnalysis(3, tol=1e-8, max_iter=5000, svd_method="lapack").fit(x)
    loading, own = factor_model(np.corrcoef(x.T), 3)
    assert own == pytest.approx(peer.noise_variance_, abs=2e-3)
    assert loading @ loading.T == pytest.approx(peer.components_.T @ peer.components_, abs=2e-3)


def test_gains_are_those_of_the_regression_that_the_model_implies():
    rng = np.random.default_rng(7000)
    loading, own = rng.standard_normal((12, 2)) / 2, rng.uniform(0.3, 1, 12)
    held_out = np.corrcoef(rng.standard_normal((12, 60)))
    without = np.stack([rng.permutation(np.delete(np.arange(12), node))[:3] for node in range(12)])
    gain = factor_gains(loading, own, held_out, without)
    model = loading @ loading.T + np.diag(own)
    for node in range(12):
        rest = np.setdiff1d(np.arange(12), [node, *without[node]])
        beta = np.linalg.solve(model[np.ix_(rest, rest)], model[rest, node])
        error = 1 - 2 * beta @ held_out[rest, node] + beta @ held_out[np.ix_(rest, rest)] @ beta
        assert gain[node] == pytest.approx(-0.5 * np.log(error))


@pytest.mark.parametrize("columns", [3, 4])
def test_directions_of_a_cloud_are_spread_and_those_of_a_curve_are_not(columns):
    rng = np.random.default_rng(7000)
    angle = ring(60, 7000)
    curve = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)], 1)[:, :columns]
    assert spread_of_directions(rng.standard_normal((60, columns))) == pytest.approx(1, abs=0.25)
    assert spread_of_directions(curve * rng.uniform(0.2, 2, (60, 1))) < 0.6
    turn = np.linalg.qr(rng.standard_normal((columns, columns)))[0]
    cloud = rng.standard_normal((60, columns))
    assert spread_of_directions(cloud @ turn) == pytest.approx(spread_of_directions(cloud))
