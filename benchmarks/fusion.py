"""Which digit is it? One image and one recording of it, from 20 labelled pairs a class.

MNIST images and log-mel spectrograms of FSDD (24 mels x 24 frames, the first half second, not below exp(-9)), each in
a shuffle of its own. Run s uses permutations, images and recordings s; graphs are `discover(x)` of 10,000 images and
2,700 recordings without labels. An image goes with any recording of the same digit. Tested on 3,000 pairs: takes 0 to 4
of each speaker and digit, ten images with each.

All networks are trained by one recipe for 20 epochs, each with the rate that `--tune` found best for it on runs 100 and
101, "joint loss alone" with that of "fused". "Late" is the mean of the logits of the two networks above it. FSDD and
MNIST are read from the folder SCGE_DATA names, or downloaded.

    python benchmarks/fusion.py --quick           # 2 runs
    python benchmarks/fusion.py                   # 5 runs; --resume goes on after an interruption
    python benchmarks/fusion.py --tune            # what the rates were chosen by
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import torch
from report import Records, markdown_table
from torch import Tensor
from tqdm import tqdm

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import FSDDNodes, MNISTNodes
from scge_pyg.metrics import cell_accuracy
from scge_pyg.models import FusedClassifier, NodeMLP, SCGEClassifier, fit_classifier, standardized
from scge_pyg.transforms import ShuffleNodes, SoundToLogMel

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_LABELLED, _IMAGES, _UNLABELLED = 20, 10, 10_000
_MEL, _QUIET, _RATE = 24, -9.0, 8000
_CHANNELS, _BATCH = (16, 32, 64), 20
_SHAPES = {"image": (28, 28), "sound": (_MEL, _MEL)}
_EPOCHS, _RATES, _TUNED_ON = 20, (3e-3, 1e-2, 3e-2), (100, 101)
RATE_OF = {"image": 3e-3, "sound": 1e-2, "MLP": 3e-3, "fused": 3e-3}
RATE_OF["fused, joint loss alone"] = RATE_OF["fused"]


class _JointLossAlone(FusedClassifier):
    """The same network, trained by the cross entropy of its logits."""

    def loss(self, x: Any, y: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(self(x), y)


@cache
def _images(train: bool) -> tuple[Tensor, Tensor]:
    data = MNISTNodes(_CACHE / "mnist", train=train)
    return data.x, data.y


@cache
def _recordings(train: bool) -> tuple[Tensor, Tensor]:
    mel = SoundToLogMel(_RATE, mels=_MEL, frames=_MEL, window=256, hop=160)
    data = FSDDNodes(_CACHE / "fsdd", train=train, length=(_MEL - 1) * mel.hop + mel.window, whole=True)
    return mel(data.x.transpose(1, 2))[:, 0].clamp_min(_QUIET), data.y


@dataclass
class Pairs:
    """Shuffled, standardised samples of both modalities by name, and their graphs."""

    x: dict[str, Tensor]
    y: Tensor
    test: dict[str, Tensor]
    truth: Tensor
    graphs: dict[str, SharedGraph]
    cells: dict[str, float]


@cache
def pairs(run: int) -> Pairs:
    """The pairs of one run."""
    generator = torch.Generator().manual_seed(run)

    def some(y: Tensor, digit: int, count: int) -> Tensor:
        own = (y == digit).nonzero().squeeze(1)
        return own[torch.randperm(len(own), generator=generator)[:count]]

    x, test, graphs, cells = {}, {}, {}, {}
    recordings = (_recordings(False)[1] == 0).sum()
    for name, load, count in (("image", _images, _IMAGES * int(recordings)), ("sound", _recordings, int(recordings))):
        (pool, label), (held, held_label) = load(True), load(False)
        order = ShuffleNodes(run if name == "image" else run + 1000).permutation(pool.shape[1])
        chosen = torch.cat([some(label, digit, _LABELLED) for digit in range(10)])
        shown = torch.cat([some(held_label, digit, count) for digit in range(10)])
        shown = shown.repeat_interleave(_IMAGES) if name == "sound" else shown
        unlabelled = pool[torch.randperm(len(pool), generator=generator)[:_UNLABELLED]][:, order]
        graphs[name] = discover(unlabelled)
        true = torch.cartesian_prod(*map(torch.arange, _SHAPES[name]))[order]
        cells[name] = float(cell_accuracy(graphs[name], true)) if graphs[name].lattice is not None else 0.0
        _, x[name], test[name] = standardized(unlabelled, pool[chosen][:, order], held[shown][:, order])
    digits = torch.arange(10)
    return Pairs(
        x,
        digits.repeat_interleave(_LABELLED),
        test,
        digits.repeat_interleave(int(recordings) * _IMAGES),
        graphs,
        cells,
    )


def network(name: str, graphs: dict[str, SharedGraph]) -> torch.nn.Module:
    """The network of a row."""
    if name in graphs:
        return SCGEClassifier(1, 10, graphs[name], channels=_CHANNELS)
    if name == "MLP":
        return NodeMLP(1, 10, sum(graph.num_nodes for graph in graphs.values()))
    kind = FusedClassifier if name == "fused" else _JointLossAlone
    return kind(dict.fromkeys(graphs, 1), 10, graphs, channels=_CHANNELS)


def _as_input(name: str, x: dict[str, Tensor]) -> Any:
    return x[name] if name in x else torch.cat(list(x.values()), 1) if name == "MLP" else x


@torch.no_grad()
def _said(model: torch.nn.Module, x: Any) -> Tensor:
    """Logits of all test samples."""
    model.eval()
    count = len(next(iter(x.values())) if isinstance(x, dict) else x)
    parts = torch.arange(count).split(500)
    return torch.cat(
        [model({key: part[rows] for key, part in x.items()} if isinstance(x, dict) else x[rows]) for rows in parts]
    )


def trained(name: str, data: Pairs, run: int, rate: float) -> tuple[torch.nn.Module, float]:
    """A network of a row after training, and the seconds it took."""
    torch.manual_seed(run)
    model = network(name, data.graphs)
    result = fit_classifier(
        model, _as_input(name, data.x), data.y, epochs=_EPOCHS, batch_size=_BATCH, lr=rate, seed=run
    )
    return model, result.seconds


def _share(logits: Tensor, truth: Tensor) -> float:
    return float((logits.argmax(1) == truth).double().mean())


def measure(run: int) -> dict[str, Any]:
    """All rows of one run."""
    start = time.perf_counter()
    data = pairs(run)
    record: dict[str, Any] = {"run": run, "cells": data.cells, "discovery": round(time.perf_counter() - start, 1)}
    said, seconds = {}, {}
    for name, rate in RATE_OF.items():
        model, took = trained(name, data, run, rate)
        said[name], seconds[name] = _said(model, _as_input(name, data.test)), round(took, 1)
        if name == "fused":
            said |= {
                f"fused, {other} missing": _said(model, {key: data.test[key]})
                for key, other in (("image", "sound"), ("sound", "image"))
            }
    said["late"] = said["image"] + said["sound"]
    record["accuracy"] = {name: _share(logits, data.truth) for name, logits in said.items()}
    return {**record, "seconds": seconds}


def table(items: list[dict[str, Any]]) -> str:
    """Mean and deviation of each row, and differences to the better single network and to late fusion, by run."""
    rows = {
        "image": "image alone",
        "sound": "sound alone",
        "MLP": "MLP on all nodes of both",
        "late": "late: mean of the logits of both",
        "fused": "fused",
        "fused, joint loss alone": "fused, trained by the joint loss alone",
        "fused, sound missing": "fused, tested without sound",
        "fused, image missing": "fused, tested without images",
    }
    got = {name: torch.tensor([item["accuracy"][name] for item in items]) * 100 for name in rows}
    better = torch.maximum(got["image"], got["sound"])
    lines = []
    for name, what in rows.items():
        versus = ["" if name in ("image", "sound") or "missing" in name else _spread(got[name] - better, "+")]
        versus.append(_spread(got[name] - got["late"], "+") if name.startswith("fused") and "miss" not in name else "")
        times = [item["seconds"][name] for item in items if name in item["seconds"]]
        lines.append([what, _spread(got[name]), *versus, f"{sum(times) / len(times):.0f}" if times else ""])
    return markdown_table(["network", "test accuracy, %", "beside the better single one", "beside late", "s"], lines)


def _spread(values: Tensor, sign: str = "") -> str:
    deviation = f" ± {float(values.std()):.1f}" if len(values) > 1 else ""
    return f"{float(values.mean()):{sign}.1f}{deviation}"


def tune(records: Records) -> str:
    """Accuracy of each row and rate on the runs for tuning."""
    rows = [name for name in RATE_OF if name != "fused, joint loss alone"]
    for run, name, rate in tqdm(list(product(_TUNED_ON, rows, _RATES))):
        if records.find(run=run, row=name, rate=rate) is None:
            data = pairs(run)
            model, _ = trained(name, data, run, rate)
            right = _share(_said(model, _as_input(name, data.test)), data.truth)
            records.add({"run": run, "row": name, "rate": rate, "accuracy": right})
    lines = []
    for name in rows:
        got = [[r["accuracy"] for r in records.items if (r["row"], r["rate"]) == (name, rate)] for rate in _RATES]
        lines.append([name, *(f"{100 * sum(own) / len(own):.1f}" for own in got)])
    return markdown_table(["network", *(f"{rate:g}" for rate in _RATES)], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 runs")
    parser.add_argument("--tune", action="store_true", help="all rates on runs 100 and 101 instead")
    parser.add_argument("--runs", type=int, help="number of runs (default: 5, with --quick 2)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, help="default: results/fusion.json or results/fusion-tune.json")
    args = parser.parse_args()
    output = args.output or Path("results") / ("fusion-tune.json" if args.tune else "fusion.json")
    records = Records(output, {"channels": _CHANNELS, "labelled": _LABELLED}, resume=args.resume)
    if args.tune:
        print(tune(records))
    else:
        for run in tqdm(range(args.first_seed, args.first_seed + (args.runs or (2 if args.quick else 5)))):
            if records.find(run=run) is None:
                records.add(measure(run))
        print(table(records.items))
        print(
            "cells: "
            + ", ".join(f"{name} {min(item['cells'][name] for item in records.items):.3f}" for name in _SHAPES)
        )
    print(f"records: {output}")


if __name__ == "__main__":
    main()
