"""Records of the geometry benchmark as Markdown tables, the calibration of confidence, and the goals missed."""

from __future__ import annotations

from collections import Counter
from statistics import mean, median
from typing import Any

import numpy as np
from draws import Array, Family
from families import FAMILIES
from report import markdown_table
from scipy.stats import rankdata

__all__ = ["calibration", "missed", "passes", "tables"]

_TITLES = {
    "places": "Places on a square (goal: one piece, dimension and trustworthiness of each draw, 99 of 100)",
    "shapes": "Other shapes (goal: dimension, columns, pieces right in 99 of 100)",
    "kept": "Fields with 1,000 to 3,000 samples (goal: at most 1 of 100 refused)",
    "distorted": "Distorted samples (goal: trustworthiness within 0.005 of the untouched data, signs 0.99)",
    "refused": "No geometry, 1,000 to 3,000 samples (goal: dim 0 and a warning in 98 of 100)",
    "open": "No right answer: what was said",
    "photographs": "Photographs at irregular places (goal: edges 0.99, trustworthiness 0.995, under 10 s)",
    "false lattices": "Places on no lattice (goal: never a node in a wrong cell)",
    "grids": "Small grids, 5,000 samples (goal: never a wrong lattice with confidence above 0.5)",
    "side by side": "Parts (goal: both lattices exact)",
    "recordings": "Recordings, contiguous fifths left out in turn (goal: one piece, trustworthiness)",
    "cells": "Digits, pixels that vary (goal: 52 of 61 in their exact cell)",
    "order": "The same nodes in two orders (goal: the same graph bit for bit)",
    "wrong maps": "Maps forced where there is no geometry",
}
_AS_UNTOUCHED, _BINS = 0.005, 8


def passes(check: str, record: dict[str, Any], references: dict[int, dict[str, Any]]) -> bool:
    """Whether a draw passed a check; ``references`` are the records of the undistorted draws, by seed."""
    if "failed" in record:
        return False
    if check != "as untouched":
        return bool(record["passed"][check])
    trust, before = record["trust"], references.get(record["seed"], {}).get("trust")
    return trust is not None and before is not None and trust >= before - _AS_UNTOUCHED


def _found(records: list[dict[str, Any]], family: str) -> list[dict[str, Any]]:
    return [r for r in records if r["family"] == family]


def _references(records: list[dict[str, Any]], family: Family) -> dict[int, dict[str, Any]]:
    return {r["seed"]: r for r in _found(records, family.reference)} if family.reference else {}


def _right(records: list[dict[str, Any]], family: Family) -> list[bool]:
    """Whether each draw passed all checks."""
    references = _references(records, family)
    return [all(passes(c, r, references) for c in family.wanted) for r in _found(records, family.name)]


def tables(records: list[dict[str, Any]]) -> str:
    """One table a group, then the calibration of confidence."""
    parts = []
    for group, title in _TITLES.items():
        families = [f for f in FAMILIES.values() if f.group == group and _found(records, f.name)]
        if families:
            parts.append(f"{title}\n\n{_table(records, families, group)}")
    if bins := calibration(records):
        parts.append(bins)
    return "\n\n".join(parts)


def _table(records: list[dict[str, Any]], families: list[Family], group: str) -> str:
    checks = list(dict.fromkeys(check for family in families for check in family.wanted))
    measured = [r for family in families for r in _found(records, family.name)]
    numbers = [key for key in _NAMES if key in checks or (key == "trust" and any(r.get(key) for r in measured))]
    head = ["family", "draws", *(f"{_NAMES[key]}, min / mean" for key in numbers), *checks]
    head += ["dimensions", "lattices", "ratio, min / mean", "verdicts"]
    lines = []
    for family in families:
        found, references = _found(records, family.name), _references(records, family)
        whole = [r for r in found if "failed" not in r]
        line = [family.what, str(len(found))]
        line += [_range(whole, key, family.trust if key == "trust" else 0.0) for key in numbers]
        line += [
            f"{sum(passes(check, r, references) for r in found)}" if check in family.wanted else "" for check in checks
        ]
        line += [
            _counts(whole, "dim"),
            _counts(whole, "lattice"),
            _range(whole, "fit_ratio"),
            _counts(whole, "fit_verdict"),
        ]
        lines.append([*line, *_outcome(records, family), _seconds(whole)])
    head += ["right (goal)", "seconds, median / max"]
    return markdown_table(head, lines)


