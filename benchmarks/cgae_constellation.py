"""How parts stand to each other: bits of codes with and without the second level, and constellations drawn from it.

Faces are five parts at fixed offsets, each but the first off by at most a place, of a face anywhere, in random order;
how many bits there are in one is known. MNIST and Fashion-MNIST are coded by CGAE, 8 of 20 prototypes of 7 x 7, learned
from training images; densities of codes are fitted to training codes and measured on test codes. How good samples are
is their distance to the nearest of the training codes' images, beside that of test codes' images. The images are read
from the folder SCGE_DATA names, or downloaded.

    python benchmarks/cgae_constellation.py --quick                # faces, and 2,000 images of MNIST
    python benchmarks/cgae_constellation.py                        # 10,000 images of both; --resume goes on
    python benchmarks/cgae_constellation.py --picture docs/parts-constellations.png --data mnist
    python benchmarks/cgae_constellation.py --tables results/cgae_constellation*.json
"""

from __future__ import annotations

import argparse
import json
import math
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch
from cgae_mnist import images
from report import Records, markdown_table
from torch import Tensor

from scge_pyg.models.cgae import CGAE, Code
from scge_pyg.models.cgae.density.code_length import CodeLength
from scge_pyg.models.cgae.density.constellation import Constellation

_NAMES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}
_FACES = (24, 24)
_KINDS = {
    "one set of slots": {"num_components": 1, "tree": False},
    "one tree": {"num_components": 1, "tree": True},
    "16 sets of slots": {"num_components": 16, "tree": False},
    "16 trees": {"num_components": 16, "tree": True},
}
_SAMPLES = 1000
_SIZES = {
    "full": {"images": 10_000, "tested": 2000, "epochs": 3},
    "quick": {"images": 2000, "tested": 500, "epochs": 3},
}


def faces(n: int, seed: int) -> tuple[Code, float]:
    """Codes of faces, and how many bits there are in one."""
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([[0, 0], [-4, -3], [-4, 3], [4, 0], [0, 5]])
    free = torch.tensor([0, 1, 1, 1, 1]).view(1, 5, 1)
    place = torch.randint(6, 18, (n, 1, 2), generator=generator) + offsets
    place = place + torch.randint(-1, 2, (n, 5, 2), generator=generator) * free
    k = torch.tensor([0, 1, 1, 2, 3]).repeat(n, 1)
    k[:, 3] += 2 * torch.randint(2, (n,), generator=generator)
    order = torch.rand(n, 5, generator=generator).argsort(1)
    place = place.gather(1, order.unsqueeze(2).expand(-1, -1, 2))
    code = Code(place[..., 0], place[..., 1], k.gather(1, order), torch.zeros(n, 5, 0), torch.zeros(n))
    return code, math.log2(12 * 12) + 4 * math.log2(9) + 1


def known(number: int, seed: int) -> dict[str, Any]:
    """Bits of new faces after as many."""
    (code, truth), (new, _) = faces(number, seed), faces(2000, seed + 1000)
    found = {"truth": truth, "uniform": float(CodeLength(_FACES, 6).bits(new).mean())}
    for tree in (False, True):
        model = Constellation(_FACES, 6, 1, tree=tree, seed=seed).fit(code)
        found["tree" if tree else "slots"] = float(model.bits(new).mean())
    return found


@cache
def coded(data: str, count: int, tested: int, epochs: int) -> tuple[CGAE, Code, Code]:
    """A model of parts, and the codes of training and test images."""
    x = images(data, True)[:count]
    model = CGAE((28, 28))
    model.fit(x, epochs=epochs)
    return model, model.encode(x), model.encode(images(data, False)[:tested])


def measured(data: str, kind: str, size: dict[str, int]) -> dict[str, Any]:
    """Bits of test codes, and how far samples are from training codes' images."""
    model, train, test = coded(data, size["images"], size["tested"], size["epochs"])
    start = time.perf_counter()
    if kind == "uniform":
        bits = CodeLength((28, 28), model.num_prototypes).bits(test)
        drawn = scattered(_SAMPLES, model)
    else:
        density = Constellation((28, 28), model.num_prototypes, **_KINDS[kind]).fit(train)
        bits, drawn = density.bits(test), density.sample(_SAMPLES, torch.Generator().manual_seed(0))
    seconds = time.perf_counter() - start
    near, own = (distance(model, code, train) for code in (drawn, Code(*(field[:_SAMPLES] for field in test))))
    return {"bits": float(bits.mean()), "error": float(bits.std()) / math.sqrt(len(bits)), "distance": near,
            "test_distance": own, "seconds": seconds}  # fmt: skip


