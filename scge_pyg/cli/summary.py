"""What the command says about a graph: plain values for files, and lines for people."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from torch import Tensor

from scge_pyg.graph import Fit, SharedGraph
from scge_pyg.metrics import cell_accuracy, edge_scores, grid_edges

__all__ = ["describe", "judged", "log_seconds", "score", "shown", "told"]

_logger = logging.getLogger(__name__)


def describe(graph: SharedGraph) -> dict[str, Any]:
    """What was found, as plain values."""
    lattice = graph.lattice
    return {
        "dim": graph.dim,
        "live": int(graph.live.sum()),
        "edges": graph.num_undirected_edges,
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


def log_seconds(fit: Fit | None) -> None:
    """Time of each stage, for ``-v``."""
    if fit is not None:
        _logger.info("seconds: %s", ", ".join(f"{stage} {took:.2f}" for stage, took in fit.seconds.items()))


def judged(fit: Fit | None) -> dict[str, Any] | None:
    """What the geometry was judged by, as plain values; None where a figure is not known or not defined."""
    if fit is None:
        return None
    figures = ("gain", "ceiling", "chance", "effective_samples")
    ratio = (fit.ratio, fit.error) if fit.ratio_known else (math.nan, math.nan)
    return {
        "verdict": fit.verdict,
        "coupling": fit.coupling,
        **{name: _rounded(getattr(fit, name)) for name in figures},
        **dict(zip(("ratio", "error"), map(_rounded, ratio), strict=True)),
        "columns": fit.columns,
        "gain_by_columns": list(map(_rounded, fit.gain_by_columns)),
        "factors": fit.factors,
        "num_samples": fit.num_samples,
        "seconds": {stage: _rounded(seconds) for stage, seconds in fit.seconds.items()},
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


def told(summary: dict[str, Any], output: Path) -> str:
    """The summary in a few lines."""
    graph, fit, truth = summary["graph"], summary["fit"], summary["score"]
    lattice = graph["lattice"]
    grid = "no lattice" if lattice is None else "lattice " + " x ".join(map(str, lattice["shape"]))
    kind = f"dimension {graph['dim']}" if graph["dim"] else "no geometry (edges without coordinates)"
    lines = [
        f"{summary['num_nodes']} nodes ({graph['live']} live) with {summary['num_channels']} channels, "
        f"{summary['num_samples']} samples, {summary['seconds']:.1f} s",
        f"{kind}, {grid}, {graph['edges']} edges, components: {graph['components']}",
    ]
    if fit is not None:
        gain, ceiling, chance, ratio, error = (
            shown(fit[name]) for name in ("gain", "ceiling", "chance", "ratio", "error")
        )
        compared = (
            f"ratio {ratio} +- {error}" if fit["ratio"] is not None else f"ratio not defined beside {chance} by chance"
        )
        lines.append(
            f"verdict: {fit['verdict']}; the map gains {gain} of {ceiling} nats a node on samples held out, "
            f"{compared}, coupling: {fit['coupling']}"
        )
    if truth:
        lines.append(
            f"against the true grid: {100 * truth['cell_accuracy']:.1f} % of the cells exact, "
            f"edges with precision {truth['edge_precision']:.3f} and recall {truth['edge_recall']:.3f}"
        )
    lines.append(f"written to {output}: {', '.join(summary['files'])}")
    return "\n".join(lines)


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None


def shown(value: float | None) -> str:
    """A figure for people."""
    return "?" if value is None else f"{value:.3f}"
