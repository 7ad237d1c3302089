"""Gaussian fields over given places or graphs, and signals that go on in time."""

from __future__ import annotations

import numpy as np
from draws import Array
from numpy.random import Generator
from scipy.linalg import solve_triangular
from scipy.signal import lfilter
from scipy.spatial.distance import cdist
from scipy.special import gamma, kv

__all__ = ["autoregressive", "gaussian", "markov", "matern", "matern_field", "precision"]


def matern(distance: Array, length: float, nu: float) -> Array:
    r"""Matern correlation at ``distance``, of smoothness ``nu``.

    .. math::
        \frac{2^{1 - \nu}}{\Gamma(\nu)} s^\nu K_\nu(s),\qquad s = \sqrt{2 \nu}\, r / \ell

    which is :math:`e^{-s}`, :math:`(1 + s) e^{-s}` and :math:`(1 + s + s^2 / 3) e^{-s}` for 0.5, 1.5 and 2.5.

    Raises:
        ValueError: If the smoothness isn't positive.

    Example:
        >>> matern(np.array([0.0, 1.0]), 1.0, 0.5).round(3).tolist()
        [1.0, 0.368]
    """
    if not nu > 0:
        raise ValueError(f"matern: nu must be positive, got {nu}")
    s = np.sqrt(2 * nu) * distance / length
    polynomial = {0.5: np.ones_like(s), 1.5: 1 + s, 2.5: 1 + s + s**2 / 3}
    if nu in polynomial:
        return np.asarray(polynomial[nu] * np.exp(-s))
    apart = np.maximum(s, 1e-8)  # at 0 one factor is 0 and the other infinite
    return np.where(s > 0, 2 ** (1 - nu) / gamma(nu) * apart**nu * kv(nu, apart), 1.0)


def gaussian(covariance: Array, samples: int, rng: Generator) -> Array:
    """Independent samples ``[samples, N]`` with a covariance that may be singular."""
    value, vector = np.linalg.eigh(covariance)
    return np.asarray(rng.standard_normal((samples, len(value))) @ (vector * np.sqrt(np.maximum(value, 0))).T)


def matern_field(
    places: Array, length: float, nu: float, samples: int, rng: Generator, memory: float = 0.0, burn_in: int = 100
) -> Array:
    """Samples ``[samples, N]`` of a field over ``places``; each goes on from the last with ``memory`` in [0, 1)."""
    x = gaussian(matern(cdist(places, places), length, nu), samples + burn_in * (memory > 0), rng)
    return _filtered(x, memory, burn_in) if memory else x


def precision(adjacency: Array, coherence: float) -> Array:
    """Precision of a Markov field on a graph: its Laplacian, and ``coherence`` on the diagonal."""
    weight = adjacency.astype(float)
    return np.diag(weight.sum(1) + coherence) - weight


def markov(precision: Array, samples: int, rng: Generator) -> Array:
    """Independent samples ``[samples, N]`` of the Gaussian field with this precision."""
    root = np.linalg.cholesky(precision)
    return np.asarray(solve_triangular(root.T, rng.standard_normal((len(root), samples)), lower=False).T)


def autoregressive(memory: float, samples: int, nodes: int, rng: Generator) -> Array:
    """Independent stationary processes ``x_t = memory x_(t - 1) + e_t`` of variance 1, ``[samples, nodes]``."""
    burn_in = round(10 / (1 - memory))
    return _filtered(rng.standard_normal((samples + burn_in, nodes)), memory, burn_in)


def _filtered(white: Array, memory: float, burn_in: int) -> Array:
    return np.asarray(lfilter([np.sqrt(1 - memory**2)], [1, -memory], white, axis=0)[burn_in:])
