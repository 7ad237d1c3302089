"""``scge demo``: the main job on real images, from shuffled pixels to a network that knows the grid."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from pathlib import Path
from statistics import mean
from typing import Any

from scge_pyg.cli.demo_pictures import FILES, draw
from scge_pyg.cli.demo_tasks import Task, digits, smeared_photos, wandering_digits
from scge_pyg.cli.demo_training import MODELS, TOLD, accuracies, schedule
from scge_pyg.cli.logs import collected_warnings, wants_progress
from scge_pyg.cli.output import check_target, written_whole
from scge_pyg.cli.summary import describe, score
from scge_pyg.discovery import discover
from scge_pyg.graph import SharedGraph
from scge_pyg.usage import need

__all__ = ["run"]


def run(args: Namespace) -> None:
    """Discover, train, draw, and print the table."""
    need("sklearn.datasets", "PIL.Image", extra="demo", purpose="scge demo")
    need("matplotlib", extra="plot", purpose="scge demo")
    check_target(args.output, overwrite=True, ours=FILES)
    start = time.perf_counter()
    photos = smeared_photos(24, 2000, 500, args.seed) if args.quick else smeared_photos(seed=args.seed)
    tasks = [photos, wandering_digits(seed=args.seed), digits(args.seed)]
    messages: list[str] = []
    with collected_warnings(messages, shown=args.verbosity >= 0):
        found = [_found(task, args) for task in tasks]
    results = accuracies(
        list(zip(tasks, (graph for graph, _ in found), strict=True)), schedule(args.quick), hidden=args.verbosity < 0
    )
    summary: dict[str, Any] = {
        "quick": args.quick,
        "seed": args.seed,
        "tasks": [
            {
                "task": task.name,
                "question": task.question,
                "training_samples": task.x_train.shape[0],
                "discovery_seconds": round(seconds, 3),
                "graph": describe(graph),
                "score": score(graph, task.cells),
                "accuracy": {name: [round(value, 4) for value in values] for name, values in accuracy.items()},
            }
            for task, (graph, seconds), accuracy in zip(tasks, found, results, strict=True)
        ],
        "warnings": messages,
    }
    with written_whole(args.output) as folder:
        draw(folder, tasks, [graph for graph, _ in found], results)
        summary["seconds"] = round(time.perf_counter() - start, 1)
        summary["files"] = sorted([entry.name for entry in folder.iterdir()] + ["summary.json"])
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps(summary, indent=2))
    elif args.verbosity >= 0:
        print(_told(summary, args.output))


def _found(task: Task, args: Namespace) -> tuple[SharedGraph, float]:
    start = time.perf_counter()
    graph = discover(task.x_train, progress=wants_progress(args.verbosity))
    return graph, time.perf_counter() - start


def _told(summary: dict[str, Any], output: Path) -> str:
    lines = []
    for task in summary["tasks"]:
        lattice, truth = task["graph"]["lattice"], task["score"]
        grid = "no lattice" if lattice is None else "lattice " + " x ".join(map(str, lattice["shape"]))
        lines.append(
            f"{task['task']}: {grid} from {task['training_samples']} shuffled samples in "
            f"{task['discovery_seconds']:.1f} s; {100 * truth['cell_accuracy']:.1f} % of the cells exact, "
            f"edges with precision {truth['edge_precision']:.3f} and recall {truth['edge_recall']:.3f}"
        )
    names = [task["task"] for task in summary["tasks"]]
    seeds = len(summary["tasks"][0]["accuracy"][TOLD])
    title = f"test accuracy ({seeds} seed{'s' if seeds > 1 else ''})"
    width = max(map(len, (title, *MODELS)))
    lines += ["", "  ".join([title.ljust(width), *names])]
    for model in MODELS:
        values = [task["accuracy"][model] for task in summary["tasks"]]
        shown = [f"{100 * mean(v):.1f} %".rjust(len(name)) for v, name in zip(values, names, strict=True)]
        lines.append("  ".join([model.ljust(width), *shown]))
    lines += [
        "",
        f"{summary['seconds']:.0f} s; pictures in {output}: overview.png and {len(summary['files']) - 1} more",
    ]
    return "\n".join(lines)
