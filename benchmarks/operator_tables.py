"""The tables of operators on graphs, and the plan of what fits a budget."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from statistics import mean, stdev
from typing import Any

from operator_models import OPERATORS
from operator_rows import GRAPHS, LABELS, NEAREST, ROWS, Row
from report import markdown_table
from small_images import SHAPES

__all__ = ["Item", "plan_table", "tables"]

Item = tuple[str, Row, int]
Record = dict[str, Any]
_TITLES = {"cifar10": "CIFAR-10, 16x16", "fashion_mnist": "Fashion-MNIST, 14x14"}


def tables(records: list[Record], runs: int) -> str:
    """Both tables of each data set, what its graphs are, and what is missing."""
    parts = []
    for data in SHAPES:
        found = [r for r in records if r["data"] == data]
        if found:
            parts += [_operators(data, found), _others(data, found), _graphs(found)]
    return "\n\n".join([*parts, _missing(records, runs)])


def _operators(data: str, records: list[Record]) -> str:
    lines = [[name, *(_cell(records, name, graph) for graph in GRAPHS)] for name in OPERATORS]
    return markdown_table([f"{_TITLES[data]}: operator", *_headings(data)], lines)


def _headings(data: str) -> list[str]:
    k, metric = NEAREST[data]
    return [f"{label} ({k}, {metric})" if graph == "knn" else label for graph, label in GRAPHS.items()]


def _others(data: str, records: list[Record]) -> str:
    lines = [[label, _cell(records, name, "")] for name, label in LABELS.items()]
    return markdown_table([f"{_TITLES[data]}: beside them", "test accuracy, %"], lines)


def _graphs(records: list[Record]) -> str:
    parts = []
    for graph, label in GRAPHS.items():
        own = list({r["run"]: r for r in records if r["graph"] == graph}.values())
        if own:
            degree, precision, recall = (mean(r[key] for r in own) for key in ("degree", "precision", "recall"))
            parts.append(f"{label} {degree:.2f} edges a node, precision {precision:.3f}, recall {recall:.3f}")
    return "; ".join(parts)


def _cell(records: list[Record], network: str, graph: str) -> str:
    """Mean accuracy in %, and its standard error over several runs."""
    values = [100 * r["accuracy"] for r in records if (r["network"], r["graph"]) == (network, graph)]
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else ""
    return f"{mean(values):.1f} ± {stdev(values) / sqrt(len(values)):.1f}"


def _missing(records: list[Record], runs: int) -> str:
    have = {(r["data"], r["network"], r["graph"], r["run"]) for r in records}
    cut = [
        (data, row, run)
        for data in SHAPES
        for row in ROWS
        for run in range(runs)
        if (data, row.network, row.graph, run) not in have
    ]
    return f"Cut: {_named(cut)}" if cut else f"Nothing was cut: every row has {runs} run{'s' * (runs > 1)}"


def _named(items: list[Item]) -> str:
    """Rows by the runs that they lack, those of both data sets together where they are the same."""
    runs: dict[tuple[str, Row], list[int]] = {}
    for data, row, run in items:
        runs.setdefault((data, row), []).append(run)
    rows: dict[tuple[str, tuple[int, ...]], list[Row]] = {}
    for (data, row), which in runs.items():
        rows.setdefault((data, tuple(which)), []).append(row)
    titles: dict[str, list[str]] = {}
    for (data, which), some in rows.items():
        text = f"run {', '.join(map(str, which))} of {', '.join(_short(some))}"
        titles.setdefault(text, []).append(_TITLES[data])
    return "; ".join(f"{' and '.join(where)}, {text}" for text, where in titles.items())


def _short(rows: list[Row]) -> list[str]:
    graphs: dict[str, list[str]] = {}
    for row in rows:
        graphs.setdefault(row.network, []).append(row.graph)
    return [
        network if on in ([""], list(GRAPHS)) else f"{network} on {', '.join(GRAPHS[graph] for graph in on)}"
        for network, on in graphs.items()
    ]


def plan_table(pending: list[Item], kept: list[Item], expected: Callable[[str, Row], float]) -> str:
    """Each row with its seconds a run, the runs that are to come, and those that are cut."""
    lines = []
    for data, row in dict.fromkeys(item[:2] for item in pending):
        runs = [run for item_data, item_row, run in pending if (item_data, item_row) == (data, row)]
        cut = [run for run in runs if (data, row, run) not in kept]
        planned = [run for run in runs if run not in cut]
        shown = [", ".join(map(str, some)) for some in (planned, cut)]
        lines.append([data, row.network, row.graph, f"{expected(data, row):.0f}", *shown])
    total = sum(expected(data, row) for data, row, _ in kept) / 60
    head = ["data", "network", "graph", "seconds a run", "runs", "cut"]
    return (
        f"{markdown_table(head, lines)}\n\n{len(kept)} of {len(pending)} trainings, {total:.0f} minutes and discovery"
    )
