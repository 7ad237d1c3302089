"""Drawn correlations against recordings that are drawn sample by sample."""

import numpy as np
from scipy.signal import lfilter

from scge_pyg.discovery.layouts.spectra import drawn_correlations, spectra_of


def test_they_scatter_as_those_of_recordings_do():
    rng = np.random.default_rng(0)
    coupling = np.array([[1.0, 0.6, 0.1], [0.6, 1.0, 0.3], [0.1, 0.3, 1.0]])
    root = np.linalg.cholesky(coupling)
    x = lfilter([1.0], [1.0, -0.8], rng.standard_normal((300, 400, 3)) @ root.T, axis=1)
    true = np.stack([np.corrcoef(one.T) for one in x])
    drawn = drawn_correlations(np.repeat(coupling[None], 300, 0), spectra_of(x[0].T), rng)
    np.testing.assert_allclose(drawn.mean(0), true.mean(0), atol=0.03)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert 0.8 < drawn[:, i, j].std() / true[:, i, j].std() < 1.25


def test_many_channels_and_few_frequencies_keep_rank_and_diagonal():
    rng = np.random.default_rng(1)
    drawn = drawn_correlations(np.eye(40)[None], spectra_of(rng.standard_normal((40, 30))), rng)
    np.testing.assert_allclose(np.diagonal(drawn[0]), 1, atol=1e-5)
    assert np.linalg.matrix_rank(drawn[0], tol=1e-3) <= 30


def test_bands_share_the_power_and_hold_every_frequency():
    x = lfilter([1.0], [1.0, -0.9], np.random.default_rng(2).standard_normal((5, 1001)), axis=1)
    spectra = spectra_of(x)
    np.testing.assert_allclose(spectra.power.sum(1), 1)
    np.testing.assert_allclose(spectra.power.mean(0), 1 / spectra.power.shape[1], atol=0.05)
    assert spectra.frequencies.sum() == 500
    np.testing.assert_allclose(np.diagonal(spectra.overlap), 1)
