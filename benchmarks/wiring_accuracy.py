"""What each way to a wiring is worth to a network: shuffled CIFAR-10 at 16x16, one small network, one recipe.

Three strided layers of four taps an axis, batch normalisation and ReLU, one linear layer; AdamW and one cycle. What
differs is where the places come from: nowhere, the task's gradient through each estimator, `HebbianLoss` from a random
start, both on one `WiringSchedule`, `discover`, or the true grid. Run s uses permutation s, sample subset s and
start s (`small_images.py`). Accuracies are those of the last epoch; recall is the share of the grid's ordered pairs of
4-neighbours (i, j) with j among the four places nearest to i; seconds count lessons and discovery. Rates of places were
chosen on run 100 (`--tune`). The folder that SCGE_DATA names must hold `cifar10/`.

    python benchmarks/wiring_accuracy.py --quick           # one run of each row, fewer images
    python benchmarks/wiring_accuracy.py --budget 0.7      # what fits 0.7 hours; --resume goes on after a break
    python benchmarks/wiring_accuracy.py --tune            # accuracies of run 100 by the rate of places
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from report import Records
from small_images import CLASSES, SmallImages
from torch import nn
from tqdm import tqdm
from wiring import neighbour_recall
from wiring_accuracy_tables import MAIN, ROWS, table

from scge_pyg import HebbianLoss, NodeEmbedding, SharedGraph, discover, lower_to_conv
from scge_pyg.models import StridedClassifier, accuracy, fit_classifier
from scge_pyg.nn import SCGEConv, WiringSchedule, settle
from scge_pyg.nn.trained.estimators import Reinforce

_FULL = {"train": 10_000, "epochs": 3, "runs": 3}
_QUICK = {"train": 3_000, "epochs": 2, "runs": 1}
_BATCH, _RATE, _DECAY = 64, 3e-3, 1e-2
_NEAR = {"neighbors": "nearest", "k": 16, "tau": 8.0}
_DRAWS = 4  # of REINFORCE in each step
_REGROUP_EVERY = 20
_PLACES = {"topk": 3e-4, "soft": 3e-3, "straight_through": 3e-4, "gumbel": 3e-4, "reinforce": 3e-3, "support": 3e-4,
           "fine-tuned": 3e-4}  # fmt: skip
_TUNED = (3e-4, 3e-3, 3e-2)
_LESSONS = 1_500  # about as many are taken; for the plan alone
_REPEATS = 11


class GridCNN(nn.Module):
    """The network on row-major pixels, in plain PyTorch."""

    def __init__(self, channels: int, shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape, layers, width = shape, [], channels
        for out in (32, 64, 128):
            conv = nn.Conv2d(width, out, 4, stride=2, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width * (shape[0] // 8) * (shape[1] // 8), CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of ``[B, N, C]``."""
        image = x.transpose(1, 2).unflatten(2, self.shape)
        return self.head(self.body(image).flatten(1))


def schedule(table: NodeEmbedding, model: nn.Module | None, data: SmallImages, run: int) -> WiringSchedule:
    """Lessons come from the training images."""
    return WiringSchedule(HebbianLoss(table, seed=run), model, samples=data.raw, seed=run)


def build(name: str, data: SmallImages, run: int) -> tuple[nn.Module, NodeEmbedding | SharedGraph | None]:
    """The network of a row, its weights untrained and its places known where they come first; and those places."""
    channels, nodes = data.x.shape[2], data.x.shape[1]
    table = NodeEmbedding(nodes, 2, seed=run)
    places: NodeEmbedding | SharedGraph = table
    options: dict[str, Any] = {}
    if name == "cnn":
        torch.manual_seed(run)
        return GridCNN(channels, data.shape), None
    if name == "random":
        places = SharedGraph.from_pos(table().detach())
    elif name == "discovered":
        places = discover(data.raw, snap=False)
    elif name == "fine-tuned":
        places = NodeEmbedding.from_graph(discover(data.raw, snap=False))
    elif name == "snapped":
        lessons = schedule(table, None, data, run)
        while lessons.phase != "weights":
            lessons.advance(data.raw)
        places = table.to_graph()
    elif name not in ("hebbian", "both", "support"):
        options = {**_NEAR, "estimator": name}
    torch.manual_seed(run)
    model: nn.Module = StridedClassifier(channels, CLASSES, places, **options)
    if name == "hebbian":
        lessons = schedule(table, model, data, run)
        while lessons.phase != "weights":
            lessons.advance(data.raw)
    if name == "snapped" and isinstance(places, SharedGraph) and places.lattice is not None:
        model = lower_to_conv(model, strict=True)
    return model, places


