"""``scge discover --counts`` and ``--affinity``: the geometry behind a matrix in a file."""

from __future__ import annotations

import csv
import json
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scge_pyg.cli.also import write_also
from scge_pyg.cli.logs import collected_warnings, wants_progress
from scge_pyg.cli.nodes_table import write_nodes
from scge_pyg.cli.output import written_whole
from scge_pyg.cli.pictures import draw
from scge_pyg.cli.summary import describe, judged, log_seconds, shown
from scge_pyg.discovery import discover
from scge_pyg.graph import SharedGraph
from scge_pyg.io import Signals
from scge_pyg.io.formats import contacts
from scge_pyg.io.matrices import read_matrix
from scge_pyg.usage import UsageError

__all__ = ["FOR_FIELDS", "run_matrix"]

FOR_FIELDS = ("raw", "channels", "rate", "node_dims", "window", "nodes")
"""Options of the files of other fields."""

_FOR_SAMPLES = (
    *("image", "header", "columns", "drop", "time_column", "missing_value", "shuffle_seed", "no_snap"),
    *FOR_FIELDS,
)


def run_matrix(args: Namespace) -> None:
    """Read the matrix, discover, write."""
    kind = "affinity" if args.affinity is not None else "counts"
    path: Path = getattr(args, kind)
    _check_options(args, kind)
    messages: list[str] = []
    with collected_warnings(messages, shown=args.verbosity >= 0):
        found = _read(path, kind, args.key)
        start = time.perf_counter()
        options = {"dim": args.dim, "seed": args.seed, "progress": wants_progress(args.verbosity)}
        options |= {"balance": True} if args.balance else {}
        options["names"] = found.names if args.names is None else _lines(args.names)
        try:
            graph = discover(**{kind: found.matrix}, **options)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path}: {error}") from error
    log_seconds(graph.fit)
    seconds = round(time.perf_counter() - start, 3)
    summary: dict[str, Any] = {
        "input": str(path),
        "kind": kind,
        "num_nodes": graph.num_nodes,
        "num_partners": None if kind == "affinity" else found.num_samples,
        "seed": args.seed,
        "seconds": seconds,
        "graph": describe(graph),
        "fit": judged(graph.fit),
        "unit": None if graph.fit is None else f"nats a {graph.fit.unit}",
        "warnings": messages,
        "nodes": None if graph.names is None else list(graph.names),
    }
    with written_whole(args.output) as folder:
        graph.save(folder / "graph.safetensors")
        write_nodes(folder / "nodes.csv", graph)
        write_also(folder, graph, args)
        if graph.partner_pos is not None:
            _write_partners(folder / "partners.csv", graph, found.partners)
        if not args.no_plot:
            draw(folder, graph, graph.pos[:, :0], None, None)
        summary["files"] = [*sorted(entry.name for entry in folder.iterdir()), "summary.json"]
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps(summary, indent=2))
    elif args.verbosity >= 0:
        print(_told(summary, args.output))


def _check_options(args: Namespace, kind: str) -> None:
    given = [name for name in _FOR_SAMPLES if getattr(args, name) not in (None, False)]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} is for samples; it has no meaning with --{kind}")


def _read(path: Path, kind: str, key: str | None) -> Signals:
    """The matrix in a file; a cooler holds contacts."""
    try:
        if not contacts.matches(path):
            return read_matrix(path, key=key, kind=kind)
        found = contacts.read(path, key)
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UsageError(str(error).removeprefix("read: ")) from error
    if kind != found.kind:
        raise UsageError(f"{path} holds contacts of the nodes; use --affinity {path}")
    return found


def _lines(path: Path) -> list[str]:
    """The names in a text file, one a line."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--names: {path} is no readable text file ({error})") from error


def _write_partners(path: Path, graph: SharedGraph, partners: Sequence[str] | None) -> None:
    """A line for each column of the counts: number, name and coordinates."""
    assert graph.partner_pos is not None
    places = graph.partner_pos.tolist()
    names = partners or tuple(map(str, range(len(places))))
    axes = ["x", "y", "z", "w"][: graph.partner_pos.shape[1]]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["partner", "name", *axes])
        for number, (name, place) in enumerate(zip(names, places, strict=True)):
            table.writerow([number, name, *("" if value != value else f"{value:.6g}" for value in place)])


def _told(summary: dict[str, Any], output: Path) -> str:
    """The summary in a few lines."""
    graph, fit = summary["graph"], summary["fit"]
    kind = f"dimension {graph['dim']}" if graph["dim"] else "no geometry (edges without coordinates)"
    partners = "" if summary["num_partners"] is None else f", {summary['num_partners']} partners"
    lines = [
        f"{summary['num_nodes']} nodes ({graph['live']} live){partners}, {summary['seconds']:.1f} s",
        f"{kind}, {graph['edges']} edges, components: {graph['components']}",
    ]
    if fit is not None:
        gain, ceiling, ratio, error = (shown(fit[name]) for name in ("gain", "ceiling", "ratio", "error"))
        lines.append(
            f"verdict: {fit['verdict']}; places gain {gain} of {ceiling} {summary['unit']} on what was held out, "
            f"ratio {ratio} +- {error}, {fit['coupling']}"
        )
    lines.append(f"written to {output}: {', '.join(summary['files'])}")
    return "\n".join(lines)
