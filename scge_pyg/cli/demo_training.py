"""Four classifiers and one recipe: what the demonstration compares."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from scge_pyg.cli.demo_tasks import Task
from scge_pyg.graph import SharedGraph
from scge_pyg.models import GridCNN, NodeMLP, SCGEClassifier, accuracy, fit_classifier, standardized
from scge_pyg.nn import lower_to_conv

__all__ = ["LEARNED", "MODELS", "TOLD", "Schedule", "accuracies", "schedule"]

LEARNED = "SCGE on the shuffled pixels"
TOLD = "CNN on the true grid"
MODELS = ("MLP on the shuffled pixels", "CNN on the shuffled pixels", LEARNED, TOLD)
_CHANNELS = (16, 32)


@dataclass(frozen=True)
class Schedule:
    """How long to train: seeds per model, and passes over the samples of each task."""

    seeds: int
    epochs: tuple[int, ...]


def schedule(quick: bool) -> Schedule:
    """The schedule of the demonstration."""
    return Schedule(1, (4, 15)) if quick else Schedule(3, (4, 20))


def accuracies(
    tasks: list[tuple[Task, SharedGraph]], plan: Schedule, *, hidden: bool = False
) -> list[dict[str, list[float]]]:
    """Test accuracy of every model on every task, one value per seed.

    Args:
        tasks: Each task with the graph that was discovered from its training samples.
        plan: Seeds and epochs.
        hidden: Show no progress bar.
    """
    results: list[dict[str, list[float]]] = []
    total = len(tasks) * len(MODELS) * plan.seeds
    bar = tqdm(total=total, desc="training", file=sys.stderr, leave=False, disable=True if hidden else None)
    with bar, _one_thread():
        for (task, graph), epochs in zip(tasks, plan.epochs, strict=True):
            results.append({name: [] for name in MODELS})
            x_train, x_test = standardized(task.x_train, task.x_test)
            for name, (make, order) in _models(task, graph).items():
                for seed in range(plan.seeds):
                    with torch.random.fork_rng(devices=[]):
                        torch.manual_seed(seed)
                        model = make()
                        fit_classifier(model, x_train[:, order], task.y_train, epochs=epochs, seed=seed)
                    results[-1][name].append(accuracy(model, x_test[:, order], task.y_test))
                    bar.update()
    return results


def _models(task: Task, graph: SharedGraph) -> dict[str, tuple[Callable[[], torch.nn.Module], Tensor]]:
    """How to make each model, and the node order in which it gets the samples."""
    nodes, channels = task.x_train.shape[1:]
    as_given = torch.arange(nodes)
    row_major = (task.cells[:, 0] * task.shape[1] + task.cells[:, 1]).argsort()

    def cnn() -> torch.nn.Module:
        return GridCNN(channels, task.classes, task.shape, channels=_CHANNELS)

    makers: tuple[tuple[Callable[[], torch.nn.Module], Tensor], ...] = (
        (lambda: NodeMLP(channels, task.classes, nodes), as_given),
        (cnn, as_given),
        (lambda: lower_to_conv(SCGEClassifier(channels, task.classes, graph, channels=_CHANNELS)), as_given),
        (cnn, row_major),
    )
    return dict(zip(MODELS, makers, strict=True))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small train as fast on one core, and don't suffer where others are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
