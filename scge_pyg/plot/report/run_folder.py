"""What lies in the folder of a run, read as far as it is there; what is missing is named."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scge_pyg.graph import SharedGraph

__all__ = ["Run", "read_run"]

_MOST_POINTS = 2000  # of a curve
_MOST_TEXT = 200_000
_CONFIGS = "config.yaml", "config.json"
_TEXTS = (*_CONFIGS, "versions.json", "summary.json")


@dataclass
class Run:
    """A graph, tables of metrics and texts, and a sentence for each thing that was looked for in vain."""

    graph: SharedGraph | None
    graph_file: Path | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def read_run(path: Path) -> Run:
    """Read a graph's file, or the folder of a run.

    The graph of a folder is ``graph.safetensors``, or else the newest readable graph in it or in its ``graphs``; a
    folder of several runs has none. Metrics are all files ``metrics.csv`` below, as Lightning's ``CSVLogger`` writes
    them, each under the name of its folder; those of the starts of one :class:`~scge_pyg.train.RunFolder` are one run.

    Raises:
        FileNotFoundError: If nothing is there.
        ValueError: If the file is no graph, or the folder has neither a graph nor metrics.
    """
    if not path.exists():
        raise FileNotFoundError(f"write_report: {path} does not exist; name a graph's file or the folder of a run")
    if path.is_file():
        return Run(SharedGraph.load(path), path)
    run = Run(None)
    for file in _graph_files(path):
        try:
            run.graph, run.graph_file = SharedGraph.load(file), file
            break
        except ValueError as error:
            run.missing.append(f"{file.relative_to(path)} is no graph that can be read: {error}.")
    for folder, files in _starts(path).items():
        rows = _joined([_rows(file, path, run.missing) for file in files])
        if rows:
            name = str(folder.relative_to(path)) if folder != path else path.resolve().name
            run.metrics.append({"name": name, "curves": _curves(rows)})
    for name in _TEXTS:
        if (path / name).is_file():
            run.texts[name] = (path / name).read_text(encoding="utf-8", errors="replace")[:_MOST_TEXT]
    if run.graph is None and not run.metrics:
        raise ValueError(
            f"write_report: {path} holds neither a graph (graph.safetensors) nor metrics (metrics.csv); "
            f"name the folder of a run, or a graph's file"
        )
    run.missing += [f"There is no {what} in the folder." for what in _absent(run)]
    return run


def _graph_files(path: Path) -> list[Path]:
    """The graph of the folder first, then others of the same run from the newest to the oldest."""
    near = [*path.glob("*.safetensors"), *path.glob("graphs/*.safetensors")]
    files = sorted(near, key=lambda file: file.stat().st_mtime, reverse=True)
    return sorted(files, key=lambda file: (file != path / "graph.safetensors", not file.name.startswith("graph")))


def _absent(run: Run) -> list[str]:
    """Names of what a run has and this one lacks; a folder of discovery alone has a summary and no metrics."""
    absent = ["graph"] if run.graph is None else []
    if "summary.json" in run.texts and not run.metrics:
        return absent
    absent += [] if run.metrics else ["metrics.csv"]
    absent += [] if any(name in run.texts for name in _CONFIGS) else [" or ".join(_CONFIGS)]
    return absent + [name for name in ("versions.json",) if name not in run.texts]


def _starts(path: Path) -> dict[Path, list[Path]]:
    """Tables of each run in the order of its starts: ``metrics/version_N`` beside ``versions.json`` is start N."""
    runs: dict[Path, list[tuple[int, Path]]] = {}
    for file in sorted(path.rglob("metrics.csv")):
        start, above = file.parent, file.parent.parent
        number = re.fullmatch(r"version_(\d+)", start.name)
        if number and above.name == "metrics" and (above.parent / "versions.json").is_file():
            runs.setdefault(above.parent, []).append((int(number[1]), file))
        else:
            runs.setdefault(start, []).append((0, file))
    return {folder: [file for _, file in sorted(files)] for folder, files in runs.items()}


def _rows(file: Path, folder: Path, missing: list[str]) -> list[dict[str, float | None]]:
    """Rows of one table, None where a cell is empty or is no number."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [{name: _number(row[name]) for name in row if name} for row in csv.DictReader(lines)]
    except (csv.Error, OSError, UnicodeDecodeError) as error:
        missing.append(f"{file.relative_to(folder)} can't be read: {error}.")
        return []
    if not rows:
        missing.append(f"{file.relative_to(folder)} holds no metrics yet.")
    return rows


def _joined(starts: list[list[dict[str, float | None]]]) -> list[dict[str, float | None]]:
    """Rows of all starts of a run; a step that a later start repeats counts as repeated."""
    joined: list[dict[str, float | None]] = []
    for rows in starts:
        first = min((step for row in rows if (step := row.get("step")) is not None), default=math.inf)
        joined = [row for row in joined if (step := row.get("step")) is None or step < first] + rows
    return joined


def _curves(rows: list[dict[str, float | None]]) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _curve(rows, name) for name in names if name not in ("epoch", "step")}


def _curve(rows: list[dict[str, float | None]], name: str) -> dict[str, Any]:
    """Steps, epochs and values of one metric where it has one; of very long ones every so-maniest and the last."""
    there = [row for row in rows if row.get(name) is not None]
    stride = max(1, math.ceil(len(there) / _MOST_POINTS))
    kept = there[::-1][::stride][::-1]
    axes: dict[str, Any] = {axis: [row.get(axis) for row in kept] for axis in ("step", "epoch") if axis in rows[0]}
    return {**axes, "value": [row[name] for row in kept], "points": len(there)}


def _number(cell: str | None) -> float | None:
    try:
        value = float(cell) if cell else math.nan
    except ValueError:
        return None
    return float(f"{value:.7g}") if math.isfinite(value) else None


def summary_of(texts: dict[str, str]) -> dict[str, Any]:
    """What ``scge discover`` wrote about its work; empty where it did not, or where that can't be read."""
    try:
        found = json.loads(texts.get("summary.json", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
