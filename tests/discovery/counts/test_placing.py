"""The likelihood against a loop, and its maximum against another optimiser and the truth."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from scge_pyg.discovery.counts import placing
from scge_pyg.discovery.counts.halves import halves
from scge_pyg.discovery.counts.judging import first_placed
from scge_pyg.discovery.counts.kernels import Kernel
from scge_pyg.discovery.counts.placing import Placed, log_chances, place
from scge_pyg.discovery.counts.profiles import links_of
from tests.discovery.counts.conftest import beads, misplaced


def _start(z: np.ndarray, y: np.ndarray, counts: sp.csr_matrix, kernel: str = "gaussian") -> Placed:
    margin = np.asarray(counts.sum(0)).ravel() + 0.5
    margin = margin / margin.sum()
    log_yield = np.log(margin) - np.log(margin).mean()
    return Placed(z, y, log_yield, Kernel(kernel), 0.1, margin, False)


def _likelihood(placed: Placed, counts: sp.csr_matrix) -> float:
    pairs = counts.tocoo()
    return float(pairs.data @ log_chances(placed, pairs.row, pairs.col) / pairs.data.sum())


def test_chances_are_those_of_a_loop():
    rng = np.random.default_rng(3802)
    z, y = 4 * rng.random((6, 2)), 4 * rng.random((5, 2))
    placed = _start(z, y, sp.csr_matrix(rng.integers(1, 5, (6, 5)).astype(float)), "power")
    row, col = (ends.ravel() for ends in np.indices((6, 5)))
    found = np.exp(log_chances(placed, row, col)).reshape(6, 5) * placed.margin
    for n in range(6):
        weight = [np.exp(placed.log_yield[m]) / (1 + np.sum((z[n] - y[m]) ** 2) / 4) ** 2 for m in range(5)]
        expected = 0.9 * np.array(weight) / sum(weight) + 0.1 * placed.margin
        assert np.allclose(found[n], expected, rtol=5e-3)


def test_the_maximum_is_that_of_scipy():
    small = beads(3803, count=12, partners=10, a_bead=200, width=0.4)
    z, y = small.bead / 0.4, small.partner / 0.4
    margin = np.asarray(small.counts.sum(0)).ravel()
    start = _start(z, y, small.counts)
    found = place(small.counts, start, 1500, rate=0.1)
    full = small.counts.toarray()

    def loss(free: np.ndarray) -> float:
        own, other, log_yield = free[:24].reshape(12, 2), free[24:44].reshape(10, 2), free[44:]
        near = log_yield - np.square(own[:, None] - other).sum(2) / 2
        chance = np.exp(near - near.max(1, keepdims=True))
        chance /= chance.sum(1, keepdims=True)
        share = found.background
        mixed = (1 - share) * chance + share * start.margin
        return -float((full * np.log(mixed / start.margin)).sum() / full.sum())

    best = minimize(loss, np.r_[z.ravel(), y.ravel(), np.log(margin)], method="L-BFGS-B", options={"maxiter": 3000})
    assert _likelihood(found, small.counts) == pytest.approx(-best.fun, abs=2e-3)


@pytest.mark.parametrize(("seed", "half", "kernel"), [(101, 0, "power"), (104, 1, "gaussian"), (105, 1, "power")])
def test_yields_of_rows_that_meet_few_do_not_run_away_on_a_mesh(seed, half, kernel, monkeypatch):
    place_of = np.random.default_rng(seed).random((90, 2))
    apart = cdist(place_of, place_of)
    near = np.where((apart < 0.5) & (apart > 0), np.exp(-((apart / 0.2) ** 2) / 2), 0)
    own = halves(sp.csr_matrix(near), half, symmetric=True)[0]
    start = first_placed(own, links_of(own)[0], 2, Kernel(kernel), shared=True)
    exact = place(own, start, 100, rate=0.15)
    monkeypatch.setattr(placing, "_FEW_PAIRS", 0)
    on_mesh = place(own, start, 100, rate=0.15)
    monkeypatch.undo()
    assert _likelihood(exact, own) > _likelihood(start, own)
    assert _likelihood(on_mesh, own) == pytest.approx(_likelihood(exact, own), abs=0.01)


def test_places_and_yields_are_recovered(square):
    rng = np.random.default_rng(3804)
    z = square.bead / 0.15 + rng.standard_normal(square.bead.shape)
    y = square.partner / 0.15 + rng.standard_normal(square.partner.shape)
    found = place(square.counts, _start(z, y, square.counts), 400)
    assert misplaced(found.z, square.bead) < 0.5
    assert misplaced(found.y, square.partner) < 0.6
    assert found.background < 0.05
    truth = place(square.counts, _start(square.bead / 0.15, square.partner / 0.15, square.counts), 200, rate=0.05)
    assert _likelihood(found, square.counts) > _likelihood(truth, square.counts) - 1e-3


def test_background_is_found():
    rng = np.random.default_rng(3805)
    near = beads(3805, a_bead=140)
    anywhere = rng.poisson(60 / 120, near.counts.shape)
    counts = sp.csr_matrix(near.counts + anywhere)
    found = place(counts, _start(near.bead / 0.15, near.partner / 0.15, counts), 200, rate=0.1)
    assert found.background == pytest.approx(0.3, abs=0.04)
