"""Who leads whom? Chains and trees of series that repeat their leader later, and what says so.

Each follower goes on from its own last value (memory 0.3 to 0.7), repeats its leader 1 to 3 steps later, and adds noise
of 0.2, 0.5 or 1 times the first leader's deviation; in a tree each node follows a random earlier one. With noisy
sensors (followers' noise 0.5) white noise of 0 to 1 deviations of each series, another strength for each, lies on top.
In a field (Matern 1.5, AR(0.8) in time) through such sensors nobody leads. Nodes are shuffled. Run s is drawn with seed
s, s = 0 to 4.

Unaided: `lagged_coupling(x)` and `lagged_coupling(x, discover(x))`. Recall is the share of all true edges that are
directed rightly, precision the share of all directed edges that are true, "right" the share of the true edges in the
graph that are directed rightly, "found" that of all true edges which are in the graph. Told the true edges (in the
field, those to the four nearest), which always choose: the sign of the lag at which the correlation is largest, up to
16 steps; which of a pair's Granger statistics is larger (for Gaussian series, their transfer entropies); ours without
the run backwards in time. And ours, which may say that it can't tell.

    python benchmarks/leaders.py --quick               # 2 runs of 20 and 50 nodes, 1,000 steps
    python benchmarks/leaders.py                       # 5 runs
    python benchmarks/leaders.py --first-seed 100      # other draws
"""

from __future__ import annotations

import argparse
import time
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from draws import Array
from fields import matern_field
from report import Records, markdown_table
from scipy.spatial.distance import cdist
from tqdm import tqdm

from scge_pyg import SharedGraph, discover
from scge_pyg.discovery import LaggedCoupling, lagged_coupling

_KINDS = ("chain", "tree", "chain, noisy sensors", "tree, noisy sensors", "field, noisy sensors")
_PEERS = ("cross-correlation", "pairwise Granger", "ours, forwards only", "ours")
_FARTHEST = 16


def draw(kind: str, nodes: int, steps: int, noise: float, run: int) -> tuple[Array, Array]:
    """Series ``[steps, nodes]`` and pairs of leader and follower ``[2, n]``; in a field, of neighbours."""
    rng = np.random.default_rng(run)
    if kind.startswith("field"):
        places = np.sqrt(nodes) * rng.random((nodes, 2))
        x = matern_field(places, 3.0, 1.5, steps, rng, 0.8)
        near = np.argsort(cdist(places, places), 1)[:, 1:5]
        pairs = np.unique(np.sort(np.stack([np.arange(nodes).repeat(4), near.ravel()]), 0), axis=1)
    else:
        earlier = np.arange(-1, nodes - 1)
        leader = earlier if kind.startswith("chain") else np.r_[-1, rng.integers(0, np.arange(1, nodes))]
        delay, memory = rng.integers(1, 4, nodes), rng.uniform(0.3, 0.7, nodes)
        strength = np.where(leader < 0, np.sqrt(1 - memory**2), noise)
        follow = np.where(leader < 0, 0, 1 - memory)
        x = rng.standard_normal((steps + 500, nodes)) * strength
        for t in range(3, len(x)):
            x[t] += memory * x[t - 1] + follow * x[t - delay, leader]
        x, pairs = x[500:], np.stack([leader, np.arange(nodes)])[:, 1:]
    if kind.endswith("noisy sensors"):
        x = x + rng.uniform(0, 1, nodes) * x.std(0) * rng.standard_normal(x.shape)
    column = rng.permutation(nodes)  # of each node
    return x[:, np.argsort(column)], column[pairs]


def measure(kind: str, nodes: int, steps: int, noise: float, run: int) -> dict[str, Any]:
    """One run."""
    x, pairs = draw(kind, nodes, steps, noise, run)
    leads = not kind.startswith("field")
    start = time.perf_counter()
    coupling = lagged_coupling(x)
    seconds = time.perf_counter() - start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = discover(x)
    told = SharedGraph(torch.zeros(nodes, 1), torch.from_numpy(np.concatenate([pairs, pairs[::-1]], 1)))
    lags = coupling.coefficient.shape[1]
    ours = lagged_coupling(x, told, lags=lags)
    forwards = of_pairs(ours, ours.edge_weight.numpy(), pairs) - of_pairs(ours, ours.edge_weight.numpy(), pairs[::-1])
    scores = {
        "cross-correlation": by_correlation(x, pairs),
        "pairwise Granger": by_granger(x, pairs, lags),
        "ours, forwards only": forwards,
        "ours": of_pairs(ours, ours.leads.numpy(), pairs),
    }
    return {
        "kind": kind,
        "nodes": nodes,
        "steps": steps,
        "noise": noise,
        "run": run,
        "seconds": seconds,
        "unaided": against_truth(coupling, pairs if leads else pairs[:, :0]),
        "discovered": against_truth(lagged_coupling(x, graph), pairs if leads else pairs[:, :0]),
        "told": {name: float(((score > 0) if leads else (score != 0)).mean()) for name, score in scores.items()},
    }


