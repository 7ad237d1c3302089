"""Action at a distance: are two patches of an image alike, when they lie 2, 4 or 6 pixels apart?

An image is a random field over 8x8 pixels with two patches of 2x2 pixels on one row, each a small checkerboard or its
negative, alike in half of the images; pixels are shuffled, and `discover` finds their geometry from 2,000 images of the
field alone. All networks have 32 channels and end in the mean over the nodes and one linear layer: the answer is a sum
of what single nodes know, so that somebody must have heard of both patches. All see the same fresh batches of 32
images, distances mixed, with Adam, one cycle, and the better of the rates 3e-3 and 1e-2 on run 100. Accuracy on
1,000 fresh images per distance.

    python benchmarks/far_patches.py --quick         # one run, 300 batches
    python benchmarks/far_patches.py                 # three runs of 500; --resume goes on after an interruption
    python benchmarks/far_patches.py --first-seed 100 --runs 1 --steps 300 --rates 3e-3 1e-2
"""

from __future__ import annotations

import argparse
import math
import time
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from report import Records, markdown_table
from torch import Tensor
from torch.nn import functional as F

from scge_pyg import SCGEConv, SharedGraph, discover
from scge_pyg.nn import ClusterPool, NodeEmbedding
from scge_pyg.transforms import ShuffleNodes

_SIDE, _WIDTH, _DISTANCES = 8, 32, (2, 4, 6)
_PATTERN, _DEVIATION, _CORRELATION = torch.tensor([1.0, -1, -1, 1]), 0.5, 0.8
_SETTINGS = {"batch_size": 32, "tested": 1_000, "discovered": 2_000}
_LABELS = {
    "local": "SCGE, two local kernels",
    "coarse": "SCGE, a third kernel on a coarser level",
    "dot-local": '`content="dot"` among the nine nearest',
    "dot": '`content="dot"` among all nodes',
    "queries-own": "learned queries, starting at the nodes' own places",
    "queries": "learned queries, starting at random places",
    "queries-cooled": "learned queries at random places that hear all nodes, temperature falling from 25 to 1",
    "transformer": "Transformer, learned positions",
}
_RATES = dict.fromkeys(_LABELS, 3e-3) | dict.fromkeys(("dot", "queries"), 1e-2)


def background(count: int, generator: torch.Generator) -> Tensor:
    """Random fields ``[B, 8, 8]`` whose correlation falls by a fifth at each step along an axis."""
    step = torch.arange(float(_SIDE))
    factor = torch.linalg.cholesky(_CORRELATION ** (step - step.unsqueeze(1)).abs())
    return _DEVIATION * factor @ torch.randn(count, _SIDE, _SIDE, generator=generator) @ factor.T


