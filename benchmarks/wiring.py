"""How much of a geometry an embedding learns from a random start by `HebbianLoss` alone, on shuffled data.

Run s uses permutation s and the random start s, for s = 0 to 4: lessons of 128 samples on the schedule of
`WiringSchedule`, no task, no discovery and no layout. Recall is the share of the grid's ordered pairs of 4-neighbours
(i, j) in which j is among the four nodes nearest to i in the learned table, over pixels whose deviation is above 0.02,
and over all that vary. Irregular places have no grid: their measure is trustworthiness alone. Beside it stands what
`discover` finds in the same samples, and what the streaming coupling names as partners. The folder that SCGE_DATA names
must hold `cifar10/`, `mnist/` and `fashion_mnist/` with raw files; photographs come with scikit-learn.

    python benchmarks/wiring.py --quick            # 2 runs, no `discover`
    python benchmarks/wiring.py                    # 5 runs; --resume goes on after a break
    python benchmarks/wiring.py --first-seed 100 --runs 2 --data strips irregular --dims 3
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from report import Records, markdown_table
from torch import Tensor
from tqdm import tqdm

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import CIFAR10Nodes, FashionMNISTNodes, MNISTNodes, NodeDataset, PhotoPatches
from scge_pyg.graph import knn
from scge_pyg.metrics import edge_scores, grid_edges, trustworthiness
from scge_pyg.nn import NodeEmbedding, WiringSchedule
from scge_pyg.nn.trained.hebbian import HebbianLoss
from scge_pyg.transforms import ShuffleNodes

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_SAMPLES, _BATCH, _DEVIATION = 20_000, 128, 0.02
_GOAL_RECALL, _GOAL_TRUST, _GOAL_SECONDS = 0.95, 0.99, 180
_SIDE, _PLACES = 32, 500


def _irregular() -> NodeDataset:
    points = torch.rand(_PLACES, 2, generator=torch.Generator().manual_seed(0)) * (_SIDE - 1)
    return PhotoPatches(_SIDE, _SIDE, _SAMPLES, points=points)


_DATA: dict[str, tuple[str, Callable[[], NodeDataset]]] = {
    "cifar10": ("CIFAR-10, 20,000 images", lambda: CIFAR10Nodes(_CACHE / "cifar10")),
    "mnist": ("MNIST, 60,000", lambda: MNISTNodes(_CACHE / "mnist")),
    "fashion": ("Fashion-MNIST, 60,000", lambda: FashionMNISTNodes(_CACHE / "fashion_mnist")),
    "strips": ("gray strips 8x60, 20,000", lambda: PhotoPatches(8, 60, _SAMPLES)),
    "irregular": ("photographs at 500 irregular places, 20,000", _irregular),
}


@cache
def _samples(name: str) -> tuple[Tensor, Tensor]:
    """Samples ``[S, N, C]`` and the places of their nodes, cells on a grid."""
    data = _DATA[name][1]()
    x = data.x[:_SAMPLES] if name == "cifar10" else data.x
    place = data.pos if data.cells is None else data.cells
    if place is None:
        raise SystemExit(f"{name}: the places of the nodes must be known to score them")
    return x, place


def neighbour_recall(pos: Tensor, cells: Tensor, mask: Tensor | None = None) -> float:
    """Share of ordered pairs of 4-neighbours (i, j), both in the mask, with j among the four nearest to i."""
    i, j = grid_edges(cells)
    found = (knn(pos, pos, 4, exclude_self=True)[1][i] == j.unsqueeze(1)).any(1)
    return float((found if mask is None else found[mask[i] & mask[j]]).double().mean())


def principal_axes(pos: Tensor, dim: int) -> Tensor:
    """The table on its first principal axes ``[N, dim]``."""
    centred = pos - pos.mean(0)
    return centred @ torch.linalg.svd(centred, full_matrices=False)[2][:dim].T


def _scores(prefix: str, pos: Tensor, place: Tensor, mask: Tensor) -> dict[str, float]:
    """Recall over the mask and over all, and trustworthiness, of places ``[N, d]`` on their first two axes."""
    flat = principal_axes(pos, 2) if pos.shape[1] > 2 else pos
    scores = {f"{prefix}trust": trustworthiness(flat[mask], place[mask].float(), k=8)}
    if not place.is_floating_point():
        scores |= {
            f"{prefix}recall": neighbour_recall(flat, place, mask),
            f"{prefix}live": neighbour_recall(flat, place),
        }
    return scores


def measure(name: str, dim: int, run: int, beside: bool) -> dict[str, Any]:
    """Learn one table from a random start."""
    x, place = _samples(name)
    shuffle = ShuffleNodes(run)
    x, place = shuffle(x), place[shuffle.permutation(x.shape[1])]
    live = (x.amax(0) > x.amin(0)).any(1)
    mask = (x.std(0).mean(-1) > _DEVIATION)[live]
    start = time.perf_counter()
    embedding = NodeEmbedding(x.shape[1], dim, live=live, seed=run)
    hebbian = HebbianLoss(embedding, seed=run)
    schedule = WiringSchedule(hebbian, batch_size=_BATCH, seed=run)
    with tqdm(desc=f"{name}, run {run}, {dim} dimensions", leave=False, file=sys.stderr) as bar:
        while schedule.phase != "weights":
            schedule.advance(x)
            bar.update(schedule.count - bar.n)
    seconds = time.perf_counter() - start
    record = {"data": name, "dim": dim, "run": run, "seconds": round(seconds, 1), "lessons": schedule.count}
    record |= _scores("", embedding.weight.detach(), place[live], mask)
    if not place.is_floating_point():
        edges = hebbian.edge_index()
        wired = edge_scores(
            SharedGraph(torch.zeros(len(live), 2), edges), grid_edges(place), live & _spread(mask, live)
        )
        record |= {"partner_precision": wired.precision, "partner_recall": wired.recall}
    if beside:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            graph = discover(x)
        pos = torch.where(graph.live.unsqueeze(1), graph.pos, 0.0)[live].float()
        record |= _scores("discover_", pos, place[live], mask)
    return record


def _spread(mask: Tensor, live: Tensor) -> Tensor:
    """A mask of the live nodes as one of all."""
    return torch.zeros_like(live).masked_scatter(live, mask)


def table(records: list[dict[str, Any]]) -> str:
    """Minimum and mean of all runs, in Markdown."""
    names = ("recall", "live", "trust", "partner_precision", "partner_recall", "discover_recall", "discover_trust")
    head = [
        "data",
        "dimensions",
        "recall: min / mean",
        "live pixels",
        "trustworthiness",
        "partners: precision",
        "recall",
        "`discover`: recall",
        "trustworthiness",
        "lessons",
        "seconds",
    ]
    lines = []
    for name, (what, _) in _DATA.items():
        for dim in sorted({r["dim"] for r in records if r["data"] == name}):
            found = [r for r in records if r["data"] == name and r["dim"] == dim]
            both = [
                f"{min(values):.4f} / {mean(values):.4f}" if (values := [r[key] for r in found if key in r]) else ""
                for key in names
            ]
            lessons, seconds = mean(r["lessons"] for r in found), mean(r["seconds"] for r in found)
            lines.append([what, str(dim), *both, f"{lessons:,.0f}", f"{seconds:.0f}"])
    return markdown_table(head, lines)


def missed(records: list[dict[str, Any]]) -> list[str]:
    """Runs below a goal: recall 0.95, or trustworthiness 0.99 at irregular places, within three minutes."""
    return [
        f"{r['data']}, run {r['run']} from {r['dim']} dimensions: recall {r.get('recall', float('nan')):.3f}, "
        f"trustworthiness {r['trust']:.3f} in {r['seconds']:.0f} s"
        for r in records
        if r.get("recall", 1.0) < _GOAL_RECALL
        or ("recall" not in r and r["trust"] < _GOAL_TRUST)
        or r["seconds"] > _GOAL_SECONDS
    ]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 runs, without `discover` beside them")
    parser.add_argument("--data", nargs="+", choices=list(_DATA), default=list(_DATA), help="data sets")
    parser.add_argument("--runs", type=int, help="number of runs")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first run; tune with 100 and above")
    parser.add_argument("--dims", type=int, nargs="+", default=[2], help="dimensions of the table (default: 2)")
    parser.add_argument("--resume", action="store_true", help="keep the runs of an interrupted start")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/wiring*.json")
    options = parser.parse_args()
    if not os.environ.get("SCGE_DATA"):
        parser.error("the environment variable SCGE_DATA must name the data folder, which holds cifar10/ and mnist/")
    records = Records(
        options.output or Path(f"results/wiring{'_quick' if options.quick else ''}.json"),
        {"batch_size": _BATCH, "samples": _SAMPLES, "first_seed": options.first_seed},
        resume=options.resume,
    )
    for run in range(options.first_seed, options.first_seed + (options.runs or (2 if options.quick else 5))):
        for name in options.data:
            for dim in options.dims:
                if records.find(data=name, dim=dim, run=run) is None:
                    records.add(measure(name, dim, run, beside=not options.quick))
    print(table(records.items))
    short = missed(records.items)
    print("\n".join(f"missed: {line}" for line in short) or "every run reached the goal")
    print(f"records: {records.path}")
    return int(options.check and bool(short))


if __name__ == "__main__":
    sys.exit(main())
