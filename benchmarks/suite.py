"""The public suite: what `discover(x)` makes of over fifty kinds of samples, beside other methods on the same ones.

Draw s of a row is made from seed s and its nodes are shuffled. `discover` gets the samples and no further argument; the
others are told the true number of columns, are tried in several variants, and the one that is nearest to the truth is
reported. Recordings are read from the folder SCGE_DATA names and left out where it isn't set; UMAP runs where
umap-learn is installed (the extra `bench`). Contacts and counts, which are no samples, have benchmarks of their own.

    python benchmarks/suite.py                                    # 5 draws a row; --resume goes on where it stopped
    python benchmarks/suite.py --rows uniform-300 eeg-raw --draws 1 --first-seed 100
    python benchmarks/suite.py --tables                           # the tables of what is there, and nothing measured
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from draws import Array, Draw
from geometry_scores import lattice_state
from measuring import available, measured
from report import Records
from suite_peers import PEERS, correlations, variants
from suite_rows import SUITE
from suite_scores import MEASURES, Truth, found_by_discovery, measures, truth_of
from suite_tables import behind, tables
from tqdm import tqdm

from scge_pyg import SharedGraph, discover

__all__ = ["main", "measure"]


def _discovered(x: Array, truth: Truth, draw: Draw, rng: np.random.Generator) -> dict[str, Any]:
    """What `discover` finds, its measures, and its seconds by stage."""
    samples = torch.from_numpy(x).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        start = time.perf_counter()
        graph: SharedGraph = discover(samples)
        seconds = time.perf_counter() - start
    record: dict[str, Any] = dict(measures(found_by_discovery(graph, truth, rng), truth))
    fit = graph.fit
    return record | {
        "dim": graph.dim,
        "columns": graph.pos.shape[1],
        "pieces": len(graph.component[truth.nodes].unique()),
        "edges": graph.num_undirected_edges,
        "lattice": lattice_state(graph, draw.truth.get("cells")),
        "ratio": None if fit is None or not np.isfinite(fit.ratio) else float(fit.ratio),
        "verdict": None if fit is None else fit.verdict,
        "seconds": round(seconds, 3),
        "stages": {} if fit is None else {stage: round(value, 3) for stage, value in fit.seconds.items()},
    }


def _compared(x: Array, truth: Truth, seed: int) -> dict[str, dict[str, Any]]:
    """The best variant of each other method, by the sum of its measures, with the seconds of all of them."""
    start = time.perf_counter()
    matrices = {kind: full[np.ix_(truth.nodes, truth.nodes)] for kind, full in correlations(x).items()}
    shared = (time.perf_counter() - start) / len(matrices)
    best = {}
    for name in PEERS:
        tried = [(measures(v.found, truth), v) for v in variants(name, matrices, truth, seed)]
        if tried:
            scores, chosen = max(tried, key=lambda t: sum(value or 0.0 for value in t[0].values()))
            seconds = {v.name: round(shared + v.seconds, 3) for _, v in tried}
            best[name] = {**scores, "variant": chosen.name, "seconds": seconds[chosen.name], "variants": seconds}
    return best


def measure(name: str, seed: int) -> dict[str, Any]:
    """The record of one draw of one row; where ``discover`` raises, the error takes the place of its measures."""
    start = time.perf_counter()
    row = SUITE[name]
    rng = np.random.default_rng(seed)
    draw = row.draw(seed)
    draw = draw.shuffled(rng.permutation(draw.x.shape[1]))
    truth = truth_of(draw, row.near)
    record: dict[str, Any] = {
        "row": name,
        "seed": seed,
        "samples": len(draw.x),
        "nodes": len(truth.nodes),
        "known": truth.known,
    }
    record |= {f"true_{key}": draw.truth.get(key) for key in ("dim", "pieces")}
    try:
        record["discover"] = _discovered(draw.x, truth, draw, rng)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        record["failed"] = f"{type(error).__name__}: {error}"
        record["discover"] = dict.fromkeys(MEASURES)
    record["peers"] = _compared(draw.x, truth, seed) if truth.count else {}
    return record | {"spent": round(time.perf_counter() - start, 1)}


def _warm() -> None:
    """Imports, thread pools, and what is compiled on first use, happen before the clock starts."""
    for name in ("samples-100", "grid"):
        measure(name, 100)


def _shown(records: list[dict[str, Any]], check: bool) -> int:
    """Print the tables and what is behind; the exit status."""
    short = behind(records)
    print(tables(records), *short, sep="\n")
    return int(any("failed" in record for record in records) or (check and bool(short)))


def main() -> int:
    """Run the suite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=list(SUITE), metavar="ROW", help=", ".join(SUITE))
    parser.add_argument("--draws", type=int, default=5, help="draws a row (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=0, help="first s; tune with 100 and above only")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--tables", action="store_true", help="only show the records that are there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if `discover` is behind in any row")
    parser.add_argument("--output", type=Path, default=Path("results") / "suite.json", help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=1, help="processes; more than one disturbs the seconds")
    args = parser.parse_args()
    if args.workers < 1 or args.draws < 1:
        parser.error("--workers and --draws must be at least 1")
    if args.tables:
        return _shown(json.loads(args.output.read_text())["records"], args.check)
    records = Records(args.output, {"first_seed": args.first_seed, "workers": args.workers}, resume=args.resume)
    rows = available(SUITE[name] for name in args.rows or SUITE)
    plan = [(row.name, args.first_seed + s) for row in rows for s in range(args.draws)]
    plan = [(name, seed) for name, seed in plan if not records.find(row=name, seed=seed)]
    if plan and args.workers == 1:
        _warm()
    with tqdm(total=len(plan), unit="draw", file=sys.stderr) as bar:
        for record in measured(measure, plan, args.workers):
            records.add(record)
            bar.set_postfix_str(f"{record['row']}, draw {record['seed']}")
            bar.update()
    print(f"records: {args.output}", file=sys.stderr)
    return _shown(records.items, args.check)


if __name__ == "__main__":
    sys.exit(main())
