"""Classifying shuffled CIFAR-10: a network on the discovered geometry against one that was told the grid.

Run s uses permutation s and sample subset s, for s = 0 to 4: 15,000 training images of the first 20,000, tested on
the other 5,000 and on the first 1,000 test images. `discover` sees the shuffled training images and nothing else.
All networks share one recipe; accuracies are those of the last epoch, differences are paired by run. The folder
that SCGE_DATA names must hold `cifar10/` with one of the raw files that `CIFAR10Nodes` reads.

    python benchmarks/shuffled_classification.py --quick            # 2 runs, fewer images and epochs
    python benchmarks/shuffled_classification.py                    # everything; --resume goes on after a break
    python benchmarks/shuffled_classification.py --first-seed 100 --runs 2 --models cnn-grid scge-free
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import cache
from math import sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch
from report import Records, markdown_table
from torch import Tensor
from tqdm import tqdm

from scge_pyg import discover, lower_to_conv
from scge_pyg.datasets import CIFAR10Nodes
from scge_pyg.metrics import cell_accuracy
from scge_pyg.models import GridCNN, NodeMLP, SCGEClassifier, accuracy, fit_classifier, standardized
from scge_pyg.transforms import ShuffleNodes

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_POOL, _TEST, _CLASSES, _SHAPE = 20_000, 1_000, 10, (32, 32)
_REFERENCE = "cnn-grid"
_LABELS = {
    "cnn-grid": "CNN on the true grid",
    "scge-lattice": "SCGE on the shuffled pixels: discovered lattice, lowered",
    "scge-free": "SCGE on the shuffled pixels: discovered coordinates, never snapped",
    "cnn-shuffled": "CNN on the shuffled pixels",
    "mlp": "MLP",
}
_FULL = {"train": 15_000, "epochs": 5, "runs": 5, "repeats": 25}
_QUICK = {"train": 5_000, "epochs": 3, "runs": 2, "repeats": 11}
_STEPS_PER_REPEAT = 5
_BATCH = 64


class Split:
    """The images of one run, in their true node order and shuffled."""

    def __init__(self, run: int, train: int) -> None:
        x, y, x_test, y_test, self.cells = _images()
        order = torch.randperm(_POOL, generator=torch.Generator().manual_seed(run))
        self.shuffle = ShuffleNodes(run)
        kept, other = order[:train], order[_FULL["train"] :]
        self.raw = self.shuffle(x[kept])
        self.x, x_other, x_test = standardized(x[kept], x[other], x_test)
        self.y = y[kept]
        self.tests = {"other": (x_other, y[other]), "test": (x_test, y_test)}


@cache
def _images() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    train, test = CIFAR10Nodes(_CACHE / "cifar10"), CIFAR10Nodes(_CACHE / "cifar10", train=False)
    if len(train) < _POOL or len(test) < _TEST or train.cells is None:
        raise SystemExit(f"CIFAR-10 must hold {_POOL} training and {_TEST} test images, got {len(train)}, {len(test)}")
    return train.x[:_POOL], train.y[:_POOL], test.x[:_TEST], test.y[:_TEST], train.cells


def build(name: str, split: Split, run: int) -> tuple[torch.nn.Module, dict[str, Any]]:
    """An untrained network with the run's seed, and what to note about it."""
    note: dict[str, Any] = {}
    graph = None
    if name.startswith("scge"):
        start = time.perf_counter()
        graph = discover(split.raw) if name == "scge-lattice" else discover(split.raw, snap=False)
        note = {"discover_seconds": round(time.perf_counter() - start, 2), "graph": repr(graph)}
    torch.manual_seed(run)
    channels = split.x.shape[2]
    if name == "mlp":
        return NodeMLP(channels, _CLASSES, split.x.shape[1]), note
    if graph is None:
        return GridCNN(channels, _CLASSES, _SHAPE), note
    if name == "scge-free":
        return SCGEClassifier(channels, _CLASSES, graph), note
    if graph.lattice is None:
        raise RuntimeError(f"run {run}: discover found no lattice, so nothing can be lowered ({graph})")
    order = split.shuffle.permutation(graph.num_nodes)
    note["cell_accuracy"] = float(cell_accuracy(graph, split.cells[order]))
    return lower_to_conv(SCGEClassifier(channels, _CLASSES, graph), strict=True), note


