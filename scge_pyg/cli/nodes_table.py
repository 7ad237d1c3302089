"""The nodes of a graph as a text table, for those who go on in a spreadsheet or in another language."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scge_pyg.graph import SharedGraph

__all__ = ["write_nodes"]

_AXES = "xyzw"


def write_nodes(path: Path, graph: SharedGraph) -> None:
    """Write a line for each node: number, name, coordinates, component, confidence, sign and neighbours by name.

    Nodes without a name are called by their number. A graph without a geometry has no coordinates; nodes that are not
    live have empty ones. Neighbours stand in one cell with semicolons between, the strongest first; names that hold a
    semicolon are quoted there as in a table of their own.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "nodes.csv"
        >>> write_nodes(path, SharedGraph.from_grid((1, 3)))
        >>> print(path.read_text(encoding="utf-8"))
        node,name,x,y,component,confidence,sign,neighbours
        0,0,0,0,0,1,1,1
        1,1,0,1,0,1,1,0;2
        2,2,0,2,0,1,1,1
        <BLANKLINE>
    """
    names = tuple(map(str, range(graph.num_nodes))) if graph.names is None else graph.names
    axes = [_AXES[j] if j < len(_AXES) else f"axis {j}" for j in range(graph.pos.shape[1])]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["node", "name", *axes, "component", "confidence", "sign", "neighbours"])
        table.writerows(_rows(graph, names))


def _rows(graph: SharedGraph, names: Sequence[str]) -> Iterator[list[Any]]:
    near = _neighbours(graph)
    columns = (graph.pos, graph.component, graph.confidence, graph.sign)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for node, (place, component, confidence, sign) in enumerate(rows):
        coordinates = ["" if value != value else f"{value:.6g}" for value in place]
        around = _joined([names[other] for other in near[node]])
        yield [node, names[node], *coordinates, component, f"{confidence:.4g}", sign, around]


def _neighbours(graph: SharedGraph) -> list[list[int]]:
    """The neighbours of each node, by falling weight and then by number."""
    near: list[list[tuple[float, int]]] = [[] for _ in range(graph.num_nodes)]
    weights = graph.edge_weight.tolist()
    for source, target, weight in zip(*graph.edge_index.tolist(), weights, strict=True):
        if source != target:
            near[source].append((-weight, target))
    return [[other for _, other in sorted(around)] for around in near]


def _joined(names: Sequence[str]) -> str:
    cell = io.StringIO()
    csv.writer(cell, delimiter=";", lineterminator="").writerow(names)
    return cell.getvalue()
