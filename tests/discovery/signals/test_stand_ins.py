import numpy as np
import pytest
import torch

from scge_pyg.discovery.signals.stand_ins import stand_ins


def rng():
    return np.random.default_rng(0)


def found(x):
    return [(item.node, item.value) for item in stand_ins(torch.as_tensor(x)[..., None])]


@pytest.mark.parametrize("value", [-999, 0, 1e20, float(np.float32(9.96921e36))])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_value_that_stands_apart(value, share, dtype):
    x = (60 + 8 * rng().standard_normal((1500, 6))).astype(dtype)
    hit = np.random.default_rng(1).random(1500) < share
    x[hit, 4] = value
    (item,) = stand_ins(torch.from_numpy(x)[..., None])
    assert (item.node, item.value) == (4, float(dtype(value)))
    assert item.share == pytest.approx(hit.mean())


def test_integers_missing_values_and_channels():
    x = torch.from_numpy(rng().integers(100, 200, (1000, 4, 2)).astype(np.float32))
    x[::10, 2, 1] = -1000
    x[5::10] = torch.nan
    (item,) = stand_ins(x)
    assert (item.node, item.value) == (2, -1000.0)
    assert item.share == pytest.approx(100 / 900)


def test_the_largest_numbers():
    x = 1e307 * rng().standard_normal((1000, 4))
    assert found(x) == []
    x[::10, 1] = -1.7e308
    assert found(x) == [(1, -1.7e308)]


def log_counts(mean, low, high):
    """Counts per cell, normalised and with logarithm, as of gene expression."""
    return np.log1p(1e4 * rng().poisson(mean, (3000, 20)) / rng().uniform(low, high, (3000, 1)))


@pytest.mark.parametrize(
    "x",
    [
        rng().standard_normal((3000, 20)),
        rng().standard_cauchy((3000, 20)),
        np.maximum(rng().standard_normal((3000, 20)), 0),
        np.clip(rng().standard_normal((3000, 20)), -1, 1),
        np.round(4 * rng().standard_normal((3000, 20))),
        rng().poisson(0.3, (3000, 20)),
        rng().poisson(5, (3000, 20)),
        rng().poisson(100, (3000, 20)),
        np.sqrt(rng().poisson(np.linspace(0.5, 6, 20), (3000, 20))),
        rng().geometric(0.3, (3000, 20)),
        rng().integers(0, 2, (3000, 20)),
        1000 * rng().integers(0, 2, (3000, 20)),
        rng().lognormal(3, 1, (3000, 20)) * (rng().random((3000, 20)) < 0.7),
        rng().integers(50, 256, (3000, 20)) * (rng().random((3000, 20)) < 0.7),
        rng().integers(240, 256, (3000, 20)) * (rng().random((3000, 20)) < 0.1),
        *(log_counts(mean, low, high) for mean in (0.5, 1, 2, 4) for low, high in ((9e3, 11e3), (3e3, 2e4))),
    ],
)
def test_ordinary_signals_are_left_alone(x):
    assert found(np.asarray(x, dtype=np.float32)) == []


def test_pixels_are_left_alone():
    datasets = pytest.importorskip("sklearn.datasets")
    assert found(datasets.load_digits().data.astype(np.float32)) == []
