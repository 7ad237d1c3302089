"""What Lightning costs a step, against the bare loop of `fit_classifier`.

Both train the network of `shuffled_classification.py` on images of 32x32 pixels in three channels, batches of 64, with
layers on the lattice lowered (the faster form, beside which overhead counts more), and the same on digits of 8x8. In
each repeat the two follow one another, in turn first and second; medians of the ratios, by the clock on the wall and by
the time of the process, which others on the machine don't touch. Values are random, as the time doesn't depend on them.
The run logs every 50 steps to CSV and writes a checkpoint at the end, as `Run` does.

    python benchmarks/train_overhead.py            # 11 repeats of 24 steps
    python benchmarks/train_overhead.py --quick    # 5 repeats of 12 steps
    python benchmarks/train_overhead.py --profile  # where the time of a step on digits goes
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
import warnings
from typing import Any

import torch
from lightning.pytorch import Callback
from report import markdown_table
from torch import Tensor

from scge_pyg import SharedGraph, lower_to_conv
from scge_pyg.models import SCGEClassifier, fit_classifier
from scge_pyg.train import ClassificationModule, NodesDataModule, Run

_BATCH = 64
_TASKS = {"CIFAR-10": ((32, 32), 3, (32, 64, 128)), "digits": ((8, 8), 1, (16, 32))}


def clocks() -> Tensor:
    """Seconds on the wall and seconds of this process."""
    return torch.tensor([time.perf_counter(), time.process_time()], dtype=torch.float64)


class Clock(Callback):
    """Time from the first to the last moment of training."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start."""
        self.time = -clocks()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop."""
        self.time += clocks()


class Task:
    """One network and its samples."""

    def __init__(self, name: str, steps: int) -> None:
        self.shape, self.channels, self.widths = _TASKS[name]
        self.graph = SharedGraph.from_grid(self.shape)
        generator = torch.Generator().manual_seed(0)
        self.steps = steps
        self.x = torch.randn(steps * _BATCH, self.graph.num_nodes, self.channels, generator=generator)
        self.y = torch.randint(10, (len(self.x),), generator=generator)
        self.y[:10] = torch.arange(10)

    def _model(self) -> torch.nn.Module:
        torch.manual_seed(0)
        return lower_to_conv(SCGEClassifier(self.channels, 10, self.graph, channels=self.widths))

    def bare(self) -> Tensor:
        """Seconds a step of the bare loop, by both clocks."""
        model = self._model()
        start = clocks()
        fit_classifier(model, self.x, self.y, epochs=1, batch_size=_BATCH)
        return (clocks() - start) / self.steps

    def lightning(self) -> Tensor:
        """The same of a run."""
        clock = Clock()
        data = NodesDataModule(self.x, self.y, val=0.0, test=0.0, batch_size=_BATCH, standardize=False)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(folder, epochs=1, accelerator="cpu")
            run.fit(ClassificationModule(self._model()), data, [clock])
        return clock.time / self.steps


def measure(name: str, repeats: int, steps: int) -> list[list[str]]:
    """Two rows, one by each clock: both, their ratio and the difference."""
    task = Task(name, steps)
    task.bare(), task.lightning()
    pairs = []
    for repeat in range(repeats):
        if repeat % 2:
            bare, lightning = task.bare(), task.lightning()
        else:
            lightning, bare = task.lightning(), task.bare()
        pairs.append(torch.stack([bare, lightning]))
    times = 1e3 * torch.stack(pairs)  # [repeats, 2, clocks]
    rows = []
    for clock, (bare, lightning) in zip(("wall", "process"), times.permute(2, 1, 0), strict=True):
        low, middle, high = torch.quantile(lightning / bare, torch.tensor([0.25, 0.5, 0.75]).double()).tolist()
        figures = [f"{float(side.median()):.2f}" for side in (bare, lightning)]
        extra = float((lightning - bare).median())
        rows.append([name, clock, *figures, f"{middle:.3f}", f"{low:.3f} to {high:.3f}", f"{extra:.2f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats and steps")
    parser.add_argument("--profile", action="store_true", help="profile a run on digits instead")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.profile:
        task = Task("digits", 400)
        with cProfile.Profile() as profile:
            task.lightning()
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        return
    repeats, steps = (5, 12) if options.quick else (11, 24)
    rows = [*measure("CIFAR-10", repeats, steps), *measure("digits", repeats, 20 * steps)]
    head = ["recipe", "clock", "bare, ms a step", "Lightning, ms a step", "ratio", "quartiles", "difference, ms"]
    print(markdown_table(head, rows))


if __name__ == "__main__":
    main()
