"""The benchmark of geometries: scores of graphs that are known, the calibration, an interruption."""

import importlib
import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice
from scge_pyg.metrics import cell_accuracy

CHECKED = ("refused", "signs", "pieces", "trust")
MODULES = ("draws", "families", "geometries", "geometry_scores", "geometry_tables")


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The benchmark's modules, by name, in an empty folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.delenv("SCGE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})


def without_geometry(x, dim=None):
    warnings.warn("no geometry", UserWarning, stacklevel=2)
    nodes = x.shape[1]
    return SharedGraph(torch.empty(nodes, 0), torch.empty(2, 0, dtype=torch.int64), live=torch.ones(nodes).bool())


def run(bench, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["geometries.py", *options])
    return bench.geometries.main()


@pytest.mark.parametrize("periodic", [(False, False), (True, False)])
def test_nodes_in_their_cells_are_those_that_cell_accuracy_counts(bench, periodic):
    rng = np.random.default_rng(0)
    cells = np.argwhere(np.ones((5, 6)))
    for wrong in (0, 4, 20):
        found = torch.from_numpy(cells).clone()
        moved = rng.permutation(30)[:wrong]
        found[moved] = found[rng.permutation(moved)]
        found[:, 0] = (found[:, 0] + 2) % 5 if periodic[0] else found[:, 0]
        found = found.flip(1)
        found[7] = -1
        lattice = Lattice(found, (6, 5), periodic[::-1])
        graph = SharedGraph(torch.from_numpy(cells).float(), torch.empty(2, 0, dtype=torch.int64), lattice=lattice)
        right = bench.geometry_scores.cells_right(lattice, cells)
        assert right.mean() == pytest.approx(cell_accuracy(graph, torch.from_numpy(cells)))
        assert not right[7]


def test_a_true_map_is_right_everywhere_and_a_random_one_is_not(bench):
    draw = bench.families.FAMILIES["uniform-100"].draw(0)
    true = SharedGraph.from_pos(torch.from_numpy(draw.places @ [[0.6, 0.8], [-0.8, 0.6]]), k=4)
    assert bench.geometry_scores.node_right(true, draw).tolist() == [1] * 100
    scattered = SharedGraph.from_pos(torch.rand(100, 2, generator=torch.Generator().manual_seed(0)), k=4)
    assert bench.geometry_scores.node_right(scattered, draw).mean() < 0.1
    half = SharedGraph.from_pos(torch.cat([true.pos[:50], torch.full((50, 2), torch.nan)]), k=4)
    right = bench.geometry_scores.node_right(half, draw)
    assert right[50:].tolist() == [-1] * 50
    assert right[:50].tolist() == [1] * 50
    with pytest.warns(UserWarning, match="no geometry"):
        refused = without_geometry(draw.x)
    assert bench.geometry_scores.node_right(refused, draw).max() == -1


def test_measures_of_a_true_map(bench):
    family = bench.families.FAMILIES["uniform-100"]
    draw = family.draw(0)
    graph = SharedGraph.from_pos(torch.from_numpy(draw.places), k=8)
    found = bench.geometry_scores.score(graph, draw, family, [])
    assert (found["dim"], found["columns"], found["lattice"], found["refused"]) == (2, 2, "none", False)
    assert found["trust"] == 1
    distance = torch.cdist(graph.pos, graph.pos).fill_diagonal_(torch.inf)
    among = [int(j in distance[i].topk(8, largest=False).indices) for i, j in graph.edge_index.T]
    assert found["near"] == pytest.approx(np.mean(among))


