"""Other ways to a graph and a map of nodes, each in a few variants, told the true number of columns.

Correlations are Pearson's, or the absolute values of Spearman's, which neither spikes nor inverted nodes disturb;
missing values are left out pair by pair. Which variant is reported is chosen by its score against the truth, draw by
draw, which favours these methods: `discover` has one variant and sees no truth.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from draws import Array
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from suite_scores import Found, Truth, closest
from threadpoolctl import threadpool_limits

__all__ = ["PEERS", "Variant", "correlations", "variants"]

_NEIGHBOURS, _PERPLEXITIES, _PENALTIES = (5, 10, 20), (30, 100), (0.02, 0.1)
_LASSO = 128


class Variant(NamedTuple):
    """One variant of a method: its name, what it found, seconds without correlations."""

    name: str
    found: Found
    seconds: float


def _pairwise(x: Array) -> Array:
    """Correlations ``[N, N]`` of samples ``[S, N, C]``, averaged over channels; NaN is missing, constants get 0."""
    seen = np.isfinite(x)
    level = x - np.nanmean(x, axis=0)
    spread = np.nanstd(x, axis=0)
    z = np.where(seen & (spread > 0), level / np.where(spread > 0, spread, 1), 0.0)
    common = np.einsum("sic,sjc->ij", seen.astype(float), seen.astype(float), optimize=True)
    mean = np.einsum("sic,sjc->ij", z, z, optimize=True) / np.maximum(common, 1)
    return np.asarray(np.clip(mean, -1, 1))


def correlations(x: Array) -> dict[str, Array]:
    """Pearson's and Spearman's correlations ``[N, N]`` of samples ``[S, N]`` or ``[S, N, C]``."""
    x = x[..., None] if x.ndim == 2 else x
    return {"Pearson": _pairwise(x), "Spearman": _pairwise(rankdata(x, axis=0, nan_policy="omit"))}


def _distance(kind: str, correlation: Array) -> Array:
    """Euclidean distance of standardised signals; the sign of rank correlations is left out."""
    distance = np.sqrt(2 * (1 - (np.abs(correlation) if kind == "Spearman" else correlation)))
    np.fill_diagonal(distance, 0)
    return np.asarray(distance)


def _scaled(distance: Array, columns: int) -> Array:
    """Classical scaling (Torgerson, 1952)."""
    square = distance**2
    inner = -(square - square.mean(0) - square.mean(1, keepdims=True) + square.mean()) / 2
    value, vector = np.linalg.eigh(inner)
    return np.asarray(vector[:, : -columns - 1 : -1] * np.sqrt(np.maximum(value[: -columns - 1 : -1], 0)))


def classical_scaling(distance: Array, columns: int, seed: int) -> Iterator[tuple[str, Callable[[], Array]]]:
    """The only variant of classical scaling."""
    yield "", lambda: _scaled(distance, columns)


def isomap(distance: Array, columns: int, seed: int) -> Iterator[tuple[str, Callable[[], Array]]]:
    """scikit-learn's Isomap with 5, 10 and 20 neighbours."""
    from sklearn.manifold import Isomap

    for k in (k for k in _NEIGHBOURS if k < len(distance)):
        model = Isomap(n_neighbors=k, n_components=columns, metric="precomputed")
        yield f", {k} neighbours", lambda model=model: model.fit_transform(distance)


def tsne(distance: Array, columns: int, seed: int) -> Iterator[tuple[str, Callable[[], Array]]]:
    """scikit-learn's t-SNE, started from classical scaling, perplexities of 30 and 100, at most a quarter of N."""
    from sklearn.manifold import TSNE

    start = _scaled(distance, columns)
    start = (1e-4 * start / start[:, 0].std()).astype(np.float32)
    for perplexity in sorted({min(p, len(distance) / 4) for p in _PERPLEXITIES}):
        model = TSNE(
            columns,
            perplexity=perplexity,
            metric="precomputed",
            init=start,
            random_state=seed,
            method="barnes_hut" if columns < 4 else "exact",
        )
        yield f", perplexity {perplexity:g}", lambda model=model: model.fit_transform(distance)


def umap(distance: Array, columns: int, seed: int) -> Iterator[tuple[str, Callable[[], Array]]]:
    """umap-learn with 5, 10 and 20 neighbours."""
    from umap import UMAP

    for k in (k for k in _NEIGHBOURS if k < len(distance)):
        model = UMAP(n_neighbors=k, n_components=columns, metric="precomputed", random_state=seed)
        yield f", {k} neighbours", lambda model=model: model.fit_transform(distance)


_MAPS = {"k-NN, Isomap": isomap, "classical scaling": classical_scaling, "t-SNE": tsne, "UMAP": umap}
_BY_CORRELATION = "k-NN, Isomap"
_EDGES_ALONE = "graphical lasso"
PEERS = (*_MAPS, _EDGES_ALONE)
"""Names of all methods; edges of the first are the strongest correlations, those of the others come from the map."""


def _lasso(correlation: Array, truth: Truth) -> Iterator[Variant]:
    """Strongest partial correlations of scikit-learn's graphical lasso, under two penalties."""
    from sklearn.covariance import graphical_lasso

    for penalty in _PENALTIES:
        start = time.perf_counter()
        try:
            precision = graphical_lasso(correlation, penalty, max_iter=50, tol=1e-3)[1]
        except (FloatingPointError, ValueError):  # it has no solution for this matrix
            continue
        scale = np.sqrt(np.diag(precision))
        strength = np.abs(precision) / np.outer(scale, scale)
        pairs = closest(1 - np.minimum(strength, 1), truth.count, truth.degree)
        yield Variant(f", penalty {penalty:g}", Found(pairs, None), time.perf_counter() - start)


def variants(name: str, correlation: dict[str, Array], truth: Truth, seed: int) -> list[Variant]:
    """All variants of one method on the correlations ``[n, n]`` of the scored nodes; none where it is not installed.

    They run on as many threads as torch does.
    """
    done = []
    with threadpool_limits(torch.get_num_threads()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, matrix in correlation.items():
            if name == _EDGES_ALONE:
                if truth.count and len(matrix) <= _LASSO:
                    done += [v._replace(name=kind + v.name) for v in _lasso(matrix, truth)]
                continue
            distance = _distance(kind, matrix)
            try:
                for variant, fit in _MAPS[name](distance, truth.columns, seed):
                    start = time.perf_counter()
                    pos = np.asarray(fit(), dtype=float)
                    seconds = time.perf_counter() - start
                    ranked = distance if name == _BY_CORRELATION else cdist(pos, pos)
                    found = Found(closest(ranked, truth.count, truth.degree), pos)
                    done.append(Variant(kind + variant, found, seconds))
            except ImportError:
                return []
    return done
