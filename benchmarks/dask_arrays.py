"""`discover` of a dask array on disk against the same file as a memory map: the graph, blocks read, time and memory.

python benchmarks/dask_arrays.py --quick      # 0.25 GB
python benchmarks/dask_arrays.py              # 4 GB in the folder for temporary files

Each run is a process of its own; both kinds take turns, and the median of the ratios of a pair is shown. Memory is the
peak of anonymous memory above that after the imports and a small discovery, seen every 5 ms; pages of the file don't
count. glibc keeps what was freed in pieces below 32 MB; MALLOC_MMAP_THRESHOLD_=2000000 in the environment makes it give
them back, and the peak is then that of what is in use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from report import Records, markdown_table

from scge_pyg import discover
from scge_pyg.discovery.sharing.sameness import digest

ROOT = Path(__file__).parents[1]
SIDE = 32
SIZES = {"quick": (65_536, 1), "full": (1_048_576, 2)}  # samples of 1,024 nodes, pairs of runs
CHUNK = 8_192  # samples
KINDS = ("plain", "dask")


class Counting:
    """A memory map that dask takes for an array, does not copy, and whose reads are counted."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.shape, self.dtype, self.ndim = x, x.shape, x.dtype, x.ndim
        self.reads = np.zeros(len(x) // CHUNK + 1, dtype=int)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        part = self.x[key]
        if part.size:
            self.reads[(key[0].start or 0) // CHUNK] += 1
        return part


class Peak:
    """Largest anonymous memory of this process while it is watched, in bytes above that at the start."""

    def __enter__(self) -> Peak:
        self.start = self.most = _anonymous()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self.most = max(self.most, _anonymous())

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.bytes = self.most - self.start


def _anonymous() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) * 1024


def field(path: Path, count: int) -> None:
    """Samples of smoothed noise on a shuffled grid, float32, written piece by piece."""
    rng = torch.Generator().manual_seed(100)
    order = torch.randperm(SIDE**2, generator=rng)
    with path.open("wb") as file:
        for _ in range(0, count, 4096):
            white = torch.randn(4096, 1, SIDE + 2, SIDE + 2, generator=rng)
            x = torch.nn.functional.avg_pool2d(white, 3, 1).flatten(1)[:, order]
            file.write((x + 0.1 * torch.randn(x.shape, generator=rng)).numpy().tobytes())


def work(kind: str, path: Path, count: int) -> dict[str, Any]:
    """One discovery."""
    import dask.array as da

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    small = torch.randn(300, 128, generator=torch.Generator().manual_seed(0)).cumsum(1)
    discover(small if kind == "plain" else da.from_array(small.numpy(), chunks=(100, 128)))
    counting = Counting(np.memmap(path, np.float32, "r", shape=(count, SIDE**2)))
    lazy = da.from_array(counting, chunks=(CHUNK, -1), asarray=False, name=False)
    with Peak() as peak:
        start = time.perf_counter()
        graph = discover(counting.x if kind == "plain" else lazy)
        seconds = time.perf_counter() - start
    reads = counting.reads[: count // CHUNK]
    return {
        "kind": kind,
        "seconds": seconds,
        "reading": graph.fit.seconds["reading"],
        "peak": peak.bytes,
        "reads": [int(reads.min()), int(reads.max())],
        "digest": digest(graph),
        "lattice": None if graph.lattice is None else list(graph.lattice.shape),
    }


def show(records: list[dict[str, Any]]) -> None:
    """The table of medians."""
    runs = {kind: [record for record in records if record["kind"] == kind] for kind in KINDS}
    lines = [
        [
            kind,
            f"{median(run['seconds'] for run in found):.1f}",
            f"{median(run['reading'] for run in found):.1f}",
            f"{max(run['peak'] for run in found) / 1e9:.2f}",
            "-" if kind == "plain" else " to ".join(map(str, found[0]["reads"])),
        ]
        for kind, found in runs.items()
    ]
    print(markdown_table(["", "seconds", "of which reading", "peak (GB)", "reads of a block"], lines))
    ratio = median(a["seconds"] / b["seconds"] for a, b in zip(runs["dask"], runs["plain"], strict=True))
    same = len({record["digest"] for record in records}) == 1
    print(f"\ntime of dask over plain {ratio:.2f}; {'the same graph' if same else 'graphs differ'}, ", end="")
    print(f"lattice {records[0]['lattice']}")


def main() -> None:
    """Measure, or go on after an interrupted run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        kind, path, count = arguments.worker
        print(json.dumps(work(kind, Path(path), int(count))))
        return
    which = "quick" if arguments.quick else "full"
    count, pairs = SIZES[which]
    settings = {"samples": count, "pairs": pairs, "malloc": os.environ.get("MALLOC_MMAP_THRESHOLD_")}
    records = Records(ROOT / "results" / f"dask-arrays-{which}.json", settings, resume=arguments.resume)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.f32"
        field(path, count)
        for turn in range(pairs):
            for kind in KINDS:
                if records.find(turn=turn, kind=kind) is None:
                    command = [sys.executable, __file__, "--worker", kind, str(path), str(count)]
                    run = subprocess.run(command, capture_output=True, text=True, check=False)
                    if run.returncode:
                        raise SystemExit(run.stderr)
                    records.add({"turn": turn, **json.loads(run.stdout.splitlines()[-1])})
    show(records.items)


if __name__ == "__main__":
    main()
