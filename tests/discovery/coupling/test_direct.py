import numpy as np
import pytest
import torch

from scge_pyg.discovery.coupling import direct
from scge_pyg.discovery.coupling.candidate_regression import RIDGES
from scge_pyg.discovery.coupling.direct import (
    centred,
    choose_ridge,
    direct_coupling,
    partial_correlation,
    pseudo_likelihood,
    sparse_coupling,
    stabilize,
)
from scge_pyg.discovery.coupling.lacking import filled, lacking, lifted


def standardised(num_samples, num_nodes, seed=0):
    """Correlated signals ``[S, N]`` with mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(num_nodes) + rng.standard_normal((num_nodes, num_nodes)) / np.sqrt(num_nodes)
    x = rng.standard_normal((num_samples, num_nodes)) @ mixing
    return (x - x.mean(0)) / x.std(0)


def with_ridge(x, ridge):
    """Pseudo-samples that turn least squares on ``x`` into ridge regression: ``x^T x / S`` gains ``ridge I``."""
    return np.concatenate([x, np.sqrt(ridge * len(x)) * np.eye(x.shape[1])])


def halves_and_whole(x):
    return [np.corrcoef(part.T) for part in (x[::2], x[1::2], x)]


@pytest.mark.parametrize("ridge", [0.0, 0.05, 1.0])
def test_partial_correlation_is_the_correlation_of_regression_residuals(ridge):
    x = standardised(200, 9)
    partial = partial_correlation(np.corrcoef(x.T), ridge)
    sample = with_ridge(x, ridge)
    for i in range(9):
        for j in range(i):
            others = np.delete(sample, [i, j], 1)
            pair = sample[:, [i, j]]
            residual = pair - others @ np.linalg.lstsq(others, pair, rcond=None)[0]
            expected = residual[:, 0] @ residual[:, 1] / np.sqrt((residual**2).sum(0).prod())
            assert partial[i, j] == pytest.approx(expected, abs=1e-10)
    assert np.array_equal(np.diag(partial), np.zeros(9))


def test_partial_correlation_is_symmetric_up_to_rounding():
    partial = partial_correlation(np.corrcoef(standardised(300, 40).T), 0.01)
    np.testing.assert_allclose(partial, partial.T, atol=1e-14)


def test_a_chain_is_coupled_to_its_neighbours_alone():
    """An autoregressive process in closed form."""
    rho = 0.7
    time = np.arange(12)
    partial = partial_correlation(rho ** np.abs(time[:, None] - time[None]), 0.0)
    expected = np.zeros((12, 12))
    expected[time[:-1], time[1:]] = rho / (1 + rho**2)
    expected[0, 1] = expected[10, 11] = rho / np.sqrt(1 + rho**2)
    np.testing.assert_allclose(partial, expected + expected.T, atol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 0.03, 0.5])
def test_pseudo_likelihood_predicts_each_node_from_all_others(ridge):
    train, test = standardised(150, 8, seed=1), standardised(130, 8, seed=2)
    sample = with_ridge(train, ridge)
    gain = []
    for node in range(8):
        others = np.delete(sample, node, 1)
        beta = np.linalg.lstsq(others, sample[:, node], rcond=None)[0]
        variance = ((sample[:, node] - others @ beta) ** 2).sum() / len(train)
        error = ((test[:, node] - np.delete(test, node, 1) @ beta) ** 2).mean()
        independent = -(np.log(1.0) + 1.0) / 2
        gain.append(-(np.log(variance) + error / variance) / 2 - independent)
    found = pseudo_likelihood(np.corrcoef(train.T), np.corrcoef(test.T), ridge)
    assert found == pytest.approx(np.mean(gain), abs=1e-10)


def test_independent_nodes_gain_nothing():
    identity = np.eye(6)
    assert pseudo_likelihood(identity, identity, 0.0) == pytest.approx(0.0, abs=1e-14)


def test_the_chosen_ridge_is_the_best_one(grid_field):
    first, second, _ = halves_and_whole(grid_field((6, 7), 300).x.numpy())
    ridge, gain = choose_ridge(first, second)
    around = [pseudo_likelihood(first, second, 2 * ridge * factor) for factor in (10**-0.25, 1.0, 10**0.25)]
    assert gain == pytest.approx(around[1], rel=1e-12)
    assert around[1] > max(around[0], around[2])


def test_a_share_of_the_nodes_chooses_the_ridge(grid_field, monkeypatch):
    first, second, _ = halves_and_whole(grid_field((9, 11), 400).x.numpy())
    ridge, gain = choose_ridge(first, second)
    monkeypatch.setattr(direct, "_PROBED", 30)
    some = np.unique(np.linspace(0, 98, 30).astype(int))
    found, share = choose_ridge(first, second)
    assert found == ridge
    assert share == pytest.approx(pseudo_likelihood(first, second, 2 * ridge, some), rel=1e-12)
    assert share == pytest.approx(gain, rel=0.1)


def test_a_few_nodes_scout_and_all_of_them_decide(grid_field, monkeypatch):
    first, second, _ = halves_and_whole(grid_field((9, 11), 400).x.numpy())
    every = [pseudo_likelihood(first, second, float(ridge)) for ridge in RIDGES]
    sizes = []

    def counted(fitted, *rest):
        sizes.append(len(fitted))
        return pseudo_likelihood(fitted, *rest)

    monkeypatch.setattr(direct, "pseudo_likelihood", counted)
    monkeypatch.setattr(direct, "_SCOUTED", 40)
    found, gain = choose_ridge(first, second)
    assert (found, gain) == (float(RIDGES[np.argmax(every)]) / 2, pytest.approx(max(every), rel=1e-12))
    assert sizes.count(40) > sizes.count(99) >= 3


def test_more_samples_need_less_ridge(grid_field):
    x = grid_field((6, 7), 6400).x.numpy()
    ridges = [choose_ridge(*halves_and_whole(x[:count])[:2])[0] for count in (100, 800, 6400)]
    assert ridges[0] > ridges[1] > ridges[2]


def test_direct_coupling_keeps_the_positive_part(grid_field):
    parts = halves_and_whole(grid_field((5, 6), 600).x.numpy())
    coupling = direct_coupling(*parts)
    partial = np.maximum(centred(partial_correlation(parts[2], coupling.ridge)), 0)
    np.testing.assert_allclose(coupling.matrix.toarray(), partial, atol=1e-14)
    assert (coupling.matrix != coupling.matrix.T).nnz == 0


def test_direct_coupling_keeps_the_strongest_partners(grid_field):
    """A node keeps 32 partners, and those that count it among theirs."""
    parts = halves_and_whole(grid_field((8, 9), 600).x.numpy())
    coupling = direct_coupling(*parts)
    partial = np.maximum(centred(partial_correlation(parts[2], coupling.ridge)), 0)
    kept = partial >= np.sort(partial, 1)[:, [-32]]
    np.testing.assert_allclose(coupling.matrix.toarray(), np.where(kept | kept.T, partial, 0), atol=1e-14)


def test_dissimilarity_is_one_minus_the_correlation(grid_field):
    parts = halves_and_whole(grid_field((4, 5), 400).x.numpy())
    pairs = np.array([[0, 3, 7], [19, 4, 2]])
    np.testing.assert_allclose(direct_coupling(*parts).dissimilarity(pairs), 1 - parts[2][pairs[0], pairs[1]])


def test_centred_values_have_no_median_and_no_common_shift():
    partial = partial_correlation(np.corrcoef(standardised(300, 15).T), 0.01)
    found = centred(partial)
    upper = np.triu_indices(15, 1)
    np.testing.assert_allclose(found[upper], partial[upper] - np.median(partial[upper]), atol=1e-15)
    assert np.array_equal(np.diag(found), np.zeros(15))
    np.testing.assert_allclose(centred(partial - 0.3), found, atol=1e-14)


def test_directions_that_the_data_lack_get_variance_one():
    """Combinations of nodes that were taken out, as by an average reference, and those put back exactly."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    for count in (1, 3, 8):
        variance = np.r_[np.full(count, 1e-4), rng.uniform(0.1, 3, 40 - count)]
        correlation = (basis * variance) @ basis.T
        found = lifted(correlation, lacking(correlation))
        expected = (basis * np.r_[np.ones(count), variance[count:]]) @ basis.T
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_directions_are_lifted_only_where_they_stand_apart():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    for variance in (
        np.geomspace(1e-4, 5, 40),  # smooth fields fall off evenly
        np.r_[0.03, np.full(39, 1.0)],  # varies enough
        np.r_[np.full(9, 1e-4), np.full(31, 1.0)],  # more than eight
    ):
        correlation = (basis * variance) @ basis.T
        assert lacking(correlation).shape == (40, 0)
        assert np.array_equal(lifted(correlation, lacking(correlation)), correlation)
    assert lacking(np.eye(3)).shape == (3, 0)


