"""The note's case of CGAE: enumeration against every ordered code, the sketch's sampler against its lines."""

import math
from itertools import permutations, product
from pathlib import Path

import pytest
import torch

PROTOTYPES, PARTS = 10, 3
FAULTS = ("draw", "sign", "own", "first", "pixels", "weights")


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))


def problem(seed=100):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 6, generator=generator, dtype=torch.double)
    return x, 0.5 * torch.randn(PROTOTYPES, 6, generator=generator, dtype=torch.double)


def test_all_720_codes_of_the_note():
    from cgae_note_codes import log_marginal, memberships

    x, w = problem()
    w.requires_grad_()
    codes = torch.tensor(list(permutations(range(PROTOTYPES), PARTS)))
    assert len(codes) == 720
    assert len(memberships(PROTOTYPES, PARTS)) == 120
    energy = 0.7 * (x[:, None] - w[codes].sum(1)).square().sum(2)
    log_p = log_marginal(x, w, PARTS, 0.7)
    torch.testing.assert_close(log_p, (-energy).exp().sum(1).log())
    posterior = (-energy).softmax(1).detach()
    expected = torch.autograd.grad(-(posterior * energy).sum(), w)[0]
    torch.testing.assert_close(torch.autograd.grad(log_p.sum(), w)[0], expected)


def test_best_code_is_the_least_error_of_all_draws():
    from cgae_note_codes import best

    x, w = problem()
    codes = torch.tensor(list(product(range(PROTOTYPES), repeat=PARTS)))
    error = (x[:, None] - w[codes].sum(1)).square().sum(2).min(1).values
    found = best(x, w, PARTS)
    torch.testing.assert_close(found.error, error)
    torch.testing.assert_close((x - found.counts @ w).square().sum(1), error)


def literal(x, w, run, generator):
    """The sketch with its residual in pixels and its codes one after the other."""
    from cgae_note_sketch import drawn

    res = 0 * x - x if "sign" in run.faults else x.clone()
    zh = torch.zeros(len(x), PARTS, dtype=torch.long)
    if "first" not in run.faults:
        res = res - PARTS * w[0]
    for _ in range(run.sweeps):
        for h in range(PARTS):
            seen = res if "own" in run.faults else res + w[zh[:, h]]
            square = (seen[:, None] - w).square()
            logp = -run.beta * (square.mean(2) if "pixels" in run.faults else square.sum(2))
            idx = drawn(logp.softmax(-1), run.faults, generator)
            res = res + w[zh[:, h]] - w[idx]
            zh[:, h] = idx
    return zh


@pytest.mark.parametrize("fault", [None, "every", *FAULTS])
def test_sampler_draws_as_the_sketch_does(fault):
    from cgae_note_sketch import FAULTS as NAMES
    from cgae_note_sketch import Run, sample

    x, w = problem()
    x = x.repeat(50, 1)
    assert tuple(NAMES) == FAULTS
    run = Run(frozenset(FAULTS if fault == "every" else [fault] if fault else []), beta=0.1)
    expected = literal(x, w, run, torch.Generator().manual_seed(0))
    found = sample(x, w, run, torch.Generator().manual_seed(0)).kind
    assert (found == expected).all()
    assert len(found.unique()) > 5


def test_without_faults_the_chain_has_the_posterior_as_its_distribution():
    from cgae_note_sketch import Run, sample

    x, w = problem()
    codes = torch.tensor(list(product(range(PROTOTYPES), repeat=PARTS)))
    p = (-(x[:1, None] - w[codes].sum(1)).square().sum(2)).softmax(1)[0]
    number = 4_000
    kind = sample(x[:1].repeat(number, 1), w, Run(sweeps=10), torch.Generator().manual_seed(0)).kind
    drawn_codes = torch.bincount(kind @ torch.tensor([100, 10, 1]), minlength=1000)
    often = p * number > 10
    chi = ((drawn_codes - p * number).square() / (p * number))[often].sum()
    degrees = int(often.sum())
    assert abs(float(chi) - degrees) < 5 * math.sqrt(2 * degrees)


def test_a_random_number_each_draws_the_first_prototype_when_it_is_unlikely():
    from cgae_note_sketch import drawn

    p = torch.tensor([0.1, 0.6, 0.3])
    kind = drawn(p.expand(50_000, 3), frozenset({"draw"}), torch.Generator().manual_seed(0))
    share = torch.bincount(kind, minlength=3) / len(kind)
    # the first u_k >= c_k with c = (0.1, 0.7, 1); none: the first
    expected = torch.tensor([0.9 + 0.1 * 0.7, 0.1 * 0.3, 0.0])
    torch.testing.assert_close(share, expected, atol=0.01, rtol=0)
    right = drawn(p.expand(50_000, 3), frozenset(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.bincount(right, minlength=3) / len(right), p, atol=0.01, rtol=0)


@pytest.mark.parametrize(("ratio", "apart"), [(0.3, True), (3.0, False)])
def test_grey_is_stable_above_the_largest_eigenvalue_only(ratio, apart):
    from cgae_note_sketch import Run, learn

    generator = torch.Generator().manual_seed(100)
    x = 1 + torch.randn(2_000, 5, generator=generator) * torch.tensor([2.0, 1.0, 0.5, 0.5, 0.5])
    leading = float(torch.linalg.eigvalsh(x.T.cov())[-1])
    w = learn(x, Run(enumerated=True, beta=1 / (2 * ratio * leading), steps=100, lr=0.1), seed=100)
    spread = float((w - w.mean(0)).square().sum(1).mean())
    assert (spread > 0.3) if apart else (spread < 0.03)
    torch.testing.assert_close(PARTS * w.mean(0), x.mean(0), atol=0.3, rtol=0)