def test_signs_are_free_up_to_one_flip_of_each_part(bench):
    family = bench.families.FAMILIES["inverted-third"]
    sign = np.array([1, -1, 1, -1, -1, 1])
    edges = torch.tensor([[0, 1, 3, 4], [1, 2, 4, 5]])
    pos = torch.arange(6.0)[:, None]
    found = torch.tensor([1, -1, 1, 1, 1, 1])
    graph = SharedGraph(pos, torch.cat([edges, edges.flip(0)], 1), sign=found)
    draw = bench.draws.Draw(np.zeros((9, 6)), None, {"sign": sign})
    assert bench.geometry_scores.score(graph, draw, family, [])["signs"] == pytest.approx(5 / 6)


def test_lattices_are_exact_partial_or_wrong(bench):
    family = bench.families.FAMILIES["grid-4x5"]
    cells = np.argwhere(np.ones((4, 5)))
    draw = bench.draws.Draw(np.zeros((9, 20)), cells.astype(float), {"cells": cells})
    states = []
    for change in ("none", "gap", "swap"):
        cell = torch.from_numpy(cells).clone()
        if change == "gap":
            cell[3] = -1
        if change == "swap":
            cell[[0, 1]] = cell[[1, 0]]
        graph = SharedGraph.from_grid((4, 5))
        graph.lattice = Lattice(cell, (4, 5))
        states.append(bench.geometry_scores.score(graph, draw, family, [])["lattice"])
    assert states == ["exact", "partial", "wrong"]
    hexagonal = bench.draws.Draw(np.zeros((9, 20)), cells.astype(float))
    assert bench.geometry_scores.score(SharedGraph.from_grid((4, 5)), hexagonal, family, [])["lattice"] == "wrong"
    doubted = bench.geometry_scores.CHECKS["doubted"]
    assert doubted({"lattice": "wrong", "lattice_confidence": 0.4}, family, {})
    assert not doubted({"lattice": "wrong", "lattice_confidence": 0.6}, family, {})


def test_parts_with_their_lattices_are_counted(bench):
    grid = SharedGraph.from_grid((4, 5))
    chain = torch.tensor([[20, 21, 22], [21, 22, 23]])
    pos = torch.cat([grid.pos, torch.tensor([[float(i), 99.0] for i in range(4)])])
    edges = torch.cat([grid.edge_index, chain, chain.flip(0)], 1)
    cell = torch.cat([grid.lattice.cell, torch.full((4, 2), -1)])
    graph = SharedGraph(pos, edges, lattice=Lattice(cell, (4, 5)))
    cells = np.concatenate([np.argwhere(np.ones((4, 5))), np.stack([np.arange(4), np.zeros(4, int)], 1)])
    family = bench.families.FAMILIES["beside-chain"]
    truth = {"part": np.repeat([0, 1], [20, 4]), "cells": cells, "pieces": 2}
    assert (
        bench.geometry_scores.score(graph, bench.draws.Draw(np.zeros((9, 24)), None, truth), family, [])["parts"] == 1
    )
    joined = {**truth, "part": np.zeros(24, int)}
    assert (
        bench.geometry_scores.score(graph, bench.draws.Draw(np.zeros((9, 24)), None, joined), family, [])["parts"] == 0
    )


def test_the_same_graph_in_another_order(bench):
    graph = SharedGraph.from_pos(torch.rand(30, 2, generator=torch.Generator().manual_seed(0)), k=3)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    edges = order.argsort()[graph.edge_index]
    moved = SharedGraph(graph.pos[order], edges, graph.edge_weight)
    assert bench.geometry_scores.same(graph, moved, order.numpy())
    assert not bench.geometry_scores.same(graph, moved, np.arange(30))
    weight = graph.edge_weight.clone()
    weight[4] *= 1 + 1e-6
    assert not bench.geometry_scores.same(graph, SharedGraph(graph.pos[order], edges, weight), order.numpy())


