"""Piles of samples of several unknown modalities: are they told apart, and how many are found?

Each modality has 784 nodes and a shuffle of its own (run s: permutations and samples s), and the fit is
`ModalityMixture(seed=s).fit(x)` with no further argument. Accuracy is that of the best one-to-one naming, samples of
none count as wrong. Beside it, told the number of modalities: k-means and a mixture of Gaussians with diagonal
covariances on 50 principal components.
FSDD, MNIST, Fashion-MNIST and EEG are read from the folder SCGE_DATA names, or downloaded.

    python benchmarks/mixtures.py --quick             # 1 run a row, 2,000 samples a modality
    python benchmarks/mixtures.py                     # 5 runs, 5,000; --resume goes on after an interruption
    python benchmarks/mixtures.py --rows "MNIST + sound" --first-seed 100 --runs 1
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from report import Records, markdown_table
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from torch import Tensor
from tqdm import tqdm

from scge_pyg import ModalityMixture
from scge_pyg.datasets import EEGNodes, FashionMNISTNodes, FSDDNodes, MNISTNodes

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_NODES, _FEWER = 784, 10
ROWS: dict[str, tuple[str, ...]] = {
    "MNIST + sound": ("mnist", "sound"),
    "MNIST + sound, each sample standardised": ("mnist", "sound", "standardised"),
    "MNIST + Fashion-MNIST": ("mnist", "fashion"),
    "MNIST + Fashion-MNIST + sound": ("mnist", "fashion", "sound"),
    "MNIST + Fashion-MNIST + sound + EEG": ("mnist", "fashion", "sound", "eeg"),
    "MNIST + a tenth as much sound": ("mnist", "few sound"),
    "MNIST alone": ("mnist",),
    "Fashion-MNIST alone": ("fashion",),
    "sound alone": ("sound",),
    "EEG alone": ("eeg",),
}


@cache
def _images(kind: str) -> Tensor:
    classes = {"mnist": MNISTNodes, "fashion": FashionMNISTNodes}
    folder = {"mnist": "mnist", "fashion": "fashion_mnist"}
    return classes[kind](_CACHE / folder[kind]).x.squeeze(-1)


@cache
def _recordings(kind: str) -> list[NDArray[Any]]:
    """Sound and EEG as long rows of numbers."""
    if kind == "sound":
        data = FSDDNodes(_CACHE / "fsdd", length=18_262, whole=True)
        return [row[: int(row.nonzero().max()) + 1].numpy() for row in data.x.squeeze(-1)]
    return list(EEGNodes(_CACHE / "eeg").x.squeeze(-1).T.contiguous().numpy())


def _windows(kind: str, count: int, rng: np.random.Generator) -> Tensor:
    rows = [row for row in _recordings(kind) if len(row) > _NODES]
    which = rng.integers(len(rows), size=count)
    starts = [rng.integers(len(rows[row]) - _NODES) for row in which]
    return torch.from_numpy(
        np.stack([rows[row][start : start + _NODES] for row, start in zip(which, starts, strict=True)])
    ).float()


def pile(kinds: tuple[str, ...], count: int, run: int) -> tuple[Tensor, NDArray[Any]]:
    """Samples of all kinds in one random order, and the kind of each."""
    rng = np.random.default_rng(run)
    samples, truth = [], []
    for number, kind in enumerate(one for one in kinds if one != "standardised"):
        name, own = kind.removeprefix("few "), count // _FEWER if kind.startswith("few ") else count
        if name in ("sound", "eeg"):
            x = _windows(name, own, rng)
        else:
            images = _images(name)
            x = images[torch.from_numpy(rng.permutation(len(images))[:own])]
        samples.append(x[:, torch.from_numpy(rng.permutation(_NODES))])
        truth.append(np.full(own, number))
    x, label = torch.cat(samples), np.concatenate(truth)
    if "standardised" in kinds:
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True).clamp_min(1e-6)
    order = rng.permutation(len(x))
    return x[torch.from_numpy(order)], label[order]


def accuracy(found: NDArray[Any], truth: NDArray[Any]) -> float:
    """Share of samples right under the best one-to-one naming."""
    table = np.zeros((found.max() + 1, truth.max() + 1), int)
    np.add.at(table, (found[found >= 0], truth[found >= 0]), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(truth))


def peers(x: Tensor, modalities: int, run: int) -> dict[str, NDArray[Any]]:
    """What two usual ways make of it that are told the number."""
    if modalities == 1:
        return {}
    score = PCA(50, random_state=run).fit_transform(x.numpy())
    makers: dict[str, Callable[[], Any]] = {
        "k-means": lambda: KMeans(modalities, n_init=10, random_state=run),
        "diagonal Gaussians": lambda: GaussianMixture(modalities, covariance_type="diag", n_init=3, random_state=run),
    }
    return {name: make().fit_predict(score) for name, make in makers.items()}


def measure(row: str, count: int, run: int) -> dict[str, Any]:
    """One run of one row."""
    x, truth = pile(ROWS[row], count, run)
    start = time.perf_counter()
    mixture = ModalityMixture(seed=run).fit(x)
    seconds = time.perf_counter() - start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        others = {name: accuracy(label, truth) for name, label in peers(x, int(truth.max()) + 1, run).items()}
    return {
        "row": row,
        "run": run,
        "samples": len(x),
        "true": int(truth.max()) + 1,
        "found": mixture.n_modalities_,
        "accuracy": accuracy(mixture.labels_, truth),
        "none": int((mixture.labels_ < 0).sum()),
        "seconds": round(seconds, 1),
        **others,
    }


def table(items: list[dict[str, Any]]) -> str:
    """Minimum and mean of each row."""
    lines = []
    for row in ROWS:
        own = [item for item in items if item["row"] == row]
        if not own:
            continue
        right = [item["accuracy"] for item in own]
        others = [[item[name] for item in own if name in item] for name in ("k-means", "diagonal Gaussians")]
        lines.append(
            [
                row,
                f"{min(right):.4f} / {np.mean(right):.4f}",
                f"{sum(item['found'] == item['true'] for item in own)} of {len(own)}",
                *(f"{min(other):.3f} / {np.mean(other):.3f}" if other else "" for other in others),
                f"{np.median([item['seconds'] for item in own]):.0f}",
            ]
        )
    head = ["pile", "accuracy, min / mean", "number found", "k-means", "diagonal Gaussians", "seconds"]
    return markdown_table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 run of each row, 2,000 samples of each modality")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS), help="piles")
    parser.add_argument("--runs", type=int, help="runs of each row (default: 5, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, default=Path("results/mixtures.json"))
    args = parser.parse_args()
    count = 2_000 if args.quick else 5_000
    runs = args.runs or (1 if args.quick else 5)
    records = Records(args.output, {"samples": count}, resume=args.resume)
    wanted = [(row, run) for run in range(args.first_seed, args.first_seed + runs) for row in args.rows]
    for row, run in tqdm(wanted):
        if records.find(row=row, run=run) is None:
            records.add(measure(row, count, run))
    print(table(records.items))
    print(f"records: {args.output}")


if __name__ == "__main__":
    main()
