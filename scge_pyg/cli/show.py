"""``scge show``: what a graph file holds."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from scge_pyg.cli.output import written_file
from scge_pyg.cli.summary import describe, judged, shown
from scge_pyg.graph import SharedGraph
from scge_pyg.usage import UsageError

__all__ = ["load_graph", "run"]

_MOST_PARTS = 12


def load_graph(path: Path) -> SharedGraph:
    """The graph in a file or in the folder of a result, or a :class:`UsageError`."""
    path = path / "graph.safetensors" if path.is_dir() else path
    try:
        return SharedGraph.load(path)
    except (OSError, ValueError) as error:
        raise UsageError(str(error).removeprefix("load: ")) from error


def run(args: Namespace) -> None:
    """Load, say, draw."""
    graph = load_graph(args.input)
    parts = graph.parts()
    if args.output is not None:
        from scge_pyg.plot import plot_graph

        with written_file(args.output) as partial:
            plot_graph(graph, labels=graph.names).savefig(partial, dpi=150)
    if args.json:
        found = [{"nodes": part.num_nodes, "fit": judged(part.fit), **describe(part)} for part in parts]
        whole = {"input": str(args.input), "num_nodes": graph.num_nodes, "graph": describe(graph)}
        names = None if graph.names is None else list(graph.names)
        print(json.dumps({**whole, "fit": judged(graph.fit), "parts": found, "names": names}, indent=2))
    elif args.verbosity >= 0:
        print("\n".join(_told(graph, parts)))


def _told(graph: SharedGraph, parts: list[SharedGraph]) -> list[str]:
    found = describe(graph)
    alone = found["live"] - sum(part.num_nodes for part in parts)
    lines = [
        f"{graph.num_nodes} nodes ({found['live']} live), {found['edges']} edges, {len(parts)} parts, {alone} alone"
    ]
    if graph.fit is not None:
        fit: dict[str, Any] = judged(graph.fit) or {}
        gain, ceiling, ratio, error = (shown(fit[name]) for name in ("gain", "ceiling", "ratio", "error"))
        unit = f"nats a {graph.fit.unit}"
        lines += [
            f"verdict: {fit['verdict']}; the map gains {gain} of {ceiling} {unit} on what was held out, ratio {ratio} "
            f"+- {error}, coupling: {fit['coupling']}",
            f"gain by columns: {', '.join(shown(value) for value in fit['gain_by_columns'])}",
        ]
    for number, part in enumerate(parts[:_MOST_PARTS]):
        lattice = "no lattice" if part.lattice is None else "lattice " + " x ".join(map(str, part.lattice.shape))
        kind = f"dimension {part.dim}, {lattice}" if part.dim else "no geometry"
        sure = shown(describe(part)["confidence"])
        lines.append(f"part {number}: {part.num_nodes} nodes, {kind}, mean confidence {sure}")
    if len(parts) > _MOST_PARTS:
        lines.append(f"{len(parts) - _MOST_PARTS} smaller parts; --json lists all")
    return lines
