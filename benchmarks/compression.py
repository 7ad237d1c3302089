"""How small a code can hold an image: SCGE on shuffled pixels against PCA, dense and convolutional autoencoders.

The error is the mean over test images of the summed squared error, pixels in [0, 1], at equal size of the code. Run s
uses permutation s, initial draw s and batch order s; two-class MNIST holds the digits 0 and 1. All networks share one
recipe (Adam, one cycle, batches of 32). `discover` and `HebbianLoss` see the shuffled training images and nothing
else, for two classes those of all digits, as a geometry belongs to the modality. MNIST and Fashion-MNIST are read from
the folder SCGE_DATA names, or downloaded.

    python benchmarks/compression.py --quick               # Fashion-MNIST, 10,000 images, one seed, the same ordering
    python benchmarks/compression.py                       # everything; --resume goes on after an interruption
    python benchmarks/compression.py --parts main --data mnist --models conv scge --device cuda
    python benchmarks/compression.py --parts main --models scge-learned --first-seed 1 --seeds 2   # runs 1 and 2
    python benchmarks/compression.py --shard 0/8           # an eighth of the cells; the records get a name of their own
    python benchmarks/compression.py --tables results/compression*.json
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from compression_models import MODELS, build, train
from compression_tables import tables
from report import Records
from torch import Tensor
from tqdm import tqdm

from scge_pyg.datasets import FashionMNISTNodes, MNISTNodes
from scge_pyg.models.autoencoders import reconstruction_error
from scge_pyg.transforms import ShuffleNodes

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_DATA = ("fashion", "mnist", "two-class")
_MAIN = ("mlp", "conv", "conv-shuffled", "scge", "scge-free", "scge-learned")
_OTHER = ("linear", "mlp-bn", "local", "scge-random", "locally-linear", "second-order")
_ONE_SEED = ("transformer", *(f"{kind}-{base}" for kind in ("vae", "beta-vae") for base in ("mlp", "conv", "scge")))
_FULL_ONLY = ("scge-content",)  # it takes a third of the time that the quick form may
_CURVE = ("mlp", "conv", "scge")
_PARTS = ("main", "other", "latents", "images")


@dataclass(frozen=True)
class Cell:
    """One training run.

    Attributes:
        part: Table it belongs to.
        data: Data set.
        model: Name in ``MODELS``.
        latent: Size of the code.
        seed: Of permutation, initial draw and batch order.
        images: Training images, the first of them in the order of the seed.
    """

    part: str
    data: str
    model: str
    latent: int
    seed: int
    images: int


def cells(quick: bool, seeds: range) -> Iterator[Cell]:
    """All training runs, the most telling first."""
    images = 10_000 if quick else 60_000
    data = _DATA[:1] if quick else _DATA
    for seed in seeds:
        for latent in (16,) if quick else (16, 32):
            for name in data:
                for model in (*_MAIN, "pca"):
                    if model != "pca" or seed == 0:
                        yield Cell("main", name, model, latent, seed, images)
    for seed in seeds:
        for name in data:
            for model in (*_OTHER, *(() if quick else _FULL_ONLY), *(() if seed else _ONE_SEED)):
                for latent in (16, 32) if model == "transformer" and not quick else (16,):
                    yield Cell("other", name, model, latent, seed, images)
    if not quick:
        for latent in (2, 4, 8, 64):
            for model in (*_CURVE, "pca"):
                yield Cell("latents", "fashion", model, latent, 0, images)
        for count in (1_000, 10_000):
            for model in (*_CURVE, "pca"):
                yield Cell("images", "fashion", model, 16, 0, count)


@cache
def images(name: str) -> tuple[Tensor, Tensor]:
    """Training and test images in true order."""
    kind = FashionMNISTNodes if name == "fashion" else MNISTNodes
    root = _CACHE / ("fashion_mnist" if name == "fashion" else "mnist")
    pair = kind(root), kind(root, train=False)
    if name != "two-class":
        return pair[0].x, pair[1].x
    return pair[0].x[pair[0].y < 2], pair[1].x[pair[1].y < 2]


def measure(cell: Cell, epochs: int, device: torch.device) -> dict[str, Any]:
    """Train and test one model."""
    x, test = images(cell.data)
    if cell.images < len(x):
        x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(cell.seed))[: cell.images]]
    modality = images("mnist")[0] if cell.data == "two-class" else x
    if MODELS[cell.model].shuffled:
        shuffle = ShuffleNodes(cell.seed)
        x, test, modality = shuffle(x), shuffle(test), shuffle(modality)
    start = time.perf_counter()
    model, note = build(cell.model, modality, cell.latent, cell.seed)
    prepared = time.perf_counter() - start
    model = model.to(device)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        fit = train(cell.model, model, x.to(device), modality.to(device), epochs=epochs, seed=cell.seed)
    return {
        **asdict(cell),
        "error": reconstruction_error(model, test.to(device)),
        "losses": fit.losses,
        "seconds": round(fit.seconds, 1),
        "prepared_seconds": round(prepared, 1),
        "parameters": sum(p.numel() for p in model.parameters()),
        "diverged": fit.diverged,
        "warnings": [str(w.message) for w in caught if issubclass(w.category, UserWarning)],
        **note,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Fashion-MNIST, 10,000 images, 16 latents, one seed")
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS), help="tables to measure")
    parser.add_argument("--data", nargs="+", choices=_DATA, default=list(_DATA), help="data sets")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS), help="models")
    parser.add_argument("--latents", nargs="+", type=int, help="sizes of the code")
    parser.add_argument("--seeds", type=int, help="runs of each cell (default: 3, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    parser.add_argument("--epochs", type=int, help="passes over the images (default: 2, with --quick 4)")
    parser.add_argument("--device", default="cpu", help="where to train (default: cpu)")
    parser.add_argument("--shard", help="i/n: part i of n, i from 0")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, help="default: results/compression.json or compression-quick.json")
    parser.add_argument("--tables", nargs="+", type=Path, metavar="FILE", help="show the tables of these records")
    args = parser.parse_args()
    if args.tables:
        print(tables([record for path in args.tables for record in json.loads(path.read_text())["records"]]))
        return
    epochs = args.epochs or (4 if args.quick else 2)
    device = torch.device(args.device)
    runs = range(args.first_seed, args.first_seed + (args.seeds or (1 if args.quick else 3)))
    wanted = [
        cell
        for cell in cells(args.quick, runs)
        if cell.part in args.parts
        and cell.data in args.data
        and cell.model in args.models
        and (args.latents is None or cell.latent in args.latents)
    ]
    path = args.output or Path("results") / f"compression{'-quick' if args.quick else ''}.json"
    if args.shard:
        shard, shards = map(int, args.shard.split("/"))
        families = list(dict.fromkeys((cell.seed, cell.data, cell.model) for cell in wanted))  # they share a discovery
        mine = set(families[shard::shards])
        wanted = [cell for cell in wanted if (cell.seed, cell.data, cell.model) in mine]
        path = path.with_stem(f"{path.stem}-{shard}")
    records = Records(path, {"epochs": epochs, "device": str(device)}, resume=args.resume)
    with tqdm(wanted) as bar:
        for cell in bar:
            bar.set_postfix_str(f"{cell.data}, {cell.model}, {cell.latent} latents, seed {cell.seed}")
            if records.find(**asdict(cell)) is None:
                # as many steps for fewer images
                passes = round(epochs * (60_000 / cell.images)) if cell.part == "images" else epochs
                records.add(measure(cell, passes, device))
    print(tables(records.items))
    print(f"records: {path}")


if __name__ == "__main__":
    main()
