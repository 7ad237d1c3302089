"""Bias and spread of the gradient estimators on a problem small enough to enumerate.

One target chooses k = 2 of 4 candidates by a Plackett-Luce draw and hears each with weight 1/2; the loss is not linear
in the weights. The exact gradient of the expected loss comes from all ordered draws. Bias is the norm of the mean
estimate less the exact gradient, relative to the latter's norm, with the standard error of that norm; spread is the
standard deviation of a single estimate, relative likewise. `straight_through` is deterministic and uses no draw.

    python benchmarks/estimator_bias.py
"""

from __future__ import annotations

import argparse
import itertools
import math

import torch
from report import markdown_table
from torch import Tensor

from scge_pyg.nn.trained.estimators import Gumbel, Reinforce, StraightThrough
from scge_pyg.nn.trained.subset_sampling import plackett_luce_log_prob

_SCORES = torch.tensor([0.3, -0.5, 0.8, 0.0], dtype=torch.float64)
_VALUES = torch.tensor([0.7, -1.1, 0.4, 2.0], dtype=torch.float64)
_K = 2


def loss_of(weight: Tensor) -> Tensor:
    """Loss of attention weights ``[..., 4]``."""
    return ((weight * _VALUES).sum(-1) - 0.3).square() + 0.5 * (weight * _VALUES.flip(0)).sum(-1)


def exact() -> Tensor:
    """Gradient of the expected loss by enumeration."""
    leaf = _SCORES.clone().requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for order in itertools.permutations(range(len(leaf)), _K):
        weight = torch.zeros_like(_SCORES)
        weight[list(order)] = 1 / _K
        chance = plackett_luce_log_prob(leaf.unsqueeze(0), torch.tensor([order])).exp().sum()
        total = total + chance * loss_of(weight)
    return torch.autograd.grad(total, leaf)[0]


def relaxed(estimator: torch.nn.Module, draws: int) -> Tensor:
    """Single estimates ``[draws, 4]`` of an estimator with differentiable weights."""
    leaf = _SCORES.expand(draws, -1).clone().requires_grad_()
    return torch.autograd.grad(loss_of(estimator(leaf).weight).sum(), leaf)[0]


def score_function(baseline: str, draws: int) -> Tensor:
    """Estimates ``[draws, 4]`` of the score function, two draws each."""
    estimator = Reinforce(_K, baseline)
    found = []
    for _ in range(draws):
        leaf = _SCORES.unsqueeze(0).clone().requires_grad_()
        losses = []
        for _ in range(2):
            slot, weight = estimator(leaf)
            losses.append(loss_of(torch.zeros(1, 4, dtype=torch.float64).scatter(1, slot, weight))[0])
        found.append(torch.autograd.grad(estimator.surrogate(torch.stack(losses)), leaf)[0][0])
    return torch.stack(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200_000, help="draws of the relaxed estimators")
    parser.add_argument("--quick", action="store_true", help="a tenth of the draws")
    args = parser.parse_args()
    draws = args.draws // (10 if args.quick else 1)
    truth = exact()
    cases = [("straight_through", "", relaxed(StraightThrough(_K), 1))]
    for temperature in (0.1, 0.25, 0.5, 1.0, 2.0, 4.0):
        for hard in (False, True):
            name = "gumbel, hard" if hard else "gumbel"
            cases.append((name, f"{temperature:g}", relaxed(Gumbel(_K, temperature=temperature, hard=hard), draws)))
    cases += [(f"reinforce, {b}", "", score_function(b, draws // 20)) for b in ("loo", "learned")]
    lines = []
    for name, temperature, sample in cases:
        off = sample.mean(0) - truth
        spread = sample.std(0).norm() if len(sample) > 1 else torch.zeros(())
        bias = f"{float(off.norm() / truth.norm()):.3f} ± {float(spread / truth.norm()) / math.sqrt(len(sample)):.3f}"
        lines.append([name, temperature, bias, f"{float(spread / truth.norm()):.1f}"])
    print(markdown_table(["estimator", "temperature", "bias", "spread"], lines))


if __name__ == "__main__":
    main()
