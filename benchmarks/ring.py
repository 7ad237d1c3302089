"""Does any gradient find a ring of 16? Random starts that end in the true wiring, by estimator, schedule and search.

Run s uses permutation s and random start s, for s = 0 to 19; all share one stream of samples. The task is that of
`ring_task.py`; success means that the two nearest places of each of the 16 nodes are its two neighbours on the ring.
Weights are trained for the first tenth of the steps, then weights and places. `hebbian` rows add `HebbianLoss`, or
have it alone. Monte Carlo rows minimise the same loss, with the two weights solved for, in as many seconds of the
processor as straight-through gradients took: single places that jump, or, told that there is a circle, swaps of nodes
on it.

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
from ring_task import RingLayer, Rings
from torch import Tensor
from tqdm import tqdm

from scge_pyg.nn import NodeEmbedding
from scge_pyg.nn.trained.hebbian import HebbianLoss

_SETTINGS = {"batch_size": 64, "steps": 600, "warm_share": 0.1, "weight_rate": 0.05, "energy_samples": 256}
_FALLING = (5.0, 0.5)
_REFERENCE = "straight_through, 4 dimensions, falling"
_ESTIMATORS = ("topk", "soft", "straight_through", "gumbel", "reinforce")


@dataclass(frozen=True)
class Row:
    """One way to search.

    Attributes:
        estimator: Name of the estimator, or of the search.
        dim: Dimensions of the places.
        tau: Temperature of the places at the start and at the end, reached geometrically; of Monte Carlo moves.
        nodes: Size of the ring.
        smooth: Correlated fields or white noise.
        candidates: Nodes that a node chooses from. Default: all.
        strangers: How many of the candidates are any nodes; the others are the nearest.
        refresh_every: Steps between two searches for candidates.
        rate: Largest learning rate of the places: the best of 0.03, 0.1 and 0.3 on starts 100 to 107.
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
    strangers: int = 0
    refresh_every: int = 10
    rate: float = 0.1
    task: bool = True
    hebbian: bool = False
    patience: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)

    def start(self, runs: list[int]) -> Tensor:
        """Random places ``[S, N, d]``."""
        return torch.stack([NodeEmbedding(self.nodes, self.dim, seed=run)().detach() for run in runs])


def rows() -> dict[str, Row]:
    """All rows of the tables by name."""
    best = {"dim": 4, "tau": _FALLING}
    found: dict[str, Row] = {}
    for name in _ESTIMATORS:
        found[name] = Row(name, rate=0.3)
        found[f"{name}, falling"] = Row(name, tau=_FALLING)
        found[f"{name}, 4 dimensions"] = Row(name, dim=4)
        found[f"{name}, 4 dimensions, falling"] = Row(name, **best)
        found[f"{name}, 4 dimensions, falling, white"] = Row(name, smooth=False, **best)
    for name in ("soft", "straight_through"):
        for tau in (0.5, 5.0):
            found[f"{name}, 4 dimensions, {tau:g}"] = Row(name, dim=4, tau=(tau, tau))
        found[f"{name}, 3 dimensions, falling"] = Row(name, dim=3, tau=_FALLING)
        found[f"{name}, 8 dimensions, falling"] = Row(name, dim=8, tau=_FALLING)
        for nodes in (32, 64):
            found[f"{name}, 4 dimensions, falling, ring of {nodes}"] = Row(name, nodes=nodes, **best)
            hot = {"dim": 4, "tau": ((nodes / 16) ** 2 * _FALLING[0], _FALLING[1])}
            found[f"{name}, 4 dimensions, falling from {hot['tau'][0]:g}, ring of {nodes}"] = Row(
                name, nodes=nodes, **hot
            )
    for count, every in ((3, 10), (6, 10), (6, 1), (12, 10)):
        label = f"straight_through, 4 dimensions, falling, {count} candidates, searched every {every}"
        found[label] = Row("straight_through", candidates=count, refresh_every=every, **best)
    for name in ("straight_through", "gumbel"):
        for count, strangers in ((6, 3), (8, 4)):
            label = f"{name}, 4 dimensions, falling, {count} candidates, {strangers} of them any, drawn every step"
            found[label] = Row(name, candidates=count, strangers=strangers, refresh_every=1, **best)
    for start, end in ((0.25, 0.25), (4.0, 0.25)):
        options = {"temperature": start, "final_temperature": end, "steps": int(_SETTINGS["steps"])}
        found[f"gumbel {start:g} to {end:g}, 4 dimensions, falling"] = Row("gumbel", options=options, **best)
    found["hebbian alone, 2 dimensions"] = Row("topk", task=False, hebbian=True, rate=0.5)
    found["hebbian alone, 4 dimensions"] = Row("topk", dim=4, task=False, hebbian=True, rate=0.5)
    found["hebbian and task, 4 dimensions"] = Row("topk", dim=4, hebbian=True, rate=0.5)
    found["jumps, greedy"] = Row("jumps", tau=(0.0, 0.0), patience=1)
    found["jumps, annealed"] = Row("jumps", tau=(0.1, 1e-4), patience=1)
    found["jumps, annealed, ten times as long"] = Row("jumps", tau=(0.1, 1e-4), patience=10)
    found["swaps on the circle, greedy"] = Row("swaps", tau=(0.0, 0.0), patience=1)
    found["swaps on the circle, annealed"] = Row("swaps", tau=(0.1, 1e-4), patience=1)
    found["swaps on the circle, annealed, ten times as long"] = Row("swaps", tau=(0.1, 1e-4), patience=10)
    return found


