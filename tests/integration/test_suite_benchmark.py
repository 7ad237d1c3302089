"""The public suite: its measures against loops, its comparison by hand, its rows, an interruption."""

import importlib
import io
import json
import sys
import tarfile
import wave
from pathlib import Path
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from sklearn.datasets import make_swiss_roll

from scge_pyg import SharedGraph
from scge_pyg.metrics import continuity, trustworthiness

MODULES = (
    "draws",
    "measuring",
    "suite",
    "suite_peers",
    "suite_pictures",
    "suite_recordings",
    "suite_rows",
    "suite_scores",
    "suite_tables",
)


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The suite's modules, by name, in an empty folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.delenv("SCGE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})


def uneven(nodes=60, seed=0):
    """Places in the plane, five times as dense on one side."""
    return np.random.default_rng(seed).random((nodes, 2)) ** [3, 1] * 8


def draw_of(bench, places, **truth):
    x = np.random.default_rng(0).standard_normal((30, len(places)))
    return bench.draws.Draw(x, places, {"dim": 2, "pieces": 1, **truth})


# Measures ---------------------------------------------------------------------------------------------------------


def test_near_pairs_are_the_symmetric_nearest(bench):
    places = uneven()
    truth = bench.suite_scores.truth_of(draw_of(bench, places))
    want = set()
    for i in range(60):
        order = sorted((j for j in range(60) if j != i), key=lambda j: np.linalg.norm(places[i] - places[j]))
        want |= {frozenset((i, j)) for j in order[:4]}
    assert {frozenset(pair) for pair in np.argwhere(truth.near).tolist()} == want
    assert (truth.count, truth.degree, truth.columns, truth.known) == (120, 4, 2, True)


def test_equal_distances_are_all_near(bench):
    cells = np.argwhere(np.ones((3, 3))).astype(float)
    near = bench.suite_scores.truth_of(draw_of(bench, cells)).near
    assert near[4].sum() == 8  # four by its own choice, four as the nearest but two of a corner
    assert near[0].nonzero()[0].tolist() == [1, 2, 3, 4, 6]


def test_true_places_score_one_in_any_density(bench):
    places = uneven()
    truth = bench.suite_scores.truth_of(draw_of(bench, places))
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    scores = bench.suite_scores.measures(
        bench.suite_scores.Found(bench.suite_scores.closest(distance, truth.count, truth.degree), places), truth
    )
    assert scores["precision"] == scores["trust"] == scores["continuity"] == 1
    assert scores["recall"] == truth.count / np.triu(truth.near).sum()
    plain = np.argsort(distance[np.triu_indices(60, 1)])[: truth.count]
    assert truth.near[np.triu_indices(60, 1)][plain].mean() < 0.95


def test_closest_pairs_are_those_of_a_loop(bench):
    distance = np.random.default_rng(1).random((20, 20))
    distance = distance + distance.T
    reach = [sorted(distance[i, j] for j in range(20) if j != i)[2] for i in range(20)]
    pairs = [(i, j) for i in range(20) for j in range(i + 1, 20)]
    pairs.sort(key=lambda p: distance[p] / max(reach[p[0]], reach[p[1]]))
    assert bench.suite_scores.closest(distance, 30, 3).T.tolist() == [list(pair) for pair in pairs[:30]]


def test_edges_of_a_graph_come_first_and_its_map_fills_up(bench):
    places = np.arange(12.0)[:, None]
    truth = bench.suite_scores.truth_of(draw_of(bench, places, dim=1))
    edges = torch.tensor([[0, 3, 5], [7, 4, 6]])
    graph = SharedGraph(
        torch.from_numpy(places), torch.cat([edges, edges.flip(0)], 1), torch.tensor([0.9, 0.2, 0.5]).repeat(2)
    )
    graph.component = torch.zeros(12, dtype=torch.int64)
    pairs = bench.suite_scores.found_by_discovery(graph, truth, np.random.default_rng(0)).pairs.T.tolist()
    assert pairs[:3] == [[0, 7], [5, 6], [3, 4]]
    assert len(pairs) == 12
    assert len({tuple(pair) for pair in pairs}) == 12
    assert all(j - i <= 2 for i, j in pairs[3:])


