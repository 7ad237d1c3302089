"""Recordings of a Gaussian field over a grid, in time, with noise and gains of their own."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.spatial.distance import cdist


class Array(NamedTuple):
    x: np.ndarray
    places: np.ndarray


@pytest.fixture(scope="session")
def recording():
    """Maker of samples ``[S, N]`` over a grid of this shape, coupled over ``length`` spacings."""

    def make(shape=(5, 6), seed=0, samples=2000, length=2.5, noise=0.2, memory=0.6, average=False):
        rng = np.random.default_rng(seed)
        places = np.argwhere(np.ones(shape)).astype(float)
        root = np.linalg.cholesky(np.exp(-cdist(places, places) / length))
        signals = rng.standard_normal((samples, len(places))) @ root.T
        x = lfilter([1.0], [1.0, -memory], signals, axis=0)
        x = x + noise * x.std() * rng.standard_normal(x.shape)
        if average:
            x = x - x.mean(1, keepdims=True)
        return Array(x * rng.uniform(0.5, 2, len(places)), places)

    return make
