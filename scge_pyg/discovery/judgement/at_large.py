"""Whether a geometry that was judged in one neighbourhood bends through further columns at large."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components

from scge_pyg.discovery.coupling.candidate_regression import CandidateMoments, candidate_moments, ridge_regression
from scge_pyg.discovery.coupling.similar import evident_links
from scge_pyg.discovery.judgement.judge import MAX_COLUMNS, Choice
from scge_pyg.discovery.judgement.prediction import nearest
from scge_pyg.discovery.maps.sketch import Links, scale_geodesics
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["unfolded"]

_LINKS = 8
_PROBED = 512
_RIDGE, _FLOOR = 1e-3, 1e-6
_UNFOLDS = 1.005  # of the gain: a fold puts strangers among a node's neighbours, a column too many only noise
_ROUND = 0.5  # spread of a ring along its second axis over that along its first; of a chain 0


def unfolded(choice: Choice, signals: Signals) -> Choice:
    """The choice with as many columns as all nodes need: a sphere, a ring or a tube is flat in each neighbourhood.

    Maps of the evident links of all nodes, in as many columns as were chosen and in more, are compared by how well
    neighbours on them predict at most 512 nodes; a column that unfolds something gains more than 0.5 %. A chain that
    closes spreads as far along the second axis as along the first.

    Cost: :math:`O(128\\, N \\log N)`.

    Args:
        choice: What one neighbourhood chose.
        signals: Signals of all nodes of the part.
    """
    near = evident_links(signals)
    label = connected_components(near, directed=False)[1]
    whole = np.flatnonzero(label == np.bincount(label).argmax())
    half = sp.triu(near[whole][:, whole], 1).tocoo()
    pairs = np.stack([half.row, half.col]).astype(np.int64)
    pos = scale_geodesics(Links(pairs, half.data, len(whole)), MAX_COLUMNS)
    if choice.dim == 1:
        return replace(choice, columns=2 if pos[:, 1].var() > _ROUND * pos[:, 0].var() else 1)
    probed = np.unique(np.linspace(0, len(whole) - 1, _PROBED).astype(int))
    columns = choice.columns
    gain = _gain(signals, whole[probed], whole[nearest(pos[:, :columns], _LINKS)[probed]])
    for more in range(columns + 1, min(MAX_COLUMNS, 2 * choice.dim) + 1):
        further = _gain(signals, whole[probed], whole[nearest(pos[:, :more], _LINKS)[probed]])
        if further > _UNFOLDS * gain:
            columns, gain = more, further
    return choice if columns == choice.columns else replace(choice, columns=columns)


def _gain(signals: Signals, nodes: np.ndarray, near: np.ndarray) -> float:
    """Mean held-out gain in nats of ``nodes [n]`` from partners ``near [n, k]``, both ways round."""
    rows, index = torch.from_numpy(nodes), torch.from_numpy(near)
    first, second = (
        candidate_moments(torch.from_numpy(signals.score[:, signals.split.side(which)]), rows, index)
        for which in (0, 1)
    )
    return float(np.mean([_one_way(first, second), _one_way(second, first)]))


def _one_way(fitted: CandidateMoments, held_out: CandidateMoments) -> float:
    beta, _ = ridge_regression(fitted, _RIDGE)
    gram, cross, own = held_out
    error = own - 2 * (beta * cross).sum(1) + torch.einsum("ni,nij,nj->n", beta, gram, beta)
    return float(-0.5 * (error.clamp_min(_FLOOR) / own.clamp_min(_FLOOR)).log().mean())