def by_task(model: StridedClassifier, data: SmallImages, epochs: int, run: int, rate: float) -> None:
    """`fit_classifier`'s recipe, with a rate of their own for places, and the surrogate of REINFORCE."""
    convs = [layer for layer in model.body if isinstance(layer, SCGEConv)]
    places = [level.weight for level in model.levels if isinstance(level, NodeEmbedding)]
    known = {id(one) for one in places}
    groups = [{"params": places, "lr": rate, "weight_decay": 0.0}]
    for layer in convs:  # as SCGEAutoEncoder.parameter_groups
        known.add(id(layer.weight))
        groups.append({"params": [layer.weight], "lr": _RATE * layer.gain**0.5, "weight_decay": _DECAY})
    rest = [one for one in model.parameters() if id(one) not in known]
    groups.append({"params": rest, "lr": _RATE, "weight_decay": _DECAY})
    steps = len(data.x) // _BATCH
    optimizer = torch.optim.AdamW(groups)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, [group["lr"] for group in groups], steps * epochs)
    drawing = [est for layer in convs if isinstance(est := getattr(layer.product, "estimator", None), Reinforce)]
    generator = torch.Generator().manual_seed(run)
    model.train()
    for number in range(steps * epochs):
        if number % steps == 0:
            order = torch.randperm(len(data.x), generator=generator)
        chosen = order[number % steps * _BATCH :][:_BATCH]
        losses = torch.stack(
            [
                nn.functional.cross_entropy(model(data.x[chosen]), data.y[chosen])
                for _ in range(_DRAWS if drawing else 1)
            ]
        )
        loss = losses.mean() + sum(one.surrogate(losses) for one in drawing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
        if number % _REGROUP_EVERY == _REGROUP_EVERY - 1:
            model.regroup()


def measure(name: str, run: int, size: dict[str, int], rate: float | None = None) -> dict[str, Any]:
    """Train and test the network of one row."""
    data = SmallImages("cifar10", run, size["train"])
    start = time.perf_counter()
    model, places = build(name, data, run)
    note: dict[str, Any] = {}
    if name in _PLACES:
        assert isinstance(model, StridedClassifier)
        by_task(model, data, size["epochs"], run, _PLACES[name] if rate is None else rate)
    else:
        x = data.x[:, data.row_major] if name == "cnn" else data.x
        wiring = schedule(places, model, data, run) if name == "both" and isinstance(places, NodeEmbedding) else None
        fit_classifier(model, x, data.y, epochs=size["epochs"], batch_size=_BATCH, lr=_RATE, weight_decay=_DECAY,
                       seed=run, wiring=wiring)  # fmt: skip
        if wiring is not None:
            note |= {"lessons": wiring.count, "lesson_seconds": round(wiring.seconds, 1)}
    seconds = time.perf_counter() - start
    x_test = data.x_test[:, data.row_major] if name == "cnn" else data.x_test
    place = places().detach() if isinstance(places, NodeEmbedding) else getattr(places, "pos", None)
    note["recall"] = 1.0 if place is None else neighbour_recall(place.float(), data.cells)
    if isinstance(places, SharedGraph):
        note["lattice"] = None if places.lattice is None else list(places.lattice.shape)
    if name == "both" and isinstance(places, NodeEmbedding):
        graph = places.to_graph()
        if graph.lattice is not None:
            dense = lower_to_conv(settle(model, graph))
            note["settled"] = accuracy(dense, data.x_test, data.y_test)
    record = {"row": name, "run": run, "accuracy": accuracy(model, x_test, data.y_test), "seconds": round(seconds, 1)}
    return record | note | ({} if rate is None else {"rate": rate})


def step_times(size: dict[str, int], run: int = 0) -> dict[str, Any]:
    """Training steps of the learned, lowered network and of the CNN, by turns."""
    data = SmallImages("cifar10", run, size["train"])
    x, y = data.x[:_BATCH], data.y[:_BATCH]
    steps = []
    for name, batch in (("cnn", x[:, data.row_major].contiguous()), ("snapped", x)):
        model = build(name, data, run)[0].train()
        optimizer = torch.optim.AdamW(model.parameters())
        steps.append((model, batch, optimizer))
    times: list[list[float]] = [[], []]
    for repeat in range(_REPEATS + 1):
        for (model, batch, optimizer), found in zip(steps, times, strict=True):
            start = time.perf_counter()
            for _ in range(10):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(batch), y).backward()
                optimizer.step()
            if repeat:
                found.append((time.perf_counter() - start) / 10)
    ratio = median(b / a for a, b in zip(*times, strict=True))
    return {"row": "speed", "run": run, "ratio": ratio, "milliseconds": 1000 * median(times[0])}