def against_truth(coupling: LaggedCoupling, pairs: Array) -> dict[str, float]:
    """Counts: true pairs among the edges, directed rightly and wrongly, edges that are directed, edges."""
    true = set(map(tuple, pairs.T.tolist()))
    edges, directed = (set(map(tuple, one.T.tolist())) for one in (coupling.edge_index, coupling.directed()[0]))
    return {
        "true": len(true),
        "found": len(true & edges),
        "right": len(true & directed),
        "wrong": len({(target, source) for source, target in true} & directed),
        "directed": len(directed),
        "edges": len(edges) // 2,
    }


def of_pairs(coupling: LaggedCoupling, value: Array, pairs: Array) -> Array:
    """The value of each of ``pairs [2, n]`` among the edges of a coupling."""
    place = {tuple(pair): number for number, pair in enumerate(coupling.edge_index.T.tolist())}
    return value[[place[pair] for pair in map(tuple, pairs.T.tolist())]]


def by_correlation(x: Array, pairs: Array) -> Array:
    """Lag ``[n]``, at most 16 steps either way, at which the target goes best with the source, either sign."""
    z = (x - x.mean(0)) / x.std(0)
    source, target = z[:, pairs[0]], z[:, pairs[1]]
    lags = np.arange(-_FARTHEST, _FARTHEST + 1)
    core = np.arange(_FARTHEST, len(z) - _FARTHEST)
    strength = np.stack([np.abs((source[core] * target[core + lag]).mean(0)) for lag in lags])
    return np.asarray(lags[strength.argmax(0)])


def by_granger(x: Array, pairs: Array, lags: int) -> Array:
    """Logarithm of the residual variances without and with the other's past, forth less back, for each pair ``[n]``."""

    def past(node: int) -> Array:
        return np.stack([x[lags - lag : len(x) - lag, node] for lag in range(1, lags + 1)], 1)

    def residual(target: int, *sources: int) -> float:
        design = np.concatenate([np.ones((len(x) - lags, 1)), *(past(node) for node in (target, *sources))], 1)
        return float(np.linalg.lstsq(design, x[lags:, target], rcond=None)[1][0])

    def statistic(source: int, target: int) -> float:
        return float(np.log(residual(target) / residual(target, source)))

    return np.array([statistic(s, t) - statistic(t, s) for s, t in pairs.T.tolist()])


def table(items: list[dict[str, Any]]) -> str:
    """One line a kind, size and length: the worst and the mean of all noises and runs."""
    lines = []
    for key in dict.fromkeys((item["kind"], item["nodes"], item["steps"]) for item in items):
        own = [item for item in items if (item["kind"], item["nodes"], item["steps"]) == key]
        unaided, discovered = ([item[way] for item in own] for way in ("unaided", "discovered"))
        shares = [
            *(share(unaided, one, of) for one, of in (("right", "true"), ("right", "directed"))),
            *(share(discovered, one, of) for one, of in (("found", "true"), ("right", "found"), ("right", "directed"))),
        ]
        if key[0].startswith("field"):
            shares = [
                f"{sum(way['directed'] for way in ways)} of {sum(way['edges'] for way in ways)} directed"
                for ways in (unaided, discovered)
            ]
            shares = [shares[0], "", "", shares[1], ""]
        told = [[item["told"][name] for item in own] for name in _PEERS]
        seconds = f"{np.median([item['seconds'] for item in own]):.1f}"
        wrong = str(sum(way["wrong"] for way in unaided + discovered))
        lines.append([*map(str, key), *shares, wrong, *map(worst_and_mean, told), seconds])
    head = [
        *("series", "nodes", "steps", "unaided: recall", "precision"),
        *("discovered graph: found", "right", "precision", "wrong", f"told: {_PEERS[0]}", *_PEERS[1:], "seconds"),
    ]
    return markdown_table(head, lines)


def share(counts: list[dict[str, float]], one: str, of: str) -> str:
    """The worst and the mean share."""
    return worst_and_mean([count[one] / count[of] if count[of] else 1.0 for count in counts])


def worst_and_mean(values: list[float]) -> str:
    return f"{min(values):.3f} / {np.mean(values):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 runs, 20 and 50 nodes, 1,000 steps")
    parser.add_argument("--runs", type=int, help="runs of each row (default: 5, with --quick 2)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run")
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=_KINDS, help="series")
    parser.add_argument("--nodes", type=int, nargs="+", help="numbers of nodes (default: 20, 50, 100)")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, default=Path("results/leaders.json"))
    args = parser.parse_args()
    nodes = args.nodes or ([20, 50] if args.quick else [20, 50, 100])
    runs = args.runs or (2 if args.quick else 5)
    records = Records(args.output, {}, resume=args.resume)
    rows = product(args.kinds, nodes, [1_000] if args.quick else [1_000, 3_000])
    plan = [
        (*row, noise, run)
        for row in rows
        for noise in ([0.5] if row[0].endswith("sensors") else [0.2, 0.5, 1.0])
        for run in range(args.first_seed, args.first_seed + runs)
    ]
    for one in tqdm(plan):
        if records.find(**dict(zip(("kind", "nodes", "steps", "noise", "run"), one, strict=True))) is None:
            records.add(measure(*one))
    print(table(records.items))
    print(f"records: {args.output}")


if __name__ == "__main__":
    main()
