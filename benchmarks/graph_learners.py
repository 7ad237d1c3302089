"""The survey's graph learners on graphs: what does each add once the geometry is known, and what without it?

Each learner has one network, recipe and budget, on a random graph, on the k-NN graph of the nodes' values, on the
discovered graph and on the true one; graphs differ in their edges alone, all of weight 1. Images: Fashion-MNIST 14x14,
test accuracy (`small_images.py`; run s uses permutation s and subset s). EEG: a channel that is left out from the
others at the same time, R² by centred sums in float64, the first 80 % of the steps against the last 20 %; its true
graph joins each electrode to the four nearest. Depth: GCN and DAGNN with many propagations. Rates were chosen on run
100, on the k-NN graph, those of EEG on the last quarter of the training steps (`--tune`). SCGE_DATA names the folder.

    python benchmarks/graph_learners.py --quick               # fewer images and steps
    python benchmarks/graph_learners.py --parts images eeg    # --resume goes on after a break
    python benchmarks/graph_learners.py --budget 0.5          # hours: prints what fits, and does that
    python benchmarks/graph_learners.py --tune
"""

from __future__ import annotations

import argparse
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch
from graph_learner_models import LEARNERS, Classifier, LeftOut, deep
from graph_learner_tables import tables
from operator_graphs import edges_only, nearest_signals, random_graph
from operator_rows import GRAPHS, Wiring
from report import Records
from small_images import CLASSES, SmallImages
from torch import Tensor
from tqdm import tqdm

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import EEGNodes
from scge_pyg.models import accuracy, fit_classifier

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_DATA, _BATCH, _NEAREST = "fashion_mnist", 64, 4
_SHOWN, _TESTED = 128, 300  # steps of a batch, and of a channel's test
_DEPTHS = (2, 4, 8, 16, 32, 64)
_RATES = (1e-3, 3e-3, 1e-2, 3e-2)
_SIZES = {
    "full": {"train": 3000, "epochs": 5, "steps": 800},
    "quick": {"train": 640, "epochs": 1, "steps": 60},
    "tune": {"train": 1500, "epochs": 4, "steps": 400},
}
RATES: dict[str, dict[str, float]] = {
    "images": {
        **dict.fromkeys(LEARNERS, 1e-2),
        "GraphSAGE, LSTM": 3e-2,
        "GAT, 4 heads": 3e-2,
        "SGWT, 3 scales": 3e-3,
        "GWNN": 3e-2,
    },
    "eeg": {
        **dict.fromkeys(LEARNERS, 1e-2),
        "GraphSAGE, mean": 3e-3,
        "GraphSAGE, pool": 3e-2,
        "ClusterGCN, diagonal": 3e-3,
        "GWNN": 3e-2,
        "GCN, squeeze and excitation": 3e-3,
    },
    "depth": {"GCN": 3e-2, "DAGNN": 1e-2},
}
PARTS = tuple(RATES)


@cache
def wiring(run: int, train: int) -> Wiring:
    """The images of a run and their graphs."""
    return Wiring(_DATA, SmallImages(_DATA, run, train), run)


@cache
def recording(tuning: bool) -> tuple[Tensor, Tensor, dict[str, SharedGraph]]:
    """Training and test steps ``[S, N]`` of unit deviation, shuffled, and the four graphs."""
    data = EEGNodes(_CACHE / "eeg")
    samples, pos = data.x.squeeze(2), data.pos
    nodes = samples.shape[1]
    order = torch.randperm(nodes, generator=torch.Generator().manual_seed(100 if tuning else 0))
    samples, pos = samples[:, order], pos[order]
    split = int(0.8 * len(samples))
    train, test = samples[:split], samples[split:]
    if tuning:
        split = int(0.75 * split)
        train, test = train[:split], train[split:]
    mean, deviation = train.mean(0), train.std(0)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    found = discover(train)
    true = SharedGraph.from_pos(pos, k=_NEAREST)
    graphs = {
        "random": random_graph(nodes, _NEAREST, 0),
        "knn": nearest_signals(train.unsqueeze(2), _NEAREST, "correlation"),
        "discovered": edges_only(found.edge_index, nodes),
        "true": edges_only(true.edge_index, nodes),
    }
    return train, test, graphs


