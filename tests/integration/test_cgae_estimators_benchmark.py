"""The enumerations behind docs/parts_learning.md against tuples of draws and autograd, and its benchmark in small."""

import importlib
import json
import math
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors on two threads wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def benchmark_of(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.chdir(tmp_path)
    return importlib.import_module


@pytest.mark.parametrize("draws", [1, 2, 3])
@pytest.mark.parametrize("noise", [2.0, 0.5])
def test_integrals_equal_sums_over_all_tuples_of_draws(benchmark_of, noise, draws):
    made, exact = benchmark_of("cgae_toy"), benchmark_of("cgae_enumerated")
    toy = made.Toy(100, noise, num_parts=2, num_values=3)
    leaves = toy.leaves()
    log_proposal, log_likelihood = toy.enumerated(leaves)
    index = torch.cartesian_prod(*[torch.arange(9)] * draws).reshape(-1, draws).T
    chance, drawn = log_proposal[index].sum(0).exp(), log_likelihood[index]
    share = (chance * drawn.softmax(0)).flatten(0, 1)
    law = torch.zeros_like(log_proposal).index_add(0, index.flatten(), share)
    torch.testing.assert_close(exact.picked_law(log_proposal, log_likelihood, draws), law.detach())
    sharp = (chance * (torch.logsumexp(drawn, 0) - math.log(draws))).sum(0).mean()
    found = exact.sharp_bound(log_proposal, log_likelihood, draws)
    torch.testing.assert_close(found, sharp)
    for one, other in zip(made.slopes(found, leaves), made.slopes(sharp, leaves), strict=True):
        torch.testing.assert_close(one, other)


def test_chains_settle_in_the_posterior(benchmark_of):
    made = benchmark_of("cgae_toy")
    toy = made.Toy(100)
    table = sum(toy.enumerated(toy.leaves())).detach()
    start = torch.zeros(4000, toy.num_images, toy.num_parts, dtype=torch.long)
    code = made.gibbs(table, start, toy.num_values, 10, torch.Generator().manual_seed(100))
    number = (code * torch.tensor([16, 4, 1])).sum(-1)
    assert torch.equal(toy.codes[number, torch.arange(3)], code)
    found = torch.nn.functional.one_hot(number, 64).double().mean(0).T
    expected = table.softmax(0)
    assert ((found - expected) / (expected / 4000).sqrt()).square().sum(0).max() < 63 + 3 * (2 * 63) ** 0.5


def test_q_twice_is_half_the_temperature_times_a_factor_of_the_image(benchmark_of):
    made, exact = benchmark_of("cgae_toy"), benchmark_of("cgae_enumerated")
    toy = made.Toy(100, 0.5**0.5, num_images=1, pixels=4)
    leaves = toy.leaves()
    log_q = toy.enumerated(leaves)[1] + 2 * math.log(math.pi)
    q = log_q.exp()
    note = made.slopes((log_q.softmax(0).detach() * q).sum(), leaves)[1]
    half = made.slopes(torch.logsumexp(2 * log_q, 0).sum() / 2, leaves)[1]
    torch.testing.assert_close(note, half * (q.square().sum() / q.sum()).detach())
    torch.testing.assert_close(half, made.slopes(exact.fisher((2 * log_q).softmax(0), log_q), leaves)[1])


def test_bias_falls_as_one_over_k_once_weights_are_even(benchmark_of):
    exact = benchmark_of("cgae_enumerated")
    even, peaked = exact.picked(100, 4.0), exact.picked(100, 1.0)
    assert even["slope"] == pytest.approx([-1, -1], abs=0.05)
    assert [256 * b for b in even["bias"][-1]] == pytest.approx(even["predicted"], rel=0.02)
    assert min(peaked["slope"]) > -0.5
    assert peaked["slope_far"] == pytest.approx([-1, -1], abs=0.05)
    for record in (even, peaked):
        assert record["bias"][0] == pytest.approx([1.0, record["excess"][1]])
        assert record["sharp"][0] > 0.05
        assert record["sharp"][1] < 1e-12


def test_the_benchmark_runs(benchmark_of, monkeypatch):
    module = benchmark_of("cgae_estimators")
    monkeypatch.setattr(module, "_NOISES", (2.0,))
    monkeypatch.setattr(module, "_PIXELS", (6, 96))
    monkeypatch.setattr(sys, "argv", ["cgae_estimators.py", "--quick", "--first-seed", "100"])
    module.main()
    records = json.loads(Path("results/cgae_estimators_quick.json").read_text())["records"]
    rows = {r["name"]: r for r in records if r["part"] == "estimators"}
    unbiased = [
        n for n in rows if n.startswith(("REINFORCE", "importance", "posterior")) and not n.endswith("sweeps: 1")
    ]
    assert len(unbiased) == 8
    for name in unbiased:
        for side in ("encoder", "decoder"):
            assert rows[name][side]["in_errors"] < 1.4
    assert rows["relaxed, temperature 1"]["encoder"]["in_errors"] > 10
    assert rows["REINFORCE, leave one out"]["encoder"]["spread"] < rows["REINFORCE"]["encoder"]["spread"] / 5
    slips = {r["pixels"]: r for r in records if r["part"] == "slips"}
    assert slips[96]["twice"]["count"] < 2 < slips[6]["twice"]["count"]
    assert slips[96]["softmax"]["count"] < 2
    assert slips[96]["softmax_of_mean"]["count"] > 60
