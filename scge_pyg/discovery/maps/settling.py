"""Which candidates are edges, once there is a map: coupling, dissimilarity and place speak as three witnesses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit

from scge_pyg.discovery.coupling.direct import Coupling
from scge_pyg.discovery.coupling.thresholds import SIGNIFICANT
from scge_pyg.discovery.maps.mooring import moor
from scge_pyg.discovery.maps.wiring import attach, mutual_top, partners
from scge_pyg.graph.drawing.assembly import Map, map_components
from scge_pyg.graph.drawing.layout import side_by_side
from scge_pyg.graph.drawing.wiring import Wiring, strength_of

__all__ = ["settle"]

_ADJACENT = 1.25  # a grid's next distance is sqrt(2)
_LENGTHS = np.linspace(0.5, 2.5, 23)
_ROUNDS = 10
_CONTRADICTED = -1.0  # log-odds below which an edge is left out of the second map


def settle(coupling: Coupling, wiring: Wiring, chart: Map, dim: int, seed: int) -> tuple[np.ndarray, Map]:
    r"""Edges ``[2, E]`` that the samples and the map agree on, and the map drawn with them.

    Candidates are mutual among the strongest partners. On irregular places an edge joins two nodes side by
    side on the map. On a grid each candidate has three features: its length on the
    map, its direct coupling and its dissimilarity, the latter two relative to what its ends are used to. With labels
    that start as "shorter than 1.25 spacings", the log-odds of an edge

    .. math::
        \ell = \beta_0 + \beta_1 \log c + \beta_2 \log \delta
            + \log\frac{p(\text{length} \mid 1)}{p(\text{length} \mid 0)}

    and the labels :math:`\sigma(\ell)` are estimated by turns: logistic regression for the two statistics of the
    samples, which are correlated, and smoothed histograms for the length. Edges that made the map and are contradicted
    by the samples (two pixels across a hole) are taken out, the map is drawn again, chains that hang on it are moored
    where they are most similar (:func:`scge_pyg.discovery.maps.mooring.moor`), and the lengths are judged anew.

    Args:
        coupling: Coupling of the nodes.
        wiring: What the coupling alone said.
        chart: Map of that wiring.
        dim: Intrinsic dimension.
        seed: Seed of the map.
    """
    if chart.pos.shape[1] > dim:
        return wiring.edges, chart  # a ring or torus is bent, and its chords say little about lengths
    pairs = mutual_top(coupling.matrix, 2 * dim + 1 if wiring.dense else 4 * dim)
    pairs = pairs[:, strength_of(coupling.matrix, pairs) > SIGNIFICANT * coupling.noise]
    if wiring.dense:
        return pairs[:, side_by_side(chart.pos, pairs, dim)], chart
    if not pairs.shape[1]:
        return pairs, chart
    features = _features(coupling, pairs, dim)
    edge, evidence = _judge(features, chart, pairs)
    kept = pairs[:, edge & (evidence > _CONTRADICTED)]
    second = replace(wiring, edges=kept, attached=attach(coupling.matrix, kept, coupling.noise))
    chart = map_components(second, len(chart.pos), dim, np.random.default_rng(seed))
    if chart.pos.shape[1] > dim:
        return kept, chart
    if dim > 1:
        chart = replace(chart, pos=moor(chart.pos, kept, coupling.dissimilarity))
    return pairs[:, _judge(features, chart, pairs)[0]], chart


def _features(coupling: Coupling, pairs: np.ndarray, dim: int) -> np.ndarray:
    """Logarithms of coupling and dissimilarity, less the mean of both ends over ``2 dim`` partners, ``[E, 2]``."""
    index, value = partners(coupling.matrix, 2 * dim)
    floor = max(SIGNIFICANT * coupling.noise, 1e-9)
    there = index >= 0
    own = np.repeat(np.arange(len(index)), index.shape[1]).reshape(index.shape)
    apart = np.zeros(index.shape)
    apart[there] = np.log(np.maximum(coupling.dissimilarity(np.stack([own[there], index[there]])), 1e-9))
    usual = np.stack([np.log(np.maximum(value, floor)).mean(1), apart.sum(1) / np.maximum(there.sum(1), 1)], 1)
    raw = np.stack([strength_of(coupling.matrix, pairs), coupling.dissimilarity(pairs)], 1)
    relative = np.log(np.maximum(raw, 1e-9)) - usual[pairs].mean(0)
    return (relative - relative.mean(0)) / np.maximum(relative.std(0), 1e-9)


def _judge(features: np.ndarray, chart: Map, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each pair is an edge ``[E]``, and the log-odds that the samples alone give it ``[E]``."""
    length = np.linalg.norm(chart.pos[pairs[0]] - chart.pos[pairs[1]], axis=1)
    bins = np.digitize(length, _LENGTHS)
    label = (length < _ADJACENT).astype(float)
    evidence = np.zeros(len(label))
    for _ in range(_ROUNDS):
        evidence = _regression(features, label)
        label = expit(evidence + _ratio(bins, label))
    return label > 0.5, evidence


def _ratio(bins: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Log-likelihood ratio of each pair's length."""
    shares = []
    for weight in (label, 1 - label):
        count = np.bincount(bins, weight, minlength=len(_LENGTHS) + 1)
        smooth = gaussian_filter1d(count, 1.0, mode="nearest") + 0.02
        shares.append(smooth / smooth.sum())
    return np.log(shares[0] / shares[1])[bins]


def _regression(features: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Log-odds of a logistic regression with unit ridge on the slopes, by Newton's method."""
    design = np.column_stack([features, np.ones(len(label))])
    ridge = np.array([1.0, 1.0, 1e-3])
    beta = np.zeros(3)
    for _ in range(25):
        share = expit(design @ beta)
        gradient = design.T @ (share - label) + ridge * beta
        hessian = (design.T * (share * (1 - share))) @ design + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        beta = beta - step
        if np.abs(step).max() < 1e-9:
            break
    return design @ beta
