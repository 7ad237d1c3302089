"""Small simulated arrays."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp


class Beads(NamedTuple):
    counts: sp.csr_matrix
    bead: np.ndarray
    partner: np.ndarray


def beads(seed: int, count: int = 150, partners: int = 120, a_bead: float = 80, width: float = 0.15) -> Beads:
    """Poisson counts through a normal kernel on a square."""
    rng = np.random.default_rng(seed)
    bead, partner = rng.random((count, 2)), rng.random((partners, 2))
    contact = np.exp(-np.square(bead[:, None] - partner).sum(2) / (2 * width**2))
    expected = a_bead * contact / contact.sum(1, keepdims=True)
    return Beads(sp.csr_matrix(rng.poisson(expected).astype(float)), bead, partner)


def misplaced(found: np.ndarray, truth: np.ndarray) -> float:
    """Median distance to the truth after the best similarity transform, in spacings of as many places on a square."""
    middle = truth.mean(0)
    x, y = found - found.mean(0), truth - middle
    u, s, v = np.linalg.svd(x.T @ y)
    apart = s.sum() / np.square(x).sum() * x @ (u @ v) - y
    return float(np.median(np.linalg.norm(apart, axis=1)) * np.sqrt(len(truth)))


@pytest.fixture(scope="session")
def square() -> Beads:
    return beads(3800)
