"""`write_report`: one self-contained HTML page about a graph or a run."""

from __future__ import annotations

import base64
import gzip
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scge_pyg.graph import SharedGraph
from scge_pyg.plot.report.arrays import edge_arrays, node_arrays
from scge_pyg.plot.report.page import page
from scge_pyg.plot.report.run_folder import Run, read_run, summary_of
from scge_pyg.plot.report.samples import sample_content
from scge_pyg.plot.report.words import facts_of_parts, figures, notes, verdict

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

__all__ = ["write_report"]


def write_report(
    source: SharedGraph | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    samples: Tensor | ArrayLike | None = None,
    title: str | None = None,
) -> Path:
    """Write one HTML page that needs nothing beside it and asks nothing of the network.

    The verdict in words and the gain by dimension, the map (one, two or three coordinates, drawn by WebGL where nodes
    are many) with names, neighbours, coupling and confidence under the pointer, samples before and after, curves and a
    table of last values, and downloads of graph, nodes and edges. A graph without a geometry has no map; its strongest
    couplings are listed. What is missing is said on the page. A page of 65,536 nodes takes 15 MB, a third of it plotly.

    Args:
        source: A graph, a graph's file, or the folder of a run: its graph (``graph.safetensors``), metrics
            (``metrics.csv`` anywhere below), configuration, versions and summary.
        path: The page to write; it appears whole or not at all.
        samples: Samples ``[S, N]`` or ``[S, N, C]`` in the order of the nodes, of which the first twelve are shown.
        title: Title of the page. Default: the name of the run's folder or of the graph's file.

    Returns:
        The path of the page.

    Raises:
        FileNotFoundError: If the source, or the folder of ``path``, is not there.
        ImportError: If plotly, of the extra ``report``, is not installed.
        TypeError: If the source is neither a graph nor a path, or samples are no numbers.
        ValueError: If the source holds neither graph nor metrics, or samples are over other nodes.

    Example:
        >>> import tempfile
        >>> from scge_pyg import SharedGraph
        >>> folder = Path(tempfile.mkdtemp())
        >>> written = write_report(SharedGraph.from_grid((4, 5)), folder / "report.html")  # doctest: +SKIP
    """
    target = Path(path)
    if not target.absolute().parent.is_dir():
        raise FileNotFoundError(f"write_report: the folder {target.absolute().parent} does not exist; make it first")
    if target.is_dir():
        raise ValueError(f"write_report: path must name a file to write, {target} is a folder")
    if isinstance(source, SharedGraph):
        run, name = Run(source), "Graph"
    elif isinstance(source, str | os.PathLike):
        run, name = read_run(Path(source)), Path(source).resolve().name
    else:
        raise TypeError(
            f"write_report: the first argument must be a SharedGraph or a path, got {type(source).__name__}"
        )
    if samples is not None and run.graph is None:
        raise ValueError(f"write_report: samples were given, but {source} holds no graph to put them on")
    text = page(name if title is None else title, _content(run, samples))
    _write_whole(target, text)
    return target


def _content(run: Run, samples: Tensor | ArrayLike | None) -> dict[str, Any]:
    """All that the page shows, as plain values."""
    summary = summary_of(run.texts)
    warned = summary.get("warnings")
    content: dict[str, Any] = {
        "graph": None,
        "file": None if run.graph_file is None else run.graph_file.name,
        "metrics": run.metrics,
        "texts": run.texts,
        "missing": run.missing,
        "warnings": [str(one) for one in warned] if isinstance(warned, list) else [],
    }
    graph = run.graph
    if graph is None:
        return content
    content["graph"] = {
        "nodes": graph.num_nodes,
        "live": int(graph.live.sum()),
        "edges": graph.num_undirected_edges,
        "dim": graph.dim,
        "columns": graph.pos.shape[1] if graph.dim else 0,
        "spacing": _spacing(graph),
        "names": None if graph.names is None else list(graph.names),
        "verdict": verdict(graph),
        "notes": notes(graph),
        "parts": facts_of_parts(graph),
        "fit": figures(graph.fit),
        "node": node_arrays(graph),
        "edge": edge_arrays(graph),
        "file": _graph_file(graph),
        "samples": None if samples is None else sample_content(samples, graph.num_nodes),
    }
    return content


def _spacing(graph: SharedGraph) -> float:
    """Distance between neighbours of the largest part; parts have frames of their own, which may overlap."""
    if not graph.dim or int(graph.live.sum()) < 2:
        return 1.0
    part = (graph.parts() or [graph])[0]
    return (part.spacing if part.dim else 0.0) or 1.0


def _graph_file(graph: SharedGraph) -> str:
    """The file that :meth:`SharedGraph.save` writes, under gzip and base64."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.safetensors"
        graph.save(file)
        return base64.b64encode(gzip.compress(file.read_bytes(), 6, mtime=0)).decode("ascii")


def _write_whole(target: Path, text: str) -> None:
    """Write under a temporary name beside the target, then rename."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
