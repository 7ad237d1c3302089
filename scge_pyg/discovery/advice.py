"""What a user should know about a result, in words."""

from __future__ import annotations

from scge_pyg.discovery.parts.part import FEWEST
from scge_pyg.discovery.signals.lags import LONGEST_LAG
from scge_pyg.discovery.signals.prepare import Signals
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["advice"]

_ADVISED = 100
_SLOW = 0.25
_AT_LIMIT = 0.05  # share of edges with the longest lag that is worth a word


def advice(graph: SharedGraph, signals: Signals, count: int, dim: int | None) -> list[str]:
    """Warnings about a graph that was found, each with its figures.

    Args:
        graph: The result.
        signals: What it was found from.
        count: Samples that were seen.
        dim: Dimension that was asked for.
    """
    found = []
    live = int(graph.live.sum())
    if count < max(_ADVISED, live // 10):
        found.append(f"{count} samples are few for {live} live nodes; about {max(_ADVISED, live)} are advised")
    fit = graph.fit
    if fit is not None and fit.verdict == "undecided":
        found.append(
            f"too short a recording to judge a geometry: the signals need {signals.split.time} samples to forget "
            f"themselves, and {fit.num_samples} are worth {signals.effective:.0f} independent ones"
            + ("" if dim else "; the graph has no map (discover(x, dim=2) draws one)")
        )
    elif fit is not None and fit.verdict == "no geometry":
        found.append(
            f"no low-dimensional geometry: neighbours on the best map predict a node by {fit.gain:.3f} nats, the best "
            f"partners without a map by {fit.ceiling:.3f}, random ones by {fit.chance:.3f} (ratio {fit.ratio:.2f} +- "
            f"{fit.error:.2f})" + ("" if dim else "; the graph is edges without a map (discover(x, dim=2) draws one)")
        )
    elif fit is None and graph.num_edges and signals.num_nodes < FEWEST:
        found.append(f"fewer than {FEWEST} nodes differ: neither their dimension nor a geometry was judged")
    elif fit is None and graph.num_edges:
        largest = int(graph.component[graph.live].bincount().max())
        found.append(f"no low-dimensional geometry: couplings beyond chance hold at most {largest} nodes together")
    if not graph.num_edges:
        text = "no coupling between nodes stands out from the noise; the graph has no edges"
        if signals.effective < _SLOW * count:
            text += (
                f"; {count} samples of slow signals are worth {signals.effective:.0f} independent ones (drift and "
                f"cycles go with discover(x[1:] - x[:-1]))"
            )
        found.append(text)
    late = (graph.lag.abs() >= LONGEST_LAG).double().mean() if graph.num_edges else 0.0
    if late > _AT_LIMIT:
        found.append(
            f"{late:.0%} of the edges have lags of {LONGEST_LAG} steps or more, the longest that are looked for, and "
            f"theirs may be longer; every second sample halves them, discover(x[::2])"
        )
    return found