def measure(name: str, run: int, split: Split, epochs: int, device: torch.device) -> dict[str, Any]:
    """Train and test one network."""
    model, note = build(name, split, run)
    model = model.to(device)
    seen: Callable[[Tensor], Tensor] = (lambda x: x) if name == _REFERENCE else split.shuffle
    fit = fit_classifier(
        model,
        seen(split.x).to(device),
        split.y.to(device),
        epochs=epochs,
        batch_size=_BATCH,
        seed=run,
        progress=f"run {run}, {name}",
    )
    scores = {key: accuracy(model, seen(x).to(device), y.to(device)) for key, (x, y) in split.tests.items()}
    sizes = {key: y.numel() for key, (_, y) in split.tests.items()}
    overall = sum(scores[key] * sizes[key] for key in scores) / sum(sizes.values())
    record = {"run": run, "model": name, "accuracy": overall, "loss": fit.loss, "seconds": round(fit.seconds, 1)}
    return record | {f"accuracy_{key}": value for key, value in scores.items()} | note


def measure_speed(run: int, split: Split, repeats: int, device: torch.device) -> dict[str, Any]:
    """Time per training step of the lowered network and of the CNN, by turns."""
    models = {name: build(name, split, run)[0].to(device) for name in (_REFERENCE, "scge-lattice", "scge-free")}
    batches = {name: (split.x if name == _REFERENCE else split.shuffle(split.x))[:_BATCH].to(device) for name in models}
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    seconds: dict[str, list[float]] = {name: [] for name in models}
    steps = {name: _training_step(model, batches[name], split.y[:_BATCH].to(device)) for name, model in models.items()}
    for repeat in tqdm(range(repeats + 1), desc="time per step", leave=False):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(_STEPS_PER_REPEAT):
                step()
            wait()
            if repeat:
                seconds[name].append((time.perf_counter() - start) / _STEPS_PER_REPEAT)
    return {"run": run, "model": "speed", "seconds": seconds}


def _training_step(model: torch.nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def table(records: list[dict[str, Any]]) -> str:
    """The tables, in Markdown."""
    by_model = {name: {r["run"]: r for r in records if r["model"] == name} for name in _LABELS}
    lines = []
    for name, found in by_model.items():
        if not found:
            continue
        accuracies = [100 * r["accuracy"] for r in found.values()]
        paired = [
            100 * (r["accuracy"] - by_model[_REFERENCE][run]["accuracy"])
            for run, r in found.items()
            if run in by_model[_REFERENCE]
        ]
        lines.append(
            [
                _LABELS[name],
                str(len(found)),
                f"{mean(accuracies):.1f} (min {min(accuracies):.1f})",
                "" if name == _REFERENCE or not paired else _with_error(paired),
                f"{median(r['seconds'] for r in found.values()):.0f}",
            ]
        )
    parts = [markdown_table(["network", "runs", "test accuracy, %", "difference, points", "seconds to train"], lines)]
    for record in records:
        if record["model"] == "speed":
            own = record["seconds"][_REFERENCE]
            ratios = {
                name: median(a / b for a, b in zip(values, own, strict=True))
                for name, values in record["seconds"].items()
            }
            parts.append(
                f"Time per training step, median of {len(own)} paired repeats: CNN {1000 * median(own):.1f} ms; "
                f"lowered lattice path {ratios['scge-lattice']:.2f} times that (goal: at most 1.1), "
                f"never-snapped path {ratios['scge-free']:.2f} times"
            )
    return "\n\n".join(parts)


def _with_error(differences: list[float]) -> str:
    if len(differences) < 2:
        return f"{differences[0]:+.2f}"
    return f"{mean(differences):+.2f} ± {stdev(differences) / sqrt(len(differences)):.2f}"


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images, epochs and runs")
    parser.add_argument("--runs", type=int, help="number of runs")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first run")
    parser.add_argument("--models", nargs="+", choices=list(_LABELS), default=list(_LABELS), help="networks to train")
    parser.add_argument("--no-speed", action="store_true", help="leave out the time per step")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="where the networks train")
    parser.add_argument("--resume", action="store_true", help="keep the runs of an interrupted start")
    parser.add_argument(
        "--output", type=Path, help="where the JSON goes; default: results/shuffled_classification*.json"
    )
    options = parser.parse_args()
    if not os.environ.get("SCGE_DATA"):
        parser.error("the environment variable SCGE_DATA must name the data folder, which holds cifar10/")
    size = _QUICK if options.quick else _FULL
    default = f"results/shuffled_classification{'_quick' if options.quick else ''}.json"
    records = Records(
        options.output or Path(default),
        {**size, "batch_size": _BATCH, "first_seed": options.first_seed, "device": _name(options.device)},
        resume=options.resume,
    )
    count = options.runs or size["runs"]
    for run in range(options.first_seed, options.first_seed + count):
        split = Split(run, size["train"])
        for name in options.models:
            if records.find(run=run, model=name) is None:
                records.add(measure(name, run, split, size["epochs"], options.device))
        if run == options.first_seed and not options.no_speed and records.find(model="speed") is None:
            records.add(measure_speed(run, split, size["repeats"], options.device))
    print(table(records.items))


if __name__ == "__main__":
    main()
