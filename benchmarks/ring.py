"""Does any gradient find a ring of 16? Random starts that end in the true wiring, by estimator, schedule and search.

Run s uses permutation s, random start s, initial weights s and stream of samples s, for s = 0 to 19. The task is that
of `ring_task.py`; success means that the two nearest places of each of the 16 nodes are its two neighbours on the ring.
Weights are trained for the first tenth of the steps, then weights and places. `hebbian` rows add `HebbianLoss`, or
have it alone. Monte Carlo rows minimise the same loss, with the two weights solved for, in as many seconds of the
processor as straight-through gradients took from the same start: single places that jump, or, told that there is a
circle, swaps of nodes on it.

    python benchmarks/ring.py --quick                # 5 starts, the rows of the plain estimators and the best schedule
    python benchmarks/ring.py                        # everything; --resume goes on after an interruption
    python benchmarks/ring.py --first-seed 100 --runs 5 --rows soft gumbel
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from report import Records, markdown_table
from ring_task import Ring, ring_layer, solve_weights, task_losses
from tqdm import tqdm

from scge_pyg.nn import NodeEmbedding
from scge_pyg.nn.trained.hebbian import HebbianLoss

_SETTINGS = {"batch_size": 64, "warm_share": 0.1, "weight_rate": 0.05, "energy_samples": 256}
_FALLING = (5.0, 0.5)
_REFERENCE = "straight_through, 4 dimensions, falling"


@dataclass(frozen=True)
class Row:
    """One way to search.

    Attributes:
        estimator: Name of the estimator, or of the search.
        dim: Dimensions of the places.
        tau: Temperature of the places at the start and at the end, reached geometrically.
        nodes: Size of the ring.
        smooth: Correlated fields or white noise.
        candidates: Sources a node chooses from. Default: all.
        refresh_every: Steps between two searches for candidates.
        rate: Largest learning rate of the places.
        steps: Steps of the optimiser.
        task: Whether there is a loss of the task.
        hebbian: Whether there is a Hebbian loss.
        patience: Monte Carlo: seconds, in units of the reference row's.
        options: Of the estimator.
    """

    estimator: str
    dim: int = 2
    tau: tuple[float, float] = (1.0, 1.0)
    nodes: int = 16
    smooth: bool = True
    candidates: int | None = None
    refresh_every: int = 10
    rate: float = 0.1
    steps: int = 600
    task: bool = True
    hebbian: bool = False
    patience: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)


_RATES = {"topk": 0.3}  # the best of 0.03, 0.1 and 0.3 on starts 100 to 102; 0.1 for all others
_ESTIMATORS = ("topk", "soft", "straight_through", "gumbel", "reinforce")


def rows() -> dict[str, Row]:
    """All rows of the tables by name."""
    best = {"dim": 4, "tau": _FALLING}
    found: dict[str, Row] = {}
    for name in _ESTIMATORS:
        rate = _RATES.get(name, 0.1)
        found[name] = Row(name, rate=rate)
        found[f"{name}, falling"] = Row(name, tau=_FALLING, rate=rate)
        found[f"{name}, 4 dimensions"] = Row(name, dim=4, rate=rate)
        found[f"{name}, 4 dimensions, falling"] = Row(name, rate=rate, **best)
        found[f"{name}, 4 dimensions, falling, white"] = Row(name, rate=rate, smooth=False, **best)
    for tau in (0.5, 5.0):
        found[f"straight_through, 4 dimensions, {tau:g}"] = Row("straight_through", dim=4, tau=(tau, tau))
    found["straight_through, 8 dimensions, falling"] = Row("straight_through", dim=8, tau=_FALLING)
    for count, every in ((3, 10), (6, 10), (6, 1)):
        label = f"straight_through, 4 dimensions, falling, {count} candidates, searched every {every}"
        found[label] = Row("straight_through", candidates=count, refresh_every=every, **best)
    for start, end in ((0.25, 0.25), (4.0, 0.25)):
        options = {"temperature": start, "final_temperature": end, "steps": 600}
        found[f"gumbel {start:g} to {end:g}, 4 dimensions, falling"] = Row("gumbel", options=options, **best)
    for nodes in (32, 64):
        found[f"straight_through, 4 dimensions, falling, ring of {nodes}"] = Row(
            "straight_through", nodes=nodes, **best
        )
    for dim in (2, 4):
        found[f"hebbian alone, {dim} dimensions"] = Row("topk", dim=dim, task=False, hebbian=True, rate=0.5)
        found[f"hebbian and task, {dim} dimensions"] = Row("topk", dim=dim, hebbian=True, rate=0.5)
    found["jumps, greedy"] = Row("jumps", patience=1)
    found["jumps, annealed"] = Row("jumps", tau=(0.1, 1e-4), patience=1)
    found["jumps, annealed, five times as long"] = Row("jumps", tau=(0.1, 1e-4), patience=5)
    found["swaps on the circle, greedy"] = Row("swaps", patience=1)
    found["swaps on the circle, annealed"] = Row("swaps", tau=(0.1, 1e-4), patience=1)
    return found


def descend(row: Row, run: int) -> dict[str, Any]:
    """Search by gradient."""
    ring = Ring(run, row.nodes, row.smooth)
    table = NodeEmbedding(row.nodes, row.dim, seed=run)
    layer = ring_layer(table, row.estimator, run, row.tau[0], row.candidates, **row.options)
    layer.refresh_every = row.refresh_every
    hebbian = HebbianLoss(table, every=20, seed=run) if row.hebbian else None
    optimizer = torch.optim.Adam([{"params": table.parameters()}, {"params": [layer.weight, layer.root]}])
    optimizer.param_groups[1]["lr"] = _SETTINGS["weight_rate"]
    warm = int(_SETTINGS["warm_share"] * row.steps)
    start = time.process_time()
    for step in range(row.steps):
        done = max(0.0, (step - warm) / (row.steps - warm))
        layer.product.tau = row.tau[0] ** (1 - done) * row.tau[1] ** done
        optimizer.param_groups[0]["lr"] = row.rate * min(1.0, 5 * done) * (1 + math.cos(math.pi * done)) / 2
        sample = ring.sample(int(_SETTINGS["batch_size"]))
        loss, total = task_losses(layer, sample)
        total = total if row.task else 0.0 * total
        if hebbian is not None:
            total = total + hebbian(sample.x)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if hasattr(layer.product.estimator, "step"):
            layer.product.estimator.step()
    return {"right": ring.right(table()), "loss": float(loss.detach()), "seconds": time.process_time() - start}


@torch.no_grad()
def wander(row: Row, run: int, seconds: float) -> dict[str, Any]:
    """Search by random moves: better ones are kept, worse ones with the chance that a falling temperature gives."""
    ring = Ring(run, row.nodes, row.smooth)
    table = NodeEmbedding(row.nodes, row.dim, seed=run)
    draw = torch.Generator().manual_seed(run)
    if row.estimator == "swaps":
        table.weight.copy_(ring.places()[torch.randperm(row.nodes, generator=draw)])
    layer, sample = ring_layer(table, "topk", run).eval(), ring.sample(int(_SETTINGS["energy_samples"]))
    now, tried, start = solve_weights(layer, sample), 0, time.process_time()
    while (done := (time.process_time() - start) / seconds) < 1:
        before = table.weight.clone()
        one, other = torch.randperm(row.nodes, generator=draw)[:2].tolist()
        if row.estimator == "swaps":
            table.weight[[one, other]] = before[[other, one]]
        else:
            near = before[other if tried % 2 else one]  # a step from where it is, or to beside another node
            table.weight[one] = near + 0.7 * torch.randn(row.dim, generator=draw)
        then, tried = solve_weights(layer, sample), tried + 1
        heat = 0.0 if row.tau[0] == row.tau[1] else row.tau[0] ** (1 - done) * row.tau[1] ** done
        kept = then <= now or (heat > 0 and float(torch.rand((), generator=draw)) < math.exp((now - then) / heat))
        if kept:
            now = then
        else:
            table.weight.copy_(before)
    return {"right": ring.right(table()), "loss": now, "seconds": time.process_time() - start, "tried": tried}


def table(records: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    lines = []
    for name, row in rows().items():
        found = [r for r in records if r["row"] == name]
        if found:
            tau = f"{row.tau[0]:g} to {row.tau[1]:g}" if row.tau[0] != row.tau[1] else f"{row.tau[0]:g}"
            lines.append(
                [
                    name,
                    str(row.dim),
                    tau if not row.patience else "",
                    f"{sum(r['right'] == 1 for r in found)} of {len(found)}",
                    f"{mean(r['right'] for r in found):.2f}",
                    f"{median(r['loss'] for r in found):.4f}",
                    f"{median(r['seconds'] for r in found):.1f}",
                ]
            )
    head = [
        "search",
        "dimensions",
        "temperature",
        "rings found",
        "nodes with both neighbours",
        "median loss",
        "seconds",
    ]
    return markdown_table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 starts, fewer rows")
    parser.add_argument("--runs", type=int, help="random starts (default: 20, with --quick 5)")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first run; tune with 100 and above")
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="rows by name")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted start")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/ring*.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = rows()
    names = options.rows or list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no such rows: {unknown}; there are {list(known)}")
    if options.quick and not options.rows:
        names = [
            n for n in names if n in _ESTIMATORS or n.endswith(("4 dimensions, falling", "4 dimensions", "annealed"))
        ]
    path = options.output or Path(f"results/ring{'_quick' if options.quick else ''}.json")
    records = Records(path, _SETTINGS, resume=options.resume)
    runs = range(options.first_seed, options.first_seed + (options.runs or (5 if options.quick else 20)))
    for name in tqdm(names, disable=not sys.stderr.isatty()):
        for run in runs:
            if records.find(row=name, run=run) is None:
                row = known[name]
                if row.patience:
                    reference = records.find(row=_REFERENCE, run=run)
                    seconds = 1.0 if reference is None else reference["seconds"]
                    found = wander(row, run, row.patience * seconds)
                else:
                    found = descend(row, run)
                records.add({"row": name, "run": run, **found})
    print(table(records.items))


if __name__ == "__main__":
    main()
