"""Reconstruction error over the size of the code, and the intrinsic dimension of the data: a figure and a table.

python benchmarks/compression_figure.py results/compression*.json --output docs/compression-latents.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from compression import images
from compression_tables import NAMES
from matplotlib.figure import Figure
from report import markdown_table
from torch import Tensor

from scge_pyg.analysis import intrinsic_dimension

__all__ = ["dimensions", "errors_over_latents"]

_POINTS = 2_000
_SCALES = (5, 10, 20)
_CURVES = {"pca": "PCA", "mlp": "MLP", "conv": "convolutional, true grid", "scge": "SCGE, lattice discovered, lowered"}


def errors_over_latents(records: list[dict[str, Any]], data: str) -> Figure:
    """Curves of models that were measured at several sizes; the dimension at two scales, a band and a line."""
    found = _by_scale(images(data)[0])
    few, many = found[0], found[-1]
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    axes.axvspan(min(few, many), max(few, many), color="0.85")
    axes.axvline(many, color="0.4", linestyle="--")
    note = f"intrinsic dimension\n{many:.1f} from {max(_SCALES)} neighbours,\n{few:.1f} from {min(_SCALES)}"
    for name, label in _CURVES.items():
        mine = {r["latent"]: r["error"] for r in records if r["model"] == name and r["data"] == data and r["seed"] == 0}
        sizes = sorted(mine)
        axes.plot(sizes, [mine[size] for size in sizes], marker="o", label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.annotate(note, (many, axes.get_ylim()[1]), (6, -6), textcoords="offset points", va="top", fontsize=9)
    axes.set_xlabel("numbers in the code")
    axes.set_ylabel("summed squared error on test images")
    axes.xaxis.set_major_formatter("{x:.0f}")
    ticks = (5, 10, 20, 40)
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower left")
    return figure


def dimensions() -> str:
    """Intrinsic dimension of the training images of each data set, from few and from more neighbours."""
    lines = [[NAMES[data], *(f"{value:.1f}" for value in _by_scale(images(data)[0]))] for data in NAMES]
    return markdown_table(["training images", *(f"from {k} neighbours" for k in _SCALES)], lines)


def _by_scale(x: Tensor) -> list[float]:
    found = intrinsic_dimension(x, max(_SCALES), points=min(_POINTS, len(x))).by_neighbors
    return [float(found[k - 2]) for k in _SCALES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=Path, help="files that benchmarks/compression.py wrote")
    parser.add_argument("--data", default="fashion", help="data set (default: fashion)")
    parser.add_argument("--output", type=Path, default=Path("docs/compression-latents.png"))
    args = parser.parse_args()
    records = [record for path in args.records for record in json.loads(path.read_text())["records"]]
    whole = max(r["images"] for r in records)
    figure = errors_over_latents([r for r in records if r["images"] == whole], args.data)
    figure.savefig(args.output, dpi=120)
    print(f"{dimensions()}\n\nfigure: {args.output}")


if __name__ == "__main__":
    main()
