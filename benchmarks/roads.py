"""Which detectors are joined by road? From speeds alone, over all pairs, against the road graph.

METR-LA (a week of speeds at 207 loop detectors; `los_adj.csv` > 0: 1,313 pairs): area under the ROC curve of minus the
distance on the map of `discover(x)` (pairs in different parts are farthest), of its edge weights (0 elsewhere), and of
the coupling that it chose, measured for all pairs; beside them correlation, its absolute value, that of differences
from step to step, partial correlation (ridge by held-out likelihood of blocks), scikit-learn's graphical lasso (penalty
by cross-validation on blocks), UMAP of the correlation distance (mean of five seeds), and, told the places, straight
distance. "against correlation": the difference and its standard error by leaving out one detector after the other.
"largest part": pairs within the largest part that discovery finds. Then all of it once more for what is left of the
speeds when each detector's mean day is subtracted, and for the weekly chickenpox of 20 counties (41 common borders).
Nothing was chosen on these graphs.

Simulated: random places joined where no third lies inside the circle between two (Gabriel), a Gaussian Markov field
with memory 0.9 on these roads for each carriageway, a day that all detectors have in common in varying strength, and
noise; pairs at most two roads apart are to be found, on either carriageway. Run s is drawn with seed s.

    python benchmarks/roads.py                         # four minutes; UMAP needs umap-learn (extra bench)
    python benchmarks/roads.py --simulated             # half a minute
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from draws import Array
from fields import markov, precision
from report import markdown_table
from scipy.signal import lfilter
from scipy.spatial import Delaunay
from scipy.spatial.distance import cdist

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import ChickenpoxNodes, METRLANodes
from scge_pyg.discovery.coupling.direct import centred, choose_ridge, partial_correlation
from scge_pyg.discovery.signals.blocks import split_blocks
from scge_pyg.discovery.signals.delays import aligned_in_time, node_delays
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_DAY = 288  # steps of five minutes
_SEEDS = 5  # of UMAP
_MEMORY = 0.9  # of a simulated field


class Network(NamedTuple):
    """Series ``[T, N]``, which pairs are joined ``[N, N]``, and places ``[N, 2]`` where they are known."""

    x: Array
    joined: Array
    places: Array | None


def metr_la(less_mean_day: bool) -> Network:
    """Speeds; ``less_mean_day`` subtracts each detector's mean at the same time of day."""
    data = METRLANodes(_CACHE / "metr_la")
    x = data.x.squeeze(2).double().numpy()
    if less_mean_day:
        days = x.reshape(-1, _DAY, x.shape[1])
        x = (days - days.mean(0)).reshape(x.shape)
    return Network(x, matrix(data.edge_index, x.shape[1]), data.pos.numpy())


def chickenpox() -> Network:
    """Weekly cases."""
    data = ChickenpoxNodes(_CACHE / "chickenpox")
    x = data.x.squeeze(2).double().numpy()
    return Network(x, matrix(data.edge_index, x.shape[1]), None)


def simulated(run: int, carriageways: int, places: int = 200, days: int = 7) -> Network:
    """Roads between random places; each carriageway has its own field on them, and all have the day in common."""
    rng = np.random.default_rng(run)
    where = np.sqrt(places) * rng.random((places, 2))
    road = gabriel(where)
    shock = np.concatenate([markov(precision(road, 0.1), days * _DAY + 100, rng) for _ in range(carriageways)], 1)
    x = lfilter([1], [1, -_MEMORY], shock, axis=0)[100:]
    hour = np.arange(days * _DAY) % _DAY / 12
    rush = np.exp(-(((hour - 8) / 2.5) ** 2)) + np.exp(-(((hour - 17) / 3) ** 2))
    x = x / x.std(0) + 3 * rng.random(x.shape[1]) * rush[:, None] + 0.3 * rng.standard_normal(x.shape)
    joined = np.tile(road | (road.astype(int) @ road > 0), (carriageways, carriageways))
    return Network(x, joined & ~np.eye(len(joined), dtype=bool), np.tile(where, (carriageways, 1)))


def gabriel(places: Array) -> Array:
    """Places ``[N, 2]`` are joined ``[N, N]`` if no third lies inside the circle between them."""
    edges = Delaunay(places).simplices[:, [0, 1, 1, 2, 0, 2]].reshape(-1, 2)
    middle, radius = places[edges].mean(1), np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=1) / 2
    edges = edges[(cdist(middle, places) < radius[:, None] * (1 - 1e-9)).sum(1) == 0]
    road = np.zeros((len(places),) * 2, dtype=bool)
    road[tuple(edges.T)] = road[tuple(edges.T[::-1])] = True
    return road


def matrix(edge_index: torch.Tensor, nodes: int) -> Array:
    """``[N, N]`` bool."""
    joined = np.zeros((nodes, nodes), dtype=bool)
    joined[tuple(edge_index.numpy())] = True
    return joined | joined.T


