"""Does memory grow? A thousand epochs of training, discoveries, and graphs saved and loaded, in one process each.

Resident memory is read from ``/proc/self/statm`` after each of them, garbage collected before. The first fifth is
warm-up. The rest is cut into ten blocks; the slope is that of a line through their medians, with its standard error.
Memory grows if the slope is above three of these and the end above the warm-up by more than 1 MB.

    python benchmarks/soak.py                    # 1,000 of each, some ten minutes on one core
    python benchmarks/soak.py --count 100
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import tempfile
import warnings
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from report import markdown_table

from scge_pyg import SharedGraph, discover

__all__ = ["Growth", "growth", "resident"]

_BLOCKS = 10
_WARM = 0.2
_ALLOWED = 2**20


class Growth(NamedTuple):
    """How memory went, in bytes.

    Attributes:
        before: Median of the first block after the warm-up.
        after: Median of the last block.
        slope: Bytes a step.
        error: Its standard error.
    """

    before: float
    after: float
    slope: float
    error: float

    @property
    def grows(self) -> bool:
        """Whether that is more than noise."""
        return self.slope > 3 * self.error and self.after - self.before > _ALLOWED


def resident() -> int:
    """Resident memory of this process in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(memory: Sequence[int]) -> Growth:
    """The slope of memory, one entry a step, after the warm-up.

    Example:
        >>> growth([1000 * step for step in range(100)]).slope
        1000.0
    """
    blocks = np.array_split(np.array(memory[int(_WARM * len(memory)) :], dtype=np.float64), _BLOCKS)
    level = np.array([np.median(block) for block in blocks])
    place = np.cumsum([len(block) for block in blocks]) - np.array([len(block) for block in blocks]) / 2
    place -= place.mean()
    slope = float(place @ level / (place @ place))
    rest = level - level.mean() - slope * place
    error = float(np.sqrt(rest @ rest / (_BLOCKS - 2) / (place @ place)))
    return Growth(float(level[0]), float(level[-1]), round(slope, 6), error)


def training(count: int, folder: Path) -> Sequence[int]:
    """Memory after each epoch of a run as ``scge fit`` makes it: discovery, validation, metrics, checkpoints."""
    from lightning.pytorch import Callback

    from scge_pyg.train import ClassificationModule, DiscoverGraph, NodesDataModule, Run

    memory = array("q")

    class Watch(Callback):
        """Reads memory after each epoch."""

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            """Once an epoch."""
            memory.append(resident())

    numbers = torch.Generator().manual_seed(0)
    walk = torch.randn(300, 16, generator=numbers).cumsum(1)
    y = (walk.mean(1) > 0).long()
    run = Run(folder / "run", epochs=count, accelerator="cpu", log_every=1)
    module = ClassificationModule("SCGEClassifier", {"channels": [4]})
    run.fit(module, NodesDataModule(walk, y, batch_size=64), [DiscoverGraph(run.folder.graph_file), Watch()])
    return memory


def discoveries(count: int, folder: Path) -> Sequence[int]:
    """Memory after each call of `discover`, on samples of eight sizes and kinds in turn."""
    memory = array("q")
    for step in range(count):
        numbers = torch.Generator().manual_seed(step)
        x = torch.randn(100 + 20 * (step % 4), 12 + step % 8, generator=numbers).cumsum(1)
        if step % 3 == 0:
            x[torch.rand(x.shape, generator=numbers) < 0.05] = torch.nan
        discover(x, progress=False)
        memory.append(resident())
    return memory


def files(count: int, folder: Path) -> Sequence[int]:
    """Memory after each graph saved and loaded."""
    graph = SharedGraph.from_grid((30, 30))
    memory = array("q")
    for _ in range(count):
        graph.save(folder / "graph.safetensors")
        graph = SharedGraph.load(folder / "graph.safetensors")
        memory.append(resident())
    return memory


SOAKS: dict[str, Callable[[int, Path], Sequence[int]]] = {
    "epochs of training": training,
    "calls of discover": discoveries,
    "graphs saved and loaded": files,
}


def soak(what: str, count: int) -> Growth:
    """One of them, in this process."""
    torch.set_num_threads(1)
    gc.freeze()  # what was imported is not looked through at each step
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return growth(SOAKS[what](count, Path(folder)))
    finally:
        gc.unfreeze()


def main() -> int:
    """Run all, each in a process of its own, and print the table; 1 if memory grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--only", choices=[*SOAKS])
    args = parser.parse_args()
    lines, grows = [], False
    for what in [args.only] if args.only else SOAKS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(soak, (what, args.count))
        grows |= found.grows
        slope = f"{found.slope / 1e3:+.3f} +- {found.error / 1e3:.3f}"
        lines.append([f"{args.count:,} {what}", f"{found.before / 1e6:.1f}", f"{found.after / 1e6:.1f}", slope])
        print(f"{what}: {'grows' if found.grows else 'no growth'}", file=sys.stderr, flush=True)
    print(markdown_table(["", "MB after warm-up", "MB at the end", "kB a step"], lines))
    return int(grows)


if __name__ == "__main__":
    sys.exit(main())
