"""The benchmark of modalities: what its rows hold, whom it calls near, what it counts as missed."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("sklearn")

from scge_pyg import SharedGraph


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The benchmark's modules in an empty folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(
        **{name: importlib.import_module(name) for name in ("modalities", "modality_rows", "modality_vectors")}
    )


def test_tables_of_scikit_learn(bench):
    rows = {row.name: row for row in bench.modality_rows.ROWS}
    diabetes, again = rows["diabetes"].load(0), rows["diabetes"].load(1)
    assert diabetes.x.shape == (397, 11, 1)
    assert {"age", "sex=1.0", "sex=2.0"} <= set(diabetes.names)
    assert torch.equal(
        diabetes.x[:, diabetes.names.index("sex=1.0")], 1 - diabetes.x[:, diabetes.names.index("sex=2.0")]
    )
    assert not torch.equal(diabetes.x, again.x)
    assert torch.equal(diabetes.x, rows["diabetes"].load(0).x)
    assert rows["wine"].load(0).x.shape == (160, 13, 1)


def test_drift_is_drift(bench):
    """At one pixel a frame along a row a clip would move by itself: frames of slow clips resemble each other more."""
    change = [
        (clip[:, 1:] - clip[:, :-1]).abs().mean()
        for speed in (0.5, 1.5)
        for clip in [bench.modality_rows._video(speed, 0).x[:200].view(200, 8, 10, 10)]
    ]
    assert 1.2 * change[0] < change[1]
    cells = bench.modality_rows._video(1.0, 0).cells
    assert cells.amax(0).tolist() == [7, 9, 9]


def test_the_nearest_are_near(bench):
    line = SharedGraph.from_pos(torch.arange(6.0).unsqueeze(1))
    near = bench.modalities.nearest(line, list("abcdef"))
    assert list(near) == list("abcdef")
    assert set(near["a"]) == {"b", "c", "d", "e"}
    edges = torch.tensor([[1, 2, 3, 0], [0, 0, 0, 1]])
    graph = SharedGraph(torch.empty(4, 0), edges, torch.tensor([0.1, 0.5, 0.3, 0.1]), live=torch.ones(4).bool())
    assert bench.modalities.nearest(graph, list("abcd")) == {"a": ["c", "d", "b"], "b": ["a"], "c": [], "d": []}


def test_a_run_and_its_table(bench, monkeypatch, capsys):
    options = ["--rows", "diabetes", "--runs", "1", "--first-seed", "100", "--output", "m.json"]
    monkeypatch.setattr(sys, "argv", ["modalities.py", *options])
    assert bench.modalities.main() == 0
    shown = capsys.readouterr().out
    assert "| diabetes table (397) |" in shown
    assert "the 4 nearest (run 100)" in shown
    assert "missed" not in shown


def test_what_is_missed_is_said(bench):
    run = {"row": "video", "run": 0, "dim": 2, "cells": 0.0, "precision": 1.0, "recall": 0.7, "lattice": False}
    right = {"row": "waveform", "run": 0, "dim": 1, "cells": 0.99, "precision": 1.0, "recall": 1.0, "lattice": True}
    both = {"verdict": "geometry", "seconds": 1.0}
    shown = bench.modalities.table([{**run, **both}, {**right, **both}])
    assert "missed: video: dimension [2], goal 3" in shown
    assert "missed: waveform: cells 0.9900, goal 1.0" in shown
    assert "no lattice" in shown


def test_modalities_side_by_side_and_alone(bench, monkeypatch):
    """Two chains, of which one has a node that hangs together with no other, and three columns without cells."""
    rows, vectors = bench.modality_rows, bench.modality_vectors
    generator = torch.Generator().manual_seed(0)
    walk = torch.randn(600, 20, 1, generator=generator).cumsum(1)
    walk[:, 7] = torch.randn(600, 1, generator=generator)
    other = torch.randn(700, 12, 1, generator=generator).cumsum(1)
    factor = torch.randn(800, 1, 1, generator=generator)
    columns = factor + torch.randn(800, 3, 1, generator=generator)
    kinds = (
        ("walk", lambda: rows.Recording(walk, rows.grid(20))),
        ("other", lambda: rows.Recording(other, rows.grid(12))),
        ("columns", lambda: rows.Recording(columns)),
    )
    row = vectors.Vector("chains", "two chains and three columns", kinds, 500)
    record = vectors.measure_vector(row, 100)
    assert record["nodes"] == record["live"] == 35
    assert record["own"] == pytest.approx(34 / 35)
    assert record["walk"]["beside"]["share"] == pytest.approx(0.95)
    assert record["other"]["beside"]["cells"] == record["other"]["alone"]["cells"] == 1.0
    assert record["columns"]["beside"]["share"] == 1.0
    worse = {**record, "other": {**record["other"], "beside": {**record["other"]["beside"], "cells": 0.5}}, "own": 0.9}
    monkeypatch.setattr(vectors, "VECTORS", (row,))
    shown = vectors.vector_table([record, worse])
    assert "| two chains and three columns | 0.9000 " in shown
    assert "0.500 / 0.750" in shown
    assert shown.count("missed") == 2
