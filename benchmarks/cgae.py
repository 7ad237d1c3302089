"""CGAE: known shapes, an unknown number of them, speed, collapse, bits on MNIST, covering parts, shuffled pixels.

Errors are means over test images of the summed squared error, pixels in [0, 1]. Models see training images alone;
sizes were chosen on the last 10,000 training images and on shapes of seeds from 100 on. MNIST is read from the folder
SCGE_DATA names, or downloaded. The peers of the bits are in benchmarks/cgae_peers.py, the note's own case in
benchmarks/cgae_note.py, the gradients in benchmarks/cgae_estimators.py, codes as points in benchmarks/cgae_points.py.

    python benchmarks/cgae.py --quick            # smaller, one seed
    python benchmarks/cgae.py                    # everything; --resume goes on after an interruption
    python benchmarks/cgae.py --parts shapes speed
    python benchmarks/cgae.py --tables results/cgae*.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import torch
from cgae_direct import compared
from cgae_mnist import collapse, rate, shuffled
from cgae_shapes import NOISE, PARTS, recovered, scenes
from cgae_tables import tables
from report import Records
from tqdm import tqdm

from scge_pyg.models.cgae import CGAE

_PARTS = ("shapes", "unknown", "speed", "collapse", "bits", "cover", "shuffled")
_SIZES = {
    "full": {"seeds": 5, "scenes": 2000, "images": 6000, "epochs": 4, "rate_images": 10_000, "rate_epochs": 4,
             "tested": 10_000, "used": 2000, "shuffled_seeds": 2, "repeats": 3},
    "quick": {"seeds": 1, "scenes": 1000, "images": 2000, "epochs": 4, "rate_images": 2000, "rate_epochs": 4,
              "tested": 500, "used": 500, "shuffled_seeds": 1, "repeats": 1},
}  # fmt: skip
RATES: dict[str, dict[str, Any]] = {
    "K = 64, 11 x 11, q = 1": {"num_prototypes": 64, "prototype_size": 11, "num_linear": 1, "padding": "valid"},
    "K = 20, 7 x 7": {"num_prototypes": 20, "prototype_size": 7},
}
_EPOCHS = 12  # over the shapes


def cells(parts: list[str], size: dict[str, int]) -> Iterator[dict[str, Any]]:
    """What is to be measured, one record each."""
    for part in parts:
        if part == "speed":
            yield {"part": part}
        elif part == "shuffled":
            yield from ({"part": part, "seed": seed} for seed in range(size["shuffled_seeds"]))
        elif part == "bits":
            yield from ({"part": part, "data": data, "model": name} for data in ("mnist", "fashion") for name in RATES)
        elif part == "collapse":
            kinds = ((20, False), (20, True), (10, False))
            yield from (
                {"part": part, "seed": s, "prototypes": k, "naive": n} for s in range(size["seeds"]) for k, n in kinds
            )
        else:
            yield from ({"part": part, "seed": seed} for seed in range(size["seeds"]))


def measure(cell: dict[str, Any], size: dict[str, int]) -> dict[str, Any]:
    """The figures of one record."""
    part = cell["part"]
    if part == "speed":
        return compared(100, size["repeats"])
    if part == "collapse":
        return collapse(cell["prototypes"], cell["naive"], cell["seed"], size["images"], size["epochs"], size["used"])
    if part == "bits":
        return rate(cell["data"], 0, size["rate_images"], size["rate_epochs"], size["tested"], RATES[cell["model"]], 2)
    if part == "shuffled":
        return shuffled(cell["seed"], size["images"], size["epochs"], size["used"])
    if part == "cover":
        return covered(cell["seed"], size["scenes"])
    return known(cell["seed"], size["scenes"], unknown=part == "unknown")


def known(seed: int, count: int, *, unknown: bool) -> dict[str, Any]:
    """Shapes and places that are found again: all of three in each image, or, with half as many prototypes again as
    shapes and a part more than needed, up to three."""
    train, test = (scenes(seed, n, part=p, fewest=0 if unknown else PARTS) for p, n in ((0, count), (1, 500)))
    model = CGAE((28, 28), 12, PARTS + 1, 7, price=log(12 * 28**2)) if unknown else CGAE((28, 28), 8, PARTS, 7)
    fit = model.fit(train.x, epochs=_EPOCHS, batch_size=64, seed=seed)
    return {**recovered(model, model.encode(test.x), test), "seconds": fit.seconds}


def covered(seed: int, count: int) -> dict[str, Any]:
    """Errors of both decoders on shapes that hide each other, with the floor that the noise sets."""
    train, test = (scenes(seed, n, part=part, cover=True, apart=2.0) for part, n in ((0, count), (1, 500)))
    found: dict[str, Any] = {"floor": 28**2 * NOISE**2}
    for decoder in ("additive", "occluding"):
        model = CGAE((28, 28), 8, 3, 7, decoder=decoder)
        model.fit(train.x, epochs=_EPOCHS, batch_size=64, seed=seed)
        code = model.encode(test.x, "annealed")
        with torch.no_grad():
            found[decoder] = float((model.decode(code) - test.x).square().flatten(1).sum(1).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--output", type=Path, default=None)
    parser.add_argument("--tables", nargs="+", type=Path, help="print the tables of these records")
    args = parser.parse_args()
    if args.tables:
        print(tables([record for path in args.tables for record in json.loads(path.read_text())["records"]]))
        return
    torch.set_num_threads(1)
    name = "quick" if args.quick else "full"
    output = args.output or Path(f"results/cgae_{name}.json")
    records = Records(output, {"size": _SIZES[name], "rates": RATES, "epochs": _EPOCHS}, resume=args.resume)
    for cell in tqdm(list(cells(args.parts, _SIZES[name]))):
        if records.find(**cell) is None:
            records.add({**cell, **measure(cell, _SIZES[name])})
    print(tables(records.items))


if __name__ == "__main__":
    main()