def test_noise_fills_what_the_data_lack_and_nothing_else():
    """Along a removed direction there is variance one, uncorrelated with all others, which stay as they are."""
    x = standardised(2000, 40)
    way = np.linalg.qr(np.random.default_rng(3200).standard_normal((40, 3)))[0]
    score = (x - x @ way @ way.T).T.astype(np.float32)
    found = filled(score, None, way)
    np.testing.assert_allclose(np.cov(way.T @ found), np.eye(3), atol=0.1)
    np.testing.assert_allclose(found - way @ (way.T @ found), score, atol=1e-4)
    assert np.array_equal(found, filled(score, None, way))
    observed = np.random.default_rng(3201).random(score.shape) < 0.9
    np.testing.assert_array_equal(filled(score * observed, observed, way), np.where(observed, found, 0))
    assert filled(score, None, way[:, :0]) is score


def test_what_a_half_has_of_a_direction_that_the_whole_lacks_is_left_to_it():
    rng = np.random.default_rng(190)
    direction = np.linalg.qr(rng.standard_normal((10, 2)))[0]
    loadings = np.hstack([rng.standard_normal((10, 3)), 2 * direction[:, :1]])
    half = loadings @ loadings.T + 0.01 * np.eye(10)
    half /= np.sqrt(np.outer(np.diag(half), np.diag(half)))
    variance = np.einsum("iq,ij,jq->q", direction, half, direction)
    assert variance[0] > 1 > variance[1]
    found = lifted(half, direction)
    assert np.linalg.eigvalsh(found).min() > 0
    assert np.allclose(found - half, (1 - variance[1]) * np.outer(direction[:, 1], direction[:, 1]))


