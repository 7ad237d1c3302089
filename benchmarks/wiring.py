"""How much of the pixel grid an embedding learns from a random start by `HebbianLoss` alone, on shuffled CIFAR-10.

Run s uses permutation s and the random start s, for s = 0 to 4: 20,000 training images in mini-batches, no task, no
discovery and no layout. Recall is the share of the grid's ordered pairs of 4-neighbours (i, j) in which j is among
the four nodes nearest to i in the learned table; "flat" is the same after the table was projected onto its first two
principal axes. The table also says what the streaming coupling itself names as partners. The folder that SCGE_DATA
names must hold `cifar10/` with one of the raw files that `CIFAR10Nodes` reads.

    python benchmarks/wiring.py --quick            # 2 runs of the plane
    python benchmarks/wiring.py                    # 5 runs from 2 and from 8 dimensions; --resume goes on after a break
    python benchmarks/wiring.py --first-seed 100 --runs 2 --dims 3
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from report import Records, markdown_table
from torch import Tensor
from tqdm import tqdm

from scge_pyg import SharedGraph
from scge_pyg.datasets import CIFAR10Nodes
from scge_pyg.graph import knn
from scge_pyg.metrics import edge_scores, grid_edges, trustworthiness
from scge_pyg.nn import NodeEmbedding
from scge_pyg.nn.trained.hebbian import HebbianLoss
from scge_pyg.transforms import ShuffleNodes

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_POOL = 20_000
_GOAL_RECALL, _GOAL_SECONDS = 0.95, 300
_SETTINGS = {"images": _POOL, "batch_size": 64, "steps": 2_000, "rate": 0.5}


@cache
def _images() -> tuple[Tensor, Tensor]:
    data = CIFAR10Nodes(_CACHE / "cifar10")
    if len(data) < _POOL or data.cells is None:
        raise SystemExit(f"CIFAR-10 must hold {_POOL} training images, got {len(data)}")
    return data.x[:_POOL], data.cells


def neighbour_recall(pos: Tensor, cells: Tensor) -> float:
    """Share of ordered pairs of 4-neighbours (i, j) with j among the four nearest to i in ``pos``."""
    i, j = grid_edges(cells)
    nearest = knn(pos, pos, 4, exclude_self=True)[1]
    return float((nearest[i] == j.unsqueeze(1)).any(1).double().mean())


def principal_axes(pos: Tensor, dim: int) -> Tensor:
    """The table on its first principal axes ``[N, dim]``."""
    centred = pos - pos.mean(0)
    return centred @ torch.linalg.svd(centred, full_matrices=False)[2][:dim].T


def measure(dim: int, run: int) -> dict[str, Any]:
    """Learn one table from a random start."""
    images, cells = _images()
    shuffle = ShuffleNodes(run)
    x, cells = shuffle(images), cells[shuffle.permutation(images.shape[1])]
    start = time.perf_counter()
    embedding = NodeEmbedding(x.shape[1], dim, seed=run)
    hebbian = HebbianLoss(embedding, seed=run)
    steps, batch = _SETTINGS["steps"], int(_SETTINGS["batch_size"])
    optimizer = torch.optim.Adam(embedding.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _SETTINGS["rate"], int(steps))
    generator = torch.Generator().manual_seed(run)
    order = torch.empty(0, dtype=torch.long)
    for _ in tqdm(range(int(steps)), desc=f"run {run}, {dim} dimensions", leave=False, file=sys.stderr):
        if order.numel() < batch:
            order = torch.randperm(x.shape[0], generator=generator)
        chosen, order = order[:batch], order[batch:]
        loss = hebbian(x[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - start
    pos = embedding.weight.detach()
    flat = principal_axes(pos, 2)
    wired = edge_scores(SharedGraph(torch.zeros(len(pos), 2), hebbian.edge_index()), grid_edges(cells))
    return {
        "dim": dim,
        "run": run,
        "seconds": round(seconds, 1),
        "recall": neighbour_recall(pos, cells),
        "flat_recall": neighbour_recall(flat, cells),
        "trust": trustworthiness(flat, cells.float(), k=8),
        "loss": float(loss.detach()),
        "partner_precision": wired.precision,
        "partner_recall": wired.recall,
    }


def table(records: list[dict[str, Any]]) -> str:
    """The tables, in Markdown: every run, then minimum and mean."""
    names = ("recall", "flat_recall", "trust", "partner_precision", "partner_recall")
    head = [
        "dimensions",
        "run",
        "4-neighbour recall",
        "flat",
        "trustworthiness",
        "partners: precision",
        "recall",
        "seconds",
    ]
    lines = []
    for dim in sorted({r["dim"] for r in records}):
        found = [r for r in records if r["dim"] == dim]
        for r in found:
            lines.append([str(dim), str(r["run"]), *(f"{r[name]:.4f}" for name in names), f"{r['seconds']:.0f}"])
        for what, reduce in (("min", min), ("mean", mean)):
            values = [f"{reduce(r[name] for r in found):.4f}" for name in names]
            seconds = (max if what == "min" else mean)(r["seconds"] for r in found)
            lines.append([str(dim), what, *values, f"{seconds:.0f}{' (max)' if what == 'min' else ''}"])
    return markdown_table(head, lines)


def missed(records: list[dict[str, Any]]) -> list[str]:
    """Runs below the goal: recall 0.95 within five minutes."""
    return [
        f"run {r['run']} from {r['dim']} dimensions: recall {r['recall']:.3f} in {r['seconds']:.0f} s "
        f"(goal {_GOAL_RECALL} in {_GOAL_SECONDS} s)"
        for r in records
        if r["recall"] < _GOAL_RECALL or r["seconds"] > _GOAL_SECONDS
    ]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 runs, 2 dimensions only")
    parser.add_argument("--runs", type=int, help="number of runs")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first run; tune with 100 and above")
    parser.add_argument("--dims", type=int, nargs="+", help="dimensions of the table (default: 2 and 8; quick: 2)")
    parser.add_argument("--resume", action="store_true", help="keep the runs of an interrupted start")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/wiring*.json")
    options = parser.parse_args()
    if not os.environ.get("SCGE_DATA"):
        parser.error("the environment variable SCGE_DATA must name the data folder, which holds cifar10/")
    records = Records(
        options.output or Path(f"results/wiring{'_quick' if options.quick else ''}.json"),
        {**_SETTINGS, "first_seed": options.first_seed},
        resume=options.resume,
    )
    for dim in options.dims or ([2] if options.quick else [2, 8]):
        for run in range(options.first_seed, options.first_seed + (options.runs or (2 if options.quick else 5))):
            if records.find(dim=dim, run=run) is None:
                records.add(measure(dim, run))
    print(table(records.items))
    short = missed(records.items)
    print("\n".join(f"missed: {line}" for line in short) or "every run reached the goal")
    print(f"records: {records.path}")
    return int(options.check and bool(short))


if __name__ == "__main__":
    sys.exit(main())
