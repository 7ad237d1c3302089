"""How much of a modality's geometry `discover(x)` finds from shuffled nodes, and how long it takes.

Run s uses permutation s and sample subset s, for s = 0 to 4; the table shows minimum and mean. `discover` gets the
shuffled samples and no further argument; the truth is used for scoring afterwards. MNIST, Fashion-MNIST and CIFAR-10
are read from the folder SCGE_DATA names, or downloaded.

    python benchmarks/discovery.py --quick            # 2 runs a row, without the longest rows
    python benchmarks/discovery.py                    # everything; --resume goes on after an interruption
    python benchmarks/discovery.py --rows digits --first-seed 100 --runs 3
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from discovery_rows import ROWS, Modality, Row
from discovery_tables import missed, tables
from memory import peak_gigabytes
from peers import run_peers
from report import Records
from torch import Tensor
from tqdm import tqdm

from scge_pyg import SharedGraph, discover
from scge_pyg.graph import Lattice, knn
from scge_pyg.metrics import cell_accuracy, edge_scores, grid_edges, trustworthiness
from scge_pyg.transforms import ShuffleNodes


def measure(row: Row, run: int, with_peers: bool) -> dict[str, Any]:
    """One run of one row."""
    truth = row.load(run)
    order = ShuffleNodes(run).permutation(truth.x.shape[1])
    x = truth.x[:, order].contiguous()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        start = time.perf_counter()
        graph = discover(x)
        seconds = time.perf_counter() - start
    record: dict[str, Any] = {"row": row.name, "run": run, "seconds": round(seconds, 3), "graph": repr(graph)}
    record["warnings"] = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    record |= {key: float(value) for key, value in score(graph, row, truth, order, record["warnings"]).items()}
    if with_peers:
        record["peers"] = {}
        for name, peer in run_peers(x, run, snap=row.kind == "grid").items():
            record["peers"][name] = {"seconds": round(peer.seconds, 3)}
            if row.kind == "grid":
                guess = SharedGraph(torch.zeros(x.shape[1], 2), peer.edge_index)
                found = edge_scores(guess, grid_edges(truth.cells[order]), truth.mask[order])
                record["peers"][name] |= {"precision": found.precision, "recall": found.recall}
                record["peers"][name]["cells"] = peer_cells(peer.cell, truth.cells[order], truth.mask[order])
        if row.kind == "speed":
            record["ratio"] = seconds / record["peers"]["t-SNE"]["seconds"]
    return record


def peer_cells(cell: Tensor, true: Tensor, mask: Tensor) -> float:
    """Cell accuracy of cells ``[N, 2]`` with -1 where there are none."""
    placed = cell[:, 0] >= 0
    if not placed.any():
        return 0.0
    lattice = Lattice(cell, (cell.amax(0) + 1).tolist())
    graph = SharedGraph(cell.float(), torch.empty(2, 0, dtype=torch.int64), lattice=lattice)
    return float(cell_accuracy(graph, true, mask))


def score(graph: SharedGraph, row: Row, truth: Modality, order: Tensor, warned: list[str]) -> dict[str, float]:
    """Measures of a row, each the better the larger."""
    if row.kind == "noise":
        return {"no_lattice": graph.lattice is None, "warned": bool(warned)}
    if row.kind == "irregular":
        assert truth.pos is not None
        return {
            "no_lattice": graph.lattice is None,
            "two_dimensional": graph.dim == 2,
            "degree": graph.num_edges / int(graph.live.sum()),
            "near": share_among_nearest(graph, truth.pos[order]),
            "trust": trustworthiness(graph.pos, truth.pos[order], k=8),
        }
    assert truth.cells is not None
    cells, mask = truth.cells[order], truth.mask[order]
    edges = edge_scores(graph, grid_edges(cells), mask)
    return {
        "cells": cell_accuracy(graph, cells, mask),
        "precision": edges.precision,
        "recall": edges.recall,
        "scored": int(mask.sum()),
    }


def share_among_nearest(graph: SharedGraph, pos: Tensor, k: int = 8) -> float:
    """Share of directed edges (i, j) in which j is among the k truly nearest to i."""
    nearest = knn(pos, pos, k, exclude_self=True)[1]
    source, target = graph.edge_index
    return float((nearest[source] == target.unsqueeze(1)).any(1).double().mean())


def measure_alone(row: Row, run: int) -> dict[str, Any]:
    """One run in a process of its own, with its peak memory."""
    command = [sys.executable, __file__, "--rows", row.name, "--first-seed", str(run), "--runs", "1", "--alone"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{row.name}, run {run}: the process ended with {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    """Run the benchmark."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 runs a row, without the longest rows")
    parser.add_argument("--rows", nargs="+", choices=names, metavar="ROW", help=f"rows to run: {', '.join(names)}")
    parser.add_argument("--runs", type=int, help="runs a row (default: 5, with --quick 2; 11 for speed in full)")
    parser.add_argument("--first-seed", type=int, default=0, help="first s; tune with 100 and above only")
    parser.add_argument("--no-peers", action="store_true", help="discovery alone, except in the speed row")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--output", type=Path, help="default: results/discovery.json or results/discovery-quick.json")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what discover decides")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.verbose:
        logging.basicConfig(level=logging.WARNING)
        logging.getLogger("scge_pyg").setLevel(logging.INFO)
    rows = (
        [row for row in ROWS if row.name in args.rows] if args.rows else [r for r in ROWS if r.quick or not args.quick]
    )
    if args.alone:
        print(json.dumps({**measure(rows[0], args.first_seed, False), "peak_gb": peak_gigabytes()}))
        return 0

    settings = {"quick": args.quick, "first_seed": args.first_seed}
    output = args.output or Path("results") / ("discovery-quick.json" if args.quick else "discovery.json")
    records = Records(output, settings, resume=args.resume)
    runs = args.runs or (2 if args.quick else 5)
    plan = []
    for row in rows:
        repeats = 11 if row.kind == "speed" and not args.quick and not args.runs else runs
        for s in range(repeats):
            compared = row.peers and not args.no_peers and not (args.quick and s > 0)
            plan.append((row, args.first_seed + s, compared or row.kind == "speed"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tiny = torch.randn(200, 36, 1, generator=torch.Generator().manual_seed(0)).cumsum(1)
        discover(tiny)  # imports, thread pools, and what a peer compiles, happen before the clock starts
        if any(with_peers for *_, with_peers in plan):
            run_peers(tiny, 0, snap=True)
    failed = []
    with tqdm(plan, unit="run", file=sys.stderr) as bar:
        for row, run, with_peers in bar:
            bar.set_postfix_str(f"{row.name}, run {run}")
            if records.find(row=row.name, run=run):
                continue
            try:
                records.add(measure_alone(row, run) if row.alone else measure(row, run, with_peers))
            except (ValueError, TypeError, RuntimeError) as error:
                failed.append(f"{row.name}, run {run}: {type(error).__name__}: {error}")
                tqdm.write(failed[-1], file=sys.stderr)
    print(tables(records.items))
    for line in (short := missed(records.items)):
        print(f"missed: {line}")
    for line in failed:
        print(f"failed: {line}")
    print(f"records: {output}")
    return int(bool(failed) or (args.check and bool(short)))


if __name__ == "__main__":
    sys.exit(main())
