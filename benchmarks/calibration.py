"""Sensors that lie about sign, gain and time: what `NodeCalibration.from_graph(discover(x), x)` makes of them.

A smooth field (Matern 1.5, AR(0.8) in time, noise of a tenth) of equal strength on 64 cells or at 64 uniform places; a
third inverted, gains of 0.2 to 5, delays of 0 to 3 steps, one offset. Gains and delays are compared relative to their
median, signs up to one flip. Run s is drawn with seed s, s = 0 to 4.

    python benchmarks/calibration.py                  # half a minute
    python benchmarks/calibration.py --first-seed 100 --runs 2
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from fields import autoregressive, matern
from report import markdown_table
from scipy.spatial.distance import cdist
from tqdm import tqdm

from scge_pyg import NodeCalibration, discover

_NODES, _STEPS, _LATE = 64, 6_000, 3


def measure(places: str, run: int) -> list[float]:
    """Signs right, median and largest relative error of gains, gains within 5 %, delays exact."""
    rng = np.random.default_rng(run)
    side = math.isqrt(_NODES)
    at = np.stack(np.divmod(np.arange(_NODES), side), 1) if places == "grid" else side * rng.random((_NODES, 2))
    root = np.linalg.cholesky(matern(cdist(at, at), 3.0, 1.5) + 0.01 * np.eye(_NODES))
    field = autoregressive(0.8, _STEPS + _LATE, _NODES, rng) @ root.T
    sign = np.where(rng.random(_NODES) < 1 / 3, -1, 1)
    gain = np.exp(rng.uniform(math.log(0.2), math.log(5), _NODES))
    delay = rng.integers(0, _LATE + 1, _NODES)
    late = np.take_along_axis(field, np.arange(_LATE, len(field))[:, None] - delay, 0)
    x = sign * gain * late + 7
    found = NodeCalibration.from_graph(discover(x), x)
    right = float((found.sign.numpy() == sign).mean())
    error = np.abs(found.gain.detach().numpy() / (gain / np.median(gain)) - 1)
    exact = found.delay.detach().numpy() == delay - round(float(np.median(delay)))
    return [max(right, 1 - right), float(np.median(error)), error.max(), float((error < 0.05).mean()), exact.mean()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each row (default: 5)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    args = parser.parse_args()
    runs = range(args.first_seed, args.first_seed + args.runs)
    lines = []
    for places in ("grid", "uniform"):
        values = np.array([measure(places, run) for run in tqdm(runs, desc=places)])
        worst = [values[:, 0].min(), values[:, 1].max(), values[:, 2].max(), values[:, 3].min(), values[:, 4].min()]
        lines.append([places, *(f"{value:.3f}" for value in worst)])
    head = ["places", "signs", "gain, median error", "largest error", "gains within 5 %", "delays exact"]
    print(f"worst of {args.runs} runs\n\n{markdown_table(head, lines)}")


if __name__ == "__main__":
    main()
