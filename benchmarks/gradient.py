"""What a gradient on places knows: the loss on the way from a random to the true wiring, and its signal by distance.

`path`: places (1 - t) random + t true. On the ring of `ring_task.py` both weights are those of the true wiring, or
solved for at every t; on CIFAR-10 (16x16 by means of 2x2 pixels) a network with two layers keeps the weights trained at
t = 1, or is trained anew for 200 steps. Runs 0 and 1 are two random starts.

`signal`: on the ring, with its weights solved for, either one node or every node is moved away from its true place in
a random direction, and each estimator's gradient on the moved place is taken for 40 batches and draws: the cosine of
the mean descent direction with the direction home, and the length of the mean over the root of the variance of one
gradient.

    python benchmarks/gradient.py --quick     # the ring alone, fewer batches
    python benchmarks/gradient.py             # everything; --resume goes on after an interruption
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from report import Records, markdown_table
from ring_task import RingLayer, Rings
from torch import Tensor
from torch.nn import functional as F

from scge_pyg import SCGEConv
from scge_pyg.datasets import CIFAR10Nodes
from scge_pyg.models import standardized
from scge_pyg.nn import NodeEmbedding

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_ESTIMATORS = ("topk", "soft", "straight_through", "gumbel", "reinforce")
_RUNS = (0, 1)
_PATHS = (("topk", 1.0), ("soft", 1.0), ("soft", 5.0))
_TIMES = [step / 40 for step in range(41)]
_IMAGE_TIMES = (0.0, 0.25, 0.5, 0.75, 1.0)
_DISTANCES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
_TAUS = (1.0, 5.0)
_SETTINGS = {"batch_size": 64, "solved_samples": 4096, "images": 5_000, "steps": 200, "rate": 3e-3, "placements": 16}


@torch.no_grad()
def ring_path(estimator: str, tau: float) -> list[dict[str, Any]]:
    """Losses on the ring along each path, with fixed weights and with weights solved for."""
    rings = Rings(_RUNS)
    start = torch.stack([NodeEmbedding(rings.nodes, 2, seed=run)() for run in _RUNS])
    end = rings.places()
    layer = RingLayer(end, estimator, tau).eval()
    sample = rings.sample(int(_SETTINGS["solved_samples"]))
    layer.solve(sample)
    told = layer.root.clone(), layer.scale.clone()
    fixed, solved = [], []
    for t in _TIMES:
        layer.table.weight.copy_(((1 - t) * start + t * end).flatten(0, 1))
        solved.append(layer.solve(sample))
        layer.root.copy_(told[0])
        layer.scale.copy_(told[1])
        fixed.append(layer.errors(sample))
    pairs = zip(torch.stack(fixed, 1).tolist(), torch.stack(solved, 1).tolist(), strict=True)
    return [{"times": _TIMES, "fixed": one, "retrained": other} for one, other in pairs]


class Net(torch.nn.Module):
    """Two layers on one table, and a linear one."""

    def __init__(self, table: NodeEmbedding) -> None:
        super().__init__()
        self.first, self.second = SCGEConv(3, 16, table), SCGEConv(16, 16, table)
        self.head = torch.nn.Linear(16 * table.num_nodes, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.second(self.first(x).relu()).relu().flatten(1))
        return logits


@cache
def _images() -> tuple[Tensor, Tensor]:
    data = CIFAR10Nodes(_CACHE / "cifar10")
    x = data.x[: _SETTINGS["images"]].unflatten(1, (16, 2, 16, 2)).mean((2, 4)).flatten(1, 2)
    return standardized(x)[0], data.y[: _SETTINGS["images"]]


def trained(places: Tensor, run: int) -> tuple[Net, float]:
    """A network trained on fixed places, and its mean loss over the last 50 steps."""
    x, y = _images()
    torch.manual_seed(run)
    table = NodeEmbedding.from_points(places).requires_grad_(False)
    net = Net(table)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=_SETTINGS["rate"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _SETTINGS["rate"], int(_SETTINGS["steps"]))
    order, losses = torch.Generator().manual_seed(run), []
    for _ in range(int(_SETTINGS["steps"])):
        chosen = torch.randint(len(x), (int(_SETTINGS["batch_size"]),), generator=order)
        loss = F.cross_entropy(net(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return net, mean(losses[-50:])


def image_path(run: int) -> dict[str, Any]:
    """Losses on images along one path; the pixels stay in true order, as nothing here looks at it."""
    side = torch.arange(16.0) - 7.5
    end = torch.cartesian_prod(side, side)
    start = NodeEmbedding(len(end), 2, seed=run)().detach()
    told = trained(end, run)[0].eval()
    x, y = (part[:1000] for part in _images())
    fixed, retrained = [], []
    for t in _IMAGE_TIMES:
        places = (1 - t) * start + t * end
        retrained.append(trained(places, run)[1])
        with torch.no_grad():
            told.first.source.weight.copy_(places)
            told.first.refresh()
            told.second.refresh()
            fixed.append(float(F.cross_entropy(told(x), y)))
    return {"times": list(_IMAGE_TIMES), "fixed": fixed, "retrained": retrained}


def signal(estimator: str, tau: float, together: bool, batches: int) -> dict[str, Any]:
    """Cosine with the way home and signal-to-noise ratio of the gradient at each distance: one ring a placement."""
    found: dict[str, Any] = {"cosine": [], "ratio": []}
    runs = list(range(int(_SETTINGS["placements"])))
    moved = torch.ones(len(runs), 16, dtype=torch.bool) if together else torch.eye(len(runs), 16, dtype=torch.bool)
    for distance in _DISTANCES:
        rings = Rings(runs)
        home = rings.places()
        way = torch.randn(home.shape, generator=rings.generator)
        away = distance * way / way.norm(dim=2, keepdim=True) * moved.unsqueeze(2)
        layer = RingLayer(home + away, estimator, tau)
        layer.solve(rings.sample(int(_SETTINGS["solved_samples"])))
        slopes = []
        for _ in range(batches):
            total = layer.losses(rings.sample(int(_SETTINGS["batch_size"])))[1]
            slopes.append(torch.autograd.grad(total, layer.table.weight)[0].view_as(home)[moved])
        descent = -torch.stack(slopes)  # [batches, moved, 2]
        centre, spread = descent.mean(0), descent.var(0).sum(1).sqrt()
        found["cosine"].append(float(F.cosine_similarity(centre, -away[moved], dim=1).mean()))
        found["ratio"].append(float((centre.norm(dim=1) / spread.clamp_min(1e-12)).median()))
    return {"distances": list(_DISTANCES), **found}


def tables(records: list[dict[str, Any]]) -> str:
    """The tables, in Markdown."""
    parts = []
    for part in ("ring", "images"):
        found = [r for r in records if r["part"] == part]
        if found:
            picked = [0, 10, 20, 30, 36, 40] if part == "ring" else range(len(_IMAGE_TIMES))
            head = ["weights", "layer", "start", *(f"t = {found[0]['times'][i]:g}" for i in picked)]
            lines = [
                [kind, r["label"], str(r["run"]), *(f"{r[kind][i]:.3f}" for i in picked)]
                for kind in ("fixed", "retrained")
                for r in found
            ]
            parts.append(f"Loss on {part}:\n\n" + markdown_table(head, lines))
    for together in (False, True):
        found = [r for r in records if r["part"] == "signal" and r["together"] == together]
        if found:
            head = ["estimator", "temperature", *(f"{d:g}" for d in _DISTANCES)]
            lines = [
                [
                    r["estimator"],
                    f"{r['tau']:g}",
                    *(f"{c:+.2f} ({s:.2g})" for c, s in zip(r["cosine"], r["ratio"], strict=True)),
                ]
                for r in found
            ]
            who = "every node" if together else "one node"
            parts.append(f"Cosine (signal-to-noise), {who} moved by:\n\n" + markdown_table(head, lines))
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the ring alone, 10 batches")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted start")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/gradient*.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = options.output or Path(f"results/gradient{'_quick' if options.quick else ''}.json")
    records = Records(path, {**_SETTINGS, "quick": options.quick}, resume=options.resume)
    for estimator, tau in _PATHS:
        label = f"{estimator}, temperature {tau:g}"
        if records.find(part="ring", label=label) is None:
            for run, found in zip(_RUNS, ring_path(estimator, tau), strict=True):
                records.add({"part": "ring", "run": run, "label": label, **found})
    for together in (False, True):
        for tau in _TAUS:
            for estimator in _ESTIMATORS:
                keys = {"part": "signal", "estimator": estimator, "tau": tau, "together": together}
                if records.find(**keys) is None:
                    records.add({**keys, **signal(estimator, tau, together, 10 if options.quick else 40)})
    for run in () if options.quick else _RUNS:
        if records.find(part="images", run=run) is None:
            records.add({"part": "images", "run": run, "label": "two layers", **image_path(run)})
    print(tables(records.items))


if __name__ == "__main__":
    main()
