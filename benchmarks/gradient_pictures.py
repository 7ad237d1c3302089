"""Figures of docs/gradient.md from the records of gradient.py, ring.py, smoothness.py and far_patches.py.

python benchmarks/gradient_pictures.py --records results --output docs
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib.pyplot as plt
import smoothness
from far_patches import _DISTANCES, _LABELS

Axes = Any
_COLORS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3", "#8c8c8c")
_RING_ROWS = (
    ("2 dimensions, temperature 1", ""),
    ("2 dimensions, falling", ", falling"),
    ("4 dimensions, temperature 1", ", 4 dimensions"),
    ("4 dimensions, falling", ", 4 dimensions, falling"),
)


def path_figure(records: list[dict[str, Any]]) -> Any:
    """Losses on the way from a random to the true wiring."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), constrained_layout=True)
    ring = [r for r in records if r["part"] == "ring"]
    for axis, kind, title in zip(
        axes, ("fixed", "retrained"), ("ring, weights of the true wiring", "ring, weights solved for"), strict=False
    ):
        for color, label in zip(_COLORS, dict.fromkeys(r["label"] for r in ring), strict=False):
            for number, record in enumerate(r for r in ring if r["label"] == label):
                axis.plot(record["times"], record[kind], color=color, label=None if number else label)
        axis.set(title=title, xlabel="t", ylabel="mean squared error", ylim=(0, None))
    axes[0].legend(frameon=False, fontsize=8)
    for number, record in enumerate(r for r in records if r["part"] == "images"):
        for color, kind, label in zip(_COLORS, ("fixed", "retrained"), ("of the true wiring", "trained"), strict=False):
            axes[2].plot(record["times"], record[kind], "o-", color=color, ms=3, label=None if number else label)
    axes[2].set(title="CIFAR-10, 16x16", xlabel="t", ylabel="cross entropy")
    axes[2].legend(frameon=False, fontsize=8, title="weights")
    return figure


def signal_figure(records: list[dict[str, Any]]) -> Any:
    """What each gradient knows, by the distance from home."""
    found = [r for r in records if r["part"] == "signal"]
    cases = [(together, tau) for together in (False, True) for tau in sorted({r["tau"] for r in found})]
    figure, axes = plt.subplots(2, len(cases), figsize=(11, 5), constrained_layout=True, sharex=True, sharey="row")
    for column, (together, tau) in enumerate(cases):
        for color, record in zip(
            _COLORS, (r for r in found if (r["together"], r["tau"]) == (together, tau)), strict=False
        ):
            axes[0, column].plot(record["distances"], record["cosine"], "o-", color=color, ms=3)
            axes[1, column].plot(
                record["distances"], record["ratio"], "o-", color=color, ms=3, label=record["estimator"]
            )
        axes[0, column].axhline(0, color="0.7", lw=0.8)
        axes[0, column].set_title(f"{'all nodes' if together else 'one node'} moved, temperature {tau:g}", fontsize=10)
        axes[1, column].set(yscale="log", ylim=(0.1, 30), xlabel="distance from home, spacings")
    axes[0, 0].set_ylabel("cosine with the way home")
    axes[1, 0].set_ylabel("signal to noise, one batch")
    axes[1, -1].legend(frameon=False, fontsize=7, loc="upper right", ncols=2)
    return figure


def ring_figure(records: list[dict[str, Any]]) -> Any:
    """Rings found by estimator and schedule."""
    figure, axis = plt.subplots(figsize=(9, 3), constrained_layout=True)
    estimators = ("topk", "reinforce", "soft", "straight_through", "gumbel")
    for number, (label, ending) in enumerate(_RING_ROWS):
        for place, name in enumerate(estimators):
            at = place + 0.2 * (number - 1.5)
            for found in (r["right"] for r in records if r["row"] == name + ending):
                share = sum(right == 1 for right in found) / len(found)
                axis.bar(at, 100 * share, 0.18, color=_COLORS[number], label=None if place else label)
                axis.plot(at, 100 * mean(found), "k_", ms=9)
    axis.set_xticks(range(len(estimators)), estimators)
    axis.set(ylabel="rings found, % of starts", ylim=(0, 140), yticks=range(0, 101, 25))
    axis.legend(
        frameon=False, fontsize=8, loc="upper left", ncols=2, title="dash: nodes with both neighbours", title_fontsize=8
    )
    return figure


def smoothness_figure(records: list[dict[str, Any]]) -> Any:
    """Slices through the loss at equal loss."""
    levels = [level for level in records[0]["stages"] if level != "draw"]
    figure, axes = plt.subplots(1, 1 + len(levels), figsize=(11, 3.4), constrained_layout=True)
    for axis, level in zip(axes, ("draw", *levels), strict=True):
        for color, (name, label) in zip(_COLORS, smoothness._LABELS.items(), strict=False):
            stages = [r["stages"][level] for r in records if r["model"] == name and level in r["stages"]]
            cuts = [cut for stage in stages for cut in stage["slices"]]
            if cuts:
                axis.plot(smoothness._STEPS, [mean(at) for at in zip(*cuts, strict=True)], color=color, label=label)
        title = "at the draw" if level == "draw" else f"at training loss {level}"
        axis.set(title=title, xlabel="step, in filter norms", ylabel="training loss")
    axes[0].legend(frameon=False, fontsize=7)
    return figure


def far_figure(records: list[dict[str, Any]]) -> Any:
    """Accuracy by distance."""
    figure, axis = plt.subplots(figsize=(11, 3.4), constrained_layout=True)
    for color, (name, label) in zip(_COLORS, _LABELS.items(), strict=False):
        found = [r["accuracy"] for r in records if r["model"] == name]
        if found:
            axis.plot(_DISTANCES, [100 * mean(a) for a in zip(*found, strict=True)], "o-", color=color, label=label)
    axis.axhline(50, color="0.7", lw=0.8)
    axis.set(xlabel="distance of the patches, pixels", ylabel="accuracy, %", xticks=_DISTANCES)
    axis.legend(frameon=False, fontsize=8, bbox_to_anchor=(1.02, 1), loc="upper left")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, default=Path("results"), help="folder of the JSON files")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the pictures")
    options = parser.parse_args()
    figures: dict[str, tuple[str, Callable[[list[dict[str, Any]]], Any]]] = {
        "path": ("gradient", path_figure),
        "signal": ("gradient", signal_figure),
        "ring": ("ring", ring_figure),
        "smoothness": ("smoothness", smoothness_figure),
        "far": ("far_patches", far_figure),
    }
    for name, (source, draw) in figures.items():
        path = options.records / f"{source}.json"
        if path.exists():
            draw(json.loads(path.read_text())["records"]).savefig(options.output / f"gradient-{name}.png", dpi=110)


if __name__ == "__main__":
    main()
