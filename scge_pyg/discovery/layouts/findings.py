"""From changes of an order to what is wrong with which channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from scge_pyg.discovery.layouts.case import Case
from scge_pyg.discovery.layouts.gains import exchange_gains, nats, place_correlations
from scge_pyg.discovery.layouts.layout_check import ALPHA, Finding, LayoutCheck
from scge_pyg.discovery.layouts.recording import Recording
from scge_pyg.discovery.layouts.search import Change

__all__ = ["Judged", "told"]

_EVEN = ALPHA + 1e-3  # p-value at which suspicion is 0.5: those of 0.02 itself are suspect


class Judged(NamedTuple):
    """What the search found.

    Attributes:
        order: Place of each placed channel ``[P]`` under the layout that fits.
        changes: The changes that lead there, each with its p-value.
        p_exchange: p-value of the best exchange of each judged channel from there, ``[n]``.
        unrelated: p-value of the layout as a whole.
    """

    order: np.ndarray
    changes: Sequence[tuple[Change, float]]
    p_exchange: np.ndarray
    unrelated: float


def told(recording: Recording, judged: Judged, names: tuple[str, ...] | None) -> LayoutCheck:
    """The answer for all N channels."""
    case, placed, size = recording.case, recording.placed, recording.num_channels
    own = placed[case.judged]
    p_value, gain, other_gain = (np.full(size, np.nan) for _ in range(3))
    best, other = np.full(size, -1), np.full(size, -1)
    best[own], p_value[own] = placed[judged.order[case.judged]], judged.p_exchange
    here, there, place = _beside(case, judged.order)
    gain[own], other_gain[own], other[own] = here, there, placed[place]
    for change, p in judged.changes:
        moved = np.intersect1d(placed[change.channels], own)
        p_value[moved] = np.minimum(p_value[moved], p)
    findings = [*_exchanged(judged, placed), *_blocks(judged, placed)]
    if judged.unrelated > ALPHA:
        findings = [Finding("unrelated", tuple(own.tolist()), judged.unrelated, 0.0)]
        best[own], p_value[own] = -1, np.nan
    copy, original = recording.copies
    findings += [Finding("doubled", pair, 0.0, 0.0) for pair in zip(copy.tolist(), original.tolist(), strict=True)]
    p_value[copy], best[copy] = 0.0, best[original]
    suspicion = np.where(np.isnan(p_value), 0.5, _EVEN / (_EVEN + np.nan_to_num(p_value)))
    if judged.unrelated > ALPHA:
        suspicion[own] = 1.0
    return LayoutCheck(
        ok=not bool((suspicion > 0.5).any()),
        suspicion=torch.from_numpy(suspicion),
        p_value=torch.from_numpy(p_value),
        best_place=torch.from_numpy(best),
        findings=tuple(sorted(findings, key=lambda finding: finding.p_value)),
        gain=torch.from_numpy(gain),
        other_place=torch.from_numpy(other),
        other_gain=torch.from_numpy(other_gain),
        inverted=tuple(recording.inverted.tolist()),
        dead=tuple(recording.dead.tolist()),
        unplaced=tuple(np.setdiff1d(np.arange(size), placed).tolist()),
        names=names,
    )


def _beside(case: Case, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each judged channel, the gain at its claimed place, at the best other place, and that place, ``[n]`` each.

    All other channels are where ``order`` has them. A channel that moved is compared with its new place, any other with
    the best of its exchanges; NaN where the claimed place of a moved channel went to one that isn't judged.
    """
    at = order[case.judged]
    expected = case.expected(order)[np.ix_(at, at)]
    there, here = (nats(correlation) for correlation in place_correlations(case.coupling, expected))
    row = np.arange(len(at))
    holder = np.full(len(order), -1)
    holder[at] = row
    moved = at != case.judged
    partner = np.where(moved, holder[case.judged], exchange_gains(case.coupling, expected).argmax(1))
    now, then = here[row, partner], there[row, partner]
    claimed = np.where(moved, np.where(partner < 0, np.nan, then), now)
    return claimed, np.where(moved, now, then), np.where(moved, at, at[partner])


def _exchanged(judged: Judged, placed: np.ndarray) -> list[Finding]:
    """Exchanges that share channels are one finding."""
    made = [(change, p) for change, p in judged.changes if change.kind == "exchanged"]
    if not made:
        return []
    pairs = np.stack([change.channels for change, _ in made])
    graph = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(placed), len(placed)))
    group = connected_components(graph, directed=False)[1]
    found = []
    for number in np.unique(group[pairs[:, 0]]).tolist():
        own = [(change, p) for change, p in made if group[change.channels[0]] == number]
        channels = tuple(placed[np.flatnonzero(group == number)].tolist())
        found.append(Finding("exchanged", channels, max(p for _, p in own), sum(change.gain for change, _ in own)))
    return found


def _blocks(judged: Judged, placed: np.ndarray) -> list[Finding]:
    return [
        Finding(
            change.kind,
            tuple(placed[change.channels].tolist()),
            p,
            change.gain,
            change.by,
            None if change.half is None else change.half.along,
        )
        for change, p in judged.changes
        if change.kind != "exchanged"
    ]
