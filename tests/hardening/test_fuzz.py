"""The fuzz run in small, and that it sees what it is there to see."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from scge_pyg import SCGEConv

pytest.importorskip("lightning")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_two_hundred_cases(tmp_path):
    told = tmp_path / "found.json"
    command = [sys.executable, "fuzz.py", "--cases", "200", "--seed", "1", "--workers", "1", "--out", told]
    result = subprocess.run(command, capture_output=True, text=True, cwd=BENCHMARKS, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert "| all           |     200 |      0 |" in result.stdout
    assert sum(json.loads(told.read_text())["done"].values()) == 200


def faulty(draw, folder):
    match draw.number:
        case 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case 3:
            time.sleep(60)
        case 4:
            raise IndexError("list index out of range")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_crashes_hangs_and_foreign_exceptions_are_told_and_the_rest_runs(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "KINDS", {"faulty": ("", 100)})
    monkeypatch.setattr(fuzz, "case_of", lambda kind: faulty)
    monkeypatch.setattr("fuzz_cases.Seeded", lambda seed, number: SimpleNamespace(number=number))
    monkeypatch.setattr(fuzz, "_IMPORTS", 0.0)
    found = fuzz.run_chunk(list(range(7)), seed=0, limit=0.5, start="fork")
    assert [(fault["kind"], fault["number"]) for fault in found] == [("faulty", 1), ("faulty", 3), ("faulty", 4)]
    assert [fault["fault"] for fault in found] == [
        "crash: exit status -9",
        "hang: no end after 0.5 s",
        "IndexError: list index out of range",
    ]


def test_what_a_broken_package_would_do_is_seen(fuzz, monkeypatch):
    """Each fault below was there once, or is of the kind that the run is for."""
    import fuzz_samples

    import scge_pyg.graph.shared_graph as shared_graph

    def fault(kind, numbers):
        for number in numbers:
            try:
                fuzz.run_case(kind, number)
            except Exception as error:
                return str(error)
        return None

    with monkeypatch.context() as patch:
        patch.setattr(shared_graph, "read_tensors", lambda path, kind: 1 / 0)
        assert "division by zero" in fault("graph file", range(3))
    plain = fuzz_samples.discover

    def without_a_place(x, **options):
        graph = plain(x, **options)
        graph.pos[:1] = torch.nan
        return graph

    with monkeypatch.context() as patch:
        patch.setattr(fuzz_samples, "discover", without_a_place)
        assert "a live node has no finite place" in fault("samples", range(40))
    with monkeypatch.context() as patch:
        patch.setattr(SCGEConv, "forward", lambda self, x: torch.zeros(len(x), self.num_targets, 1))
        assert fault("layer", range(9)) is not None
