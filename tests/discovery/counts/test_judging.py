"""What predicts counts without places, against loops, and the verdict, against its bounds."""

import numpy as np
import pytest
import scipy.sparse as sp

from scge_pyg.discovery.counts import judging
from scge_pyg.discovery.counts.factors import factor_lift
from scge_pyg.discovery.counts.halves import halves
from scge_pyg.discovery.counts.judging import _as_good, _Half, judge
from scge_pyg.discovery.counts.profiles import alike_rows

SHRINK = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)


def topics(rng: np.random.Generator) -> np.ndarray:
    """Counts of eight factors."""
    own, of = rng.dirichlet(np.full(8, 0.3), 120), rng.dirichlet(np.full(60, 0.3), 8)
    return rng.poisson(60 * own @ of)


def groups(rng: np.random.Generator) -> np.ndarray:
    """Sixteen kinds of rows, more than there are factors."""
    return rng.poisson(40 * np.repeat(rng.dirichlet(np.full(60, 0.1), 16), 8, 0))


def contacts(rng: np.random.Generator) -> np.ndarray:
    """Contacts of nodes on a line."""
    apart = np.abs(np.subtract.outer(np.arange(80), np.arange(80)))
    half = np.triu(rng.poisson(8 * np.exp(-apart / 4)), 1)
    return half + half.T


@pytest.mark.parametrize(("make", "wins"), [(topics, "factors"), (groups, "rows alike"), (contacts, "rows alike")])
def test_the_ceiling_is_the_best_of_factors_and_rows_alike(make, wins):
    counts = make(np.random.default_rng(3840)).astype(float)
    shared = make is contacts
    counts = sp.csr_matrix(counts if shared else counts[:, counts.sum(0) > 0])
    half = _Half(*halves(counts, 0, shared), shared, None)
    fitted, held = half.fitted.toarray(), sp.coo_matrix((half.data, (half.row, half.col)), half.fitted.shape).toarray()
    margin = (fitted.sum(0) + 0.5) / (fitted.sum(0) + 0.5).sum()
    row, col = (ends.ravel() for ends in np.indices(fitted.shape))
    lifts = {"factors": [factor_lift(half.fitted, margin, row, col).reshape(fitted.shape)], "rows alike": []}
    near = alike_rows(half.fitted).index
    for k in (0, 4, 16, 64):
        pooled = np.array([fitted[n] + fitted[near[n, :k]].sum(0) for n in range(len(fitted))])
        if shared:
            np.fill_diagonal(pooled, 0)
        lifts["rows alike"].append(pooled / pooled.sum(1, keepdims=True) / margin)
    best = {
        name: max((held * np.log((1 - shrink) * lift + shrink)).sum() for lift in own for shrink in SHRINK)
        for name, own in lifts.items()
    }
    assert max(best, key=best.get) == wins
    assert half.best_without().sum() == pytest.approx(best[wins])


@pytest.mark.parametrize(
    ("short", "spread", "expected"),
    [(0.004, 0.0, True), (0.006, 0.0, False), (0.009, 0.05, True), (0.011, 0.05, False), (0.016, 0.5, False)],
)
def test_as_good_is_within_two_standard_errors_over_rows(short, spread, expected):
    best = np.full(100, 2.0)
    assert _as_good(best * (1 - short - spread * np.tile([1, -1], 50)), best, np.ones(100)) == expected


@pytest.mark.parametrize(
    ("gain", "spread", "ceiling", "expected"),
    [
        (0.78, 0.01, 1.0, "no geometry"),
        (0.78, 0.2, 1.0, "geometry"),  # over 32 blocks of both halves, the error of the ratio is 0.035
        (0.81, 0.01, 1.0, "geometry"),
        (0.02, 0.06, 0.02, "no geometry"),  # two standard errors beyond the margins
        (0.02, 0.02, 0.02, "geometry"),
        (0.0055, 0.0, 0.0055, "geometry"),
        (0.0045, 0.0, 0.0045, "no geometry"),
    ],
)
def test_a_geometry_keeps_up_with_the_ceiling_and_beats_the_margins(monkeypatch, gain, spread, ceiling, expected):
    """Nats a count of blocks of rows as they might be."""
    counts = sp.csr_matrix(np.full((160, 6), 20.0))
    block = gain + spread * np.repeat(np.tile([1.0, -1.0], 8), 10)
    placed = judging.first_placed(counts, judging.links_of(counts)[0], 2, judging.Kernel("gaussian"), False)
    monkeypatch.setattr(_Half, "drawn", lambda *_: placed)
    monkeypatch.setattr(_Half, "gains", lambda half, _: block[half.rows] * half.held)
    monkeypatch.setattr(_Half, "best_without", lambda half: ceiling * half.held)
    monkeypatch.setattr(judging, "_best_kernel", lambda *_: (placed.kernel, placed))
    found = judge(counts, 0, dim=2)
    assert found.ratio == pytest.approx(gain / ceiling if ceiling > 0.005 else 0.0, rel=0.05)
    assert found.error == pytest.approx(spread / np.sqrt(31) / ceiling, rel=0.1, abs=1e-9)
    assert found.verdict == expected
