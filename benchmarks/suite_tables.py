"""Records of the suite as Markdown tables, and the rows in which another method does better."""

from __future__ import annotations

import math
from collections import Counter
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np
from report import markdown_table
from suite_peers import PEERS
from suite_rows import GROUPS, SUITE
from suite_scores import MEASURES

__all__ = ["Difference", "behind", "differences", "tables"]

_SLACK = 0.005
_SHORT = {"precision": "P", "recall": "R", "trust": "T", "continuity": "C"}


class Difference(NamedTuple):
    """What ``discover`` has more than one method in one measure: mean over draws, and its standard error."""

    measure: str
    mean: float
    error: float

    @property
    def behind(self) -> bool:
        """Whether it is less by more than 0.005 and two standard errors."""
        return self.mean < -_SLACK - 2 * self.error

    @property
    def margin(self) -> float:
        """How far it is from being behind."""
        return self.mean + _SLACK + 2 * self.error


def differences(records: list[dict[str, Any]], row: str, peer: str) -> list[Difference]:
    """Paired differences of one row to one method, a measure each, over the draws in which both have it.

    A draw in which ``discover`` failed counts as 0 in every measure that the other method has.
    """
    found = []
    for measure in MEASURES:
        pairs = [
            (r["discover"][measure] or 0.0, r["peers"][peer][measure])
            for r in records
            if r["row"] == row and peer in r["peers"] and r["peers"][peer][measure] is not None
        ]
        if pairs:
            more = np.subtract(*np.array(pairs).T)
            error = float(more.std(ddof=1) / math.sqrt(len(more))) if len(more) > 1 else 0.0
            found.append(Difference(measure, float(more.mean()), error))
    return found


def behind(records: list[dict[str, Any]]) -> list[str]:
    """A line for each row with a known geometry in which a method has more in some measure, or pieces are wrong."""
    lines = []
    for row in SUITE:
        own = [r for r in records if r["row"] == row and r["known"]]
        for peer in PEERS if own else ():
            for d in differences(own, row, peer):
                if d.behind:
                    lines.append(f"behind: {row}, {peer}: {d.measure} by {-d.mean:.4f} +- {d.error:.4f}")
        wrong = sum(r["discover"].get("pieces") != r["true_pieces"] for r in own)
        if wrong:
            lines.append(f"pieces: {row}: not {own[0]['true_pieces']} in {wrong} of {len(own)} draws")
    return lines + [f"failed: {r['row']}, draw {r['seed']}: {r['failed']}" for r in records if "failed" in r]


def tables(records: list[dict[str, Any]]) -> str:
    """Three tables for each group of rows that was measured: what was found, by all methods, and what differs."""
    parts = []
    for group, title in GROUPS.items():
        rows = [row.name for row in SUITE.values() if row.group == group and any(r["row"] == row.name for r in records)]
        if rows:
            tabled = [_found(records, rows), _scores(records, rows), _differences(records, rows)]
            parts.append("\n\n".join([f"### {title}", *(t for t in tabled if t)]))
    return "\n\n".join(parts)


def _of(records: list[dict[str, Any]], row: str) -> list[dict[str, Any]]:
    return [r for r in records if r["row"] == row]


def _span(values: list[int]) -> str:
    return f"{min(values):,}" if min(values) == max(values) else f"{min(values):,} to {max(values):,}"


def _counts(values: list[Any]) -> str:
    """Values with how often each came, the most frequent first."""
    many = Counter(str(value) for value in values if value is not None).most_common()
    return many[0][0] if len(many) == 1 else ", ".join(f"{value}: {count}" for value, count in many)


def _average(values: list[Any], digits: int = 3) -> str:
    there = [value for value in values if value is not None]
    return f"{mean(there):.{digits}f}" if there else ""


def _found(records: list[dict[str, Any]], rows: list[str]) -> str:
    head = ["row", "nodes", "samples", "draws", "dim (truth)", "columns", "pieces", "lattice", "ratio", "verdict"]
    head += ["seconds", "by stage"]
    lines = []
    for row in rows:
        own = _of(records, row)
        whole = [r["discover"] for r in own if "failed" not in r]
        true = own[0].get("true_dim")
        dims = _counts([r["dim"] for r in whole]) + ("" if true is None else f" ({true})")
        line = [SUITE[row].what, _span([r["nodes"] for r in own]), _span([r["samples"] for r in own]), str(len(own))]
        line += [dims, *(_counts([r[key] for r in whole]) for key in ("columns", "pieces", "lattice"))]
        line += [_average([r["ratio"] for r in whole]), _counts([r["verdict"] for r in whole])]
        stages = list(dict.fromkeys(stage for r in whole for stage in r["stages"]))
        spent = {stage: median(r["stages"].get(stage, 0.0) for r in whole) for stage in stages}
        shown = ", ".join(f"{stage} {value:.1f}" for stage, value in spent.items() if value >= 0.05)
        lines.append([*line, f"{median(r['seconds'] for r in whole):.1f}" if whole else "failed", shown])
    return markdown_table(head, lines)


def _peers(records: list[dict[str, Any]], rows: list[str]) -> list[str]:
    return [p for p in PEERS if any(p in r["peers"] for row in rows for r in _of(records, row))]


def _scores(records: list[dict[str, Any]], rows: list[str]) -> str:
    """Precision / recall / trustworthiness / continuity and seconds of all methods."""
    peers = _peers(records, rows)
    lines = []
    for row in rows:
        own = _of(records, row)
        line = [SUITE[row].what]
        for method in ("discover", *peers):
            found = [r["discover"] if method == "discover" else r["peers"].get(method) for r in own]
            there = [f for f in found if f is not None]
            cells = [_average([f[m] for f in there]) for m in MEASURES]
            if any(cells):
                spent = median(f.get("seconds", math.nan) for f in there)
                line.append(" / ".join(cell or "-" for cell in cells) + f"; {spent:.1f} s")
            else:
                line.append("")
        lines.append(line)
    scored = [line for line in lines if any(line[1:])]
    head = ["precision / recall / trust / continuity", "discover", *peers]
    return markdown_table(head, scored) if scored else ""


def _differences(records: list[dict[str, Any]], rows: list[str]) -> str:
    """For each method, the measure in which ``discover`` is least ahead, in bold where it is behind."""
    peers, lines = _peers(records, rows), []
    for row in rows:
        if not all(r["known"] for r in _of(records, row)):
            continue
        line = [SUITE[row].what]
        for peer in peers:
            found = differences(records, row, peer)
            if not found:
                line.append("")
                continue
            worst = min(found, key=lambda d: d.margin)
            text = f"{_SHORT[worst.measure]} {worst.mean:+.3f} ± {worst.error:.3f}"
            line.append(f"**{text}**" if worst.behind else text)
        lines.append(line)
    return markdown_table(["least ahead of", *peers], lines) if lines and peers else ""
