"""The rows of `wiring_accuracy.py` and their table."""

from __future__ import annotations

from math import sqrt
from statistics import mean, median, stdev
from typing import Any

from report import markdown_table

__all__ = ["MAIN", "ROWS", "table"]

ROWS = {
    "random": "fixed random places",
    "hebbian": "places learned by `HebbianLoss` first, then frozen",
    "both": "both: `WiringSchedule`",
    "discovered": "discovered places, frozen, never snapped",
    "snapped": "learned by `HebbianLoss`, snapped, lowered to `nn.Conv2d`",
    "cnn": "true grid: `nn.Conv2d`",
    "fine-tuned": "discovered places, then fine-tuned by the task",
    "topk": "task gradient alone, `topk`",
    "support": "task gradient alone, kernel support",
    "soft": "task gradient alone, `soft`",
    "straight_through": "task gradient alone, `straight_through`",
    "gumbel": "task gradient alone, `gumbel`",
    "reinforce": "task gradient alone, `reinforce`",
}
MAIN = list(ROWS)[:6]


def table(records: list[dict[str, Any]], size: dict[str, int]) -> str:
    """The table in Markdown, the goals, and what was cut."""
    found = {name: [r for r in records if r["row"] == name] for name in ROWS}
    lines = []
    for name, own in found.items():
        if own:
            recall = f"{mean(r['recall'] for r in own):.3f}"
            seconds = f"{median(r['seconds'] for r in own):.0f}"
            lines.append([ROWS[name], _with_error([100 * r["accuracy"] for r in own]), str(len(own)), recall, seconds])
    head = ["where the wiring comes from", "test accuracy, %", "runs", "4-neighbour recall", "seconds"]
    parts = [markdown_table(head, lines)]
    for one, other, goal in (("both", "discovered", 1), ("snapped", "cnn", 1)):
        pairs = [
            100 * (a["accuracy"] - b["accuracy"]) for a in found[one] for b in found[other] if a["run"] == b["run"]
        ]
        if pairs:
            parts.append(
                f"{ROWS[one]} against {ROWS[other]}: {_with_error(pairs)} points, paired (goal: within {goal})"
            )
    settled = [100 * (r["settled"] - r["accuracy"]) for r in found["both"] if "settled" in r]
    if settled:
        parts.append(
            f"the jointly trained network settled on the lattice of its places and lowered, without fine-tuning: "
            f"{_with_error(settled)} points ({len(settled)} of {len(found['both'])} runs have a lattice)"
        )
    for r in records:
        if r["row"] == "speed":
            parts.append(
                f"training step of the lowered network: {r['ratio']:.2f} times that of the CNN, "
                f"{r['milliseconds']:.1f} ms (goal: 1.05)"
            )
    cut = [
        f"{ROWS[name]} ({wanted - len(found[name])} of {wanted} runs)"
        for name in ROWS
        if len(found[name]) < (wanted := size["runs"] if name in MAIN else 1)
    ]
    parts.append(
        f"{size['train']:,} training images at 16x16, {size['epochs']} epochs. Cut: {'; '.join(cut) or 'nothing'}."
    )
    return "\n\n".join(parts)


def _with_error(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values) / sqrt(len(values)):.1f}"
