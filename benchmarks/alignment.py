"""Two cameras of the same kind of scene, each with a shuffle and gains of its own: which pixel is which?

Run s: two disjoint halves of 20,000 images of CIFAR-10 (mean over colours), permutations and gains from 0.5 to 2 drawn
with seed s; `align(discover(a), discover(b), a, b)` with no further argument. A pixel is right if its partner shows the
same place, up to the mirror image that turns left and right about; up and down must be right. Beside it, told that both
are grids of 32 x 32: the partner of the most alike marginal distribution (skewness and kurtosis, one to one); and given
the same two graphs, POT's Gromov-Wasserstein plans of distances between places, alone and fused with skewness and
kurtosis (weight of distances 0.95, the best of 0.5, 0.8 and 0.95 on run 100), made one to one.

    python benchmarks/alignment.py --quick            # 2 runs, 4,000 images each
    python benchmarks/alignment.py                    # 5 runs, 10,000 images each
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import ot
import torch
from numpy.typing import NDArray
from report import Records, markdown_table
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from tqdm import tqdm

from scge_pyg import SharedGraph, align, discover
from scge_pyg.datasets import CIFAR10Nodes

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_SIDE = 32


def camera(images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a camera records, and the pixel of each of its nodes."""
    order = torch.randperm(images.shape[1], generator=generator)
    gain = 0.5 + 1.5 * torch.rand(images.shape[1], generator=generator)
    return images[:, order] * gain, order


def shapes(x: Tensor) -> Tensor:
    """Skewness and kurtosis of each pixel, standardised over pixels."""
    z = (x - x.mean(0)) / x.std(0)
    shape = torch.stack([z.pow(3).mean(0), z.pow(4).mean(0)], 1)
    return (shape - shape.mean(0)) / shape.std(0)


def one_to_one(cost: NDArray[np.float64]) -> Tensor:
    """Partners of the least total cost."""
    return torch.from_numpy(linear_sum_assignment(cost)[1])


def peers(graph_a: SharedGraph, graph_b: SharedGraph, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """Partners by marginals, and by optimal transport between the two geometries."""
    unlike = torch.cdist(shapes(a), shapes(b)).double().square().numpy()
    apart = [torch.cdist(graph.pos, graph.pos).double().numpy() for graph in (graph_a, graph_b)]
    apart = [one / one.mean() for one in apart]
    options: dict[str, Any] = {"symmetric": True, "max_iter": 200}
    plain = ot.gromov.gromov_wasserstein(*apart, **options)
    fused = ot.gromov.fused_gromov_wasserstein(unlike / unlike.mean(), *apart, alpha=0.95, **options)
    return {"marginals": one_to_one(unlike), "transport": one_to_one(-plain), "fused": one_to_one(-fused)}


def measure(count: int, run: int) -> dict[str, Any]:
    """One run."""
    generator = torch.Generator().manual_seed(run)
    x = CIFAR10Nodes(_CACHE / "cifar10").x.mean(2)
    x = x[torch.randperm(len(x), generator=generator)]
    (a, pixel_a), (b, pixel_b) = (camera(half[:count], generator) for half in (x[: len(x) // 2], x[len(x) // 2 :]))
    start = time.perf_counter()
    graph_a, graph_b = discover(a), discover(b)
    found_in = time.perf_counter() - start
    found = align(graph_a, graph_b, a, b)
    seconds = time.perf_counter() - start - found_in
    grid = torch.arange(_SIDE * _SIDE).view(_SIDE, _SIDE)
    ways = {"as it is": grid, "left and right": grid.flip(1), "up and down": grid.flip(0), "both": grid.flip(0, 1)}

    def shares(partner: Tensor) -> dict[str, float]:
        seen = torch.where(partner >= 0, pixel_b[partner], -1)
        return {name: float((seen == way.flatten()[pixel_a]).double().mean()) for name, way in ways.items()}

    own = shares(found.partner)
    others = {name: shares(partner) for name, partner in peers(graph_a, graph_b, a, b).items()}
    return {
        "run": run,
        "right": max(own["as it is"], own["left and right"]),
        "unmirrored": own["as it is"],
        "upright": max(own["as it is"], own["left and right"]) > max(own["up and down"], own["both"]),
        "open": len(found.open),
        "score": found.score,
        **{name: max(one["as it is"], one["left and right"]) for name, one in others.items()},
        "words": found.describe(),
        "discover_seconds": round(found_in, 1),
        "seconds": round(seconds, 1),
    }


def table(items: list[dict[str, Any]]) -> str:
    """One line a run."""
    head = [
        "run",
        "right up to the mirror",
        "as it is",
        "upright",
        "left open",
        "score",
        "by marginals",
        "GW",
        "fused GW",
        "seconds",
    ]
    lines = [
        [
            str(item["run"]),
            *(f"{item[name]:.4f}" for name in ("right", "unmirrored")),
            "yes" if item["upright"] else "no",
            str(item["open"]),
            f"{item['score']:.3f}",
            *(f"{item[name]:.3f}" for name in ("marginals", "transport", "fused")),
            f"{item['discover_seconds']:.1f} + {item['seconds']:.1f}",
        ]
        for item in items
    ]
    least = f"{np.min([item['right'] for item in items]):.4f}"
    return f"{markdown_table(head, lines)}\n\nleast: {least}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 runs, 4,000 images each")
    parser.add_argument("--runs", type=int, help="runs (default: 5, with --quick 2)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    parser.add_argument("--output", type=Path, default=Path("results/alignment.json"))
    args = parser.parse_args()
    count = 4_000 if args.quick else 10_000
    records = Records(args.output, {"images": count}, resume=False)
    for run in tqdm(range(args.first_seed, args.first_seed + (args.runs or (2 if args.quick else 5)))):
        records.add(measure(count, run))
    print(table(records.items))
    print(records.items[-1]["words"])


if __name__ == "__main__":
    main()
