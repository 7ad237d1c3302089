"""The pictures of the demonstration."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from scge_pyg.cli.demo_tasks import Task
from scge_pyg.cli.demo_training import LEARNED, MODELS
from scge_pyg.graph import SharedGraph

__all__ = ["FILES", "draw"]

_STEMS = ("photos", "wandering", "digits")
_EACH = ("graph.safetensors", "graph.png", "samples.png", "accuracies.png")
FILES = ("overview.png", "summary.json", *(f"{stem}-{name}" for stem in _STEMS for name in _EACH))


def draw(folder: Path, tasks: list[Task], graphs: list[SharedGraph], results: list[dict[str, list[float]]]) -> None:
    """Write the graphs and all pictures to ``folder``; the overview shows the first task."""
    from scge_pyg.plot import (
        plot_accuracies,
        plot_graph,
        plot_overview,
        plot_samples,
        put_back,
        true_position_colors,
    )

    for task, graph, result in zip(tasks, graphs, results, strict=True):
        stem = task.stem
        graph.save(folder / f"{stem}-graph.safetensors")
        bars = plot_accuracies(
            result, chance=1 / task.classes, highlight=[LEARNED], title=f"{task.name}: {task.question}?"
        )
        bars.savefig(folder / f"{stem}-accuracies.png", dpi=150)
        plot_graph(graph, true_position_colors(task.cells)).savefig(folder / f"{stem}-graph.png", dpi=150)
        shown = task.x_test[:8]
        row_major = (task.cells[:, 0] * task.shape[1] + task.cells[:, 1]).argsort()
        rows = {
            "true": shown[:, row_major].transpose(1, 2).unflatten(2, task.shape),
            "shuffled": shown.transpose(1, 2).unflatten(2, task.shape),
            "put back": put_back(graph, shown, task.cells),
        }
        plot_samples(rows).savefig(folder / f"{stem}-samples.png", dpi=150)

    task = tasks[0]
    labels = {name: name.replace(" on the ", "\non the ") for name in MODELS}
    plot_overview(
        _unlike(task.x_test, 4),
        graphs[0],
        task.cells,
        {labels[name]: values for name, values in results[0].items()},
        shape=task.shape,
        chance=1 / task.classes,
        highlight=[labels[LEARNED]],
        task=f"Networks: {task.question}?",
    ).savefig(folder / "overview.png", dpi=130)


def _unlike(x: Tensor, count: int) -> Tensor:
    """Of the samples with most contrast, ``count`` that differ most from each other."""
    lively = x[x.flatten(1).std(1).argsort(descending=True)[:100]]
    distance = torch.cdist(lively.flatten(1), lively.flatten(1))
    chosen = [0]
    while len(chosen) < count:
        chosen.append(int(distance[chosen].amin(0).argmax()))
    return lively[chosen]