def expected(name: str, size: dict[str, int]) -> float:
    """Seconds of a row, from a few steps and lessons of it."""
    small = {**size, "train": 2 * _BATCH, "epochs": 1}
    data = SmallImages("cifar10", 0, size["train"])
    seconds = 0.0
    if name in ("hebbian", "both", "snapped"):
        lessons = schedule(NodeEmbedding(data.x.shape[1], 2), None, data, 0)
        for _ in range(60):
            lessons.step(data.raw[:128])
        seconds = lessons.seconds / 60 * _LESSONS
    like = {"hebbian": "random", "both": "random", "snapped": "cnn", "discovered": "random", "fine-tuned": "support"}
    step = measure(like.get(name, name), 0, small)["seconds"] / 2
    return seconds + step * (size["train"] // _BATCH * size["epochs"])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run of each row, fewer images and epochs")
    parser.add_argument("--tune", action="store_true", help="rates of places on run 100 instead")
    parser.add_argument("--budget", type=float, metavar="HOURS", help="print a plan of what fits, and do that")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), help="rows to measure")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted start")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/wiring_accuracy*.json")
    options = parser.parse_args()
    if not os.environ.get("SCGE_DATA"):
        parser.error("the environment variable SCGE_DATA must name the data folder, which holds cifar10/")
    size = _QUICK if options.quick else _FULL
    kind = "_tune" if options.tune else "_quick" if options.quick else ""
    path = options.output or Path(f"results/wiring_accuracy{kind}.json")
    records = Records(path, {**size, "batch_size": _BATCH, "places": _PLACES}, resume=options.resume)
    if options.tune:
        for name in _PLACES:
            for rate in _TUNED:
                if name in options.rows and records.find(row=name, rate=rate) is None:
                    records.add(measure(name, 100, _QUICK, rate))
                    print(records.items[-1], flush=True)
        return
    order = [(name, 0) for name in ROWS] + [(name, run) for run in range(1, size["runs"]) for name in MAIN]
    wanted = [item for item in order if item[0] in options.rows]
    pending = [item for item in wanted if records.find(row=item[0], run=item[1]) is None]
    if options.budget is not None:
        costs = {name: expected(name, size) for name in tqdm({name for name, _ in pending}, desc="plan", leave=False)}
        total, kept = 0.0, []
        for item in pending:
            total += costs[item[0]]
            if total <= 3600 * options.budget:
                kept.append(item)
        for name in ROWS:
            if name in costs:
                runs = [str(run) for row, run in kept if row == name]
                print(f"{ROWS[name]}: {costs[name]:.0f} s a run; runs {', '.join(runs) or 'none'}")
        pending = kept
    for name, run in tqdm(pending, desc="trainings", leave=False):
        records.add(measure(name, run, size))
    if "snapped" in options.rows and records.find(row="speed") is None:
        records.add(step_times(size))
    print(table(records.items, size))
    print(f"records: {records.path}")


if __name__ == "__main__":
    main()