def test_nodes_outside_the_largest_piece_are_placed_at_random(bench):
    places = uneven()
    truth = bench.suite_scores.truth_of(draw_of(bench, places))
    ring = torch.stack([torch.arange(50), (torch.arange(50) + 1) % 50])
    whole = SharedGraph(torch.from_numpy(places), torch.cat([ring, ring.flip(0)], 1))
    found = bench.suite_scores.found_by_discovery(whole, truth, np.random.default_rng(0))
    assert np.array_equal(found.pos[:50], places[:50])
    assert np.abs(found.pos[50:] - places[50:]).min(0).max() > 0
    scores = bench.suite_scores.measures(found, truth)
    pos, true = torch.from_numpy(found.pos), torch.from_numpy(places)
    assert scores["trust"] == trustworthiness(pos, true, 8) < 0.97
    assert scores["continuity"] == continuity(pos, true, 8) < 0.97
    none = SharedGraph(torch.empty(60, 0), torch.empty(2, 0, dtype=torch.int64), live=torch.ones(60).bool())
    refused = bench.suite_scores.found_by_discovery(none, truth, np.random.default_rng(0))
    assert bench.suite_scores.measures(refused, truth)["trust"] == pytest.approx(0.5, abs=0.1)
    assert bench.suite_scores.measures(refused, truth)["precision"] == 0


def test_a_true_graph_is_scored_by_its_edges(bench):
    tree = nx.to_numpy_array(nx.path_graph(20)) > 0
    correlation = 0.5 ** np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
    x = np.random.default_rng(0).random((9, 20))
    draw = bench.draws.Draw(x, None, {"adjacency": tree, "distance": 1 - correlation})
    truth = bench.suite_scores.truth_of(draw)
    assert (truth.count, truth.known) == (19, False)
    assert np.allclose(np.linalg.norm(truth.places, axis=1), 1)
    assert np.allclose(truth.places @ truth.places.T, correlation)
    right = bench.suite_scores.Found(np.stack([np.arange(10), np.arange(1, 11)]), None)
    scores = bench.suite_scores.measures(right, truth)
    assert (scores["precision"], scores["recall"], scores["trust"]) == (1, 10 / 19, None)


def test_nodes_that_never_vary_are_not_scored(bench):
    draw = draw_of(bench, uneven())
    draw.x[:, 7] = 3
    assert 7 not in bench.suite_scores.truth_of(draw).nodes
    draw.truth["scored"] = np.arange(60) < 20
    assert bench.suite_scores.truth_of(draw).nodes.tolist() == list(range(20))


# Other methods ----------------------------------------------------------------------------------------------------


def test_correlations_are_those_of_numpy_and_scipy(bench):
    x = np.random.default_rng(0).standard_normal((200, 6)).cumsum(1)
    found = bench.suite_peers.correlations(x)
    assert np.allclose(found["Pearson"], np.corrcoef(x.T))
    assert np.allclose(found["Spearman"], spearmanr(x).statistic)
    colour = np.stack([x, x[::-1] ** 2], 2)
    mean = (np.corrcoef(x.T) + np.corrcoef(x.T**2)) / 2
    assert np.allclose(bench.suite_peers.correlations(colour)["Pearson"], mean)
    holes = np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)
    assert np.abs(bench.suite_peers.correlations(holes)["Pearson"] - np.corrcoef(x.T)).max() < 0.15


