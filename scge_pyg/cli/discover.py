"""``scge discover``: the geometry of the measurements in a file."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from scge_pyg.cli.errors import UsageError
from scge_pyg.cli.inputs import open_input
from scge_pyg.cli.logs import collected_warnings, wants_progress
from scge_pyg.cli.measurements import Measurements
from scge_pyg.cli.output import check_target, written_whole
from scge_pyg.cli.pictures import draw
from scge_pyg.discovery import discover
from scge_pyg.graph import SharedGraph
from scge_pyg.metrics import cell_accuracy, edge_scores, grid_edges
from scge_pyg.transforms import ShuffleNodes

__all__ = ["add_parser", "run"]

_FILES = ("graph.safetensors", "summary.json", "graph.png", "samples.png")
_EXAMPLES = """\
examples:
  scge discover readings.csv -o geometry            columns are nodes, rows are samples
  scge discover photos/ -o geometry --shuffle-seed 0   shuffle the pixels first, then find them again
  scge discover images.npy --image -o geometry      [S, H, W] or [S, H, W, C], scored against the true grid
  scge discover data.npz --key x_train --image -o geometry --json

files written to OUTDIR:
  graph.safetensors   the graph; read it with scge_pyg.SharedGraph.load
  summary.json        what was found, and how long it took
  graph.png           learned coordinates and edges (extra 'plot')
  samples.png         images as they came and put back (images only, extra 'plot')

exit status: 0 done, 2 bad arguments or input, 1 anything else
"""


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add ``discover`` to the subcommands."""
    parser = commands.add_parser(
        "discover",
        parents=[common],
        help="find the geometry of measurements",
        description="Find the geometry of measurements whose nodes are in an unknown order.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, metavar="INPUT", help=".npy, .npz, .csv, .parquet or a folder of images")
    parser.add_argument("-o", "--output", type=Path, metavar="OUTDIR", required=True, help="folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier result in OUTDIR")
    parser.add_argument("--key", help="name of the array in an .npz archive")
    parser.add_argument("--image", action="store_true", help="the array is [S, H, W] or [S, H, W, C]")
    parser.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line of a .csv names the columns (default: if it holds text)",
    )
    parser.add_argument("--shuffle-seed", type=int, metavar="S", help="shuffle the nodes first, as a demonstration")
    parser.add_argument("--dim", type=int, help="dimension of the geometry (default: found from the data)")
    parser.add_argument("--no-snap", action="store_true", help="coordinates only, don't look for a lattice")
    parser.add_argument("--seed", type=int, default=0, help="seed of discovery (default: 0)")
    parser.add_argument("--no-plot", action="store_true", help="write no pictures")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read, discover, write."""
    check_target(args.output, overwrite=args.overwrite, ours=_FILES)
    data = open_input(args.input, key=args.key, image=args.image, header=args.header)
    order = None if args.shuffle_seed is None else ShuffleNodes(args.shuffle_seed).permutation(data.num_nodes)
    messages: list[str] = []
    start = time.perf_counter()
    counter = _Counter(data, order, hidden=args.verbosity < 0)
    try:
        with collected_warnings(messages, shown=args.verbosity >= 0):
            progress = wants_progress(args.verbosity)
            graph = discover(iter(counter), dim=args.dim, snap=not args.no_snap, seed=args.seed, progress=progress)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{args.input}: {error}") from error
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
        "score": None if cells is None else score(graph, cells),
        "warnings": messages,
        "nodes": None if data.names is None else _in_order(data.names, order),
    }
    with written_whole(args.output) as folder:
        graph.save(folder / "graph.safetensors")
        if not args.no_plot:
            samples = data.first(8) if order is None else data.first(8)[:, order]
            draw(folder, graph, samples, cells, data.shape)
        written = sorted(entry.name for entry in folder.iterdir())
        summary["files"] = [*written, "summary.json"]
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps(summary, indent=2))
    elif args.verbosity >= 0:
        print(_told(summary, args.output))


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


def describe(graph: SharedGraph) -> dict[str, Any]:
    """What was found, as plain numbers."""
    lattice = graph.lattice
    return {
        "dim": graph.dim,
        "live": int(graph.live.sum()),
        "edges": graph.num_edges // 2,
        "components": int(graph.component.max()) + 1,
        "confidence": round(float(graph.confidence[graph.live].mean()), 4) if bool(graph.live.any()) else None,
        "lattice": None
        if lattice is None
        else {
            "shape": list(lattice.shape),
            "periodic": list(lattice.periodic),
            "placed": int(lattice.placed.sum()),
        },
    }


def score(graph: SharedGraph, cells: Tensor) -> dict[str, float]:
    """Agreement with the true grid: exact cells (0 without a lattice), and edges."""
    if not bool(graph.live.any()):
        return {}
    edges = edge_scores(graph, grid_edges(cells))
    return {
        "cell_accuracy": round(cell_accuracy(graph, cells), 4),
        "edge_precision": round(edges.precision, 4),
        "edge_recall": round(edges.recall, 4),
    }


def _in_order(names: tuple[str, ...], order: Tensor | None) -> list[str]:
    return list(names) if order is None else [names[i] for i in order.tolist()]


def _told(summary: dict[str, Any], output: Path) -> str:
    graph, truth = summary["graph"], summary["score"]
    lattice = graph["lattice"]
    grid = "no lattice" if lattice is None else "lattice " + " x ".join(map(str, lattice["shape"]))
    lines = [
        f"{summary['num_nodes']} nodes ({graph['live']} live) with {summary['num_channels']} channels, "
        f"{summary['num_samples']} samples, {summary['seconds']:.1f} s",
        f"dimension {graph['dim']}, {grid}, {graph['edges']} edges, components: {graph['components']}",
    ]
    if truth:
        lines.append(
            f"against the true grid: {100 * truth['cell_accuracy']:.1f} % of the cells exact, "
            f"edges with precision {truth['edge_precision']:.3f} and recall {truth['edge_recall']:.3f}"
        )
    lines.append(f"written to {output}: {', '.join(summary['files'])}")
    return "\n".join(lines)
