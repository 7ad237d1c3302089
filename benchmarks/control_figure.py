"""Returns of catch along the episodes that control.py recorded, with and without the shuffle, as a picture.

python benchmarks/control_figure.py results/control.json docs/control-catch.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

_SHOWN = (("SCGE, content", "shuffled"), ("linear", "plain"), ("MLP", "plain"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    records = [r for r in json.loads(args.records.read_text())["records"] if r["game"] == "catch"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, constrained_layout=True)
    for axis, way, title in zip(
        axes, ("plain", "shuffled"), ("never shuffled", "shuffled at steps 0 and 100"), strict=True
    ):
        for kind, training in _SHOWN:
            courses = [r["course"][way] for r in records if (r["kind"], r["training"]) == (kind, training)]
            if not courses:
                continue
            caught = (np.array(courses).mean(0) / (100 / 12) + 1) / 2
            axis.plot(100 * np.arange(len(caught)) + 50, caught, marker=".", label=f"{kind}, trained {training}")
        axis.axhline(4 / 11, color="grey", linestyle=":", label="a paddle that stays")
        axis.set(title=title, xlabel="step", ylim=(0, 1.02))
    axes[0].set_ylabel("balls caught")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(args.picture, dpi=130)


if __name__ == "__main__":
    main()
