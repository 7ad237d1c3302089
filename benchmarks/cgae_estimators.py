"""Gradient estimators of the particle code against enumeration: bias, variance, and how their objectives differ.

Toys of `cgae_toy.py`, drawn anew with each seed: 3 images of 6 pixels, 3 parts of 4 values, so 64 codes. Three tables:

1. Each estimator, 8 draws an image, against the enumerated gradient of its own objective. Bias: norm of the mean
   estimate less the exact gradient, relative to the latter's, encoder and decoder; behind it the standard error of
   that norm. "In standard errors": root mean square over the principal axes of the estimates, encoder and decoder, the
   largest of the seeds; noise alone has 1, give or take the inverse root of twice the axes (some 30 and 60). Beside it
   the same against another objective, the least of the seeds. Spread: standard deviation of one estimate, relative.
2. The self-normalised estimator by the number of draws, without noise (`cgae_enumerated.py`).
3. The note's slips in this place: q(o|z) twice, and the softmax over the batch.

    python benchmarks/cgae_estimators.py
    python benchmarks/cgae_estimators.py --quick --first-seed 100 --seeds 1
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from cgae_enumerated import COUNTS, fisher, picked, picked_law, slips
from cgae_toy import Toy, gibbs, slopes
from report import Records, markdown_table
from torch import Tensor

from scge_pyg.models.cgae.learning.estimators import RunningMean, importance_loss, posterior_loss, reinforce_loss
from scge_pyg.models.cgae.learning.proposal_draws import draw_codes, relaxed_draws

_DRAWS, _CHUNK = 8, 1000
_NOISES = (4.0, 2.0, 1.0, 0.5)
_PIXELS = (6, 24, 96, 784)
_SIDES = ("encoder", "decoder")
_OTHER = {"bound": "marginal", "marginal": "bound", "picked": "marginal"}
_NAMES = {"bound": "bound", "marginal": "marginal likelihood", "picked": "law of a picked draw"}

Loss = Callable[[list[Tensor]], Tensor]


def aims(toy: Toy) -> dict[str, list[Tensor]]:
    """Exact gradients of the bound and of the marginal likelihood, and the mean of the self-normalised estimate."""
    leaves = toy.leaves()
    log_proposal, log_likelihood = toy.enumerated(leaves)
    joint = log_proposal + log_likelihood
    values = {
        "bound": (log_proposal.exp() * log_likelihood).sum(0).mean(),
        "marginal": torch.logsumexp(joint, 0).mean(),
        "picked": fisher(picked_law(log_proposal, log_likelihood, _DRAWS), joint),
    }
    return {name: slopes(value, leaves) for name, value in values.items()}


def losses(toy: Toy, generator: torch.Generator) -> dict[str, tuple[str, Loss]]:
    """Each estimator: its own objective, and its loss for leaves of any number of copies."""
    table = sum(toy.enumerated(toy.leaves())).detach()

    def scored(leaves: list[Tensor]) -> tuple[Tensor, Tensor]:
        code, log_proposal = draw_codes(toy.logits(leaves[0]), _DRAWS, generator)
        return log_proposal, toy.log_likelihood(toy.decoded(leaves[1], code))

    def note(log_proposal: Tensor, log_likelihood: Tensor) -> Tensor:
        weight = log_likelihood.detach().softmax(0)
        return -(weight * (log_proposal + log_likelihood)).sum(0).mean()

    def joint(leaves: list[Tensor], code: Tensor) -> Tensor:
        return toy.log_proposal(leaves[0], code) + toy.log_likelihood(toy.decoded(leaves[1], code))

    def exact(leaves: list[Tensor]) -> Tensor:
        chance = table.softmax(0).T.repeat(len(leaves[0]), 1)
        code = torch.multinomial(chance, _DRAWS, replacement=True, generator=generator).T
        return posterior_loss(joint(leaves, toy.codes[:, 0][code]))

    def chains(leaves: list[Tensor], sweeps: int) -> Tensor:
        start = draw_codes(toy.logits(leaves[0].detach()), _DRAWS, generator)[0]
        code = gibbs(table.repeat(1, len(leaves[0])), start, toy.num_values, sweeps, generator)
        return posterior_loss(joint(leaves, code))

    def relaxed(leaves: list[Tensor], temperature: float, hard: bool) -> Tensor:
        y = relaxed_draws(toy.logits(leaves[0]), _DRAWS, temperature, hard, generator)
        return -toy.log_likelihood(toy.decoded(leaves[1], y)).mean()

    level = RunningMean()
    for _ in range(20):
        level(scored(toy.leaves())[1])
    found: dict[str, tuple[str, Loss]] = {
        "REINFORCE": ("bound", lambda p: reinforce_loss(*scored(p), baseline=None)),
        "REINFORCE, running mean": ("bound", lambda p: reinforce_loss(*scored(p), baseline=level)),
        "REINFORCE, leave one out": ("bound", lambda p: reinforce_loss(*scored(p), baseline="loo")),
        "posterior, exact draws": ("marginal", exact),
        "importance-weighted, as the note has it": ("picked", lambda p: note(*scored(p))),
        "importance-weighted, less 1/K": ("picked", lambda p: importance_loss(*scored(p))),
    }
    for sweeps in (1, 3, 10):
        found[f"posterior, Gibbs sweeps: {sweeps}"] = ("marginal", lambda p, s=sweeps: chains(p, s))
    for hard, name in ((False, "relaxed"), (True, "straight-through")):
        for temperature in (0.25, 0.5, 1.0, 2.0):
            loss = lambda p, t=temperature, h=hard: relaxed(p, t, h)  # noqa: E731
            found[f"{name}, temperature {temperature:g}"] = ("bound", loss)
    return found


def compared(sample: Tensor, truth: Tensor) -> dict[str, float]:
    """Bias, its standard error and the spread of estimates ``[R, P]``, and the bias in standard errors."""
    off, size = sample.mean(0) - truth, truth.norm()
    variance, axes = torch.linalg.eigh(sample.T.cov())
    common, turned = variance > 1e-4 * variance[-1], off @ axes
    blind = bool(turned[~common].norm() > 1e-2 * size)
    spread = float(sample.std(0).norm() / size)
    return {
        "bias": float(off.norm() / size),
        "error": spread / len(sample) ** 0.5,
        "in_errors": math.inf if blind else float((turned.square() / variance * len(sample))[common].mean().sqrt()),
        "spread": spread,
    }


def measure(seed: int, name: str, estimates: int) -> dict[str, Any]:
    """A record of the first table."""
    toy = Toy(seed)
    truths, (own, loss) = aims(toy), losses(toy, torch.Generator().manual_seed(seed))[name]
    chunks = []
    for _ in range(estimates // _CHUNK):
        leaves = toy.leaves(_CHUNK)
        chunks.append(slopes(-_CHUNK * loss(leaves), leaves))
    record = {"part": "estimators", "seed": seed, "name": name, "own": own}
    for side, sample, aim, other in zip(
        _SIDES, map(torch.cat, zip(*chunks, strict=True)), truths[own], truths[_OTHER[own]], strict=True
    ):
        record[side] = {**compared(sample, aim[0]), "other": compared(sample, other[0])["in_errors"]}
    return record


def first_table(records: list[dict[str, Any]]) -> str:
    head = [
        "estimator",
        "objective",
        "bias, encoder",
        "decoder",
        "in standard errors",
        "of another objective",
        "spread, encoder",
        "decoder",
    ]
    lines = []
    for name in dict.fromkeys(r["name"] for r in records):
        rows = [r for r in records if r["name"] == name]
        line = [name, _NAMES[rows[0]["own"]]]
        line += [f"{mean(r[s]['bias'] for r in rows):.3f} ± {mean(r[s]['error'] for r in rows):.3f}" for s in _SIDES]
        for key in ("in_errors", "other"):
            pick = max if key == "in_errors" else min
            line.append(", ".join(f"{pick(r[s][key] for r in rows):.2f}" for s in _SIDES))
        lines.append([*line, *(f"{mean(r[s]['spread'] for r in rows):.2f}" for s in _SIDES)])
    return markdown_table(head, lines)


def _pair(rows: list[dict[str, Any]], key: str, digits: int = 3) -> str:
    return ", ".join(f"{mean(r[key][s] for r in rows):.{digits}f}" for s in (0, 1))


def _range(rows: list[dict[str, Any]], key: str) -> str:
    every = [value for r in rows for value in r[key]]
    return f"{min(every):.2f} to {max(every):.2f}"


def second_table(records: list[dict[str, Any]]) -> str:
    shown = (1, 4, 16, 64, 256)
    head = ["noise", "E ρ²", "bound's gradient", *(f"K = {k}" for k in shown), "K times bias, K = 256", "predicted"]
    head += ["slope, 16 to 256", "slope, 16 to 256 E ρ²", "from Burda's bound, K = 8"]
    lines = []
    for noise in dict.fromkeys(r["noise"] for r in records):
        rows = [r for r in records if r["noise"] == noise]
        for r in rows:
            r["last"] = [256 * b for b in r["bias"][-1]]
        low, high = min(r["second"] for r in rows), max(r["second"] for r in rows)
        line = [f"{noise:g}", f"{low:.1f} to {high:.1f}", _pair(rows, "excess")]
        line += [", ".join(f"{mean(r['bias'][COUNTS.index(k)][s] for r in rows):.3f}" for s in (0, 1)) for k in shown]
        line += [_pair(rows, "last", 2), _pair(rows, "predicted", 2), _range(rows, "slope"), _range(rows, "slope_far")]
        lines.append([*line, ", ".join(f"{mean(r['sharp'][s] for r in rows):.1e}" for s in (0, 1))])
    return markdown_table(head, lines)


def third_table(records: list[dict[str, Any]]) -> str:
    head = ["pixels", "q twice: log factor", "images", "cosine", "softmax over 64: images", "cosine"]
    head += ["of mean over pixels: images", "cosine", "entropy of the posterior", "with the mean"]
    lines = []
    for pixels in dict.fromkeys(r["pixels"] for r in records):
        rows = [r for r in records if r["pixels"] == pixels]
        line = [str(pixels), f"{mean(r['twice']['factor'] for r in rows):.1f}"]
        for name in ("twice", "softmax", "softmax_of_mean"):
            line += [f"{mean(r[name]['count'] for r in rows):.1f}", f"{mean(r[name]['cosine'] for r in rows):.2f}"]
        lines.append([*line, *(f"{mean(r[key] for r in rows):.3f}" for key in ("entropy", "entropy_of_mean"))])
    return markdown_table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the estimates, one seed")
    parser.add_argument("--seeds", type=int, help="number of toys (default: 5, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first; try out with 100 and above")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted start")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/cgae_estimators*.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    estimates = 2000 if options.quick else 20_000
    path = options.output or Path(f"results/cgae_estimators{'_quick' if options.quick else ''}.json")
    records = Records(path, {"estimates": estimates, "draws": _DRAWS}, resume=options.resume)
    for seed in range(options.first_seed, options.first_seed + (options.seeds or (1 if options.quick else 5))):
        for noise in _NOISES:
            if records.find(part="picked", seed=seed, noise=noise) is None:
                records.add(picked(seed, noise))
        for pixels in _PIXELS:
            if records.find(part="slips", seed=seed, pixels=pixels) is None:
                records.add(slips(seed, pixels))
        for name in losses(Toy(seed), torch.Generator()):
            if records.find(part="estimators", seed=seed, name=name) is None:
                records.add(measure(seed, name, estimates))
    for part, table in (("estimators", first_table), ("picked", second_table), ("slips", third_table)):
        print(table([r for r in records.items if r["part"] == part]), end="\n\n")


if __name__ == "__main__":
    main()
