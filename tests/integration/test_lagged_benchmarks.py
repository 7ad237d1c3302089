"""The benchmarks of docs/lagged.md in sizes that take a second."""

from pathlib import Path

import numpy as np
import pytest
import torch

from scge_pyg.discovery import lagged_coupling


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))


def test_followers_repeat_their_leader_and_peers_say_so():
    import leaders

    x, pairs = leaders.draw("chain", 8, 2000, 0.2, 100)
    assert sorted(pairs.T.tolist()) != [[node, node + 1] for node in range(7)]  # shuffled
    first = np.setdiff1d(pairs[0], pairs[1])
    assert len(first) == 1
    assert (leaders.by_correlation(x, pairs) > 0).all()
    assert (leaders.by_correlation(x, pairs[::-1]) < 0).all()
    assert (leaders.by_granger(x, pairs, 4) > 0).all()
    found = leaders.against_truth(lagged_coupling(x), pairs)
    assert (found["true"], found["found"], found["right"], found["wrong"]) == (7, 7, 7, 0)
    assert leaders.against_truth(lagged_coupling(x), pairs[::-1])["wrong"] == 7


def test_a_field_has_neighbours_and_no_leaders():
    import leaders

    x, pairs = leaders.draw("field, noisy sensors", 16, 500, 0.5, 100)
    assert x.shape == (500, 16)
    assert (pairs[0] != pairs[1]).all()
    assert pairs.shape[1] >= 32


def test_gabriel_edges_are_those_of_a_loop():
    import roads

    places = np.random.default_rng(0).random((30, 2))
    road = roads.gabriel(places)
    for i in range(30):
        for j in range(30):
            middle, radius = (places[i] + places[j]) / 2, np.linalg.norm(places[i] - places[j]) / 2
            others = np.delete(places, [i, j], 0)
            assert road[i, j] == (i != j and (np.linalg.norm(others - middle, axis=1) >= radius).all())


def test_areas_count_pairs_in_order():
    import roads

    rng = np.random.default_rng(0)
    score, joined = rng.random((7, 7)), rng.random((7, 7)) < 0.5
    kept = np.arange(7) != 3
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7) if 3 not in (i, j)]
    yes, no = ([score[pair] for pair in pairs if joined[pair] == wanted] for wanted in (True, False))
    expected = np.mean([one > other for one in yes for other in no])
    assert roads.area(score, joined, kept) == pytest.approx(expected)


def test_scores_of_discovery_rank_pairs_of_a_line():
    import roads

    walk = torch.randn(800, 20, generator=torch.Generator().manual_seed(0)).cumsum(1).numpy()
    near = np.abs(np.subtract.outer(np.arange(20), np.arange(20))) == 1
    graph, scores = roads.of_discovery(walk)
    assert graph.dim == 1
    assert next(iter(scores)) == "discover: minus map distance"
    everyone = np.ones(20, dtype=bool)
    assert roads.area(scores["discover: minus map distance"], near, everyone) == pytest.approx(1)
    assert all(roads.area(score, near, everyone) > 0.9 for score in scores.values())
