"""Which geometries `discover(x)` finds, which it refuses, and what its confidence is worth.

Draw s of a family is made from seed s: `discover` gets the samples with their nodes in an unknown order and no further
argument (maps forced where there is no geometry get `dim=2`); the truth is used for scoring afterwards. Recordings are
read from the folder SCGE_DATA names and left out where it isn't set.

    python benchmarks/geometries.py --quick                       # 2 draws a family, none of 1,000 places
    python benchmarks/geometries.py --workers 2                   # everything; --resume goes on after an interruption
    python benchmarks/geometries.py --families uniform-100 noise --first-seed 100 --draws 30
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from families import FAMILIES, Draw, Family
from geometry_scores import CHECKS, node_right, same, score
from geometry_tables import missed, tables
from measuring import available, measured
from report import Records
from tqdm import tqdm

from scge_pyg import SharedGraph, discover

__all__ = ["main", "measure"]

_KEPT = 100


def _discovered(draw: Draw, family: Family) -> tuple[SharedGraph, list[str], float]:
    """The graph of a draw, the warnings that came with it, and seconds."""
    x = torch.from_numpy(draw.x).float()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        start = time.perf_counter()
        graph = discover(x) if family.forced is None else discover(x, dim=family.forced)
        seconds = time.perf_counter() - start
    return graph, [str(w.message) for w in caught if issubclass(w.category, UserWarning)], seconds


def measure(name: str, seed: int) -> dict[str, Any]:
    """The record of one draw of one family; where ``discover`` raises, the error takes the place of the measures."""
    family = FAMILIES[name]
    rng = np.random.default_rng(seed)
    draw = family.draw(seed)
    draw = draw.shuffled(rng.permutation(draw.x.shape[1]))
    record: dict[str, Any] = {"family": name, "seed": seed, "nodes": draw.x.shape[1], "params": draw.params}
    try:
        graph, warned, seconds = _discovered(draw, family)
        record |= {"seconds": round(seconds, 3), "warnings": warned, "graph": repr(graph)}
        record |= score(graph, draw, family, warned)
        if "same" in family.wanted:
            order = rng.permutation(draw.x.shape[1])
            record["same"] = same(graph, _discovered(draw.shuffled(order), family)[0], order)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return record | {"failed": f"{type(error).__name__}: {error}"}
    right = node_right(graph, draw)
    judged = rng.permutation(np.flatnonzero(right >= 0))[:_KEPT]
    record["node_confidence"] = " ".join(f"{graph.confidence[i]:.4f}" for i in judged)
    record["node_right"] = "".join(str(right[i]) for i in judged)
    record["passed"] = {
        key: bool(CHECKS[key](record, family, draw.truth)) for key in family.wanted if key != "as untouched"
    }
    return record


def _plan(families: list[Family], draws: int | None, first: int, quick: bool) -> list[tuple[str, int]]:
    """All draws to measure; the undistorted draws that others are compared with come first."""
    plan: dict[tuple[str, int], None] = {}
    for family in families:
        count = draws or (2 if quick else family.draws)
        for name in (family.reference, family.name):
            plan |= dict.fromkeys((name, first + s) for s in range(count)) if name else {}
    return list(plan)


def _chosen(names: list[str] | None, quick: bool) -> list[Family]:
    """The families asked for."""
    return [FAMILIES[name] for name in names] if names else [f for f in FAMILIES.values() if f.quick or not quick]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 draws a family, none of 1,000 places")
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), metavar="NAME", help=", ".join(FAMILIES))
    parser.add_argument("--draws", type=int, help="draws a family (default: as the tables say, with --quick 2)")
    parser.add_argument("--first-seed", type=int, default=0, help="first s; tune with 100 and above only")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--output", type=Path, help="default: results/geometries.json or results/geometries-quick.json")
    parser.add_argument("--workers", type=int, default=1, help="processes; more than one disturbs the seconds")
    args = parser.parse_args()
    if args.workers < 1 or (args.draws is not None and args.draws < 1):
        parser.error("--workers and --draws must be at least 1")
    output = args.output or Path("results") / ("geometries-quick.json" if args.quick else "geometries.json")
    settings = {"quick": args.quick, "first_seed": args.first_seed, "workers": args.workers}
    records = Records(output, settings, resume=args.resume)
    plan = _plan(available(_chosen(args.families, args.quick)), args.draws, args.first_seed, args.quick)
    plan = [(name, seed) for name, seed in plan if not records.find(family=name, seed=seed)]
    with tqdm(total=len(plan), unit="draw", file=sys.stderr) as bar:
        for record in measured(measure, plan, args.workers):
            records.add(record)
            bar.set_postfix_str(f"{record['family']}, draw {record['seed']}")
            bar.update()
    print(tables(records.items))
    for line in (short := missed(records.items)):
        print(f"missed: {line}")
    failed = [r for r in records.items if "failed" in r]
    for record in failed:
        print(f"failed: {record['family']}, draw {record['seed']}: {record['failed']}")
    print(f"records: {output}")
    return int(bool(failed) or (args.check and bool(short)))


if __name__ == "__main__":
    sys.exit(main())