def left_out(name: str, graph: SharedGraph, rate: float, steps: int, tuning: bool) -> dict[str, float]:
    """R² of each channel from the others, averaged, of one learner."""
    train, test, _ = recording(tuning)
    torch.manual_seed(0)
    model = LeftOut(LEARNERS[name], graph)
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    for _ in range(steps):
        x = train[torch.randint(len(train), (_SHOWN,), generator=generator)]
        node = torch.randint(x.shape[1], (_SHOWN,), generator=generator)
        loss = (model(x, node) - x.gather(1, node[:, None]).squeeze(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - start
    model.eval()
    with torch.no_grad():
        shown = test[:: max(1, len(test) // _TESTED)]
        told = torch.stack([model(shown, torch.full((len(shown),), c)) for c in range(shown.shape[1])], 1)
    return {"r2": r_squared(shown, told), "seconds": round(seconds, 1)}


def r_squared(true: Tensor, told: Tensor) -> float:
    """Mean over columns of one less squared error over squared deviation, by centred sums in float64."""
    true, told = true.double(), told.double()
    total = (true - true.mean(0)).square().sum(0)
    return float((1 - (true - told).square().sum(0) / total).mean())


def ridge() -> dict[str, Any]:
    """R² of a linear regression on all other channels, which needs no graph."""
    train, test, _ = recording(False)
    told = torch.zeros(len(test), test.shape[1], dtype=torch.double)
    x = train.double()
    for c in range(x.shape[1]):
        rest = [i for i in range(x.shape[1]) if i != c]
        gram = x[:, rest].T @ x[:, rest] + 1e-3 * len(x) * torch.eye(len(rest), dtype=torch.double)
        told[:, c] = test[:, rest].double() @ torch.linalg.solve(gram, x[:, rest].T @ x[:, c])
    return {"part": "eeg", "learner": "ridge regression on all others", "graph": "", "r2": r_squared(test, told)}


def trained(model: torch.nn.Module, size: dict[str, int], rate: float, run: int) -> dict[str, float]:
    """Test accuracy of a classifier of images after the last epoch."""
    images = wiring(run, size["train"]).images
    start = time.perf_counter()
    fit_classifier(model, images.x, images.y, epochs=size["epochs"], batch_size=_BATCH, lr=rate, seed=run)
    seconds = time.perf_counter() - start
    return {"accuracy": accuracy(model, images.x_test, images.y_test), "seconds": round(seconds, 1)}


def measured(part: str, name: str, graph: str, size: dict[str, int], rate: float, tuning: bool) -> dict[str, Any]:
    """The record of one training."""
    record = {"part": part, "learner": name, "graph": graph, "rate": rate}
    if part == "eeg":
        return record | left_out(name, recording(tuning)[2][graph], rate, size["steps"], tuning)
    run = 100 if tuning else 0
    wired: SharedGraph = getattr(wiring(run, size["train"]), graph)
    torch.manual_seed(run)
    if part == "depth":
        kind, depth = name.split()
        return record | trained(deep(kind, 1, CLASSES, wired, int(depth)), size, rate, run)
    return record | trained(Classifier(LEARNERS[name], 1, CLASSES, wired), size, rate, run)


def items(parts: list[str]) -> list[tuple[str, str, str]]:
    """All trainings."""
    found = [(part, name, graph) for part in ("images", "eeg") for graph in GRAPHS for name in LEARNERS]
    found += [("depth", f"{kind} {depth}", "discovered") for kind in ("GCN", "DAGNN") for depth in _DEPTHS]
    return [item for item in found if item[0] in parts]


def tune(parts: list[str], records: Records, size: dict[str, int]) -> None:
    """Rates on the k-NN graph."""
    names = {"images": LEARNERS, "eeg": LEARNERS, "depth": ("GCN 4", "DAGNN 4")}
    for part in parts:
        for name in tqdm(names[part], desc=part, leave=False):
            for rate in _RATES:
                if records.find(part=part, learner=name, rate=rate) is None:
                    records.add(measured(part, name, "knn", size, rate, True))
            own = [r for r in records.items if (r["part"], r["learner"]) == (part, name)]
            best = max(own, key=lambda r: r.get("accuracy", r.get("r2")))
            scores = {r["rate"]: round(r.get("accuracy", r.get("r2", 0)), 3) for r in own}
            print(part, name, best["rate"], scores, flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--budget", type=float, metavar="HOURS")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    kind = "tune" if options.tune else "quick" if options.quick else "full"
    size = _SIZES[kind]
    records = Records(options.output or Path(f"results/graph_learners_{kind}.json"), dict(size), resume=options.resume)
    if options.tune:
        tune(options.parts, records, size)
        return
    pending = [i for i in items(options.parts) if records.find(part=i[0], learner=i[1], graph=i[2]) is None]
    start = time.perf_counter()
    for number, (part, name, graph) in enumerate(tqdm(pending, leave=False)):
        taken = time.perf_counter() - start
        if options.budget is not None and taken * (1 + 1 / max(number, 1)) > 3600 * options.budget:
            print(f"{len(pending) - number} trainings didn't fit {options.budget} hours")
            break
        rate = RATES[part].get(name.split()[0] if part == "depth" else name, 3e-3)
        records.add(measured(part, name, graph, size, rate, False))
    if "eeg" in options.parts and records.find(learner="ridge regression on all others") is None:
        records.add(ridge())
    print(tables(records.items))


if __name__ == "__main__":
    main()
