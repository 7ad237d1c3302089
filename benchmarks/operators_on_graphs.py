"""PyG's operators as classifiers of shuffled images on four graphs: which graph, and which operator, matters?

GCN, GraphSAGE, GIN, GAT and Transformer on a random graph, on the k-NN graph of the pixels' values (the one that is
used where no graph is known), on the discovered one and on the true grid; beside them what uses no graph and what
uses places. CIFAR-10 is 16x16, Fashion-MNIST 14x14 (`small_images.py`); run s uses permutation s and sample subset s.
All have one recipe, depth and width; operators on the four graphs differ in the graph alone, and pool to clusters that
are made of its edges by one rule. Rates and the kind of k-NN were chosen on run 100 (`--tune`), rates of operators on
the k-NN graph. Accuracies are those of the last epoch. SCGE_DATA names the folder with `cifar10/` and `fashion_mnist/`.

    python benchmarks/operators_on_graphs.py --quick             # one run, fewer images; minutes
    python benchmarks/operators_on_graphs.py --budget 1.5        # what fits 1.5 hours; --resume goes on after a break
    python benchmarks/operators_on_graphs.py --tune              # accuracies of run 100 by rate and by k-NN graph
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from operator_bench import BATCH, Bench
from operator_models import OPERATORS
from operator_rows import LABELS, MAIN, PENALTIES, RATES, ROWS
from operator_tables import Item, plan_table, tables
from operator_tuning import tune, tuning_table
from report import Records
from small_images import SHAPES
from tqdm import tqdm

_FULL = {"train": 3_000, "epochs": 5, "runs": 3}
_QUICK = {"train": 2_000, "epochs": 1, "runs": 1}
_TUNING = {"train": 2_000, "epochs": 5, "runs": 1}


def order(runs: int) -> list[Item]:
    """All rows once, then the main ones again, then the rest, those on discovered and k-NN graphs first."""
    rest = sorted((row for row in ROWS if row not in MAIN), key=lambda row: row.graph not in ("discovered", "knn"))
    again = [(row, run) for rows in (MAIN, rest) for run in range(1, runs) for row in rows]
    return [(data, row, run) for row, run in [*((row, 0) for row in ROWS), *again] for data in SHAPES]


def fitting(bench: Bench, pending: list[Item], hours: float) -> list[Item]:
    """The first of the pending trainings, as many as fit the hours; prints the plan."""
    rows = list(dict.fromkeys(item[:2] for item in pending))
    seconds = {row: bench.expected(*row) for row in tqdm(rows, desc="time per step", leave=False)}
    kept, total = [], 0.0
    for item in pending:
        total += seconds[item[:2]]
        if total > 3600 * hours:
            break
        kept.append(item)
    print(plan_table(pending, kept, lambda *row: seconds[row]), flush=True)
    return kept


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run, fewer images and epochs")
    parser.add_argument("--tune", action="store_true", help="measure choices on run 100 instead")
    names = [*LABELS, *OPERATORS]
    parser.add_argument("--networks", nargs="+", choices=names, default=names, help="rows to measure; default: all")
    parser.add_argument("--budget", type=float, metavar="HOURS", help="print a plan of what fits, and do that")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted start")
    parser.add_argument("--output", type=Path, help="where the JSON goes; default: results/operators_on_graphs*.json")
    options = parser.parse_args()
    if not os.environ.get("SCGE_DATA"):
        parser.error("the environment variable SCGE_DATA must name the folder with cifar10/ and fashion_mnist/")
    kind, size = ("_tune", _TUNING) if options.tune else ("_quick", _QUICK) if options.quick else ("", _FULL)
    settings = (
        {**size, "batch_size": BATCH}
        if options.tune
        else {**size, "batch_size": BATCH, "rates": RATES, "penalties": PENALTIES}
    )
    records = Records(
        options.output or Path(f"results/operators_on_graphs{kind}.json"), settings, resume=options.resume
    )
    bench = Bench(size["train"], size["epochs"])
    if options.tune:
        tune(bench, records)
        print(tuning_table(records))
        return
    pending = [
        (data, row, run)
        for data, row, run in order(size["runs"])
        if row.network in options.networks
        and records.find(data=data, network=row.network, graph=row.graph, run=run) is None
    ]
    if options.budget is not None:
        pending = fitting(bench, pending, options.budget)
    for data, row, run in pending:
        records.add(bench.measure(data, row, run))
    print(tables(records.items, size["runs"]))


if __name__ == "__main__":
    main()
