"""The benchmark of shuffled senses: games that do what they say, play in one batch, records and tables."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

MODULES = "control", "control_policies", "control_training", "cartpole_game", "catch_game"


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The benchmark's modules, by name, in an empty folder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in set(sys.modules) - before:
        if name in MODULES:
            del sys.modules[name]


def test_a_paddle_that_goes_where_the_ball_falls_catches_all(bench):
    game = bench["catch_game"].CatchGame(6, 3)
    picture, caught = game.reset(0).reshape(6, 12, 12), []
    assert (picture[:, 0].sum(1) == 2).all()
    assert (picture[:, -1].sum(1) == 3).all()
    for _ in range(120):
        ball = picture[:, :-1].sum(1).argmax(1)
        paddle = picture[:, -1].argmax(1)
        move = np.where(picture[:, :-1].any((1, 2)), np.sign(ball - paddle - 1) + 1, 1)
        seen, reward, done = game.step(move)
        picture = seen.reshape(6, 12, 12)
        assert (picture[:3, :-1] == picture[3:, :-1]).all()
        assert set(np.unique(picture)) == {0, 1}
        assert not done.any()
        caught.append(reward)
    assert np.sum(caught, 0).tolist() == [10.0] * 6


def test_a_paddle_that_stays_catches_a_third_and_reward_is_overlap(bench):
    game = bench["catch_game"].CatchGame(2000, 2000)
    game.reset(0)
    for step in range(1, 12):
        seen, reward, _ = game.step(np.ones(2000, dtype=int))
        assert reward.any() == (step == 11)
    lit = seen.reshape(2000, 12, 12)[:, -1].sum(1)
    assert ((reward == 1) == (lit < 5)).all()
    assert (reward == 1).mean() == pytest.approx(4 / 11, abs=0.04)


@pytest.mark.parametrize("kind", ["SCGE, content", "SCGE, trained places", "MLP", "linear"])
def test_a_population_plays_as_its_members_do_alone(bench, kind):
    game, play = bench["catch_game"].CatchGame, bench["control_training"].play
    policy = bench["control_policies"].make_policy(kind, 144, 3, 0)
    size = sum(value.numel() for value in policy.parameters())
    vectors = torch.randn(3, size, generator=torch.Generator().manual_seed(0))
    together = play(policy, vectors, game(6, 2), 14, seed=5, shuffles=(0, 7))
    assert together.shape == (3, 2, 14)
    alone = [play(policy, one[None], game(2, 2), 14, seed=5, shuffles=(0, 7)) for one in vectors]
    torch.testing.assert_close(together, torch.cat(alone))


def test_sensors_without_index_play_alike_in_any_order(bench):
    """A shuffle at the start changes nothing for ours, and much for a policy with indices."""
    game, play = bench["catch_game"].CatchGame, bench["control_training"].play
    for kind, alike in (("SCGE, content", True), ("linear", False)):
        policy = bench["control_policies"].make_policy(kind, 144, 3, 0)
        size = sum(value.numel() for value in policy.parameters())
        vector = torch.randn(1, size, generator=torch.Generator().manual_seed(0))
        rewards = [play(policy, vector, game(4, 4), 20, seed=1, shuffles=shuffles) for shuffles in ((), (19,), (0,))]
        assert rewards[0].equal(rewards[1])
        assert rewards[0].equal(rewards[2]) == alike


def test_the_table_shows_each_run_and_the_smallest_ratio(bench):
    run = {"game": "catch", "kind": "MLP", "training": "plain", "parameters": 9, "seconds": 2.0}
    runs = [
        {**run, "seed": seed, "returns": {"plain": [10.0, 30.0], "shuffled": [5.0, 5.0 + 10 * seed]}} for seed in (0, 1)
    ]
    line = bench["control"].table(runs).splitlines()[2]
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "catch", "MLP", "plain", "20.0, 20.0", "5.0, 10.0", "0.25", "9", "2",
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_a_pole_falls_alike_in_twin_games_and_training_is_resumed(bench, monkeypatch, capsys):
    pytest.importorskip("gymnasium")
    pytest.importorskip("cma")
    game = bench["cartpole_game"].CartPoleGame(6, 3)
    first = game.reset(3)
    assert (first[:3] == first[3:]).all()
    seen, reward, _ = game.step(np.ones(6, dtype=int))
    assert (seen[:3] == seen[3:]).all()
    assert (seen[:, 1] > first[:, 1]).all()
    assert (reward == 1).all()
    control = bench["control"]
    small = control.SETTINGS["cartpole"]._replace(population=6, episodes=2, generations=2, steps=60, test_steps=120)
    monkeypatch.setitem(control.SETTINGS, "cartpole", small)
    call = ["control.py", "--games", "cartpole", "--kinds", "linear", "--seeds", "1", "--trainings", "plain"]
    for extra in ([], ["--resume"]):
        monkeypatch.setattr(sys, "argv", [*call, *extra])
        control.main()
    tables = capsys.readouterr().out.strip().split("\n\n")[-1].splitlines()
    assert tables[:3] == tables[3:]
