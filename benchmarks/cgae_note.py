"""Why the note's CGAE ended in one grey average: its own case, with its sketch's faults switched on and off.

Three of ten whole-image prototypes on MNIST, so that all 720 codes can be enumerated. The error is the mean over the
test images of the summed squared error, pixels in [0, 1], of the codes that the variant itself draws; a model that
always answers with the mean image has 52.9. Seeds are of start, order of images and samples; the learning rate was
chosen with seed 100 on training images. The images are read from the folder SCGE_DATA names, or downloaded.

    python benchmarks/cgae_note.py --quick                     # one seed, tables one and path
    python benchmarks/cgae_note.py                             # everything; --resume after an interruption
    python benchmarks/cgae_note.py --parts temperature
    python benchmarks/cgae_note.py --tables results/cgae_note*.json
    python benchmarks/cgae_note.py --picture docs/parts-collapse.png
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from cgae_note_codes import best
from cgae_note_sketch import FAULTS, PARTS, PROTOTYPES, TWICE, Run, learn, sample
from cgae_note_tables import tables
from report import Records
from torch import Tensor
from tqdm import tqdm

from scge_pyg.datasets import MNISTNodes
from scge_pyg.models.cgae import CGAE, most_alike, usage_entropy

__all__ = ["cells", "prototypes"]

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_ALL = frozenset(FAULTS)
_PATH = ("draw", "sign", "pixels", "first", "own", "weights")
_RATIOS = (0.1, 0.5, 0.8, 0.95, 1.05, 1.25, 2.0, 10.0)  # 1 / (2 beta) over the largest eigenvalue of the covariance
_OWN_FIT = "CGAE.fit"


def cells(parts: list[str], seeds: int, leading: float) -> Iterator[tuple[str, str, Run, int]]:
    """Part, name, run and seed of everything to measure; ``leading`` is the largest eigenvalue of the covariance."""
    named: list[tuple[str, str, Run, int]] = []

    def add(part: str, name: str, run: Run, runs: int = seeds) -> None:
        named.extend((part, name, run, seed) for seed in range(runs))

    add("one", "all", Run(_ALL))
    for fault in FAULTS:
        add("one", f"without {fault}", Run(_ALL - {fault}))
    for fault in (*FAULTS, TWICE):
        add("one", f"only {fault}", Run(frozenset({fault})))
    add("one", "right", Run())
    add("one", "enumerated", Run(enumerated=True))
    add("one", _OWN_FIT, Run())
    for number in range(1, len(_PATH)):
        add("path", f"{number}", Run(_ALL - set(_PATH[:number])))
    for begin in ("alike", "same", "images"):
        add("starts", f"right, {begin}", Run(begin=begin))
    add("starts", "enumerated, same", Run(enumerated=True, begin="same"))
    add("starts", "all, images", Run(_ALL, begin="images"))
    for fault in ("draw", "sign", "first", "pixels"):
        add("starts", f"only {fault}, images", Run(frozenset({fault}), begin="images"))
    for rate in (0.003, 0.3):
        add("starts", f"right, rate {rate}", Run(lr=rate))
        add("starts", f"all, rate {rate}", Run(_ALL, lr=rate))
    for ratio in _RATIOS:
        beta = 1 / (2 * ratio * leading)
        add("temperature", f"enumerated, {ratio}", Run(enumerated=True, beta=beta), 1)
        add("temperature", f"sampled, {ratio}", Run(beta=beta), 1)
    others = [fault for fault in FAULTS if fault != "weights"]
    for size in range(len(others) + 1):
        for chosen in combinations(others, size):
            add("factorial", " ".join(chosen), Run(frozenset(chosen)), 1)
    return (cell for cell in named if cell[0] in parts)


@cache
def images() -> tuple[Tensor, Tensor]:
    """Training and test images ``[S, 784]``."""
    root = _CACHE / "mnist"
    return MNISTNodes(root).x.squeeze(-1), MNISTNodes(root, train=False).x.squeeze(-1)


@cache
def leading_eigenvalue() -> float:
    """Of the covariance of the training images."""
    return float(torch.linalg.eigvalsh(images()[0].double().T.cov())[-1])


def prototypes(name: str, run: Run, seed: int) -> tuple[Tensor, Run]:
    """Learned prototypes ``[10, 784]``, and the run with which they are to be sampled."""
    x = images()[0]
    if name != _OWN_FIT:
        return learn(x, run, seed), run
    side = round(x.shape[1] ** 0.5)
    model = CGAE((side, side), PROTOTYPES, PARTS, side, padding="valid")
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:10_000]
    model.fit(x[chosen].view(-1, side, side), epochs=3, batch_size=100, seed=seed)
    return model.prototypes.flatten(1), Run(beta=1 / (2 * float(model.noise) ** 2))


def measure(part: str, name: str, run: Run, seed: int) -> dict[str, Any]:
    """Learn and judge on test images."""
    x, test = images()
    w, run = prototypes(name, run, seed)
    codes = sample(test, w, run, torch.Generator().manual_seed(seed))
    rec = w[codes.kind].sum(1)
    share = torch.bincount(codes.kind.flatten(), minlength=PROTOTYPES) / codes.kind.numel()
    side = round(x.shape[1] ** 0.5)
    variance = float(test.var(0).sum())
    return {
        "part": part,
        "name": name,
        "faults": sorted(run.faults),
        "seed": seed,
        "beta": run.beta,
        "error": float((test - rec).square().sum(1).mean()),
        "best": float(best(test, w, PARTS).error.mean()),
        "mean image": float((test - x.mean(0)).square().sum(1).mean()),
        "spread": float(rec.var(0).sum()) / variance,
        "usage": usage_entropy(codes.kind, PROTOTYPES),
        "draw": codes.entropy,
        "alike": float(most_alike(w.view(-1, side, side)).max()),
        "grey": float(share @ torch.cosine_similarity(w, x.mean(0, keepdim=True))),
        "apart": float((w - w.mean(0)).square().sum(1).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ("one", "path", "starts", "temperature", "factorial")
    parser.add_argument("--quick", action="store_true", help="one seed, the first two tables, 100 steps")
    parser.add_argument("--parts", nargs="+", choices=every, help="tables to measure (default: all)")
    parser.add_argument("--seeds", type=int, help="runs of a row (default: 3, with --quick 1)")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, help="default: results/cgae_note.json or cgae_note-quick.json")
    parser.add_argument("--tables", nargs="+", type=Path, metavar="FILE", help="show the tables of these records")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw prototypes of seed 0, measure nothing")
    args = parser.parse_args()
    if args.tables:
        print(tables([record for path in args.tables for record in json.loads(path.read_text())["records"]]))
        return
    if args.picture:
        from cgae_note_picture import picture

        picture(images()[0].mean(0), images()[1], prototypes).savefig(args.picture, dpi=80)
        print(f"figure: {args.picture}")
        return
    path = args.output or Path("results") / f"cgae_note{'-quick' if args.quick else ''}.json"
    records = Records(path, {"quick": args.quick}, resume=args.resume)
    parts = args.parts or list(every[: 2 if args.quick else None])
    wanted = list(cells(parts, args.seeds or (1 if args.quick else 3), leading_eigenvalue()))
    with tqdm(wanted) as bar:
        for part, name, run, seed in bar:
            bar.set_postfix_str(f"{part}: {name}, seed {seed}")
            if records.find(part=part, name=name, seed=seed) is None:
                records.add(measure(part, name, run._replace(steps=100) if args.quick else run, seed))
    print(tables(records.items))
    print(f"records: {path}")


if __name__ == "__main__":
    main()
