"""The benchmark of operators on graphs, on textures so small that it takes seconds: graphs, networks, plan, tables."""

import importlib
import json
import sys
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch
from torch_geometric.nn import EdgeConv

from scge_pyg import SharedGraph

pytest.importorskip("sklearn")


@pytest.fixture
def module(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.setenv("SCGE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return importlib.import_module


class Textures:
    """Smooth noise in [0, 1] of 16x16 pixels in three channels, and labels that it says nothing about."""

    def __init__(self, root, train=True):
        count = 360 if train else 40
        noise = torch.randn(3 * count, 1, 22, 22, generator=torch.Generator().manual_seed(count))
        profile = torch.exp(-torch.linspace(-1.5, 1.5, 7).square())
        smooth = torch.nn.functional.conv2d(noise, torch.outer(profile, profile)[None, None])
        self.x = (0.5 + 0.5 * smooth / smooth.abs().max()).view(count, 3, 256).transpose(1, 2)
        self.y = torch.arange(count) % 3

    def __len__(self):
        return len(self.x)


def test_halved_images_are_averaged(module):
    x = torch.rand(5, 12 * 8, 3)
    pooled = torch.nn.functional.avg_pool2d(x.transpose(1, 2).unflatten(2, (12, 8)), 2)
    torch.testing.assert_close(module("small_images").halved(x, (6, 4)), pooled.flatten(2).transpose(1, 2))


@pytest.mark.parametrize("metric", ["correlation", "euclidean"])
def test_nearest_signals_are_those_of_a_full_table(module, metric):
    x = torch.rand(40, 12, 2) * torch.linspace(0.2, 3, 12).view(1, 12, 1)
    found = module("operator_graphs").nearest_signals(x, 3, metric)
    signal = x.transpose(0, 1).flatten(1).numpy()
    far = -np.corrcoef(signal) if metric == "correlation" else ((signal[:, None] - signal) ** 2).sum(2)
    np.fill_diagonal(far, np.inf)
    edges = {frozenset((i, int(j))) for i in range(12) for j in far[i].argsort()[:3]}
    assert {frozenset(edge) for edge in found.edge_index.T.tolist()} == edges
    assert bool((found.edge_weight == 1).all())
    assert found.dim == 0


def test_clusters_are_joined_by_edges_and_hold_four_nodes(module):
    graph = SharedGraph.from_grid((6, 8))
    (coarse, cluster), (_, second) = module("operator_graphs").levels(graph, 2)
    assert cluster.bincount().tolist() == [4] * 12
    assert second.bincount().tolist() == [4] * 3
    whole = graph.to_networkx()
    for members in (set((cluster == c).nonzero().flatten().tolist()) for c in range(12)):
        assert networkx.is_connected(whole.subgraph(members))
    between = cluster[graph.edge_index]
    expected = torch.unique(between[:, between[0] != between[1]], dim=1)
    assert torch.equal(coarse.edge_index, expected)


def test_lonely_nodes_stay_alone(module):
    star = torch.tensor([[0, 0, 0, 1, 2, 3], [1, 2, 3, 0, 0, 0]])
    edges, weight, pair = module("operator_graphs").halve(star, torch.ones(6), 5)
    assert sorted(pair.bincount().tolist()) == [1, 1, 1, 2]
    assert edges.shape == (2, 4)
    assert weight.tolist() == [1] * 4


def test_per_sample_neighbours_are_those_of_edge_conv(module):
    conv = module("operator_models").NearestEdgeConv(3, 5, k=4)
    peer = EdgeConv(torch.nn.Linear(6, 5))
    with torch.no_grad():
        peer.nn.weight.copy_(torch.cat([conv.own.weight, conv.other.weight], 1))
        peer.nn.bias.copy_(conv.own.bias)
    x = torch.randn(3, 20, 3)
    listener = torch.arange(20).repeat_interleave(4)
    for sample, out in zip(x, conv(x), strict=True):
        nearest = torch.cdist(sample, sample).fill_diagonal_(torch.inf).topk(4, largest=False).indices.flatten()
        torch.testing.assert_close(out, peer(sample, torch.stack([nearest, listener])))


def test_offsets_of_places_tell_right_from_left(module):
    models = module("operator_models")
    graph = SharedGraph.from_grid((4, 4))
    torch.manual_seed(0)
    blind = models.GraphClassifier(models.OPERATORS["Transformer"], 1, 2, graph).body[0]
    seeing = models.GraphClassifier(models.OPERATORS["Transformer"], 1, 2, graph, graph.pos).body[0]
    x = torch.rand(1, 4, 4, 1)
    mirrored = x.flip(2)
    for layer, same in ((blind, True), (seeing, False)):
        y, z = (layer(image.view(1, 16, 1)).view(4, 4, -1) for image in (x, mirrored))
        assert torch.allclose(y.flip(1), z, atol=1e-6) == same


@pytest.fixture
def tiny(module, monkeypatch):
    images, script = module("small_images"), module("operators_on_graphs")
    monkeypatch.setattr(images, "_DATASETS", {"cifar10": Textures})
    monkeypatch.setattr(images, "_POOL", 360)
    monkeypatch.setattr(images, "_MOST", 300)
    monkeypatch.setattr(images, "_TEST", 40)
    for name in ("small_images", "operators_on_graphs", "operator_tables", "operator_tuning"):
        monkeypatch.setattr(module(name), "SHAPES", {"cifar10": (8, 8)})
    monkeypatch.setattr(script, "_QUICK", {"train": 300, "epochs": 1, "runs": 1})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield script
    torch.set_num_threads(threads)
    images._images.cache_clear()


def run(script, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["operators_on_graphs.py", *options])
    script.main()


def test_every_row_is_measured_once_and_an_interrupted_run_goes_on(tiny, module, monkeypatch, capsys):
    rows = [row for row in tiny.ROWS if not row.graph or row.network == "GraphSAGE"]
    for name in ("operators_on_graphs", "operator_tables"):
        monkeypatch.setattr(module(name), "ROWS", rows)
    run(tiny, monkeypatch, "--quick", "--output", "all.json")
    records = json.loads(Path("all.json").read_text())["records"]
    assert [(r["network"], r["graph"]) for r in records] == [(row.network, row.graph) for row in rows]
    graphs = {r["graph"]: r for r in records}
    assert graphs["true"]["precision"] == graphs["true"]["recall"] == 1
    assert graphs["discovered"]["recall"] > 0.9 > graphs["random"]["recall"]
    assert graphs["random"]["degree"] == 4
    out = capsys.readouterr().out
    assert "Nothing was cut" in out
    monkeypatch.setattr(tiny.Bench, "measure", lambda *_: pytest.fail("measured twice"))
    run(tiny, monkeypatch, "--quick", "--resume", "--output", "all.json")
    assert capsys.readouterr().out == out


def test_a_budget_cuts_the_end_of_the_plan_and_says_so(tiny, monkeypatch, capsys):
    monkeypatch.setattr(tiny.Bench, "expected", lambda *_: 60.0)
    monkeypatch.setattr(
        tiny.Bench,
        "measure",
        lambda self, data, row, run: {
            "data": data,
            "network": row.network,
            "graph": row.graph,
            "run": run,
            "accuracy": 0.5,
            "degree": 4.0,
            "precision": 1.0,
            "recall": 1.0,
        },
    )
    run(tiny, monkeypatch, "--budget", "0.5", "--output", "some.json")
    records = json.loads(Path("some.json").read_text())["records"]
    assert len(records) == 30
    assert [r["run"] for r in records] == [0] * 28 + [1] * 2  # every row once, then the main ones
    out = capsys.readouterr().out
    assert "30 of 84 trainings, 30 minutes" in out
    start = "Cut: CIFAR-10, 16x16, run 1, 2 of logistic, scge-free, scge, cnn, GraphSAGE, GIN, GCN, GAT, Transformer, "
    assert start + "offsets, dynamic; CIFAR-10, 16x16, run 2 of mlp, cnn-shuffled" in out


def test_rates_are_climbed_to(module):
    climb, ladder = module("operator_tuning").climb, (1, 3, 10, 30, 100)
    for best in ladder:
        tried = []
        assert climb(ladder, lambda rate, tried=tried, best=best: tried.append(rate) or -abs(rate - best)) == best
        assert len(tried) == len(set(tried))


def test_rows_are_chosen_by_their_network(tiny, monkeypatch, capsys):
    run(tiny, monkeypatch, "--quick", "--networks", "logistic", "mlp", "--output", "two.json")
    assert [r["network"] for r in json.loads(Path("two.json").read_text())["records"]] == ["logistic", "mlp"]
