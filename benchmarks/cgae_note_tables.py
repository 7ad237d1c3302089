"""Tables of benchmarks/cgae_note.py."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from cgae_note_sketch import FAULTS
from report import markdown_table

__all__ = ["is_collapsed", "tables"]

_COLUMNS = {
    "error": ("error", 2),
    "best": ("of the best code", 2),
    "spread": ("variance of reconstructions", 2),
    "usage": ("usage entropy", 2),
    "draw": ("entropy of a draw", 2),
    "grey": ("cosine with the mean image", 2),
    "alike": ("two most alike", 2),
}
_ALIKE = 0.05


def is_collapsed(record: dict[str, Any]) -> bool:
    """Whether all images are answered with nearly the same picture."""
    return bool(record["spread"] < _ALIKE)


def tables(records: list[dict[str, Any]]) -> str:
    """One table for each part that was measured."""
    found = []
    for part, head in (("one", "variant"), ("path", "faults left"), ("starts", "variant, start or rate")):
        mine = [r for r in records if r["part"] == part]
        if mine:
            found.append(_rows(mine, head))
    heat = [r for r in records if r["part"] == "temperature"]
    if heat:
        found.append(_temperatures(heat))
    every = [r for r in records if r["part"] == "factorial"]
    if every:
        found.append(_factorial(every))
    return "\n\n".join(found)


def _rows(records: list[dict[str, Any]], head: str) -> str:
    lines = []
    for name in dict.fromkeys(r["name"] for r in records):
        mine = [r for r in records if r["name"] == name]
        what = ", ".join(fault for fault in FAULTS if fault in mine[0]["faults"]) if head == "faults left" else name
        cells = []
        for key, (_, digits) in _COLUMNS.items():
            values = [r[key] for r in mine]
            spread = f" ± {stdev(values):.{digits}f}" if key == "error" and len(values) > 1 else ""
            cells.append(f"{mean(values):.{digits}f}{spread}")
        lines.append([what, *cells, f"{sum(map(is_collapsed, mine))} of {len(mine)}"])
    return markdown_table([head, *(title for title, _ in _COLUMNS.values()), "one picture for all"], lines)


def _temperatures(records: list[dict[str, Any]]) -> str:
    """Error and how far prototypes lie from their mean, over temperature."""
    ratios = sorted({float(r["name"].split(", ")[1]) for r in records})
    lines = []
    for kind in ("enumerated", "sampled"):
        mine = {float(r["name"].split(", ")[1]): r for r in records if r["name"].startswith(kind)}
        lines.append([f"{kind}: error of the best code", *(f"{mine[ratio]['best']:.2f}" for ratio in ratios)])
        lines.append([f"{kind}: squared distance to their mean", *(f"{mine[ratio]['apart']:.2g}" for ratio in ratios)])
    return markdown_table(["1 / (2 beta) over the largest eigenvalue", *map(str, ratios)], lines)


def _factorial(records: list[dict[str, Any]]) -> str:
    """Combinations of faults that don't collapse; of all others only the number."""
    others = [r for r in records if not is_collapsed(r)]
    lines = [[r["name"].replace(" ", ", ") or "none", f"{r['error']:.2f}", f"{r['spread']:.2f}"] for r in others]
    title = f"{len(records) - len(others)} of {len(records)} combinations collapse; the others"
    return markdown_table([title, "error", "variance of reconstructions"], lines)
