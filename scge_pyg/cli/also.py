"""Further files of a result: the graph as other programs read it."""

from __future__ import annotations

import argparse
from pathlib import Path

from scge_pyg.cli.errors import UsageError
from scge_pyg.graph import SharedGraph

__all__ = ["ALSO", "add_options", "write_also"]

ALSO = ("adjacency.csv", "adjacency.npy", "adjacency.npz", "electrodes.tsv")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--also`` and ``--scale``."""
    parser.add_argument(
        "--also",
        action="append",
        choices=ALSO,
        default=[],
        metavar="FILE",
        help=f"write this as well: {', '.join(ALSO[:-1])} or {ALSO[-1]} (may be repeated)",
    )
    parser.add_argument("--scale", type=float, metavar="MM", help="millimetres between neighbours in electrodes.tsv")


def write_also(folder: Path, graph: SharedGraph, args: argparse.Namespace) -> None:
    """Write what was asked for beside the graph.

    Raises:
        UsageError: If electrodes are asked for and the graph has no places, or the scale is none.
    """
    for name in args.also:
        if name == "electrodes.tsv":
            try:
                graph.write_electrodes(folder / name, args.scale)
            except ValueError as error:
                raise UsageError(f"--also {name}: {error}") from error
        else:
            graph.write_adjacency(folder / name)