def test_matrices_without_an_inverse_are_lifted_or_left():
    """Nodes that are alike on one side of the samples, with the rounding of single precision."""
    rng = np.random.default_rng(0)
    x = standardised(300, 20)[:, [*range(20), 3, 3, 7]]
    rounding = 1e-6 * rng.standard_normal((23, 23))
    correlation = np.corrcoef(x.T) + rounding + rounding.T
    found = lifted(correlation, lacking(correlation))
    assert np.linalg.eigvalsh(found)[:3] == pytest.approx(np.linalg.eigvalsh(np.corrcoef(x[:, :20].T))[:3], abs=0.3)


def test_an_average_reference_leaves_the_direct_coupling(grid_field):
    x = grid_field((6, 7), 3000).x.numpy()
    plain, referenced = (direct_coupling(*halves_and_whole(a)).matrix for a in (x, x - x.mean(1, keepdims=True)))
    assert np.corrcoef(plain.toarray().ravel(), referenced.toarray().ravel())[0, 1] > 0.99


def test_sparse_coupling_is_symmetric_and_positive():
    index, value = (
        np.array([[1, 2], [0, 3], [0, 1], [2, 1]]),
        np.array([[0.5, -0.2], [0.4, 0.1], [0.3, 0.0], [-1, 0.6]]),
    )
    expected = np.zeros((4, 4))
    for i in range(4):
        for j, v in zip(index[i], value[i], strict=True):
            expected[i, j] = expected[j, i] = max(v, 0, expected[i, j])
    matrix = sparse_coupling(index, value, 4)
    assert np.array_equal(matrix.toarray(), expected)
    assert matrix.nnz == (expected > 0).sum()


@pytest.mark.parametrize(("effective", "noise"), [(1e4, 0.01), (4.0, None), (None, None)])
def test_noise_is_no_more_than_that_of_so_many_independent_samples(grid_field, effective, noise):
    parts = halves_and_whole(grid_field((4, 5), 400).x.numpy())
    coupling = direct_coupling(*parts, effective)
    partial = centred(partial_correlation(parts[2], coupling.ridge))[np.triu_indices(20, 1)]
    assert coupling.noise == pytest.approx(noise or np.median(np.abs(partial)) / 0.6745)


def test_noise_is_the_spread_between_unrelated_nodes():
    x = np.random.default_rng(0).standard_normal((2000, 60))
    coupling = direct_coupling(*halves_and_whole(x))
    partial = partial_correlation(np.corrcoef(x.T), coupling.ridge)
    assert coupling.noise == pytest.approx(partial[np.triu_indices(60, 1)].std(), rel=0.1)


def test_gain_tells_signal_from_noise(grid_field):
    x = grid_field((5, 6), 600).x.numpy()
    independent = np.random.default_rng(0).standard_normal((600, 30))
    assert direct_coupling(*halves_and_whole(x)).gain > 0.1
    assert direct_coupling(*halves_and_whole(independent)).gain <= 0


def test_stabilize_commutes_with_a_change_of_unit():
    x = torch.linspace(-3, 3, 13)
    torch.testing.assert_close(stabilize(4 * x), 2 * stabilize(x))
    torch.testing.assert_close(stabilize(-x), -stabilize(x))
    torch.testing.assert_close(stabilize(x) * stabilize(x).abs(), x)
