"""Digits told from their parts: a code as a set of points, beside networks on pixels, at equal bits.

The 8 parts of a CGAE, each a place, a prototype and a linear code, are points of PyG's PointTransformerConv. A CNN and
a ViT on patches of 7 x 7 see the images themselves, and what three codes of about as many bits leave of them: PCA
(rounded evenly, by reverse water-filling), one of 256 prototypes for each of the 16 patches (k-means), and the parts,
decoded. All networks get the same number of steps, and the rate of three that is best on the last 2,000 training
images. MNIST is read from the folder SCGE_DATA names, or downloaded.

    python benchmarks/cgae_points.py --quick
    python benchmarks/cgae_points.py             # 10,000 training images, three seeds; --resume goes on
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from cgae_mnist import images, labels_of
from cgae_points_inputs import codes_of, parts_of, patches_of, pca_of
from cgae_points_nets import CNN, PointNet, ViT
from report import Records, markdown_table
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

_RATES, _HELD, _BATCH = (5e-4, 1e-3, 2e-3), 2000, 100
_SIZES = {"full": {"images": 10_000, "tested": 10_000, "steps": 1000, "seeds": 3},
          "quick": {"images": 2000, "tested": 1000, "steps": 400, "seeds": 1}}  # fmt: skip
_NETS: dict[str, Callable[[Any], nn.Module]] = {"points": PointNet, "cnn": lambda _: CNN(), "vit": lambda _: ViT()}


def accuracy(net: nn.Module, inputs: tuple[Tensor, ...], labels: Tensor) -> float:
    """Share of right answers."""
    net.eval()
    with torch.no_grad():
        blocks = torch.arange(len(labels)).split(500)
        return float(
            torch.cat([net(*(part[rows] for part in inputs)).argmax(1) == labels[rows] for rows in blocks])
            .float()
            .mean()
        )


def trained(
    make: Callable[[], nn.Module], inputs: tuple[Tensor, ...], labels: Tensor, rate: float, steps: int, seed: int
) -> nn.Module:
    """Adam with one cycle."""
    torch.manual_seed(seed)
    net, order = make(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    net.train()
    for _ in range(steps):
        rows = torch.randint(len(labels), (_BATCH,), generator=order)
        loss = F.cross_entropy(net(*(part[rows] for part in inputs)), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net


def best_rate(
    make: Callable[[], nn.Module], inputs: tuple[Tensor, ...], labels: Tensor, held: int, steps: int
) -> float:
    """The rate that serves the last ``held`` images best."""
    first, rest = tuple(part[:-held] for part in inputs), tuple(part[-held:] for part in inputs)
    return max(
        _RATES, key=lambda rate: accuracy(trained(make, first, labels[:-held], rate, steps, 100), rest, labels[-held:])
    )


def cells(size: dict[str, int]) -> list[dict[str, Any]]:
    """One record a network, input and seed."""
    pairs = [
        ("points", "parts"),
        *((net, given) for given in ("images", "parts", "pca", "patches") for net in ("cnn", "vit")),
    ]
    return [{"net": net, "input": given, "seed": seed} for net, given in pairs for seed in range(size["seeds"])]


def table(records: list[dict[str, Any]]) -> str:
    """Accuracy by network and input."""
    names = {"images": "images", "parts": "8 parts", "pca": "PCA", "patches": "16 patches of 256 kinds"}
    lines = []
    for net, given in dict.fromkeys((r["net"], r["input"]) for r in records):
        same = [r for r in records if (r["net"], r["input"]) == (net, given)]
        share = [100 * r["accuracy"] for r in same]
        spread = f" +- {stdev(share) / len(share) ** 0.5:.2f}" if len(share) > 1 else ""
        bits = "" if same[0]["bits"] is None else f"{same[0]['bits']:.0f}"
        lines.append(
            [names[given], net, bits, f"{same[0]['error']:.2f}", f"{mean(share):.2f}{spread}", str(same[0]["weights"])]
        )
    return markdown_table(["what is seen", "by", "bits", "squared error", "accuracy (%)", "weights"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    name = "quick" if args.quick else "full"
    size = _SIZES[name]
    records = Records(Path(f"results/cgae_points_{name}.json"), {"size": size}, resume=args.resume)
    wanted = [cell for cell in cells(size) if records.find(**cell) is None]
    if not wanted:
        print(table(records.items))
        return
    train, test = images("mnist", True)[: size["images"]], images("mnist", False)[: size["tested"]]
    labels = [labels_of("mnist", True)[: len(train)], labels_of("mnist", False)[: len(test)]]
    model, codes, bits = codes_of(train, test)
    given = {
        "images": (train, test, None),
        "parts": (*(model.decode(code).detach() for code in codes), bits),
        "pca": pca_of(train, test, bits),
        "patches": patches_of(train, test),
    }
    points = [parts_of(model, code) for code in codes]
    held = _HELD // (10 if args.quick else 1)
    best: dict[tuple[str, str], float] = {}
    for cell in tqdm(wanted):
        seen, pair = given[cell["input"]], (cell["net"], cell["input"])
        inputs = points if cell["net"] == "points" else [(part,) for part in seen[:2]]
        make = partial(_NETS[cell["net"]], points[0][1].shape[2])
        if pair not in best:
            best[pair] = best_rate(make, inputs[0], labels[0], held, size["steps"] // 2)
        net = trained(make, inputs[0], labels[0], best[pair], size["steps"], cell["seed"])
        error = float((seen[1] - test).square().flatten(1).sum(1).mean())
        records.add({**cell, "accuracy": accuracy(net, inputs[1], labels[1]), "rate": best[pair], "error": error,
                     "bits": seen[2], "weights": sum(p.numel() for p in net.parameters())})  # fmt: skip
    print(table(records.items))


if __name__ == "__main__":
    main()
