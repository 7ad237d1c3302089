"""The tables of the survey's graph learners."""

from __future__ import annotations

from typing import Any

from graph_learner_models import LEARNERS
from operator_rows import GRAPHS
from report import markdown_table

__all__ = ["tables"]

_TITLES = {"images": "Fashion-MNIST 14x14, test accuracy (%)", "eeg": "EEG, a channel from the others, R²"}


def tables(records: list[dict[str, Any]]) -> str:
    """A table for each part that was measured."""
    parts = []
    for part, title in _TITLES.items():
        own = {(r["learner"], r["graph"]): r for r in records if r["part"] == part}
        if not own:
            continue
        lines = [[name, *(_cell(own.get((name, graph))) for graph in GRAPHS)] for name in LEARNERS]
        parts.append(markdown_table([title, *GRAPHS.values()], lines))
        parts += [f"{name}: {_cell(record)}" for (name, graph), record in own.items() if not graph]
    deep = {r["learner"]: r for r in records if r["part"] == "depth"}
    if deep:
        depths = sorted({int(name.split()[1]) for name in deep})
        lines = [[kind, *(_cell(deep.get(f"{kind} {depth}")) for depth in depths)] for kind in ("GCN", "DAGNN")]
        parts.append(markdown_table(["propagations on the discovered graph, accuracy (%)", *map(str, depths)], lines))
    return "\n\n".join(parts)


def _cell(record: dict[str, Any] | None) -> str:
    if record is None:
        return ""
    return f"{100 * record['accuracy']:.1f}" if "accuracy" in record else f"{record['r2']:.3f}"
