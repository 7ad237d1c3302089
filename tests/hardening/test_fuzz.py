"""The fuzz run in small, and that it sees what it is there to see."""

import json
import os
import signal
import time
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from scge_pyg import SCGEConv

pytest.importorskip("lightning")


def test_three_hundred_cases(fuzz):
    for number in range(300):
        fuzz.run_case(fuzz.kind_of(number), number, seed=1)


def faulty(draw, folder):
    match draw.number:
        case 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case 3:
            time.sleep(60)
        case 4:
            raise IndexError("list index out of range")


@pytest.fixture
def faults(fuzz, monkeypatch):
    """The run with cases of which some fail, in processes that know of them."""
    monkeypatch.setattr(fuzz, "KINDS", {"faulty": ("", 100)})
    monkeypatch.setattr(fuzz, "case_of", lambda kind: faulty)
    monkeypatch.setattr("fuzz_cases.Seeded", lambda seed, number: SimpleNamespace(number=number))
    monkeypatch.setattr(fuzz, "_IMPORTS", 0.0)
    monkeypatch.setattr(fuzz, "run_chunk", partial(fuzz.run_chunk, start="fork"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_crashes_hangs_and_foreign_exceptions_are_told_and_the_rest_runs(fuzz, faults):
    found = fuzz.run_chunk(list(range(7)), seed=0, limit=0.5)
    assert [(fault["kind"], fault["number"]) for fault in found] == [("faulty", 1), ("faulty", 3), ("faulty", 4)]
    assert [fault["fault"] for fault in found] == [
        "crash: exit status -9",
        "hang: no end after 0.5 s",
        "IndexError: list index out of range",
    ]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_run_goes_on_where_it_was(fuzz, faults, monkeypatch, tmp_path, capsys):
    told = tmp_path / "found.json"
    words = ["fuzz.py", "--workers", "1", "--limit", "0.5", "--out", str(told), "--cases"]
    monkeypatch.setattr("sys.argv", [*words, "150"])
    assert fuzz.main() == 1
    out, err = capsys.readouterr()
    assert "| faulty        |     150 |      3 |" in out
    assert "faulty 4: IndexError: list index out of range" in err
    assert json.loads(told.read_text())["done"] == {"0": 100, "100": 50}
    ran = []
    monkeypatch.setattr(fuzz, "run_chunk", lambda numbers, seed, limit: ran.append(numbers[0]) or [])
    monkeypatch.setattr("sys.argv", [*words, "300"])
    assert fuzz.main() == 1
    assert ran == [100, 200]
    assert "| all           |     300 |      3 |" in capsys.readouterr().out


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
