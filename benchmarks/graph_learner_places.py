"""Where discovery has no exact lattice to fall back on: learners on found places beside the same ones on true places.

CIFAR-10 in colour, shuffled: the 16x16 pixels, never snapped; the same from 500 images; the same with a tenth of the
pixels gone; 250 places of the 32x32 images, foveated, and thrown evenly at random. Every graph joins each node to the
four nearest of its places, found or true. Run s uses permutation, subset, places and holes s. Differences are true less
found, in points of test accuracy, paired by run, with their standard error. Rates are those of Fashion-MNIST.

    python benchmarks/graph_learner_places.py             # three runs; --resume goes on
    python benchmarks/graph_learner_places.py --quick
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from graph_learner_models import LEARNERS, Classifier
from graph_learners import RATES
from operator_graphs import edges_only
from report import Records, markdown_table
from small_images import CLASSES, halved
from torch import Tensor
from torch.nn.functional import grid_sample
from tqdm import tqdm

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import CIFAR10Nodes, foveated_points
from scge_pyg.metrics import edge_scores
from scge_pyg.models import accuracy, fit_classifier, standardized

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_NEAREST, _PLACES, _TESTED = 4, 250, 2000
_SIZES = {"full": {"train": 2500, "epochs": 5, "runs": 3}, "quick": {"train": 600, "epochs": 1, "runs": 1}}
CONDITIONS = ("never snapped", "500 images", "a tenth gone", "foveated", "even places")
_NAMES = ("GraphSAGE, mean", "Chebyshev, degree 4", "SGWT, 3 scales")


@cache
def _images() -> tuple[Tensor, Tensor]:
    data = CIFAR10Nodes(_CACHE / "cifar10", train=True)
    return data.x[:20_000], data.y[:20_000]


def sampled(x: Tensor, places: Tensor) -> Tensor:
    """Images ``[S, 1024, C]`` at places ``[M, 2]`` in pixels (row, column): ``[S, M, C]``, linear in between."""
    images = x.transpose(1, 2).unflatten(2, (32, 32))
    where = (places.flip(1) / 31 * 2 - 1).view(1, 1, -1, 2).expand(len(x), -1, -1, -1)
    found: Tensor = grid_sample(images, where, align_corners=True)[:, :, 0].transpose(1, 2)
    return found


def seen(condition: str, run: int) -> tuple[Tensor, Tensor, Tensor]:
    """All images ``[S, N, C]`` of a condition, shuffled, their classes, and the true places ``[N, 2]``."""
    x, y = _images()
    generator = torch.Generator().manual_seed(run)
    if condition in ("foveated", "even places"):
        places = foveated_points(_PLACES, (32, 32), seed=run)
        if condition == "even places":
            places = 31 * torch.rand(_PLACES, 2, generator=generator)
        x = sampled(x, places)
    else:
        places = torch.cartesian_prod(torch.arange(16.0), torch.arange(16.0))
        x = halved(x, (16, 16))
    order = torch.randperm(x.shape[1], generator=generator)
    if condition == "a tenth gone":
        order = order[: round(0.9 * len(order))]
    return x[:, order], y, places[order]


def measured(condition: str, run: int, size: dict[str, int]) -> list[dict[str, Any]]:
    """Records of all learners on found and true places."""
    x, y, places = seen(condition, run)
    drawn = torch.randperm(len(x), generator=torch.Generator().manual_seed(run))
    train, test = drawn[: size["train"]], drawn[-_TESTED:]
    found = discover(x[train][:500] if condition == "500 images" else x[train], snap=False)
    if found.pos.shape[1] == 0:
        raise SystemExit(f"{condition}, run {run}: no geometry was found")
    graphs = {}
    for name, pos in (("found", found.pos), ("true", places.float())):
        graphs[name] = edges_only(SharedGraph.from_pos(pos, k=_NEAREST).edge_index, len(places))
    scores = edge_scores(graphs["found"], graphs["true"].edge_index)
    inputs, tests = standardized(x[train], x[test])
    records = []
    for learner in _NAMES:
        for name, graph in graphs.items():
            torch.manual_seed(run)
            model = Classifier(LEARNERS[learner], 3, CLASSES, graph)
            fit_classifier(
                model, inputs, y[train], epochs=size["epochs"], batch_size=64, lr=RATES["images"][learner], seed=run
            )
            records.append({"condition": condition, "run": run, "learner": learner, "places": name,
                            "accuracy": accuracy(model, tests, y[test]), "recall": scores.recall})  # fmt: skip
    return records


def table(records: list[dict[str, Any]]) -> str:
    """Accuracy on true places and what found ones lose, by condition."""
    lines = []
    for condition in CONDITIONS:
        own = [r for r in records if r["condition"] == condition]
        if not own:
            continue
        cells = [condition, f"{mean(r['recall'] for r in own):.3f}"]
        for learner in _NAMES:
            by = {(r["run"], r["places"]): 100 * r["accuracy"] for r in own if r["learner"] == learner}
            lost = [by[run, "true"] - by[run, "found"] for run in sorted({run for run, _ in by})]
            error = f" ± {stdev(lost) / sqrt(len(lost)):.1f}" if len(lost) > 1 else ""
            cells.append(f"{mean(v for (_, kind), v in by.items() if kind == 'true'):.1f}; {mean(lost):+.1f}{error}")
        lines.append(cells)
    head = ["places", "recall of edges", *(f"{name}: on true places; lost" for name in _NAMES)]
    return markdown_table(head, lines)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    kind = "quick" if options.quick else "full"
    size = _SIZES[kind]
    output = options.output or Path(f"results/graph_learner_places_{kind}.json")
    records = Records(output, dict(size), resume=options.resume)
    pending = [
        (c, run) for run in range(size["runs"]) for c in CONDITIONS if records.find(condition=c, run=run) is None
    ]
    for condition, run in tqdm(pending, leave=False):
        for record in measured(condition, run, size):
            records.add(record)
    print(table(records.items))


if __name__ == "__main__":
    main()
