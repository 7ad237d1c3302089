"""What was found, in words: one verdict for the graph, and one line for each of its parts."""

from __future__ import annotations

import math
from typing import Any

from scge_pyg.graph import Fit, SharedGraph

__all__ = ["facts_of_parts", "figures", "notes", "verdict"]

_MOST_NAMED = 12


def verdict(graph: SharedGraph) -> list[str]:
    """Sentences that say whether there is a geometry, how good its map is, and what that was judged by.

    Example:
        >>> verdict(SharedGraph.from_grid((2, 3)))[0]
        'Two dimensions, a lattice of 2 x 3.'
    """
    if not bool(graph.live.any()):
        return ["No node is live: none of them carries a signal, so there is nothing to map."]
    if graph.num_nodes == 1:
        return ["There is one node, so there is nothing to map."]
    fit = graph.fit
    told = [_kind(graph)]
    if fit is None:
        return [
            *told,
            "There is no verdict: too little hangs together, or the graph was not discovered.",
        ]
    told.append(_judged(fit, graph.dim))
    told.append(_gained(fit))
    worth = f", worth {fit.effective_samples:,.0f} independent ones" if math.isfinite(fit.effective_samples) else ""
    told.append(f"Coupling: {fit.coupling}; {fit.num_samples:,} samples{worth}.")
    return told


def _kind(graph: SharedGraph) -> str:
    if not graph.dim:
        return "No geometry: the graph is its edges, without places."
    count = {1: "One dimension", 2: "Two dimensions", 3: "Three dimensions"}.get(graph.dim, f"{graph.dim} dimensions")
    if graph.lattice is not None:
        closed = " that closes on itself" if any(graph.lattice.periodic) else ""
        return f"{count}, a lattice of {' x '.join(map(str, graph.lattice.shape))}{closed}."
    closed = f", drawn in {graph.pos.shape[1]} coordinates" if graph.pos.shape[1] > graph.dim else ""
    return f"{count}{closed}, no lattice."


def _judged(fit: Fit, dim: int) -> str:
    if fit.verdict == "geometry":
        return "Verdict: geometry. Places on the map predict samples that were held out."
    if fit.verdict == "undecided":
        return "Verdict: undecided. The samples are too few or too noisy to say whether there is a geometry."
    if fit.factors:
        some = "One factor explains" if fit.factors == 1 else f"{fit.factors} factors explain"
        return f"Verdict: no geometry. {some} the samples as well as a map does, so the map is refused."
    kept = " It was asked for, and is drawn all the same." if dim else ""
    return f"Verdict: no geometry. No map of few dimensions predicts samples that were held out.{kept}"


def _gained(fit: Fit) -> str:
    told = (
        f"The map gains {fit.gain:.3f} of the {fit.ceiling:.3f} nats a {fit.unit} that the best partners without a map "
        f"do; partners at random gain {fit.chance:.3f}."
    )
    if not fit.ratio_known:
        return f"{told} The ratio is not defined, as the best partners predict no better than those at random."
    return f"{told} Ratio {fit.ratio:.3f} ± {fit.error:.3f}: at 1 the map loses nothing, at 0 it is chance."


def facts_of_parts(graph: SharedGraph) -> list[dict[str, Any]]:
    """Of each part of at least two nodes: how many nodes, dimension, shape of its lattice, verdict and figures."""
    sizes = graph.component[graph.component >= 0].bincount().tolist()
    shapes: dict[int, str] = {}
    for lattice in graph.lattices:
        number = int(graph.component[lattice.placed].max()) if bool(lattice.placed.any()) else -1
        shapes[number] = " x ".join(map(str, lattice.shape))
    return [
        {"nodes": size, "dim": dim, "lattice": shapes.get(number), **figures(fit)}
        for number, (size, dim, fit) in enumerate(zip(sizes, graph.part_dim, graph.part_fit, strict=False))
    ]


def figures(fit: Fit | None) -> dict[str, Any]:
    """Plain values of a fit, None where a figure is not known."""
    if fit is None:
        return {"verdict": None}
    known = fit.ratio_known
    return {
        "verdict": fit.verdict,
        "unit": fit.unit,
        **{name: _finite(getattr(fit, name)) for name in ("gain", "ceiling", "chance")},
        "ratio": _finite(fit.ratio) if known else None,
        "error": _finite(fit.error) if known else None,
        "columns": fit.columns,
        "gain_by_columns": [_finite(gain) for gain in fit.gain_by_columns],
    }


def _finite(value: float) -> float | None:
    """The number, or None for JSON, which knows no NaN."""
    return float(value) if math.isfinite(value) else None


def notes(graph: SharedGraph) -> list[str]:
    """What a reader would look for in vain: names, edges, places of dead nodes."""
    told = [] if graph.names is not None else ["The nodes have no names; they go by their numbers, from 0."]
    if not graph.num_edges:
        told.append("There are no edges.")
    dead = (~graph.live).nonzero().flatten().tolist()
    if dead:
        names = [str(node) if graph.names is None else graph.names[node] for node in dead[:_MOST_NAMED]]
        more = f" and {len(dead) - len(names):,} more" if len(dead) > len(names) else ""
        told.append(f"Not live, so without a place ({len(dead):,}): {', '.join(names)}{more}.")
    single = graph.num_nodes - len(dead) - sum(part["nodes"] for part in facts_of_parts(graph))
    if single and graph.num_edges:
        told.append(f"Live nodes that are joined to no other: {single:,}.")
    return told
