"""Running the draws of a benchmark: which families have their data, and records from one or several processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from draws import Family

__all__ = ["available", "measured"]


def available(families: Iterable[Family]) -> list[Family]:
    """The families whose recording is below the folder SCGE_DATA names; a line on stderr for each of the others."""
    folder, there = os.environ.get("SCGE_DATA"), []
    for family in families:
        if family.needs is None or (folder is not None and (Path(folder) / family.needs).exists()):
            there.append(family)
        else:
            print(f"{family.name}: left out, SCGE_DATA names no folder with {family.needs}", file=sys.stderr)
    return there


def measured(
    measure: Callable[[str, int], dict[str, Any]], plan: list[tuple[str, int]], workers: int
) -> Iterator[dict[str, Any]]:
    """Records of all names and seeds in order, or as they come from several processes with one thread each."""
    if workers == 1:
        yield from (measure(name, seed) for name, seed in plan)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for done in as_completed([pool.submit(measure, name, seed) for name, seed in plan]):
            yield done.result()
