"""Nodes that equal another one but for rounding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scge_pyg.discovery.signals.prepare import Signals

__all__ = ["without_near_twins"]

_MOST_NODES = 2048
_APART = 2e-6  # what single precision leaves of one minus the correlation of a node with itself in another unit


def without_near_twins(signals: Signals) -> Signals:
    """The signals without rows whose correlation with an earlier one is 1 or -1 but for rounding: they are its twins.

    A reading in another unit, rounded to single precision, ties here and there where the first does not. Left in, the
    two would explain each other away. Nothing is merged above 2,048 nodes, or where fewer than three rows were
    left.

    Cost: :math:`O(N^2)` beside the correlation.
    """
    if signals.num_nodes > _MOST_NODES:
        return signals
    equal = np.abs(np.triu(signals.correlation, 1)) > 1 - _APART
    twin = np.flatnonzero(equal.any(0))
    kept = np.flatnonzero(~equal.any(0))
    if not len(twin) or len(kept) < 3:
        return signals
    original = equal[kept][:, twin].argmax(0)
    named = equal[kept][:, twin].any(0)
    twin, original = twin[named], kept[original[named]]
    rows = np.setdiff1d(np.arange(signals.num_nodes), twin)
    sign = np.sign(signals.correlation[original, twin]).astype(np.int64)
    merged = signals.order[np.stack([twin, original])]
    known, known_sign = signals.twins.copy(), signals.twin_sign.copy()
    where = known[1][:, None] == merged[0][None, :]
    moved = where.any(1)
    known[1, moved] = merged[1, where[moved].argmax(1)]
    known_sign[moved] *= sign[where[moved].argmax(1)]
    return replace(
        signals.take(rows),
        twins=np.concatenate([known, merged], 1),
        twin_sign=np.r_[known_sign, sign],
    )