def of_discovery(x: Array) -> tuple[SharedGraph, dict[str, Array]]:
    """The graph, and its scores of all pairs."""
    graph = discover(x)
    nodes, part = graph.num_nodes, graph.component
    weight = np.zeros((nodes, nodes))
    weight[tuple(graph.edge_index.numpy())] = graph.edge_weight.numpy()
    signals = prepare(read(x))
    signals = aligned_in_time(signals, node_delays(signals))
    name = "correlation" if graph.fit is None else graph.fit.coupling
    whole, first, second = signals.correlations
    if name.startswith("partial"):
        measured = centred(partial_correlation(whole, choose_ridge(first, second)[0]))
    else:
        measured = np.abs(whole) if name.startswith("|") else whole
    coupling = np.zeros((nodes, nodes))
    coupling[np.ix_(signals.order, signals.order)] = measured
    scores = {f"discover: {name} of normal scores": coupling, "discover: edge weight": weight}
    if graph.dim:
        distance = torch.cdist(graph.pos, graph.pos)
        distance[part[:, None] != part] = torch.inf
        rank = np.unique(distance.numpy(), return_inverse=True)[1].reshape(
            nodes, nodes
        )  # the curve asks for finite scores
        scores = {"discover: minus map distance": -rank.astype(float), **scores}
    return graph, scores


def of_peers(network: Network, *, quick: bool) -> Iterator[tuple[str, list[Array]]]:
    """Scores ``[N, N]`` of all pairs by the others, one a seed; ``quick``: those that take no time."""
    x = network.x
    correlation = np.corrcoef(x.T)
    yield "correlation", [correlation]
    yield "absolute correlation", [np.abs(correlation)]
    yield "correlation of differences", [np.corrcoef(np.diff(x, axis=0).T)]
    if network.places is not None:
        yield "told the places: minus straight distance", [-cdist(network.places, network.places)]
    if quick:
        return
    z = ((x - x.mean(0)) / x.std(0)).astype(np.float32).T
    split = split_blocks(z, np.arange(len(x)))
    halves = [np.corrcoef(z[:, split.side(which)].astype(float)) for which in (0, 1)]
    yield "partial correlation", [partial_correlation(correlation, choose_ridge(*halves)[0])]
    yield "graphical lasso", [lasso(z.T.astype(float))]
    maps = list(umap(1 - correlation))
    if maps:
        yield "UMAP: minus distance", maps


def lasso(z: Array) -> Array:
    """Partial correlations of scikit-learn's graphical lasso."""
    from sklearn.covariance import GraphicalLassoCV
    from sklearn.model_selection import KFold

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some penalties of the path don't converge
        found = GraphicalLassoCV(
            cv=KFold(5), alphas=4, n_refinements=2, max_iter=50, tol=1e-3, assume_centered=True
        ).fit(z)
    scale = 1 / np.sqrt(np.diag(found.precision_))
    return np.asarray(-found.precision_ * scale * scale[:, None])


def umap(distance: Array) -> Iterator[Array]:
    """Minus distances on UMAP's maps, where it is installed."""
    try:
        from umap import UMAP
    except ImportError:
        return
    for seed in range(_SEEDS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = UMAP(metric="precomputed", random_state=seed).fit_transform(np.maximum(distance, 0))
        yield -cdist(place, place)


def area(score: Array, joined: Array, kept: Array) -> float:
    """Area under the ROC curve over the pairs of kept nodes."""
    from sklearn.metrics import roc_auc_score

    pair = np.triu(kept[:, None] & kept, 1)
    return float(roc_auc_score(joined[pair], score[pair]))


def rows(network: Network, *, quick: bool) -> tuple[str, list[list[str]]]:
    """What discovery found, and one row for each score."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, own = of_discovery(network.x)
    everyone = np.ones(graph.num_nodes, dtype=bool)
    part = graph.component.numpy() == 0
    scores = {**{name: [score] for name, score in own.items()}, **dict(of_peers(network, quick=quick))}
    base = None if quick else jackknife(scores["correlation"], network.joined)
    lines = []
    for name, seeds in scores.items():
        every, within = (np.mean([area(one, network.joined, kept) for one in seeds]) for kept in (everyone, part))
        apart = ""
        if base is not None and name != "correlation":
            difference = jackknife(seeds, network.joined) - base
            count = len(difference)
            error = np.sqrt((count - 1) / count * ((difference - difference.mean()) ** 2).sum())
            apart = f"{difference.mean():+.3f} ± {error:.3f}"
        lines.append([name, f"{every:.3f}", apart, f"{within:.3f}"])
    return f"{graph!r}, {graph.fit!r}; largest part: {int(part.sum())} of {graph.num_nodes}", lines


def jackknife(seeds: list[Array], joined: Array) -> Array:
    """Area without each node in turn ``[N]``, mean over seeds."""
    kept = ~np.eye(len(joined), dtype=bool)
    return np.mean([[area(one, joined, row) for row in kept] for one in seeds], 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulated", action="store_true", help="random road networks instead")
    parser.add_argument("--runs", type=int, default=3, help="random networks of each kind (default: 3)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them")
    args = parser.parse_args()
    for title, network in simulations(args.first_seed, args.runs) if args.simulated else recordings():
        told, lines = rows(network, quick=args.simulated)
        head = ["score of a pair", "all pairs", "against correlation", "largest part"]
        print(f"\n{title}: {told}\n\n{markdown_table(head, lines)}", flush=True)


def recordings() -> Iterator[tuple[str, Network]]:
    yield "METR-LA", metr_la(False)
    yield "METR-LA, less each detector's mean day", metr_la(True)
    yield "chickenpox", chickenpox()


def simulations(first: int, runs: int) -> Iterator[tuple[str, Network]]:
    for carriageways in (1, 2):
        for run in range(first, first + runs):
            yield f"simulated, {carriageways} carriageway(s), run {run}", simulated(run, carriageways)


if __name__ == "__main__":
    main()
