"""What `discover` makes of every kind of recording, unaided: dimension, order, and where it refuses.

Run s uses permutation s and sample subset s, s = 0 to 4; `discover(x)` with no further argument (`discover(counts=x)`
in the row that says so); the truth is used for scoring afterwards. FSDD, MNIST and AG news are read from the folder
SCGE_DATA names, or downloaded.

    python benchmarks/modalities.py --quick           # 2 runs a row
    python benchmarks/modalities.py                   # --resume goes on after an interruption
    python benchmarks/modalities.py --rows volume --first-seed 100 --runs 1
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from modality_rows import ROWS, Row
from modality_vectors import VECTORS, Vector, measure_vector, vector_table
from report import Records, markdown_table
from tqdm import tqdm

from scge_pyg import SharedGraph, discover
from scge_pyg.graph import knn
from scge_pyg.metrics import cell_accuracy, edge_scores, grid_edges
from scge_pyg.transforms import ShuffleNodes

_SHOWN, _NEAR = 20, 4


def measure(row: Row, run: int) -> dict[str, Any]:
    """One run of one row."""
    truth = row.load(run)
    order = ShuffleNodes(run).permutation(truth.x.shape[1])
    x = truth.x[:, order].contiguous()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        start = time.perf_counter()
        graph = discover(counts=x[:, :, 0].T.numpy()) if row.counts else discover(x)
        seconds = time.perf_counter() - start
    record: dict[str, Any] = {"row": row.name, "run": run, "seconds": round(seconds, 2), "graph": repr(graph)}
    record |= {"samples": len(x), "nodes": x.shape[1], "dim": graph.dim, "parts": int(graph.component.max()) + 1}
    record["fit"] = str(graph.fit)
    record["verdict"] = getattr(graph.fit, "verdict", None)
    record["warnings"] = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    if truth.cells is not None:
        cells = truth.cells[order]
        edges = edge_scores(graph, grid_edges(cells))
        record |= {"precision": edges.precision, "recall": edges.recall, "lattice": graph.lattice is not None}
        record["cells"] = float(cell_accuracy(graph, cells)) if graph.lattice is not None else 0.0
    if truth.names is not None:
        record["near"] = nearest(graph, [truth.names[i] for i in order.tolist()])
    return record


def nearest(graph: SharedGraph, names: list[str]) -> dict[str, list[str]]:
    """The nearest nodes of some: on the map, or the strongest partners where there is none.

    Shown are every twentieth part of the nodes in alphabetical order, so that nobody chose them.
    """
    ranked = sorted(range(len(names)), key=names.__getitem__)
    shown = ranked[:: max(len(names) // _SHOWN, 1)][:_SHOWN]
    if graph.dim:
        places = torch.nan_to_num(graph.pos, nan=1e9)
        near = knn(places, places, _NEAR, exclude_self=True)[1]
        return {names[i]: [names[j] for j in near[i].tolist()] for i in shown}
    source, target = graph.edge_index
    found = {}
    for i in shown:
        own = target == i
        best = graph.edge_weight[own].argsort(descending=True)[:_NEAR]
        found[names[i]] = [names[j] for j in source[own][best].tolist()]
    return found


def table(items: list[dict[str, Any]]) -> str:
    """The table, the words, and what was missed."""
    lines, words, missed = [], [], []
    for row in ROWS:
        runs = [item for item in items if item["row"] == row.name]
        if not runs:
            continue
        dims = sorted({item["dim"] for item in runs})
        cells = [item["cells"] for item in runs if "cells" in item]
        exact = _exact(cells, [item["cells"] for item in runs if item.get("lattice")])
        edges = [min(item[key] for item in runs) for key in ("precision", "recall") if cells]
        lines.append(
            [
                row.what,
                "" if row.dim is None else str(row.dim),
                " or ".join(map(str, dims)),
                exact,
                " / ".join(f"{value:.3f}" for value in edges),
                ", ".join(sorted({str(item["verdict"]) for item in runs})),
                f"{max(item['seconds'] for item in runs):.1f} s",
            ]
        )
        if row.dim is not None and dims != [row.dim]:
            missed.append(f"{row.name}: dimension {dims}, goal {row.dim}")
        if row.cells is not None and min(cells) < row.cells:
            missed.append(f"{row.name}: cells {min(cells):.4f}, goal {row.cells}")
        if "near" in runs[0]:
            words.append(f"{row.what}: the {_NEAR} nearest (run {runs[0]['run']})\n")
            words += [f"* {name}: {', '.join(near) or '-'}" for name, near in runs[0]["near"].items()]
            words.append("")
    head = [
        "recording",
        "dimension",
        "found",
        "cells, min (lattices)",
        "edges: precision / recall, min",
        "verdict",
        "longest",
    ]
    return "\n".join([markdown_table(head, lines), "", *words, *(f"missed: {line}" for line in missed)])


def _exact(cells: list[float], found: list[float]) -> str:
    """The smallest share of exact cells among runs that found a lattice, and how many these are if not all."""
    if not found:
        return "no lattice" if cells else ""
    return f"{min(found):.3f}" + (f" ({len(found)} of {len(cells)})" if len(found) < len(cells) else "")


def main() -> int:
    """Run the benchmark."""
    names = [row.name for row in (*ROWS, *VECTORS)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 runs a row")
    parser.add_argument("--rows", nargs="+", choices=names, metavar="ROW", help=f"rows to run: {', '.join(names)}")
    parser.add_argument("--runs", type=int, help="runs a row (default: 5, with --quick 2)")
    parser.add_argument("--first-seed", type=int, default=0, help="first s; tune with 100 and above only")
    parser.add_argument("--resume", action="store_true", help="go on with the records that are there")
    parser.add_argument("--output", type=Path, help="default: results/modalities.json or results/modalities-quick.json")
    args = parser.parse_args()
    output = args.output or Path("results") / ("modalities-quick.json" if args.quick else "modalities.json")
    records = Records(output, {"quick": args.quick, "first_seed": args.first_seed}, resume=args.resume)
    runs = range(args.first_seed, args.first_seed + (args.runs or (2 if args.quick else 5)))
    plan = [(row, run) for row in (*ROWS, *VECTORS) if not args.rows or row.name in args.rows for run in runs]
    with tqdm(plan, unit="run", file=sys.stderr) as bar:
        for row, run in bar:
            bar.set_postfix_str(f"{row.name}, run {run}")
            if not records.find(row=row.name, run=run):
                records.add(measure_vector(row, run) if isinstance(row, Vector) else measure(row, run))
    kinds = [row.name for row in ROWS]
    for shown, alone in ((table, True), (vector_table, False)):
        items = [item for item in records.items if (item["row"] in kinds) == alone]
        if items:
            print(shown(items))
    print(f"records: {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
