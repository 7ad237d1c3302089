"""Shuffled senses in control: policies trained by CMA-ES, whose sensors change places in the middle of an episode.

Run s trains a policy from a start drawn with seed s, last mean of the search, never the best, and plays 20 further
episodes, twice: with all sensors where they are, and with a fresh permutation of them at the start and at step 100.
"shuffled" policies were trained with fresh permutations too (CartPole: at the start and every 100 steps, catch: at the
start and at step 100), "plain" ones with none, "none" are the start of the search. All kinds play the same number of
games of CartPole, from random starts. Our search for catch starts from a policy set by hand; those that know their
sensors by index start at random and play five times as many games.

    python benchmarks/control.py --quick                 # run 0, CartPole and catch, a fifth of the generations
    python benchmarks/control.py                         # 3 runs; --resume goes on after an interruption
    python benchmarks/control.py --games cartpole --first-seed 100 --seeds 1
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from cartpole_game import CartPoleGame
from catch_game import CatchGame
from control_policies import KINDS, make_policy
from control_training import Game, play, train
from report import Records, markdown_table
from tqdm import tqdm

_SHUFFLES = (0, 100)
_EPISODES = 20


class Setting(NamedTuple):
    """How a game is played and trained for."""

    game: type[Game]
    population: int
    episodes: int
    generations: int
    steps: int
    test_steps: int
    spread: float
    shuffles: tuple[int, ...]


SETTINGS = {
    "cartpole": Setting(CartPoleGame, 32, 8, 150, 500, 500, 0.5, (0, 100, 200, 300, 400)),
    "catch": Setting(CatchGame, 16, 4, 40, 600, 2_000, 0.05, (0, 100)),
}


def measure(name: str, kind: str, training: str, seed: int, share: float) -> dict[str, Any]:
    """One training, and the returns of its test episodes."""
    setting = SETTINGS[name]
    policy = make_policy(kind, setting.game.num_sensors, setting.game.num_actions, seed)
    more, spread = (5, 0.5) if name == "catch" and kind != KINDS[0] else (1, setting.spread)
    generations = 0 if training == "none" else max(1, round(setting.generations * more * share))
    start = time.perf_counter()
    found = train(
        policy,
        setting.game(setting.population * setting.episodes, setting.episodes),
        setting.steps,
        size=setting.population,
        spread=spread,
        generations=generations,
        seed=seed,
        shuffles=setting.shuffles if training == "shuffled" else (),
    )
    seconds = time.perf_counter() - start
    test = setting.game(_EPISODES, _EPISODES)
    rewards = {
        way: play(policy, found[None], test, setting.test_steps, seed=seed, shuffles=shuffles)[0]
        for way, shuffles in (("plain", ()), ("shuffled", _SHUFFLES))
    }
    return {
        "game": name,
        "kind": kind,
        "training": training,
        "seed": seed,
        "parameters": len(found),
        "seconds": seconds,
        "returns": {way: value.sum(1).tolist() for way, value in rewards.items()},
        "course": {way: [part.sum(1).mean().item() for part in value.split(100, 1)] for way, value in rewards.items()},
        "vector": found.tolist(),
    }


def table(items: list[dict[str, Any]]) -> str:
    """One line a game, kind and training: means over the runs, and the smallest ratio of a run."""
    lines = []
    for name, kind, training in dict.fromkeys((r["game"], r["kind"], r["training"]) for r in items):
        rows = [r for r in items if (r["game"], r["kind"], r["training"]) == (name, kind, training)]
        plain, shuffled = ([mean(r["returns"][way]) for r in rows] for way in ("plain", "shuffled"))
        ratios = [b / a for a, b in zip(plain, shuffled, strict=True)]
        worst = f"{min(ratios):.2f}" if min(plain) > 0 else ""
        cells = [", ".join(f"{value:.1f}" for value in values) for values in (plain, shuffled)]
        seconds = f"{mean(r['seconds'] for r in rows):.0f}"
        lines.append([name, kind, training, *cells, worst, str(rows[0]["parameters"]), seconds])
    head = [
        "game",
        "policy",
        "trained",
        "return",
        "shuffled at step 100",
        "smallest ratio",
        "parameters",
        "seconds",
    ]
    return markdown_table(head, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="run 0, a fifth of the generations")
    parser.add_argument("--games", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--trainings", nargs="+", choices=("none", "plain", "shuffled"), default=["plain", "shuffled"])
    parser.add_argument("--seeds", type=int, help="runs (default: 3, with --quick 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, default=Path("results/control.json"))
    args = parser.parse_args()
    share, seeds = (0.2, args.seeds or 1) if args.quick else (1.0, args.seeds or 3)
    records = Records(args.output, {"share": share}, resume=args.resume)
    runs = [
        (name, kind, training, seed)
        for name in args.games
        for kind in args.kinds
        for training in args.trainings
        for seed in range(args.first_seed, args.first_seed + seeds)
    ]
    for name, kind, training, seed in tqdm(runs):
        if records.find(game=name, kind=kind, training=training, seed=seed) is None:
            records.add(measure(name, kind, training, seed, share))
    print(table(records.items))


if __name__ == "__main__":
    main()
