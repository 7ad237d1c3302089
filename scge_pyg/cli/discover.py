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

from scge_pyg.cli.also import ALSO, add_options, write_also
from scge_pyg.cli.columns import Pick
from scge_pyg.cli.discover_matrix import FOR_FIELDS, run_matrix
from scge_pyg.cli.errors import UsageError
from scge_pyg.cli.inputs import open_input
from scge_pyg.cli.logs import collected_warnings, wants_progress
from scge_pyg.cli.measurements import Measurements
from scge_pyg.cli.nodes_table import write_nodes
from scge_pyg.cli.output import check_target, written_whole
from scge_pyg.cli.pictures import draw
from scge_pyg.cli.report import describe, judged, log_seconds, score, told
from scge_pyg.discovery import discover
from scge_pyg.transforms import ShuffleNodes

__all__ = ["add_parser", "run"]

_FILES = (
    *("graph.safetensors", "nodes.csv", "partners.csv", "summary.json", "graph.png", "samples.png"),
    *(*ALSO, "coordsystem.json"),
)
_EXAMPLES = """\
examples:
  scge discover readings.csv -o geometry            columns are nodes, rows are samples
  scge discover readings.csv -o geometry --columns 3-10,16 --missing-value 0
  scge discover photos/ -o geometry --shuffle-seed 0   shuffle the pixels first, then find them again
  scge discover images.npy --image -o geometry      [S, H, W] or [S, H, W, C], scored against the true grid
  scge discover data.npz --key x_train --image -o geometry --json
  scge discover probe.dat --raw int16 --channels 64 --rate 30000 -o geometry
  scge discover night.edf -o geometry               EEG channels; bad ones are not live (extra 'readers')
  scge discover --counts beads.csv.gz -o geometry   beads by partners: row, column, count; or a dense table
  scge discover --affinity contacts.mtx --balance -o geometry
  scge discover --affinity x.mcool::/resolutions/1000000 --balance -o geometry

files written to OUTDIR:
  graph.safetensors   the graph; read it with scge_pyg.SharedGraph.load
  partners.csv        name and coordinates of each column (counts only)
  nodes.csv           name, coordinates, component, confidence, sign and neighbours of each node
  summary.json        what was found, how well it predicts, and how long it took
  graph.png           learned coordinates, edges and, where they fit, names (extra 'plot')
  adjacency.*, electrodes.tsv with coordsystem.json   with --also
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
    parser.add_argument(
        "input",
        type=Path,
        nargs="?",
        metavar="INPUT",
        help="samples: .npy, .npz, .csv (also .gz), .parquet, a folder of images, .mat, .nc, .h5, .wav, .edf, .bdf, "
        ".vhdr, .set, .fif, .h5ad, or bare numbers with --raw",
    )
    matrix = "a .csv, .tsv, .mtx (each also .gz), .npz or .npy of "
    parser.add_argument(
        "--counts", type=Path, metavar="FILE", help=f"instead of INPUT: {matrix}counts, nodes by partners"
    )
    parser.add_argument(
        "--affinity", type=Path, metavar="FILE", help=f"instead of INPUT: {matrix}contacts of the nodes; .cool"
    )
    parser.add_argument("--balance", action="store_true", help="divide uneven yields out of the affinity")
    parser.add_argument(
        "--names", type=Path, metavar="FILE", help="names of the rows of --counts or --affinity, one a line"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUTDIR", required=True, help="folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier result in OUTDIR")
    parser.add_argument("--key", help="name of the array in an .npz, .mat, .nc or .h5; of a chromosome in a .cool")
    parser.add_argument("--raw", metavar="TYPE", help="bare numbers of this type, such as int16, channel fastest")
    parser.add_argument("--channels", type=int, metavar="N", help="number of channels of --raw")
    parser.add_argument("--rate", type=float, metavar="HZ", help="samples a second of --raw or .h5")
    parser.add_argument("--node-dims", metavar="A,B", help="dimensions of a .nc that nodes run over, such as lat,lon")
    parser.add_argument("--window", type=int, metavar="N", help="cut a .wav into windows of N steps, which are nodes")
    parser.add_argument("--nodes", choices=("obs", "var"), help="nodes of an .h5ad (default: var)")
    parser.add_argument("--image", action="store_true", help="the array is [S, H, W] or [S, H, W, C]")
    parser.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line of a .csv names the columns (default: judged by the lines below it)",
    )
    parser.add_argument(
        "--columns",
        metavar="A,B,C",
        help="nodes, by name or number from 0; ranges such as 3-10 (default: all but row numbers and times)",
    )
    parser.add_argument("--drop", metavar="A,B", help="columns to leave out, written as for --columns")
    parser.add_argument("--time-column", metavar="A", help="column of times: no node, checked to increase")
    parser.add_argument("--missing-value", type=float, metavar="V", help="the number that stands for a missing value")
    parser.add_argument("--shuffle-seed", type=int, metavar="S", help="shuffle the nodes first, as a demonstration")
    parser.add_argument("--dim", type=int, help="dimension of the geometry (default: found from the data)")
    parser.add_argument("--no-snap", action="store_true", help="coordinates only, don't look for a lattice")
    parser.add_argument("--seed", type=int, default=0, help="seed of discovery (default: 0)")
    add_options(parser)
    parser.add_argument("--no-plot", action="store_true", help="write no pictures")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Read, discover, write."""
    given = [value for value in (args.input, args.counts, args.affinity) if value is not None]
    if len(given) != 1:
        raise UsageError(f"one of INPUT, --counts and --affinity is needed, got {len(given)}; see scge discover --help")
    check_target(args.output, overwrite=args.overwrite, ours=_FILES)
    if args.input is None:
        run_matrix(args)
        return
    if args.balance:
        raise UsageError("--balance belongs to --affinity")
    if args.names is not None:
        raise UsageError("--names belongs to --counts and --affinity; samples have the names of their columns")
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


def _options(args: argparse.Namespace) -> dict[str, Any]:
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