def test_other_methods_unroll_what_they_can(bench, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # on busy cores a second one makes t-SNE wait for it
    places, angle = make_swiss_roll(80, random_state=0)
    flat = np.stack([angle, places[:, 1]], 1)
    kernel = np.exp(-np.linalg.norm(flat[:, None] - flat, axis=2) / 6)
    x = np.random.default_rng(0).standard_normal((2000, 80)) @ np.linalg.cholesky(kernel).T
    truth = bench.suite_scores.truth_of(draw_of(bench, flat))
    matrices = {"Pearson": bench.suite_peers.correlations(x)["Pearson"]}
    for name, least in (("k-NN, Isomap", 0.97), ("classical scaling", 0.9), ("t-SNE", 0.97)):
        tried = bench.suite_peers.variants(name, matrices, truth, 0)
        scores = [bench.suite_scores.measures(v.found, truth) for v in tried]
        assert all(v.found.pos.shape == (80, 2) for v in tried)
        assert max(s["trust"] for s in scores) > least


def test_the_graphical_lasso_finds_a_markov_chain(bench):
    chain = 0.7 ** np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
    truth = bench.suite_scores.truth_of(draw_of(bench, np.arange(30.0)[:, None], dim=1))
    tried = bench.suite_peers.variants("graphical lasso", {"Pearson": chain}, truth, 0)
    assert [v.name for v in tried] == ["Pearson, penalty 0.02", "Pearson, penalty 0.1"]
    assert {(i, i + 1) for i in range(29)} < set(map(tuple, tried[0].found.pairs.T.tolist()))
    assert bench.suite_peers.variants("graphical lasso", {"Pearson": np.eye(200)}, truth, 0) == []


# Comparison -------------------------------------------------------------------------------------------------------


def record(seed, own, other, row="uniform-300", known=True):
    scores = dict.fromkeys(("precision", "recall", "continuity"), 0.9)
    shown = {"dim": 2, "columns": 2, "pieces": 1, "lattice": "none", "ratio": 1.0, "verdict": "geometry"}
    shown |= {"seconds": 2.0, "stages": {"map": 1.5, "signals": 0.01}}
    return {
        **{"row": row, "seed": seed, "nodes": 300, "samples": 3000, "known": known, "true_dim": 2, "true_pieces": 1},
        "discover": {**scores, "trust": own, **shown},
        "peers": {"t-SNE": {**scores, "trust": other, "seconds": 1.0}},
    }


def test_behind_is_less_by_more_than_the_slack_and_two_standard_errors(bench):
    own, other = np.array([0.90, 0.92, 0.94]), np.array([0.93, 0.94, 0.95])
    records = [record(s, *pair) for s, pair in enumerate(zip(own, other, strict=True))]
    trust = bench.suite_tables.differences(records, "uniform-300", "t-SNE")[2]
    assert (trust.measure, trust.mean) == ("trust", pytest.approx(-0.02))
    assert trust.error == pytest.approx(np.std(own - other, ddof=1) / np.sqrt(3))
    assert trust.behind == (-0.02 < -0.005 - 2 * trust.error)
    assert (
        bench.suite_tables.behind(records) == ["behind: uniform-300, t-SNE: trust by 0.0200 +- 0.0058"] * trust.behind
    )
    near = [record(s, 0.9, 0.9049) for s in range(3)]
    assert bench.suite_tables.behind(near) == []
    assert bench.suite_tables.behind([record(s, 0.9, 0.9051) for s in range(3)]) != []
    assert bench.suite_tables.behind([record(0, 0.5, 0.9, known=False)]) == []
    broken = record(0, 0.9, 0.9)
    broken["discover"]["pieces"] = 2
    assert bench.suite_tables.behind([broken]) == ["pieces: uniform-300: not 1 in 1 of 1 draws"]


def test_tables_show_what_was_measured(bench):
    records = [record(s, 0.9, 0.95) for s in range(2)] + [record(0, 0.9, 0.8, row="eeg-raw")]
    text = bench.suite_tables.tables(records)
    assert "### Places" in text
    assert "### Recordings" in text
    assert "map 1.5" in text
    assert "signals" not in text
    assert "**T -0.050 ± 0.000**" in text
    assert "0.900 / 0.900 / 0.950 / 0.900; 1.0 s" in text


# Rows -------------------------------------------------------------------------------------------------------------


def test_there_are_enough_rows_and_each_says_what_it_is(bench):
    rows = bench.suite_rows.SUITE
    assert len(rows) >= 40
    assert all(row.name == name and row.group in bench.suite_rows.GROUPS for name, row in rows.items())
    for name in ("grid", "foveated", "curve", "counts"):
        draw, again, other = (rows[name].draw(seed) for seed in (100, 100, 101))
        assert np.array_equal(draw.x, again.x)
        assert not np.array_equal(draw.x, other.x)
        assert draw.truth["dim"] == (1 if name == "curve" else 2)
        assert len(draw.x) == 2000


def test_changes_are_what_they_are_called(bench):
    rng = np.random.default_rng(0)
    x, rows = rng.standard_normal((4000, 5)), bench.suite_rows
    counted = rows.counts(x, rng)
    assert np.array_equal(counted, counted.round())
    assert counted.mean() == pytest.approx(np.exp(0.5), rel=0.05)
    assert np.abs(rows.heavy_tails(x, rng) - x).max() > 10
    assert np.allclose((rows.offsets(x, rng) - x).std(0), 0)
    assert np.corrcoef(rows.common_mode(x, rng).T)[0, 1] == pytest.approx(0.8, abs=0.03)
    assert np.allclose(rows.average_reference(x, rng).mean(1), 0)


def test_colours_follow_the_longest_axis(bench):
    places = np.array([[0.0, 0.1], [3.0, -0.1], [1.0, 0.1], [2.0, -0.1]]) @ [[0.6, 0.8], [-0.8, 0.6]]
    color = bench.suite_pictures._colors(places, np.array([0, 1, 2, 4]), 5)
    want = np.array([0, 1, 1 / 3, 0, 2 / 3])
    assert np.allclose(color, want, atol=0.05) or np.allclose(color[[0, 1, 2, 4]], 1 - want[[0, 1, 2, 4]], atol=0.05)
    assert bench.suite_pictures._colors(None, np.arange(3), 3) is None


def test_the_sheet_is_drawn(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["suite_pictures.py", "--rows", "line-irregular", "noise", "--output", "s.png"])
    bench.suite_pictures.main()
    assert "2 rows" in capsys.readouterr().out
    with Image.open("s.png") as sheet:
        assert sheet.size[0] == 1400


def test_sounds_are_cut_into_windows(bench, tmp_path):
    value = np.arange(150, dtype="<i2")
    with tarfile.open(tmp_path / "sounds.tar.gz", "w:gz") as archive:
        for number in range(2):
            content = io.BytesIO()
            with wave.open(content, "wb") as sound:
                sound.setparams((1, 2, 8000, 0, "NONE", ""))
                sound.writeframes((value + 1000 * number).tobytes())
            member = tarfile.TarInfo(f"recordings/{number}.wav")
            member.size = len(content.getvalue())
            content.seek(0)
            archive.addfile(member, content)
    cut = bench.suite_recordings.windows(tmp_path / "sounds.tar.gz", 64)
    assert np.array_equal(cut * 2**15, np.concatenate([value[:128], value[:128] + 1000]).reshape(4, 64))


def test_an_interrupted_run_goes_on(bench, monkeypatch, capsys):
    def run(*options):
        monkeypatch.setattr(sys, "argv", ["suite.py", "--output", "s.json", *options])
        return bench.suite.main()

    monkeypatch.setattr(bench.suite, "PEERS", ("k-NN, Isomap", "classical scaling"))
    monkeypatch.setattr(bench.suite, "_warm", lambda: None)
    options = ("--rows", "line-irregular", "noise", "sst", "--draws", "1", "--first-seed", "100")
    assert run(*options) == 0
    printed = capsys.readouterr()
    assert "sst: left out" in printed.err
    assert "independent noise" in printed.out
    line, noise = json.loads(Path("s.json").read_text())["records"]
    assert line["discover"]["trust"] > 0.99
    assert line["peers"]["k-NN, Isomap"]["trust"] > 0.9
    assert noise["peers"] == {}
    assert noise["discover"]["trust"] is None

    def refuse(*args):
        raise AssertionError("measured twice")

    monkeypatch.setattr(bench.suite, "measure", refuse)
    assert run(*options, "--resume") == 0
    capsys.readouterr()
    assert run("--tables") == 0
    assert "independent noise" in capsys.readouterr().out


def test_an_error_counts_as_no_measure(bench, monkeypatch):
    def broken(x):
        raise ValueError("discover: no")

    monkeypatch.setattr(bench.suite, "discover", broken)
    monkeypatch.setattr(bench.suite, "PEERS", ("classical scaling",))
    record = bench.suite.measure("line-irregular", 100)
    assert record["failed"] == "ValueError: discover: no"
    failed = bench.suite_tables.behind([record])
    assert "failed: line-irregular, draw 100: ValueError: discover: no" in failed
    assert any(line.startswith("behind: line-irregular, classical scaling: trust") for line in failed)
    assert "failed" in bench.suite_tables.tables([record])
