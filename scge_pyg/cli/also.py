"""Further files of a result: the graph as other programs read it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from scge_pyg.graph import SharedGraph
from scge_pyg.usage import UsageError

__all__ = ["write_also"]


def write_also(folder: Path, graph: SharedGraph, args: Namespace) -> None:
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