def scattered(n: int, model: CGAE) -> Code:
    """Parts at places and with prototypes that are all equally likely."""
    generator = torch.Generator().manual_seed(0)
    shape = (n, model.num_parts)
    i, j, k = (torch.randint(top, shape, generator=generator) for top in (28, 28, model.num_prototypes))
    return Code(i, j, k, torch.zeros(*shape, 0), torch.zeros(n))


@torch.no_grad()
def distance(model: CGAE, code: Code, train: Code) -> float:
    """Mean squared distance to the nearest training code's image."""
    own, known_images = model.decode(code).flatten(1), model.decode(train).flatten(1)
    return float(torch.cdist(own, known_images).amin(1).square().mean())


def tables(records: list[dict[str, Any]]) -> str:
    """Faces, and each data set."""
    parts = []
    rows = [r for r in records if r["part"] == "faces"]
    if rows:
        head = ["faces seen", "there are", "one tree", "slots without a tree", "independent uniform parts"]
        names = ("truth", "tree", "slots", "uniform")
        lines = [[str(r["number"]), *(f"{r[name]:.1f}" for name in names)] for r in rows]
        parts.append("Bits of a face:\n\n" + markdown_table(head, lines))
    for data, name in _NAMES.items():
        rows = [r for r in records if r["part"] == "images" and r["data"] == data]
        if rows:
            head = ["density of codes", "bits", "standard error", "distance of samples", "seconds"]
            lines = [
                [r["kind"], f"{r['bits']:.1f}", f"{r['error']:.1f}", f"{r['distance']:.1f}", f"{r['seconds']:.0f}"]
                for r in rows
            ]
            note = f"{name} (distance of test images {rows[0]['test_distance']:.1f}):"
            parts.append(f"{note}\n\n{markdown_table(head, lines)}")
    return "\n\n".join(parts)


def picture(data: str, size: dict[str, int], path: Path) -> None:
    """Reconstructed test images, and samples without and with trees."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    model, train, test = coded(data, size["images"], size["tested"], size["epochs"])
    shown, rows = 14, {"test images": Code(*(field[:14] for field in test)), "independent": scattered(14, model)}
    for kind in ("16 sets of slots", "16 trees"):
        density = Constellation((28, 28), model.num_prototypes, **_KINDS[kind]).fit(train)
        rows[kind] = density.sample(shown, torch.Generator().manual_seed(1))
    figure, axes = plt.subplots(len(rows), shown, figsize=(shown * 0.7, len(rows) * 0.85), layout="constrained")
    for line, (name, code) in zip(axes, rows.items(), strict=True):
        line[0].set_title(name, loc="left", fontsize=8)
        with torch.no_grad():
            drawn: Tensor = model.decode(code).clamp(0, 1)
        for axis, image in zip(line, drawn, strict=True):
            axis.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=1)
            axis.set_axis_off()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="faces, and 2,000 images of MNIST")
    parser.add_argument("--data", nargs="*", choices=list(_NAMES), help="data sets (default: both, with --quick mnist)")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, help="default: results/cgae_constellation.json, or -quick.json")
    parser.add_argument("--picture", type=Path, help="draw samples of the first data set and do nothing else")
    parser.add_argument("--tables", nargs="+", type=Path, metavar="FILE", help="show the tables of these records")
    args = parser.parse_args()
    if args.tables:
        print(tables([record for path in args.tables for record in json.loads(path.read_text())["records"]]))
        return
    size = _SIZES["quick" if args.quick else "full"]
    names = args.data if args.data is not None else (["mnist"] if args.quick else list(_NAMES))
    if args.picture:
        picture(names[0], size, args.picture)
        return
    path = args.output or Path("results") / f"cgae_constellation{'-quick' if args.quick else ''}.json"
    records = Records(path, {"size": size}, resume=args.resume)
    for number in (100, 300, 1000):
        if records.find(part="faces", number=number) is None:
            records.add({"part": "faces", "number": number, **known(number, 0)})
    for data in names:
        for kind in ("uniform", *_KINDS):
            if records.find(part="images", data=data, kind=kind) is None:
                records.add({"part": "images", "data": data, "kind": kind, **measured(data, kind, size)})
    print(tables(records.items))
    print(f"records: {path}")


if __name__ == "__main__":
    main()