def descend(row: Row, runs: list[int]) -> tuple[Tensor, Tensor]:
    """Search by gradient: the final places and the last errors."""
    rings = Rings(runs, row.nodes, row.smooth)
    layer = RingLayer(row.start(runs), row.estimator, row.tau[0], row.candidates, row.strangers, **row.options)
    places = layer.table.weight
    hebbian = HebbianLoss(layer.table, every=20, seed=runs[0]) if row.hebbian else None
    optimizer = torch.optim.Adam([{"params": [places]}, {"params": [layer.root, layer.scale]}])
    optimizer.param_groups[1]["lr"] = _SETTINGS["weight_rate"]
    steps, chooser = int(_SETTINGS["steps"]), layer.conv.product.estimator
    warm = int(_SETTINGS["warm_share"] * steps)
    for step in range(steps):
        done = max(0.0, (step - warm) / (steps - warm))
        layer.conv.product.tau = row.tau[0] ** (1 - done) * row.tau[1] ** done
        optimizer.param_groups[0]["lr"] = row.rate * min(1.0, 5 * done) * (1 + math.cos(math.pi * done)) / 2
        if step % row.refresh_every == 0 and layer.candidates < row.nodes:
            layer.search()
        sample = rings.sample(int(_SETTINGS["batch_size"]))
        errors, total = layer.losses(sample)
        total = total if row.task else 0.0 * total
        if hebbian is not None:
            total = total + hebbian(sample.x)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if hasattr(chooser, "step"):
            chooser.step()
    return rings.right(places), errors.detach()


@torch.no_grad()
def wander(row: Row, runs: list[int], seconds: float) -> tuple[Tensor, Tensor]:
    """Search by random moves: better ones are kept, worse ones with the chance that a falling temperature gives."""
    rings, draw = Rings(runs, row.nodes, row.smooth), torch.Generator().manual_seed(runs[0])
    start, count = row.start(runs), len(runs)
    if row.estimator == "swaps":
        order = torch.rand(count, row.nodes, generator=draw).argsort(1)
        start = rings.places().gather(1, order.unsqueeze(2).expand(-1, -1, 2))
    layer = RingLayer(start, "topk").eval()
    places, sample = layer.table.weight.view_as(start), rings.sample(int(_SETTINGS["energy_samples"]))
    now, tried, ring, began = layer.solve(sample), 0, torch.arange(count), time.process_time()
    while (done := (time.process_time() - began) / seconds) < 1:
        before, tried = places.clone(), tried + 1
        one, other = torch.rand(count, row.nodes, generator=draw).topk(2).indices.T
        if row.estimator == "swaps":
            places[ring, one], places[ring, other] = before[ring, other], before[ring, one]
        else:  # a step from where it is, or to beside another node
            near = before[ring, other if tried % 2 else one]
            places[ring, one] = near + 0.7 * torch.randn(near.shape, generator=draw)
        then = layer.solve(sample)
        heat = row.tau[0] ** (1 - done) * row.tau[1] ** done if row.tau[0] else 1e-12
        kept = torch.rand(count, generator=draw) < ((now - then) / heat).exp()
        now = torch.where(kept, then, now)
        places.copy_(torch.where(kept.view(-1, 1, 1), places, before))
    return rings.right(places), now


def measure(row: Row, runs: list[int], seconds: float) -> dict[str, Any]:
    """All starts of a row; those with a Hebbian loss one by one, as it follows one table."""
    began = time.process_time()
    if row.patience:
        right, errors = wander(row, runs, row.patience * seconds)
    elif row.hebbian:
        parts = [descend(row, [run]) for run in tqdm(runs, leave=False, disable=not sys.stderr.isatty())]
        right, errors = (torch.cat(part) for part in zip(*parts, strict=True))
    else:
        right, errors = descend(row, runs)
    return {"right": right.tolist(), "errors": errors.tolist(), "seconds": time.process_time() - began}


def table(records: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    lines = []
    for name, row in rows().items():
        for found in (r for r in records if r["row"] == name):
            tau = f"{row.tau[0]:g} to {row.tau[1]:g}" if row.tau[0] != row.tau[1] else f"{row.tau[0]:g}"
            lines.append(
                [
                    name,
                    str(row.dim),
                    "" if row.patience else tau,
                    f"{sum(right == 1 for right in found['right'])} of {len(found['right'])}",
                    f"{mean(found['right']):.2f}",
                    f"{median(found['errors']):.4f}",
                    f"{found['seconds']:.1f}",
                ]
            )
    head = [
        "search",
        "dimensions",
        "temperature",
        "rings found",
        "nodes with both neighbours",
        "median error",
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
        names = [n for n in names if n in _ESTIMATORS or n.endswith(("4 dimensions, falling", "annealed"))]
    runs = list(range(options.first_seed, options.first_seed + (options.runs or (5 if options.quick else 20))))
    path = options.output or Path(f"results/ring{'_quick' if options.quick else ''}.json")
    records = Records(path, {**_SETTINGS, "runs": runs}, resume=options.resume)
    for name in tqdm(names, disable=not sys.stderr.isatty()):
        if records.find(row=name) is None:
            reference = records.find(row=_REFERENCE)
            seconds = 2.0 if reference is None else reference["seconds"]
            records.add({"row": name, **measure(known[name], runs, seconds)})
    print(table(records.items))


if __name__ == "__main__":
    main()
