"""How smooth the loss is as a function of the weights: dense, convolutional and SCGE networks at equal training loss.

Run s uses permutation s, initial draw s and batch order s: 5,000 images of CIFAR-10, shrunk to 8x8 by means of 4x4
pixels, and shuffled for every network but the convolution. No batch normalisation, one recipe (Adam, one constant rate,
batches of 64). Each network is measured at the draw and when its loss on 200 of its training images first falls below
1.6: largest eigenvalue of the Hessian of that loss, the same in units of the filters' norms, and slices along
two filter-normalised directions. The folder that SCGE_DATA names must hold `cifar10/`.

    python benchmarks/smoothness.py --quick       # one run
    python benchmarks/smoothness.py               # three runs; --resume goes on after an interruption
    python benchmarks/smoothness.py --first-seed 100 --runs 1 --models conv mlp
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from report import Records, markdown_table
from torch import Tensor
from torch.nn import functional as F

from scge_pyg import SCGEConv, SharedGraph, discover, lower_to_conv
from scge_pyg.analysis import filter_direction, filter_norms, loss_slice, top_eigenvalue
from scge_pyg.datasets import CIFAR10Nodes
from scge_pyg.models import standardized
from scge_pyg.nn import ClusterPool
from scge_pyg.transforms import ShuffleNodes

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_LABELS = {
    "mlp": "MLP, 128 hidden units",
    "mlp-small": "MLP, as many weights as the convolution",
    "conv": "convolution, true grid",
    "lowered": "SCGE, discovered lattice, lowered",
    "free": "SCGE, discovered coordinates, never snapped",
    "random": "SCGE on random places",
}
_SIDE, _CLASSES, _WIDTHS = 8, 10, (16, 32)
_SETTINGS = {"images": 5_000, "measured": 200, "batch_size": 64, "rate": 1e-3, "most_steps": 3_000, "directions": 2}
_LEVELS = (1.6,)
_STEPS = [round(-1 + 0.125 * step, 3) for step in range(17)]


@cache
def _images() -> tuple[Tensor, Tensor]:
    data = CIFAR10Nodes(_CACHE / "cifar10")
    x = data.x[: _SETTINGS["images"]].unflatten(1, (_SIDE, 4, _SIDE, 4)).mean((2, 4)).flatten(1, 2)
    return x, data.y[: _SETTINGS["images"]]


@cache
def _graph(run: int, snap: bool) -> SharedGraph:
    return discover(ShuffleNodes(run)(_images()[0]), snap=snap)


class GridBody(torch.nn.Module):
    """Row-major pixels as the grid that ``Conv2d`` takes, and back to one row a sample."""

    def __init__(self) -> None:
        super().__init__()
        first, second = _WIDTHS
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, first, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.AvgPool2d(2),
            torch.nn.Conv2d(first, second, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.AvgPool2d(2),
        )

    def forward(self, x: Tensor) -> Tensor:
        grid: Tensor = self.body(x.unflatten(1, (_SIDE, _SIDE)).movedim(-1, 1))
        return grid.flatten(1)


def dense(hidden: int) -> torch.nn.Module:
    """An MLP with two hidden layers."""
    layers = [torch.nn.Flatten(), torch.nn.Linear(3 * _SIDE**2, hidden), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(hidden, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10))


def shared(graph: SharedGraph) -> torch.nn.Module:
    """The same body as the convolution on any geometry."""
    layers: list[torch.nn.Module] = []
    channels = 3
    for width in _WIDTHS:
        coarse, cluster = graph.coarsen(stride=2)
        layers += [SCGEConv(channels, width, graph), torch.nn.ReLU(), ClusterPool(graph, coarse, cluster, "mean")]
        graph, channels = coarse, width
    head = torch.nn.Linear(graph.num_nodes * channels, _CLASSES)
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), head)


def build(name: str, run: int) -> torch.nn.Module:
    """An untrained network with the run's draw."""
    graph = None
    if name in ("lowered", "free"):
        graph = _graph(run, name == "lowered")
    if name == "random":
        places = torch.rand(_SIDE**2, 2, generator=torch.Generator().manual_seed(run)) * _SIDE
        graph = SharedGraph.from_pos(places)
    torch.manual_seed(run)
    if name == "conv":
        return torch.nn.Sequential(GridBody(), torch.nn.Linear(_WIDTHS[-1] * (_SIDE // 4) ** 2, _CLASSES))
    if graph is None:
        return dense(29 if name == "mlp-small" else 128)
    return lower_to_conv(shared(graph), strict=True) if name == "lowered" else shared(graph)


def filter_axes(model: torch.nn.Module) -> list[int]:
    """Axis of the outputs of each parameter: the last one in ``SCGEConv``, the first one elsewhere."""
    kernels = {id(m.weight) for m in model.modules() if isinstance(m, SCGEConv)}
    return [-1 if id(p) in kernels else 0 for p in model.parameters()]


def stage(model: torch.nn.Module, loss: Callable[[], Tensor], run: int) -> dict[str, Any]:
    """Curvatures and slices of the loss where the weights are now."""
    parameters, axes = list(model.parameters()), filter_axes(model)
    draw = torch.Generator().manual_seed(run)
    raw = top_eigenvalue(loss, parameters, products=16, tolerance=0.02, generator=draw)
    units = filter_norms(parameters, axes)
    relative = top_eigenvalue(loss, parameters, units, products=16, tolerance=0.02, generator=draw)
    slices = [
        loss_slice(loss, parameters, filter_direction(parameters, axes, draw), _STEPS).tolist()
        for _ in range(_SETTINGS["directions"])
    ]
    return {
        "loss": float(loss()),
        "eigenvalue": raw.value,
        "residual": raw.residual,
        "relative": relative.value,
        "relative_residual": relative.residual,
        "slices": slices,
    }


def measure(name: str, run: int) -> dict[str, Any]:
    """Train one network and look at its loss at each level."""
    images, labels = _images()
    x = standardized(images)[0]
    if name != "conv":
        x = ShuffleNodes(run)(x)
    model = build(name, run)
    seen, answers = x[: _SETTINGS["measured"]], labels[: _SETTINGS["measured"]]

    def loss() -> Tensor:
        return F.cross_entropy(model(seen), answers)

    stages: dict[str, Any] = {"draw": {**stage(model, loss, run), "step": 0}}
    optimizer = torch.optim.Adam(model.parameters(), lr=_SETTINGS["rate"])
    order = torch.Generator().manual_seed(run)
    for step in range(1, int(_SETTINGS["most_steps"]) + 1):
        chosen = torch.randint(len(x), (int(_SETTINGS["batch_size"]),), generator=order)
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen]), labels[chosen]).backward()
        optimizer.step()
        if step % 10:
            continue
        with torch.no_grad():
            now = float(loss())
        for level in _LEVELS:
            if now < level and str(level) not in stages:
                stages[str(level)] = {**stage(model, loss, run), "step": step}
        if now < min(_LEVELS):
            break
    weights = sum(p.numel() for p in model.parameters())
    return {"model": name, "run": run, "parameters": weights, "stages": stages}


