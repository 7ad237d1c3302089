"""What a user should know about a result, in words."""

from __future__ import annotations

import numpy as np
import torch

from scge_pyg.discovery.parts.part import FEWEST
from scge_pyg.discovery.signals.lags import LONGEST_LAG
from scge_pyg.discovery.signals.signals import Signals
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["advice"]

_ADVISED = 100
_WIDE = 10  # nodes a sample from which on rows and columns may have been swapped
_EVENTS = 50  # samples in which a node should leave its usual value; with fewer, planes came out as chains
_LOOKED_AT = 1001  # samples that the usual value is read off
_SLOW = 0.25
_AT_LIMIT = 0.05  # share of edges with the longest lag that is worth a word
_BEYOND = 0.1, 3.0  # what a ratio may exceed 1 by, itself and in errors
_STRANGE = 0.3, 0.1  # gain over that of the middle node of its part, and in nats: strangers at most 0.26 and 0.07
_NAMED = 8


def advice(graph: SharedGraph, signals: Signals, count: int, dim: int | None) -> list[str]:
    """Warnings about a graph that was found, each with its figures.

    Args:
        graph: The result.
        signals: What it was found from.
        count: Samples that were seen.
        dim: Dimension that was asked for.
    """
    events = _events(signals)
    few = _of_samples(int(graph.live.sum()), signals, count, float(np.median(events)))
    return [
        *few,
        *_of_verdicts(graph, signals, count, dim),
        *_of_further_parts(graph, dim),
        *_of_lags(graph),
        *_of_ratios(graph, dim),
        *([] if few else _of_strangers(graph, signals.order[events >= _EVENTS])),
    ]


