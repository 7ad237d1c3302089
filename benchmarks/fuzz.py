"""Strange input by the hundred thousand: does anything crash, hang, turn to NaN in silence, or fail without words?

Cases are drawn from seeds and run in worker processes with a limit of time and memory each. A case fails by a crash, a
hang, an exception other than one that names what was wrong with the input, or a result that isn't what must hold
(``fuzz_cases.check_graph``, and what each kind checks beside). A failing case is told with its kind and number, by
which ``--only KIND NUMBER`` runs it again, in this process. A run that was interrupted goes on.

    python benchmarks/fuzz.py --cases 100000   # some two hours on two cores
    python benchmarks/fuzz.py --cases 400      # seconds
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "case_of", "kind_of", "run_case", "run_chunk"]

KINDS = {
    "graph file": ("fuzz_files.graph_file", 24),
    "show": ("fuzz_commands.shown", 6),
    "table": ("fuzz_commands.table", 16),
    "array": ("fuzz_commands.array", 16),
    "samples": ("fuzz_samples.samples", 14),
    "layer": ("fuzz_layers.layer", 16),
    "configuration": ("fuzz_commands.configuration", 6),
    "layout": ("fuzz_commands.layout", 2),
}
"""What draws and judges a case of each kind, and its share of a hundred; imported by the processes that run them."""

_CHUNK = 100
_MEMORY = 6 * 2**30
_PRELOADED = ["fuzz_files", "fuzz_commands", "fuzz_samples", "fuzz_layers", "scge_pyg.train", "scge_pyg.cli.training"]
_IMPORTS = 60.0  # seconds that a process may take to import what it needs, beyond the limit of a case


def kind_of(number: int) -> str:
    """The kind of a case; every hundred hold each in its share."""
    place = number * 37 % 100  # 37 and 100 have no common factor
    for kind, (_, share) in KINDS.items():
        if place < share:
            return kind
        place -= share
    raise AssertionError


def case_of(kind: str) -> Any:
    """What draws and judges a case of a kind."""
    module, _, name = KINDS[kind][0].partition(".")
    return getattr(importlib.import_module(module), name)


def run_case(kind: str, number: int, seed: int = 0) -> None:
    """Draw and judge one case in a folder that vanishes; what is wrong is raised."""
    from fuzz_cases import Seeded

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        case_of(kind)(Seeded(seed, number), Path(folder))


def _work(numbers: list[int], seed: int, answers: Connection) -> None:
    """Run cases one after the other and send what was wrong with each, or nothing."""
    import torch

    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    for number in numbers:
        try:
            run_case(kind_of(number), number, seed)
            fault = None
        except BaseException as error:  # Rust's panics are no Exception
            fault = f"{type(error).__name__}: {error}"[:500] + _where(error)
        answers.send((number, fault))


def _where(error: BaseException) -> str:
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "scge_pyg" in frame.filename]
    return f" ({Path(ours[-1].filename).name}, line {ours[-1].lineno})" if ours else ""


def run_chunk(numbers: list[int], seed: int, limit: float, start: str = "forkserver") -> list[dict[str, Any]]:
    """Faults of some cases; a process that crashes or hangs is left at its case, and another goes on behind it."""
    context: Any = multiprocessing.get_context(start)
    faults, left = [], list(numbers)
    while left:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(left, seed, there), daemon=True)
        process.start()
        there.close()
        first = _IMPORTS
        while left:
            fault: str | None
            try:
                if here.poll(first + limit):
                    number, fault = here.recv()
                    assert number == left[0]
                    first = 0.0
                else:
                    fault = f"hang: no end after {limit:g} s"
                    process.kill()
            except EOFError:
                process.join()
                fault = f"crash: exit status {process.exitcode}"
            number, left = left[0], left[1:]
            if fault is not None:
                faults.append({"kind": kind_of(number), "number": number, "fault": fault})
                if fault.startswith(("hang", "crash")):
                    break
        process.join()
        here.close()
    return faults


def main() -> int:
    """Run, keep what was found, print it; 1 if anything was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=float, default=30.0, metavar="SECONDS", help="time of one case (default: 30)")
    parser.add_argument("--only", nargs=2, metavar=("KIND", "NUMBER"), help="one case, in this process")
    parser.add_argument("--out", type=Path, help="file of results, from which a run goes on")
    args = parser.parse_args()
    if args.only:
        run_case(args.only[0], int(args.only[1]), args.seed)
        return 0
    found = _Found(args.out, args.seed)
    chunks = [list(range(first, min(first + _CHUNK, args.cases))) for first in range(0, args.cases, _CHUNK)]
    todo = [chunk for chunk in chunks if chunk[0] not in found.done or found.done[chunk[0]] < len(chunk)]
    multiprocessing.get_context("forkserver").set_forkserver_preload(_PRELOADED)
    start = time.perf_counter()
    with ThreadPoolExecutor(args.workers) as pool:
        for chunk, faults in zip(
            todo, pool.map(lambda chunk: run_chunk(chunk, args.seed, args.limit), todo), strict=True
        ):
            found.add(chunk, faults)
            for fault in faults:
                print(f"{fault['kind']} {fault['number']}: {fault['fault']}", file=sys.stderr, flush=True)
    cases = [number for chunk in chunks if chunk[0] in found.done for number in chunk]
    ran, wrong = Counter(map(kind_of, cases)), Counter(fault["kind"] for fault in found.faults)
    print("| kind          |   cases | faults |")
    print("| ------------- | ------: | -----: |")
    for kind in KINDS:
        print(f"| {kind:13} | {ran[kind]:7,} | {wrong[kind]:6,} |")
    print(f"| all           | {ran.total():7,} | {wrong.total():6,} |")
    print(f"\n{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 1 if found.faults else 0


class _Found:
    """Chunks that are done and what they found, in a file that is replaced as a whole."""

    def __init__(self, path: Path | None, seed: int) -> None:
        self.path, self.seed = path, seed
        self.done: dict[int, int] = {}
        self.faults: list[dict[str, Any]] = []
        if path is not None and path.exists():
            stored = json.loads(path.read_text())
            if stored["seed"] != seed:
                raise SystemExit(f"{path} is of seed {stored['seed']}; give another --out")
            self.done = {int(first): count for first, count in stored["done"].items()}
            self.faults = stored["faults"]

    def add(self, chunk: list[int], faults: list[dict[str, Any]]) -> None:
        """Take in a chunk."""
        self.faults = [fault for fault in self.faults if fault["number"] not in chunk] + faults
        self.done[chunk[0]] = len(chunk)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(".tmp")
            partial.write_text(json.dumps({"seed": self.seed, "done": self.done, "faults": self.faults}, indent=1))
            partial.replace(self.path)


if __name__ == "__main__":
    sys.exit(main())