def _cell(values: list[float], digits: int = 2) -> str:
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def table(records: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    head = ["network", "weights", "runs"]
    for level in _LEVELS:
        head += [f"steps to {level}", "eigenvalue", "in filter units", "loss at half a filter's length"]
    lines = []
    for name, label in _LABELS.items():
        found = [r for r in records if r["model"] == name]
        if not found:
            continue
        line = [label, f"{mean(r['parameters'] for r in found):,.0f}", str(len(found))]
        for level in _LEVELS:
            there = [r["stages"][str(level)] for r in found if str(level) in r["stages"]]
            if not there:
                line += ["never", "", "", ""]
                continue
            half = [mean((cut[4] + cut[12]) / 2 for cut in one["slices"]) for one in there]
            line += [_cell([one["step"] for one in there], 0), _cell([one["eigenvalue"] for one in there])]
            line += [_cell([one["relative"] for one in there]), _cell(half)]
        lines.append(line)
    return markdown_table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run")
    parser.add_argument("--runs", type=int, help="number of runs (default: 3, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first run; try out with 100 and above")
    parser.add_argument("--models", nargs="+", choices=list(_LABELS), default=list(_LABELS), help="networks")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted start")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/smoothness*.json")
    options = parser.parse_args()
    if not os.environ.get("SCGE_DATA"):
        parser.error("the environment variable SCGE_DATA must name the data folder, which holds cifar10/")
    torch.set_num_threads(1)
    path = options.output or Path(f"results/smoothness{'_quick' if options.quick else ''}.json")
    records = Records(path, {**_SETTINGS, "levels": _LEVELS}, resume=options.resume)
    for run in range(options.first_seed, options.first_seed + (options.runs or (1 if options.quick else 3))):
        for name in options.models:
            if records.find(model=name, run=run) is None:
                records.add(measure(name, run))
    print(table(records.items))


if __name__ == "__main__":
    main()
