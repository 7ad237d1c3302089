"""``scge discover``: the geometry of the measurements in a file."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from tqdm import tqdm

from scge_pyg.cli.also import write_also
from scge_pyg.cli.discover_matrix import FOR_FIELDS, run_matrix
from scge_pyg.cli.inputs import open_input
from scge_pyg.cli.logs import collected_warnings, wants_progress
from scge_pyg.cli.nodes_table import write_nodes
from scge_pyg.cli.output import written_whole
from scge_pyg.cli.pictures import draw
from scge_pyg.cli.summary import describe, judged, log_seconds, score, told
from scge_pyg.discovery import discover
from scge_pyg.tables.columns import Pick
from scge_pyg.tables.measurements import Measurements
from scge_pyg.transforms import ShuffleNodes
from scge_pyg.usage import UsageError

__all__ = ["run"]


def run(args: Namespace) -> None:
    """Read, discover, write."""
    if args.input is None:
        run_matrix(args)
        return
    messages: list[str] = []
    pick = Pick(args.columns, args.drop, args.time_column)
    missing = {} if args.missing_value is None else {"missing_value": args.missing_value}
    with collected_warnings(messages, shown=args.verbosity >= 0):
        data = open_input(
            args.input, key=args.key, image=args.image, header=args.header, pick=pick, options=_options(args)
        )
        order = None if args.shuffle_seed is None else ShuffleNodes(args.shuffle_seed).permutation(data.num_nodes)
        start = time.perf_counter()
        counter = _Counter(data, order, hidden=args.verbosity < 0)
        progress = wants_progress(args.verbosity)
        try:
            graph = discover(
                iter(counter), dim=args.dim, snap=not args.no_snap, seed=args.seed, progress=progress, **missing
            )
        except (ValueError, TypeError) as error:
            raise UsageError(f"{args.input}: {error}") from error
    graph.names = None if data.names is None else _in_order(data.names, order)
    log_seconds(graph.fit)
    cells = data.cells if order is None or data.cells is None else data.cells[order]
    summary = {
        "input": str(args.input),
        "num_samples": counter.num_samples,
        "num_nodes": data.num_nodes,
        "num_channels": data.num_channels,
        "shuffle_seed": args.shuffle_seed,
        "seed": args.seed,
        "seconds": round(time.perf_counter() - start, 3),
        "graph": describe(graph),
        "fit": judged(graph.fit),
        "score": None if cells is None else score(graph, cells),
        "warnings": messages,
        "nodes": None if graph.names is None else list(graph.names),
        "table": None if data.table is None else data.table.to_dict(),
    }
    with written_whole(args.output) as folder:
        graph.save(folder / "graph.safetensors")
        write_nodes(folder / "nodes.csv", graph)
        write_also(folder, graph, args)
        if not args.no_plot:
            samples = data.first(8) if order is None else data.first(8)[:, order]
            draw(folder, graph, samples, cells, data.shape)
        written = sorted(entry.name for entry in folder.iterdir())
        summary["files"] = [*written, "summary.json"]
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps(summary, indent=2))
    elif args.verbosity >= 0:
        notes = [] if data.table is None else data.table.notes()
        print("\n".join([*notes, told(summary, args.output)]))


def _options(args: Namespace) -> dict[str, Any]:
    """What was said about a file of another field."""
    said = {name: getattr(args, name) for name in FOR_FIELDS if getattr(args, name) is not None}
    if "node_dims" in said:
        said["node_dims"] = [name.strip() for name in said["node_dims"].split(",")]
    return said


class _Counter:
    """Blocks of samples in the given node order, counted on the way through."""

    def __init__(self, data: Measurements, order: Tensor | None, hidden: bool) -> None:
        self.data, self.order, self.hidden, self.num_samples = data, order, hidden, 0

    def __iter__(self) -> Iterator[Tensor]:
        bar = tqdm(
            total=self.data.num_samples,
            desc="reading",
            unit=" samples",
            file=sys.stderr,
            leave=False,
            disable=True if self.hidden else None,
        )
        with bar:
            for block in self.data.read():
                self.num_samples += block.shape[0]
                bar.update(block.shape[0])
                yield block if self.order is None else block[:, self.order]


def _in_order(names: tuple[str, ...], order: Tensor | None) -> tuple[str, ...]:
    return names if order is None else tuple(names[i] for i in order.tolist())