_NAMES = {"trust": "trustworthiness", "near": "edges among the nearest", "signs": "signs", "cells": "cells"}


def _range(found: list[dict[str, Any]], key: str, goal: float = 0.0) -> str:
    values = [r[key] for r in found if r.get(key) is not None]
    return f"{min(values):.4f} / {mean(values):.4f}{f' ({goal:g})' if goal else ''}" if values else ""


def _counts(found: list[dict[str, Any]], key: str) -> str:
    """Values with how often each came, the most frequent first."""
    values = Counter(str(r[key]) for r in found if r[key] is not None)
    return ", ".join(value if len(values) == 1 else f"{value}: {count}" for value, count in values.most_common())


def _seconds(found: list[dict[str, Any]]) -> str:
    seconds = [r["seconds"] for r in found]
    return f"{median(seconds):.1f} / {max(seconds):.1f}" if seconds else ""


def _outcome(records: list[dict[str, Any]], family: Family) -> list[str]:
    right = _right(records, family)
    failed = sum("failed" in r for r in _found(records, family.name))
    note = f"; {failed} failed" if failed else ""
    if not family.wanted:
        return [note.removeprefix("; ")]
    short = "" if sum(right) >= family.share * len(right) else ", missed"
    return [f"{sum(right)} of {len(right)} ({family.share:.0%}{short}){note}"]


def calibration(records: list[dict[str, Any]]) -> str:
    """Confidence against the share of nodes that are right, in eight bins with equal numbers of nodes, and the AUC."""
    confidence, right = _nodes(records)
    if len(right) < _BINS:
        return ""
    lines = []
    mixed = np.random.default_rng(0).permutation(len(right))  # nodes of equal confidence fall into bins at random
    for own in np.array_split(mixed[np.argsort(confidence[mixed], kind="stable")], _BINS):
        held, share = confidence[own], right[own].mean()
        off = held.mean() - share
        span = f"{held.min():.3f} to {held.max():.3f}"
        lines.append([span, str(len(own)), f"{held.mean():.3f}", f"{share:.3f}", f"{off:+.3f}"])
    head = ["confidence", "nodes", "mean confidence", "share right", "difference"]
    worst = max(abs(float(line[-1])) for line in lines)
    area = _area(confidence, right)
    text = f"largest difference {worst:.3f} (goal: at most 0.1); area under the ROC curve {area:.3f} (goal: 0.8)"
    return f"Confidence, at most 100 nodes a draw\n\n{markdown_table(head, lines)}\n\n{text}"


def _nodes(records: list[dict[str, Any]]) -> tuple[Array, Array]:
    """Confidence of the nodes that were kept for the calibration, and whether each is right."""
    kept = [r for r in records if r.get("node_right")]
    confidence = np.array([float(value) for r in kept for value in r["node_confidence"].split()])
    return confidence, np.array([value == "1" for r in kept for value in r["node_right"]])


def _area(confidence: Array, right: Array) -> float:
    """Probability that a right node has more confidence than a wrong one; ties count half."""
    ones = int(right.sum())
    zeros = len(right) - ones
    return float((rankdata(confidence)[right].sum() - ones * (ones + 1) / 2) / (ones * zeros)) if ones * zeros else 1.0


def missed(records: list[dict[str, Any]]) -> list[str]:
    """Families of which fewer draws passed than wanted."""
    short = []
    for family in FAMILIES.values():
        right = _right(records, family)
        if family.wanted and right and sum(right) < family.share * len(right):
            short.append(f"{family.name}: {sum(right)} of {len(right)}, wanted {family.share:.0%}")
    return short