def _of_samples(live: int, signals: Signals, count: int, events: float) -> list[str]:
    """Few samples, few that two nodes have in common, or few in which a node leaves its usual value."""
    if count < max(_ADVISED, live // 10):
        swapped = "; are rows and columns swapped, and discover(x.T) is meant?" if live > _WIDE * count else ""
        return [f"{count} samples are few for {live} live nodes; about {max(_ADVISED, live)} are advised{swapped}"]
    common = _common_samples(signals)
    if common < _ADVISED:
        return [
            f"half of the pairs of nodes have at most {common:.0f} of {count} samples in common; about {_ADVISED} are "
            f"advised, with fewer a map may have a wrong dimension"
        ]
    if events < _EVENTS:
        return [
            f"half of the nodes leave their usual value in at most {events:.0f} of {count} samples; about {_EVENTS} "
            f"times are advised, with fewer a map may have a wrong dimension"
        ]
    return []


def _common_samples(signals: Signals) -> float:
    """Median number of samples in common, over pairs of rows one after the other."""
    if signals.observed is None:
        return float("inf")
    return float(np.median((signals.observed & np.roll(signals.observed, 1, 0)).sum(1)))


def _events(signals: Signals) -> np.ndarray:
    """Number of each row's values other than the middle one, which is the usual one where events are rare, ``[N]``."""
    score = signals.score
    few = np.sort(score[:, :: -(-score.shape[1] // _LOOKED_AT)], axis=1)
    other = score != few[:, few.shape[1] // 2, None]
    count: np.ndarray = (other if signals.observed is None else other & signals.observed).sum(1)
    return count


def _of_verdicts(graph: SharedGraph, signals: Signals, count: int, dim: int | None) -> list[str]:
    """No geometry, none that could be judged, or no edge."""
    fit, edgeless = graph.fit, _edgeless(graph, signals, count)
    call = "" if dim else " (discover(x, dim=2) draws one)"
    if fit is not None and fit.verdict == "undecided":
        lacks = "" if dim else f"; the graph has no map{'' if graph.num_edges else ' and no edges'}{call}"
        return [
            f"too short a recording to judge a geometry: the signals need {signals.split.time} samples to forget "
            f"themselves, and {fit.num_samples} are worth {signals.effective:.0f} independent ones{lacks}"
        ]
    if fit is not None and fit.verdict == "no geometry":
        ratio = f"ratio {fit.ratio:.2f} +- {fit.error:.2f}"
        if fit.factors:
            ratio += f", but {fit.factors} factor{'s' if fit.factors > 1 else ''} without places explain as much"
        if not fit.ratio_known:
            ratio = "the best hardly differ from random ones, so that their ratio is not defined"
        lacks = "" if dim else f"; the graph is edges without a map{call}"
        return [
            f"no low-dimensional geometry: neighbours on the best map predict a node by {fit.gain:.3f} nats, the best "
            f"partners without a map by {fit.ceiling:.3f}, random ones by {fit.chance:.3f} ({ratio})"
            + (f"; {edgeless}{call and f' and no map{call}'}" if edgeless else lacks)
        ]
    if edgeless:
        return [edgeless]
    if fit is None and signals.num_nodes < FEWEST:
        return [f"fewer than {FEWEST} nodes differ: neither their dimension nor a geometry was judged"]
    if fit is None:
        largest = int(graph.component[graph.live].bincount().max())
        return [f"no low-dimensional geometry: couplings beyond chance hold at most {largest} nodes together"]
    return []


def _edgeless(graph: SharedGraph, signals: Signals, count: int) -> str:
    """Why there are no edges; empty where there are some."""
    if graph.num_edges:
        return ""
    slow = ""
    if signals.effective < _SLOW * count:
        slow = (
            f", {count} samples of slow signals being worth {signals.effective:.0f} independent ones (drift and "
            f"cycles go with discover(x[1:] - x[:-1]))"
        )
    return f"no coupling between nodes stands out from the noise{slow}; the graph has no edges"


def _of_further_parts(graph: SharedGraph, dim: int | None) -> list[str]:
    """Parts without a geometry beside a larger part."""
    fit = graph.fit
    own = [
        int((graph.component == part).sum())
        for part, other in enumerate(graph.part_fit)
        if fit is not None and other is not None and other.verdict == "no geometry" and other.gain != fit.gain
    ]
    if not own:
        return []
    return [
        f"no low-dimensional geometry in {len(own)} further {'part' if len(own) == 1 else 'parts'} of "
        f"{', '.join(map(str, own[:_NAMED]))}{', ...' if len(own) > _NAMED else ''} nodes"
        + ("" if dim else "; they are edges without a map, graph.parts() gives each with its fit")
    ]


def _of_lags(graph: SharedGraph) -> list[str]:
    """Lags at the limit."""
    late = (graph.lag.abs() >= LONGEST_LAG).double().mean() if graph.num_edges else 0.0
    if late <= _AT_LIMIT:
        return []
    return [
        f"{late:.0%} of the edges have lags of {LONGEST_LAG} steps or more, the longest that are looked for, and "
        f"theirs may be longer; every second sample halves them, discover(x[::2])"
    ]


def _of_ratios(graph: SharedGraph, dim: int | None) -> list[str]:
    """Maps that predict better than anything should, or that nothing much can be compared with."""
    call = "" if dim else ", or give the dimension if it is known, as in discover(x, dim=2)"
    known = f"too little is known to choose partners or a dimension by; record longer{call}"
    found = []
    for fit in graph.part_fit:
        if fit is None or fit.verdict != "geometry":
            continue
        if not fit.ratio_known:
            found.append(
                f"the map predicts a node by {fit.gain:.3f} nats, but the best partners without a map by "
                f"{fit.ceiling:.3f}, hardly otherwise than random ones ({fit.chance:.3f}), so that their ratio is not "
                f"defined: {known}"
            )
        elif fit.ratio - 1 > max(_BEYOND[0], _BEYOND[1] * fit.error):
            found.append(
                f"the map predicts better than the best partners without a map (ratio {fit.ratio:.2f} +- "
                f"{fit.error:.2f}): {known}"
            )
    return found


def _of_strangers(graph: SharedGraph, eventful: np.ndarray) -> list[str]:
    """Nodes, of those that have enough events to tell, that nothing near them on a map predicts."""
    told = torch.zeros_like(graph.live)
    told[torch.from_numpy(eventful)] = True
    nodes: list[int] = []
    for part, fit in enumerate(graph.part_fit):
        if fit is not None and fit.verdict == "geometry":
            gain = fit.node_gain
            weak = gain < min(fit.chance, _STRANGE[0] * float(gain.nanmedian()), _STRANGE[1])
            own = (graph.component == part).nonzero().squeeze(1)
            nodes += own[weak & told[own]].tolist()
    if not nodes:
        return []
    named = [str(node) if graph.names is None else graph.names[node] for node in nodes[:_NAMED]]
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    return [
        f"{len(nodes)} {'node is' if len(nodes) == 1 else 'nodes are'} predicted no better by what is near on the map "
        f"than by any other nodes: {', '.join(named)}{more}; the place means little (a reference that unrelated nodes "
        f"share, as an average over all, holds together what does not belong together)"
    ]
