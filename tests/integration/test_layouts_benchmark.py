"""The benchmark of layouts: recordings as described, faults that do what they say, records and tables."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

MODULES = "layouts", "layout_faults", "layout_recordings"


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The benchmark's modules, by name, in an empty folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.delenv("SCGE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in set(sys.modules) - before:
        if name in MODULES:
            del sys.modules[name]


@pytest.mark.parametrize("name", ["cap-32", "grid-32"])
@pytest.mark.parametrize("seed", [100, 101, 102])
def test_near_sensors_are_alike_in_every_field(bench, name, seed):
    drawn = bench["layout_recordings"].recorded(name, seed)
    assert drawn.x.shape == (6000, 32)
    away = cdist(drawn.places, drawn.places) / bench["layout_recordings"].spacing_of(drawn.places)
    correlation = np.corrcoef(drawn.x.T)
    assert correlation[(away > 0) & (away < 1.5)].mean() > correlation[away > 4].mean() + 0.1
    again = bench["layout_recordings"].recorded(name, seed)
    np.testing.assert_array_equal(drawn.x, again.x)


def test_faults_move_signals_and_leave_places(bench):
    drawn = bench["layout_recordings"].recorded("grid-32", 100)
    moved = {}
    for fault, make in bench["layout_faults"].FAULTS.items():
        x, places, _ = make(drawn, np.random.default_rng(1))
        np.testing.assert_array_equal(places, drawn.places)
        moved[fault] = int((x != drawn.x).any(0).sum())
    assert [moved[name] for name in ("none", "swapped-2", "swapped-4", "swapped-8", "doubled-dead")] == [0, 2, 4, 8, 2]
    assert min(moved[name] for name in ("turned", "shifted", "mirrored")) >= 7


def test_a_run_prints_its_tables_and_goes_on(bench, monkeypatch, capsys):
    arguments = ["layouts.py", "--recordings", "grid-32", "--faults", "none", "swapped-2", "--first-seed", "100"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--draws", "1"])
    assert bench["layouts"].main() == 0
    out = capsys.readouterr().out
    assert "| none                       | 1 of 1" in out
    assert "share of swapped channels suspected, by spacings" in out
    records = json.loads(Path("results/layouts.json").read_text())["records"]
    assert [record["fault"] for record in records] == ["none", "swapped-2"]
    monkeypatch.setattr(bench["layouts"], "measure", lambda name, faults, seed: [] if not list(faults) else 1 / 0)
    monkeypatch.setattr(sys, "argv", [*arguments, "--draws", "1", "--resume"])
    assert bench["layouts"].main() == 0