def test_calibration_has_equal_bins_and_the_area_of_scikit_learn(bench):
    rng = np.random.default_rng(0)
    confidence = rng.random(1000).round(2)
    right = rng.random(1000) < confidence
    records = [
        {
            "node_confidence": " ".join(map(str, confidence[own])),
            "node_right": "".join(map(str, right[own].astype(int))),
        }
        for own in np.array_split(np.arange(1000), 10)
    ]
    text = bench.geometry_tables.calibration([*records, {"failed": "ValueError: no"}, {"node_right": ""}])
    assert text.count("| 125 ") == 8
    assert f"ROC curve {roc_auc_score(right, confidence):.3f}" in text
    off = [abs(float(line.split("|")[-2])) for line in text.split("\n") if "| 125 " in line]
    assert max(off) < 0.12
    sure = [{**r, "node_confidence": " ".join(["1.0"] * 100)} for r in records]
    worst = bench.geometry_tables.calibration(sure).split("largest difference ")[1]
    assert float(worst.split()[0]) == pytest.approx(1 - right.mean(), abs=0.15)


def test_goals_count_the_draws_that_pass(bench):
    def record(seed, family="noise", **changes):
        measures = dict.fromkeys(("trust", "near", "signs", "fit_ratio", "fit_verdict"))
        measures |= {"dim": 0, "lattice": "none", "seconds": 1.0, "passed": dict.fromkeys(CHECKED, True)}
        return {"family": family, "seed": seed, **measures, **changes}

    records = [record(s) for s in range(49)] + [record(49, passed={"refused": False})]
    assert bench.geometry_tables.missed(records) == []
    assert bench.geometry_tables.missed([*records, {"family": "noise", "seed": 50, "failed": "no"}]) == [
        "noise: 49 of 51, wanted 98%"
    ]
    assert "49 of 50 (98%)" in bench.geometry_tables.tables(records)
    pairs = [record(0, "untouched", trust=0.999), record(1, "untouched", trust=0.999)]
    pairs += [record(0, "unit", trust=0.995), record(1, "unit", trust=0.993), record(2, "unit", trust=1.0)]
    assert "unit: 1 of 3, wanted 99%" in bench.geometry_tables.missed(pairs)


def test_an_interrupted_run_goes_on(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench.geometries, "discover", without_geometry)
    options = ("--families", "noise", "spikes", "eeg-raw", "forced", "--draws", "2", "--first-seed", "100")
    assert run(bench, monkeypatch, *options, "--output", "g.json") == 0
    printed = capsys.readouterr()
    assert "eeg-raw: left out" in printed.err
    assert "2 of 2 (98%)" in printed.out
    assert "missed: spikes: 0 of 2" in printed.out
    records = json.loads(Path("g.json").read_text())["records"]
    measured = [(r["family"], r["seed"]) for r in records]
    assert measured == [(f, s) for f in ("noise", "untouched", "spikes", "forced") for s in (100, 101)]
    assert all(r["refused"] and r["columns"] == 0 and r["trust"] is None for r in records)

    def refuse(*args):
        raise AssertionError("measured twice")

    monkeypatch.setattr(bench.geometries, "measure", refuse)
    assert run(bench, monkeypatch, *options, "--output", "g.json", "--resume") == 0
    assert run(bench, monkeypatch, *options, "--output", "g.json", "--resume", "--check") == 1


def test_an_error_counts_as_a_draw_that_failed(bench, monkeypatch, capsys):
    def broken(x):
        raise ValueError("discover: no")

    monkeypatch.setattr(bench.geometries, "discover", broken)
    assert run(bench, monkeypatch, "--families", "noise", "--draws", "1", "--output", "g.json") == 1
    printed = capsys.readouterr().out
    assert "0 of 1 (98%, missed); 1 failed" in printed
    assert "failed: noise, draw 0: ValueError: discover: no" in printed


def test_a_line_is_found_from_end_to_end(bench):
    record = bench.geometries.measure("line-regular", 0)
    assert record["passed"] == {"dimension": True, "columns": True, "pieces": True}
    assert record["trust"] > 0.99
    assert len(record["node_right"]) == len(record["node_confidence"].split()) > 50