def images(count: int, distance: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images ``[B, N, 1]`` in true order with patches at the given distances ``[B]``, and whether they are alike."""
    field = background(count, generator)
    row = torch.randint(_SIDE - 1, (count,), generator=generator)
    column = (torch.rand(count, generator=generator) * (_SIDE - 1 - distance)).long()
    sign = torch.randint(2, (2, count), generator=generator)
    sample = torch.arange(count).unsqueeze(1)
    down, along = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    for left, one in zip((column, column + distance), 2 * sign - 1, strict=True):
        field[sample, row.unsqueeze(1) + down, left.unsqueeze(1) + along] += one.unsqueeze(1) * _PATTERN
    alike = (sign[0] == sign[1]).long()
    return field.flatten(1).unsqueeze(2), alike


class Mixed(torch.nn.Module):
    """A layer, what the node knew before, and a nonlinear function of both."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.mixed = torch.nn.Sequential(torch.nn.Linear(2 * _WIDTH, 2 * _WIDTH), torch.nn.ReLU())
        self.out = torch.nn.Linear(2 * _WIDTH, _WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x + self.out(self.mixed(torch.cat([x, self.layer(x)], 2)))
        return found


class Opinions(torch.nn.Module):
    """A body over nodes, the mean over them, and one linear layer."""

    def __init__(self, *body: torch.nn.Module) -> None:
        super().__init__()
        self.body, self.head = torch.nn.Sequential(*body), torch.nn.Linear(_WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x).mean(1))
        return logits


class Tokens(torch.nn.Module):
    """Pixels as tokens with learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.value = torch.nn.Linear(1, _WIDTH)
        self.position = torch.nn.Parameter(0.02 * torch.randn(_SIDE**2, _WIDTH))
        layer = torch.nn.TransformerEncoderLayer(_WIDTH, 4, 2 * _WIDTH, 0.0, batch_first=True, norm_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.encoder(self.value(x) + self.position)
        return tokens


def build(name: str, graph: SharedGraph, run: int) -> torch.nn.Module:
    """An untrained network with the run's draw."""
    torch.manual_seed(run)
    if name == "transformer":
        return Opinions(Tokens())
    stem: list[torch.nn.Module] = [SCGEConv(1, _WIDTH, graph), torch.nn.ReLU()]
    if name == "coarse":
        stem.append(Mixed(SCGEConv(_WIDTH, _WIDTH, graph)))
        for _ in range(2):
            coarse, cluster = graph.coarsen(stride=2)
            stem.append(ClusterPool(graph, coarse, cluster, "max"))
            graph = coarse
    if name in ("local", "coarse"):
        return Opinions(*stem, Mixed(SCGEConv(_WIDTH, _WIDTH, graph)))
    if name in ("dot", "dot-local"):
        count = graph.num_nodes if name == "dot" else 9
        options = {"content": "dot", "heads": 2, "k": count, "kernel": None, "tau": math.inf}
        return Opinions(*stem, Mixed(SCGEConv(_WIDTH, _WIDTH // 2, graph, **options)))
    query = NodeEmbedding(graph.num_nodes, 2, seed=run)().detach() + graph.pos.mean(0).float()
    if name == "queries-own":
        query = graph.pos.float()
    nodes = (graph, NodeEmbedding.from_points(query))
    cooled = {"estimator": "soft", "kernel": None} if name == "queries-cooled" else {}
    return Opinions(*stem, Mixed(SCGEConv(_WIDTH, _WIDTH, nodes, **cooled)))


@cache
def _graph(run: int) -> SharedGraph:
    field = background(int(_SETTINGS["discovered"]), torch.Generator().manual_seed(1_000 + run))
    return discover(ShuffleNodes(run)(field.flatten(1).unsqueeze(2)))


def measure(name: str, run: int, rate: float, steps: int) -> dict[str, Any]:
    """Train and test one network."""
    shuffle, graph = ShuffleNodes(run), _graph(run)
    model = build(name, graph, run)
    places = [p for m in model.modules() if isinstance(m, NodeEmbedding) for p in m.parameters()]
    others = [p for p in model.parameters() if all(p is not place for place in places)]
    groups = [{"params": others}] + ([{"params": places}] if places else [])
    optimizer = torch.optim.Adam(groups, lr=rate)
    peaks = [rate, 30 * rate][: len(groups)]  # places are measured in spacings
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, steps)
    generator = torch.Generator().manual_seed(run)
    start = time.process_time()
    cooled = [
        m.product for m in model.modules() if isinstance(m, SCGEConv) and m.trainable and m.product.kernel is None
    ]
    for step in range(steps):
        for product in cooled:
            product.tau = 25.0 ** (1 - step / steps)
        count = int(_SETTINGS["batch_size"])
        distance = torch.tensor(_DISTANCES)[torch.randint(len(_DISTANCES), (count,), generator=generator)]
        x, y = images(count, distance, generator)
        loss = F.cross_entropy(model(shuffle(x)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    seconds = time.process_time() - start
    model.eval()
    accuracy = []
    with torch.no_grad():
        for far in _DISTANCES:
            x, y = images(int(_SETTINGS["tested"]), torch.full((int(_SETTINGS["tested"]),), far), generator)
            found = torch.cat([model(part).argmax(1) for part in shuffle(x).split(200)])
            accuracy.append(float((found == y).double().mean()))
    return {
        "model": name,
        "run": run,
        "rate": rate,
        "accuracy": accuracy,
        "loss": float(loss.detach()),
        "seconds": round(seconds, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
        "graph": repr(graph),
    }


def table(records: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    lines = []
    for name, label in _LABELS.items():
        for rate in sorted({r["rate"] for r in records if r["model"] == name}):
            found = [r for r in records if r["model"] == name and r["rate"] == rate]
            cells = []
            for far in range(len(_DISTANCES)):
                values = [100 * r["accuracy"][far] for r in found]
                cells.append(f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else ""))
            seconds = f"{mean(r['seconds'] for r in found):.0f}"
            lines.append([label, f"{found[0]['parameters']:,}", f"{rate:g}", *cells, seconds, str(len(found))])
    head = ["network", "weights", "rate", *(f"{far} apart" for far in _DISTANCES), "seconds", "runs"]
    return markdown_table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run, 300 batches")
    parser.add_argument("--runs", type=int, help="number of runs (default: 3, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first run; tune with 100 and above")
    parser.add_argument("--models", nargs="+", choices=list(_LABELS), default=list(_LABELS), help="networks")
    parser.add_argument("--rates", nargs="+", type=float, help="learning rates (default: the chosen one of each)")
    parser.add_argument("--steps", type=int, help="batches (default: 500, with --quick 300)")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted start")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/far_patches*.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    steps = options.steps or (300 if options.quick else 500)
    path = options.output or Path(f"results/far_patches{'_quick' if options.quick else ''}.json")
    records = Records(path, {**_SETTINGS, "steps": steps}, resume=options.resume)
    for run in range(options.first_seed, options.first_seed + (options.runs or (1 if options.quick else 3))):
        for name in options.models:
            for rate in options.rates or [_RATES[name]]:
                if records.find(model=name, run=run, rate=rate) is None:
                    records.add(measure(name, run, rate, steps))
    print(table(records.items))


if __name__ == "__main__":
    main()
