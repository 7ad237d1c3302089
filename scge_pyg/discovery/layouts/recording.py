"""From samples and claimed places to the channels that can be judged, and what is known of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from scge_pyg.discovery.layouts.case import Case
from scge_pyg.discovery.layouts.gains import place_correlations
from scge_pyg.discovery.layouts.signs import signs_of
from scge_pyg.discovery.layouts.spectra import Spectra, spectra_of
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.same_signal import same_signals
from scge_pyg.discovery.signals.samples import Samples, read

__all__ = ["FEWEST", "MOST", "Recording", "record", "speaking_for"]

FEWEST = 8
MOST = 1024


@dataclass(frozen=True)
class Recording:
    """Channels with their claimed places.

    Attributes:
        names: Names of all N channels, where they have some.
        num_channels: N.
        placed: Channels that have a place, ascending ``[P]``.
        case: Places ``[P, d]`` and the coupling of the channels that can be judged.
        spectra: Their spectra.
        inverted: Channels that run against those around them.
        dead: Channels that never change, or have too few values.
        copies: Channels that carry the signal of another one, and that other one, ``[2, k]``.
    """

    names: tuple[str, ...] | None
    num_channels: int
    placed: np.ndarray
    case: Case
    spectra: Spectra
    inverted: np.ndarray
    dead: np.ndarray
    copies: np.ndarray


@contextmanager
def speaking_for(where: str) -> Iterator[None]:
    """Errors of what reads samples for :func:`discover` name the function that was called."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("discover:", f"{where}:")) from error


def record(x: Any, positions: np.ndarray, missing_value: float | None, seed: int) -> Recording:
    """Read samples ``x`` as :func:`discover` does, and set apart what can't be judged.

    Of channels with the same signal, the one whose place the others confirm best stays.

    Raises:
        ValueError: If there are too few or too many channels, or places are not one for each.
    """
    with speaking_for("check_layout"):
        samples = read(x, missing_value=missing_value, seed=seed)
        size = len(samples.live)
        _check_sizes(positions, size)
        signals = prepare(samples)
    with_place = np.isfinite(positions).all(1)
    alive = np.zeros(size, dtype=bool)
    alive[signals.order] = True
    alive[signals.twins[0]] = True
    row = np.full(size, -1)
    row[signals.order] = np.arange(signals.num_nodes)
    row[signals.twins[0]] = row[signals.twins[1]]
    facing = np.ones(size)
    facing[signals.twins[0]] = signals.twin_sign
    original = _originals(samples, row, with_place & alive)
    judged = np.flatnonzero(with_place & alive & (original == np.arange(size)))
    if len(judged) < FEWEST:
        raise ValueError(
            f"check_layout: at least {FEWEST} channels need a place and a signal of their own, got {len(judged)} "
            f"of {size}"
        )
    correlation = signals.correlation.astype(float)
    chosen = _confirmed(judged, original, with_place & alive, row, correlation, positions)
    stays = np.arange(size)
    stays[judged] = chosen
    copies = np.flatnonzero(with_place & alive & (stays[original] != np.arange(size)))
    copies = np.stack([copies, stays[original[copies]]])
    judged = np.sort(chosen)
    own = correlation[np.ix_(row[judged], row[judged])] * facing[judged] * facing[judged][:, None]
    placed = np.flatnonzero(with_place)
    claimed = Case(positions[placed], np.searchsorted(placed, judged), own)
    sign = _signs(claimed)
    return Recording(
        names=samples.names,
        num_channels=size,
        placed=placed,
        case=Case(claimed.places, claimed.judged, own * sign * sign[:, None]),
        spectra=spectra_of(signals.score[row[judged]].astype(float)),
        inverted=judged[sign < 0],
        dead=np.flatnonzero(~alive),
        copies=copies,
    )


def _check_sizes(positions: np.ndarray, size: int) -> None:
    if len(positions) != size:
        raise ValueError(
            f"check_layout: positions must be one row a channel of x, which has {size}, got {len(positions)}; rows of "
            f"NaN stand for channels without a place"
        )
    if size > MOST:
        raise ValueError(f"check_layout: at most {MOST} channels can be compared, got {size}; check parts of the array")


def _originals(samples: Samples, row: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """For each channel ``[N]``, the first possible one with its signal: equal, or equal but for rounding."""
    first = np.arange(len(row))
    groups = [np.flatnonzero(row == shared) for shared in np.flatnonzero(np.bincount(row[row >= 0]) > 1)]
    for group in [*groups, *map(np.array, same_signals(samples.values))]:
        able = group[possible[group]]
        if len(able):
            first[able] = first[able].min()
    return first


def _confirmed(
    judged: np.ndarray,
    original: np.ndarray,
    possible: np.ndarray,
    row: np.ndarray,
    correlation: np.ndarray,
    positions: np.ndarray,
) -> np.ndarray:
    """For each judged channel, which of those with its signal stands where the others confirm it, ``[n]``."""
    chosen = judged.copy()
    own, order = correlation[np.ix_(row[judged], row[judged])], np.arange(len(judged))
    for channel in np.unique(original[possible & (original != np.arange(len(original)))]).tolist():
        group, number = np.flatnonzero(possible & (original == channel)), int(np.searchsorted(judged, channel))
        sign = np.where(order == number, -1, 1)
        place = np.repeat(positions[judged][None], len(group), 0)
        place[:, number] = positions[group]
        gain = [
            max(Case(places, order, signed).gains(order)[number] for signed in (own, own * sign * sign[:, None]))
            for places in place
        ]
        chosen[number] = group[int(np.argmax(gain))]
    return chosen


def _signs(case: Case) -> np.ndarray:
    """Signs by what is near, unless a channel fits better elsewhere as it is than here inverted."""
    order = np.arange(len(case.places))
    apart = case.apart(order)
    sign = signs_of(case.correlation, apart, case.spacing)
    turned = Case(case.places, case.judged, case.correlation * sign * sign[:, None])
    at = case.judged
    there, here = place_correlations(turned.coupling, turned.expected(order)[np.ix_(at, at)])
    off = ~np.eye(len(at), dtype=bool)
    as_it_is = np.where(off, -there, -1).max(1)
    inverted = np.where(off, here, 1).min(1)
    sign[(sign < 0) & (as_it_is > inverted)] = 1
    return sign
