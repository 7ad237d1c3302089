"""Discovery by two gloo workers with one core each against one worker: the same bits, and the time of each stage.

python benchmarks/workers.py --quick      # 2,304 nodes, 6,000 samples
python benchmarks/workers.py              # 4,096 nodes, 50,000 samples, a temporary file of 0.8 GB

One worker and two take turns; shown are medians over the rounds of the time on the clock and of the processor, of the
slower of two. What is received is counted and stands beside what docs/workers.md says it should be.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from memory import peak_gigabytes
from report import Records, markdown_table

from scge_pyg.discovery.coupling import local
from scge_pyg.discovery.sharing.sameness import digest
from scge_pyg.discovery.sharing.workers import current
from scge_pyg.discovery.signals import most_correlated, scores

ROOT = Path(__file__).parents[1]
SIZES = {"quick": (48, 6_000, 1), "full": (64, 50_000, 2)}  # side of the grid, samples, rounds
STAGES = ("reading", "ranks", "neighbours", "regressions")
NAMES = {"scores": "ranks", "probes": "regressions", "coupling": "regressions"}
SMALL = 128  # nodes of a run before the clock starts, which compiles
WAIT = 3600


def field(path: Path, side: int, count: int) -> None:
    """Samples of smoothed noise on a shuffled grid, float32, written piece by piece."""
    rng = torch.Generator().manual_seed(100)
    order = torch.randperm(side * side, generator=rng)
    with path.open("wb") as file:
        for _ in range(0, count, 1000):
            white = torch.randn(1000, 1, side + 2, side + 2, generator=rng)
            x = torch.nn.functional.avg_pool2d(white, 3, 1).flatten(1)[:, order]
            file.write((x + 0.1 * torch.randn(x.shape, generator=rng)).numpy().tobytes())


class Stages:
    """Seconds on the clock, seconds of the processor and bytes received in each stage."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        before = time.perf_counter(), time.process_time(), current().received
        yield
        after = time.perf_counter(), time.process_time(), current().received
        found = self.spent.setdefault(name, [0.0, 0.0, 0.0])
        found[:] = [total + b - a for total, a, b in zip(found, before, after, strict=True)]

    def wrap(self, call: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        """The call, counted under the stage that its arguments tell."""

        def counted(*args: Any, **options: Any) -> Any:
            with self.stage(name(*args)):
                return call(*args, **options)

        return counted


def work(rank: int, size: int, folder: Path, side: int, count: int) -> None:
    """What one worker does; its stages go into a file."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if size > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
    module = importlib.import_module("scge_pyg.discovery.discover")
    group = True if size > 1 else None
    small = torch.randn(300, SMALL, generator=torch.Generator().manual_seed(0)).cumsum(1)
    module.discover(small, group=group)
    stages = Stages()
    for own in (scores, most_correlated, local):
        own.shared_blocks = stages.wrap(own.shared_blocks, lambda blocks, stage, *_: NAMES.get(stage, stage))
    module.read = stages.wrap(module.read, lambda *_: "reading")
    x = np.memmap(folder / "x.f32", np.float32, "r", shape=(count, side * side))
    cuts = [count * r // size for r in range(size + 1)]
    with stages.stage("whole"):
        graph = module.discover(x[cuts[rank] : cuts[rank + 1]], group=group)
    found = {
        "stages": stages.spent,
        "fit": graph.fit.seconds,
        "lattice": None if graph.lattice is None else list(graph.lattice.shape),
        "digest": digest(graph),
        "peak": peak_gigabytes(),
        "kept": graph.fit.num_samples,
    }
    (folder / f"{rank}.json").write_text(json.dumps(found))
    if size > 1:
        dist.destroy_process_group()


def measure(size: int, folder: Path, side: int, count: int) -> list[dict[str, Any]]:
    """What each of so many workers found."""
    (folder / "meet").unlink(missing_ok=True)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": path}
    runs = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", *map(str, (rank, size, folder, side, count))], env=environment
        )
        for rank in range(size)
    ]
    if any(run.wait(WAIT) for run in runs):
        raise SystemExit(f"one of {size} workers failed")
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(size)]


def expected_bytes(nodes: int, kept: int, size: int) -> dict[str, float]:
    """Bytes that a worker receives by the formulas of docs/workers.md."""
    others, k = (size - 1) / size, 32
    return {
        "reading": others * (4 * kept * nodes + 8 * kept + 16 * kept / 256 + 8 * nodes * size),
        "ranks": others * 4 * kept * nodes,
        "neighbours": others * 12 * k * nodes,
        "regressions": others * 8 * (k * nodes + 2 * min(nodes, 1024) * (k * k + k + 1)),
    }


def show(records: list[dict[str, Any]], side: int) -> None:
    """The table of medians."""
    runs = {size: [record["workers"] for record in records if record["size"] == size] for size in (1, 2)}
    kinds = ("clock", "processor")

    def spent(size: int, stage: str, kind: int) -> float:
        return median(max(worker["stages"].get(stage, [0, 0])[kind] for worker in run) for run in runs[size])

    lines = []
    expected = expected_bytes(side * side, runs[1][0][0]["kept"], 2)
    for stage in (*STAGES, "shared", "whole"):
        parts = STAGES if stage == "shared" else (stage,)
        line = [{"shared": "these four", "whole": "all of discover"}.get(stage, stage)]
        for kind, _ in enumerate(kinds):
            one, two = (sum(spent(size, part, kind) for part in parts) for size in (1, 2))
            line += [f"{one:.1f}", f"{two:.1f}", f"{two / one:.2f}"]
        received = sum(runs[2][0][0]["stages"].get(part, [0, 0, 0])[2] for part in parts)
        model = sum(expected.get(part, 0.0) for part in parts)
        lines.append([*line, f"{received / 2**20:.1f}", f"{model / 2**20:.1f}" if stage != "whole" else ""])
    head = ["stage"]
    head += [f"{what}, {kind}" for kind in kinds for what in ("one worker (s)", "two (s)", "ratio")]
    print(markdown_table([*head, "MiB received", "MiB by the model"], lines))
    digests = {worker["digest"] for size in (1, 2) for run in runs[size] for worker in run}
    print(f"\n{len(digests)} different graph(s) in {sum(map(len, runs[1] + runs[2]))} results, ", end="")
    peaks = [median(max(worker["peak"] for worker in run) for run in runs[size]) for size in (1, 2)]
    print(f"lattice {runs[1][0][0]['lattice']}; peak {peaks[0]:.1f} GB of one worker, {peaks[1]:.1f} GB of each of two")


def main() -> None:
    """Measure, or go on after an interrupted run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        rank, size, folder, side, count = arguments.worker
        work(int(rank), int(size), Path(folder), int(side), int(count))
        return
    which = "quick" if arguments.quick else "full"
    side, count, rounds = SIZES[which]
    settings = {"side": side, "count": count, "rounds": rounds}
    records = Records(ROOT / "results" / f"workers-{which}.json", settings, resume=arguments.resume)
    with tempfile.TemporaryDirectory() as folder:
        field(Path(folder) / "x.f32", side, count)
        for turn in range(rounds):
            for size in (1, 2):
                if records.find(turn=turn, size=size) is None:
                    found = measure(size, Path(folder), side, count)
                    records.add({"turn": turn, "size": size, "workers": found})
                    print(f"round {turn + 1} of {rounds}, {size} worker(s): done", file=sys.stderr)
    show(records.items, side)


if __name__ == "__main__":
    main()
