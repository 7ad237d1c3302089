"""Nodes that equal another one but for rounding, or but for noise of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scge_pyg.discovery.signals.signals import Signals
from scge_pyg.discovery.signals.sites import site_of

__all__ = ["without_near_twins"]

_MOST_NODES = 2048
_FEWEST = 3  # rows that must be left
_APART = 2e-6  # what single precision leaves of one minus the correlation of a node with itself in another unit


def without_near_twins(signals: Signals) -> Signals:
    """The signals without rows that carry the signal of an earlier one: they are its twins and share its place.

    First those whose correlation with another is 1 or -1 but for rounding: a reading in another unit, rounded to single
    precision, ties here and there where the first does not. Then all but one of the sensors at each site
    (:func:`scge_pyg.discovery.signals.sites.site_of`). Left in, twins would explain each other away. Nothing is merged
    above 2,048 nodes, or where fewer than three rows were left.

    Cost: :math:`O(N^2)` beside the correlation.
    """
    if signals.num_nodes > _MOST_NODES:
        return signals
    equal = np.abs(np.triu(signals.correlation, 1)) > 1 - _APART
    original = np.where(equal.any(0), equal.argmax(0), np.arange(signals.num_nodes))
    while (original[original] != original).any():
        original = original[original]
    signals = _merged(signals, original)
    return _merged(signals, site_of(signals.correlation, signals.effective))


def _merged(signals: Signals, original: np.ndarray) -> Signals:
    """The signals without rows whose ``original [N]`` is another row."""
    itself = original == np.arange(len(original))
    rows, twin = np.flatnonzero(itself), np.flatnonzero(~itself)
    if not len(twin) or len(rows) < _FEWEST:
        return signals
    source = original[twin]
    sign = np.sign(signals.correlation[source, twin]).astype(np.int64)
    merged = signals.order[np.stack([twin, source])]
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
