"""Records of the discovery benchmark as Markdown tables, and the goals that were missed."""

from __future__ import annotations

from statistics import mean, median
from typing import Any

from discovery_rows import ROWS, Row
from report import markdown_table

__all__ = ["missed", "tables"]

_LABELS = {
    "cells": "cells",
    "precision": "edge precision",
    "recall": "edge recall",
    "no_lattice": "no lattice",
    "two_dimensional": "dimension 2",
    "degree": "edges a node",
    "near": "edges among 8 nearest",
    "trust": "trustworthiness",
    "warned": "warns",
    "ratio": "time / t-SNE's",
    "peak_gb": "peak GB",
}


def tables(records: list[dict[str, Any]]) -> str:
    """All tables, in Markdown."""
    by_row = [(row, [r for r in records if r["row"] == row.name]) for row in ROWS]
    by_row = [(row, found) for row, found in by_row if found]
    parts, notes = [], []
    for kinds, measures in (
        (("grid", "speed"), ("cells", "precision", "recall")),
        (("irregular",), ()),
        (("noise",), ()),
    ):
        chosen = [(row, found) for row, found in by_row if row.kind in kinds]
        if not chosen:
            continue
        keys = measures or tuple(key for key, _ in chosen[0][0].goals)
        head = ["data", "samples", "runs", *(f"{_LABELS[key]}, min / mean (goal)" for key in keys), "seconds"]
        lines = []
        for row, found in chosen:
            goals = dict(row.goals)
            cells = [_range([r[key] for r in found], goals.get(key)) for key in keys]
            mark = "*" if row.note else ""
            seconds = median(r["seconds"] for r in found)
            lines.append([row.what + mark, f"{row.samples:,}", str(len(found)), *cells, f"{seconds:.1f}"])
            notes += [row.note] if row.note and row.note not in notes else []
        parts.append(markdown_table(head, lines))
    for row, found in by_row:
        if row.kind == "speed":
            parts.append(_speed(row, found))
        if row.alone:
            parts.append(f"{row.what}, {row.samples:,} samples: peak memory {max(r['peak_gb'] for r in found):.2f} GB")
    if peers := _peer_table(by_row):
        parts.append(peers)
    return "\n\n".join([*parts, *(f"\\* {note}" for note in notes)])


def _range(values: list[float], goal: float | None) -> str:
    shown = f"{min(values):.3f} / {mean(values):.3f}"
    if goal is None:
        return shown
    return f"{shown} ({goal:g}{'' if min(values) >= goal else ', missed'})"


def _speed(row: Row, found: list[dict[str, Any]]) -> str:
    times = {name: median(r["peers"][name]["seconds"] for r in found) for name in found[0]["peers"]}
    others = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items())
    ratio = median(r["ratio"] for r in found)
    own = median(r["seconds"] for r in found)
    return (
        f"{row.what}, {row.samples:,} samples, median of {len(found)} paired runs: discover {own:.1f} s; without the "
        f"distances they share, {others}. Ratio to t-SNE {ratio:.3f} (goal: at most 0.5)"
    )


def _peer_table(by_row: list[tuple[Row, list[dict[str, Any]]]]) -> str:
    lines = []
    for row, found in by_row:
        compared = [r for r in found if r.get("peers")]
        if not compared or row.kind == "speed":
            continue
        own = ("precision", "recall", "cells", "seconds")
        entries = {"discover": [{key: r[key] for key in own} for r in compared]}
        entries |= {name: [r["peers"][name] for r in compared] for name in compared[0]["peers"]}
        for name, values in entries.items():
            shares = [
                f"{min(v[k] for v in values):.3f} / {mean(v[k] for v in values):.3f}"
                for k in ("precision", "recall", "cells")
            ]
            seconds = f"{median(v['seconds'] for v in values):.1f}"
            lines.append([row.what, f"{row.samples:,}", name, str(len(values)), *shares, seconds])
    head = ["data", "samples", "method", "runs", "edge precision, min / mean", "edge recall, min / mean"]
    head += ["cells, min / mean", "seconds"]
    return markdown_table(head, lines) if lines else ""


def missed(records: list[dict[str, Any]]) -> list[str]:
    """Goals that some run fell short of."""
    found = []
    for row in ROWS:
        for key, goal in row.goals:
            values = [r[key] for r in records if r["row"] == row.name]
            if values and min(values) < goal:
                found.append(f"{row.name}: {_LABELS[key]} {min(values):.4f} < {goal:g}")
    return found
