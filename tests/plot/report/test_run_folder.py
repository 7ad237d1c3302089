"""What is read from the folder of a run, and what is said of the rest."""

import csv
import json

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.plot.report.run_folder import read_run, summary_of


def write_metrics(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "metrics.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, names)
        table.writeheader()
        table.writerows(rows)


def test_all_that_is_there_is_read(tmp_path):
    graph = SharedGraph.from_grid((2, 3))
    graph.save(tmp_path / "graph.safetensors")
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    (tmp_path / "versions.json").write_text("{}")
    rows = [{"epoch": e, "step": 2 * e + s, "train_loss": 1 / (1 + s + e)} for e in range(3) for s in range(2)]
    write_metrics(tmp_path / "csv" / "version_0", [*rows, {"epoch": 2, "step": 5, "val_acc": 0.5}])
    run = read_run(tmp_path)
    assert run.graph.num_nodes == 6
    assert run.texts == {"config.yaml": "seed: 1\n", "versions.json": "{}"}
    assert run.missing == []
    [table] = run.metrics
    assert table["name"] == "csv/version_0"
    loss = table["curves"]["train_loss"]
    assert loss["step"] == [row["step"] for row in rows]
    assert loss["value"] == pytest.approx([row["train_loss"] for row in rows], rel=1e-6)
    assert table["curves"]["val_acc"] == {"step": [5.0], "epoch": [2.0], "value": [0.5], "points": 1}


def test_what_is_missing_or_broken_is_said(tmp_path):
    (tmp_path / "graph.safetensors").write_bytes(b"no graph")
    write_metrics(tmp_path / "a", [{"step": 1, "loss": "nan"}, {"step": 2, "loss": "oops"}, {"step": "", "loss": 3}])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "metrics.csv").write_text("")
    run = read_run(tmp_path)
    assert run.graph is None
    assert run.metrics[0]["curves"]["loss"] == {"step": [None], "value": [3.0], "points": 1}
    said = " ".join(run.missing)
    for part in (
        "graph.safetensors is no graph that can be read",
        "b/metrics.csv holds no metrics yet",
        "no graph in",
        "no config.yaml or config.json",
    ):
        assert part in said


def test_a_truncated_graph_gives_way_to_the_one_before(tmp_path):
    SharedGraph.from_grid((2, 2)).save(tmp_path / "graph-1.safetensors")
    (tmp_path / "graph-2.safetensors").write_bytes((tmp_path / "graph-1.safetensors").read_bytes()[:99])
    assert read_run(tmp_path).graph_file.name == "graph-1.safetensors"


def test_starts_of_one_run_are_joined_as_the_run_folder_joins_them(tmp_path):
    folder = pytest.importorskip("scge_pyg.train.run_folder").RunFolder(tmp_path)
    folder.begin({"lr": 0.1}, seed=0)
    for start, first in enumerate((0, 4, 6)):
        rows = [{"epoch": 0, "step": step, "loss": 10 * start + step} for step in range(first, 8 - start // 2)]
        write_metrics(tmp_path / "metrics" / f"version_{start}", rows)
    [run] = read_run(tmp_path).metrics
    assert run["name"] == tmp_path.name
    curve = run["curves"]["loss"]
    assert list(zip(curve["step"], curve["value"], strict=True)) == folder.metrics()["loss"]
    assert "config.json" in read_run(tmp_path).texts


def test_two_runs_have_a_row_each(tmp_path):
    for name in ("a", "b"):
        write_metrics(tmp_path / name / "metrics" / "version_0", [{"step": 0, "loss": 1}])
        (tmp_path / name / "versions.json").write_text("{}")
    assert [run["name"] for run in read_run(tmp_path).metrics] == ["a", "b"]


def test_long_curves_are_thinned_and_end_where_they_end(tmp_path):
    write_metrics(tmp_path, [{"step": k, "loss": k / 7} for k in range(9001)])
    curve = read_run(tmp_path).metrics[0]["curves"]["loss"]
    assert len(curve["value"]) <= 2000
    assert (curve["step"][-1], curve["points"]) == (9000.0, 9001)


def test_a_folder_of_discovery_alone_lacks_nothing(tmp_path):
    SharedGraph.from_grid((2, 2)).save(tmp_path / "graph.safetensors")
    (tmp_path / "summary.json").write_text(json.dumps({"warnings": ["few samples"]}))
    run = read_run(tmp_path)
    assert run.missing == []
    assert summary_of(run.texts)["warnings"] == ["few samples"]
    assert summary_of({"summary.json": "{"}) == summary_of({"summary.json": "[1]"}) == {}


def test_an_empty_folder_and_a_foreign_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"neither a graph .* nor metrics"):
        read_run(tmp_path)
    torch.save({"a": 1}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        read_run(tmp_path / "model.pt")
