"""A network of one camera on another: trained on pictures of camera A, tested on what B, aligned to A, shows it.

Run s: camera A records 10,000 labelled images of CIFAR-10 (mean over colours), camera B 5,000 others without labels,
permutations and gains from 0.5 to 2 drawn with seed s; `align(discover(a), discover(b), a, b)` with no further
argument. A CNN on the lattice of A is trained with the mirror images that `align` leaves open, if any. Both cameras
then record the same 6,000 further images; each pixel is in units of its camera's own recording. Beside it: what B shows
on its own lattice, not aligned.

    python benchmarks/two_cameras.py --quick             # run 0, 2,000 and 2,000 images, one pass
    python benchmarks/two_cameras.py                     # 5 runs, three passes; --resume goes on after an interruption
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from alignment import camera
from report import Records, markdown_table
from torch import Tensor
from tqdm import tqdm

from scge_pyg import align, discover
from scge_pyg.datasets import CIFAR10Nodes
from scge_pyg.discovery.alignment import Alignment
from scge_pyg.graph import Lattice
from scge_pyg.models import GridCNN, accuracy, fit_classifier

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_WAYS = ("camera A", "camera B, aligned", "camera B, its own lattice")


def mirrored_axes(found: Alignment) -> list[list[int]]:
    """Axes of a's lattice, as dimensions of a picture, that each way left open turns about."""
    ways = [(found.axes.T @ axes).diagonal() for axes in found.open]
    return [[int(axis) for axis in (way < 0).nonzero().squeeze(1)] for way in ways]


def pictures(x: Tensor, lattice: Lattice) -> Tensor:
    """Samples as row-major pictures ``[S, cells, 1]``, 0 where there is no pixel."""
    return lattice.to_grid(x.unsqueeze(2)).flatten(2).movedim(1, 2)


def in_own_units(x: Tensor, recorded: Tensor) -> Tensor:
    """Samples in deviations of each pixel from its mean, both of its camera's recording."""
    deviation, mean = torch.std_mean(recorded, 0)
    return (x - mean) / deviation.clamp_min(1e-6)


def measure(train: int, unlabelled: int, epochs: int, run: int) -> dict[str, Any]:
    """One pair of cameras."""
    generator = torch.Generator().manual_seed(run)
    sets = [CIFAR10Nodes(_CACHE / "cifar10", train=part) for part in (True, False)]
    x, y = (torch.cat([getattr(part, name) for part in sets]) for name in ("x", "y"))
    x = x.mean(2)
    order = torch.cat([torch.randperm(20_000, generator=generator), torch.arange(20_000, len(x))])
    x, y = x[order], y[order]
    own, other, new = x[:train], x[train : train + unlabelled], x[15_000:]
    states = [torch.Generator().manual_seed(run * 2 + side) for side in range(2)]
    (a, _), (b, _) = camera(own, states[0]), camera(other, states[1])
    again = [torch.Generator().manual_seed(run * 2 + side) for side in range(2)]  # the same shuffle and gains
    new_a, new_b = camera(new, again[0])[0], camera(new, again[1])[0]
    graph_a, graph_b = discover(a), discover(b)
    found = align(graph_a, graph_b, a, b)
    if graph_a.lattice is None or graph_b.lattice is None:
        raise RuntimeError(f"run {run}: no lattice found for a camera, so there is no picture to train on")
    seen = found.partner >= 0
    aligned = torch.where(seen, in_own_units(new_b, b)[:, found.partner.clamp_min(0)], 0.0)
    shape = graph_a.lattice.shape
    alone = pictures(in_own_units(new_b, b), graph_b.lattice) if graph_b.lattice.shape == shape else None
    pairs = (pictures(z, graph_a.lattice) for z in (in_own_units(new_a, a), aligned))
    tests = dict(zip(_WAYS, (*pairs, alone), strict=True))
    shown = pictures(in_own_units(a, a), graph_a.lattice)
    flips = [shown.unflatten(1, shape).flip([1 + axis for axis in axes]).flatten(1, 2) for axes in mirrored_axes(found)]
    given = torch.cat([shown, *flips])
    torch.manual_seed(run)
    network = GridCNN(1, 10, (shape[0], shape[1]))
    fit_classifier(network, given, y[:train].repeat(1 + len(flips)), epochs=epochs, seed=run)
    return {
        "run": run,
        "partners": float(seen.double().mean()),
        "mirrors": mirrored_axes(found),
        **{way: float("nan") if z is None else accuracy(network, z, y[15_000:]) for way, z in tests.items()},
    }


def table(items: list[dict[str, Any]]) -> str:
    """One line a run, and the paired difference."""
    lines = [
        [str(item["run"]), str(len(item["mirrors"])), *(f"{100 * item[way]:.1f}" for way in _WAYS)] for item in items
    ]
    lost = [100 * (item["camera A"] - item["camera B, aligned"]) for item in items]
    error = f" ± {stdev(lost) / math.sqrt(len(lost)):.2f}" if len(lost) > 1 else ""
    return f"{markdown_table(['run', 'left open', *_WAYS], lines)}\n\nlost from A to B: {mean(lost):.2f}{error} points"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="run 0, 2,000 and 2,000 images, one pass")
    parser.add_argument("--runs", type=int, help="runs (default: 5, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, default=Path("results/two_cameras.json"))
    args = parser.parse_args()
    sizes = (2_000, 2_000, 1) if args.quick else (10_000, 5_000, 3)
    records = Records(args.output, {"sizes": list(sizes)}, resume=args.resume)
    for run in tqdm(range(args.first_seed, args.first_seed + (args.runs or (1 if args.quick else 5)))):
        if records.find(run=run) is None:
            records.add(measure(*sizes, run))
    print(table(records.items))


if __name__ == "__main__":
    main()
