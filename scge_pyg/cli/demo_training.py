"""Five classifiers and one recipe: what the demonstration compares."""

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

__all__ = ["INVERSE_PENALTIES", "LEARNED", "MODELS", "RATES", "TOLD", "Schedule", "accuracies", "schedule"]

LEARNED = "SCGE on the shuffled pixels"
TOLD = "CNN on the true grid"
_LOGISTIC, _MLP, _CNN = "logistic regression", "MLP on the shuffled pixels", "CNN on the shuffled pixels"
MODELS = (_LOGISTIC, _MLP, _CNN, LEARNED, TOLD)
_CHANNELS = (16, 32)

# the best on the tasks of `--seed 100`: of 1e-3, 3e-3, 1e-2, 3e-2, and for logistic regression of 1e-4, ..., 1e-1
RATES = {
    "photos": {_MLP: 1e-3, _CNN: 3e-3, LEARNED: 3e-3, TOLD: 1e-2},
    "wandering": {_MLP: 1e-2, _CNN: 3e-2, LEARNED: 3e-2, TOLD: 3e-2},
    "digits": {_MLP: 3e-3, _CNN: 1e-2, LEARNED: 1e-2, TOLD: 1e-2},
}
INVERSE_PENALTIES = {"photos": 1e-1, "wandering": 1e-2, "digits": 1e-1}


@dataclass(frozen=True)
class Schedule:
    """How long to train: seeds per model, and passes over the samples of each task."""

    seeds: int
    epochs: dict[str, int]


def schedule(quick: bool) -> Schedule:
    """The schedule of the demonstration."""
    return Schedule(1 if quick else 2, {"photos": 4, "wandering": 8, "digits": 10})


def accuracies(
    tasks: list[tuple[Task, SharedGraph]], plan: Schedule, *, hidden: bool = False
) -> list[dict[str, list[float]]]:
    """Test accuracy of every model on every task, one value per seed; logistic regression has no seed, and one value.

    Args:
        tasks: Each task with the graph that was discovered from its training samples.
        plan: Seeds and epochs.
        hidden: Show no progress bar.
    """
    results: list[dict[str, list[float]]] = []
    total = len(tasks) * (1 + (len(MODELS) - 1) * plan.seeds)
    bar = tqdm(total=total, desc="training", file=sys.stderr, leave=False, disable=True if hidden else None)
    with bar, _one_thread():
        for task, graph in tasks:
            x_train, x_test = standardized(task.x_train, task.x_test)
            results.append({_LOGISTIC: [_logistic(task, x_train, x_test)]})
            bar.update()
            for name, (make, order) in _models(task, graph).items():
                results[-1][name] = []
                for seed in range(plan.seeds):
                    with torch.random.fork_rng(devices=[]):
                        torch.manual_seed(seed)
                        model = make()
                        fit_classifier(
                            model,
                            x_train[:, order],
                            task.y_train,
                            epochs=plan.epochs[task.stem],
                            lr=RATES[task.stem][name],
                            seed=seed,
                        )
                    results[-1][name].append(accuracy(model, x_test[:, order], task.y_test))
                    bar.update()
    return results


def _logistic(task: Task, x_train: Tensor, x_test: Tensor) -> float:
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(C=INVERSE_PENALTIES[task.stem], max_iter=1000)
    regression.fit(x_train.flatten(1).numpy(), task.y_train.numpy())
    return float(regression.score(x_test.flatten(1).numpy(), task.y_test.numpy()))


def _models(task: Task, graph: SharedGraph) -> dict[str, tuple[Callable[[], torch.nn.Module], Tensor]]:
    """How to make each network, and the node order in which it gets the samples."""
    nodes, channels = task.x_train.shape[1:]
    as_given = torch.arange(nodes)
    row_major = (task.cells[:, 0] * task.shape[1] + task.cells[:, 1]).argsort()

    def cnn() -> torch.nn.Module:
        return GridCNN(channels, task.classes, task.shape, channels=_CHANNELS)

    return {
        _MLP: (lambda: NodeMLP(channels, task.classes, nodes), as_given),
        _CNN: (cnn, as_given),
        LEARNED: (lambda: lower_to_conv(SCGEClassifier(channels, task.classes, graph, channels=_CHANNELS)), as_given),
        TOLD: (cnn, row_major),
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks this small train as fast on one core, and don't suffer where others are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
