"""Error against bits of the codes that CGAE is compared with, on MNIST and Fashion-MNIST.

The error is the mean over test images of the summed squared error, pixels in [0, 1]; bits are the mean length of an
image's code. Dictionaries, networks and tables of probabilities are counted for nobody. Everything is learned from
training images; step sizes and sizes are those on the lower convex hull of the validation images' (bits, error).
The images are read from the folder SCGE_DATA names, or downloaded.

    python benchmarks/cgae_peers.py --quick                       # MNIST, 2,000 training and 500 test images
    python benchmarks/cgae_peers.py                               # both, all images; --resume after an interruption
    python benchmarks/cgae_peers.py --data mnist --methods pca k-means
    python benchmarks/cgae_peers.py --tables results/cgae_peers*.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cgae_argmax import comparison, comparison_table
from cgae_curves import NAMES, Candidate, Split, classes, curve, error_at, split
from cgae_dictionaries import convolutional, dictionary
from cgae_kmeans import kmeans
from cgae_transforms import conv, gaussian_bound, linear, mlp, pca
from report import Records, markdown_table

__all__ = ["METHODS", "curves", "tables"]

METHODS: dict[str, tuple[str, Callable[[Split, bool], Iterator[Candidate]]]] = {
    "gaussian": ("Gaussian of the training covariance, ideal coder", gaussian_bound),
    "pca": ("PCA, reverse water-filling", pca),
    "k-means": ("k-means, K = 16 to 4,096", kmeans),
    "dictionary": ("sparse dictionary, orthogonal matching pursuit", dictionary),
    "convolutional": ("convolutional sparse coding", convolutional),
    "linear": ("linear autoencoder, by gradient", linear),
    "mlp": ("MLP autoencoder", mlp),
    "conv": ("convolutional autoencoder", conv),
}
_BITS = (4, 8, 12, 20, 40, 60, 80, 100, 120, 160, 200)
_ARGMAX = "argmax"


def curves(records: list[dict[str, Any]]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Test images' (bits, error) by rising bits, for each data set and method."""
    found = {}
    for record in records:
        if record["part"] == "curve":
            found[record["data"], record["method"]] = sorted(tuple(point["test"]) for point in record["points"])
    return found


def tables(records: list[dict[str, Any]]) -> str:
    """Errors at equal bits for each data set, and k-means in variants."""
    found, parts = curves(records), []
    for data, name in NAMES.items():
        lines = []
        for method, (what, _) in METHODS.items():
            if (data, method) in found:
                errors = [error_at(found[data, method], bits) for bits in _BITS]
                lines.append([what, *("" if e is None else f"{e:.2f}" for e in errors)])
        if lines:
            parts.append(markdown_table([f"{name}: error with bits up to", *map(str, _BITS)], lines))
        compared = [r for r in records if r["part"] == "k-means" and r["data"] == data]
        if compared:
            parts.append(comparison_table(compared, name))
    return "\n\n".join(parts)


def measure(data: str, method: str, quick: bool) -> dict[str, Any]:
    """The curve of one method."""
    start = time.perf_counter()
    found = curve(METHODS[method][1](split(data, quick), quick))
    points = [point._asdict() for point in found]
    seconds = round(time.perf_counter() - start, 1)
    return {"part": "curve", "data": data, "method": method, "seconds": seconds, "points": points}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="MNIST, 2,000 training and 500 test images")
    parser.add_argument("--data", nargs="+", choices=list(NAMES), help="data sets (default: both, with --quick mnist)")
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, _ARGMAX], default=[*METHODS, _ARGMAX])
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, help="default: results/cgae_peers.json or cgae_peers-quick.json")
    parser.add_argument("--tables", nargs="+", type=Path, metavar="FILE", help="show the tables of these records")
    args = parser.parse_args()
    if args.tables:
        print(tables([record for path in args.tables for record in json.loads(path.read_text())["records"]]))
        return
    path = args.output or Path("results") / f"cgae_peers{'-quick' if args.quick else ''}.json"
    records = Records(path, {"quick": args.quick}, resume=args.resume)
    for data in args.data or (("mnist",) if args.quick else NAMES):
        for method in args.methods:
            if method != _ARGMAX and records.find(part="curve", data=data, method=method) is None:
                records.add(measure(data, method, args.quick))
        if _ARGMAX in args.methods and records.find(part="k-means", data=data) is None:
            images = split(data, args.quick)
            sizes, seeds = ((10, 20, 100), range(2)) if args.quick else ((10, 20, 100, 1000), range(5))
            most = 1_000 if args.quick else 10_000
            for record in comparison(images.train[:most], classes(data)[:most], images.test, sizes, seeds):
                records.add({**record, "data": data})
    print(tables(records.items))
    print(f"records: {path}")


if __name__ == "__main__":
    main()
