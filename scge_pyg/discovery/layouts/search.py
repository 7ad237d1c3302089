"""Which exchanges, turned or shifted runs and mirrored halves the data prefer to the claimed layout."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from scge_pyg.discovery.layouts.case import Case
from scge_pyg.discovery.layouts.gains import RIDGE, exchange_gains
from scge_pyg.discovery.layouts.halves import Half, halves
from scge_pyg.discovery.layouts.runs import best_runs, run_order

__all__ = ["Change", "best_block", "exchanges_of", "search"]

_TRIED = 8  # runs of each kind that are compared by their gain
_MOST_BLOCKS = 3
_A_CHANNEL = 1 / 16

Kind = Literal["exchanged", "turned", "shifted", "mirrored"]


class Change(NamedTuple):
    """One difference between the claimed layout and the one that fits.

    Attributes:
        kind: ``"exchanged"`` (two channels), ``"turned"`` or ``"shifted"`` (a run), ``"mirrored"`` (a half).
        channels: The channels that it moves, numbers of places.
        order: Place of each channel after it, where channels were at their own number before, ``[P]``.
        gain: What it adds, in nats a sample.
        places: Places that an exchange is between.
        by: 1 or -1: channels of a shifted run belong to the next or the previous place.
        half: The half that is mirrored.
    """

    kind: Kind
    channels: np.ndarray
    order: np.ndarray
    gain: float
    places: tuple[int, int] = (-1, -1)
    by: int = 0
    half: Half | None = None


def search(case: Case, threshold: np.ndarray, least: float = 0.0) -> tuple[np.ndarray, list[Change]]:
    """The order ``[P]`` that fits better than the claimed one, and the changes that lead to it, step by step.

    Two ways are gone: exchanges alone, and blocks (runs and halves) first, exchanges after. The one is chosen whose
    gain, less its price, is larger: an exchange costs the gain of a typical channel, a block that and a sixteenth for
    each channel that it moves, which is less than the exchanges that it stands for.

    Args:
        case: What is judged.
        threshold: Gain in nats a sample above which the channels at two places are exchanged, ``[P, P]``.
        least: Gain in nats a sample that a block must exceed.
    """
    order = np.arange(len(case.places))
    plain = _exchanged(case, order, threshold)
    mixed: tuple[np.ndarray, list[Change]] = (order, [])
    for _ in range(_MOST_BLOCKS):
        block = best_block(case, mixed[0])
        if block is None or block.gain <= least:
            break
        after, more = _exchanged(case, mixed[0][block.order], threshold)
        mixed = after, [*mixed[1], block, *more]
    if not mixed[1]:
        return plain
    total = case.gain(np.stack([plain[0], mixed[0]]), case.expected(mixed[0]))
    each = float(np.median(case.gains(mixed[0])))
    kept = total - each * np.array([_price(plain[1]), _price(mixed[1])])
    return mixed if kept[1] > kept[0] else plain


def _price(changes: list[Change]) -> float:
    """How many channels' worth of gain changes must bring."""
    return sum(1 + (change.kind != "exchanged") * len(change.channels) * _A_CHANNEL for change in changes)


def exchanges_of(case: Case, order: np.ndarray) -> np.ndarray:
    """What each two channels gain by exchanging places, from the places that ``order`` gives them, ``[n, n]``."""
    at = order[case.judged]
    return exchange_gains(case.coupling, case.expected(order)[np.ix_(at, at)])


def _exchanged(case: Case, order: np.ndarray, threshold: np.ndarray) -> tuple[np.ndarray, list[Change]]:
    """Exchanges made one by one, the best first, as long as one exceeds its threshold and the total gain grows."""
    made: list[Change] = []
    gain = _above(case, order, threshold)
    while len(made) < len(case.judged) and np.isfinite(gain.max()):
        first, second = np.unravel_index(int(gain.argmax()), gain.shape)
        pair = case.judged[[first, second]]
        swap = np.arange(len(order))
        swap[pair] = pair[::-1]
        before, after = case.gain(np.stack([order, order[swap]]), case.expected(order))
        if after <= before:
            gain[[first, second], [second, first]] = -np.inf
            continue
        places = int(order[pair[0]]), int(order[pair[1]])
        made.append(Change("exchanged", np.sort(pair), swap, float(gain[first, second]), places))
        order = order[swap]
        gain = _above(case, order, threshold)
    return order, made


def _above(case: Case, order: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Gains of exchanges above their threshold, -inf elsewhere."""
    gain, at = exchanges_of(case, order), order[case.judged]
    return np.where(gain > threshold[np.ix_(at, at)], gain, -np.inf)


def best_block(case: Case, order: np.ndarray) -> Change | None:
    """The turned or shifted run or mirrored half that gains most, if any gains anything."""
    size = len(order)
    expected = case.expected(order)
    weight = np.zeros((size, size))
    weight[np.ix_(case.judged, case.judged)] = -np.linalg.inv(case.coupling + RIDGE * np.eye(len(case.judged)))
    np.fill_diagonal(weight, 0)
    there = expected[np.ix_(order, order)]
    found: list[Change] = []

    def add(kind: Kind, moved: np.ndarray, by: int = 0, half: Half | None = None) -> None:
        found.append(Change(kind, np.flatnonzero(moved != np.arange(size)), moved, 0.0, by=by, half=half))

    for by in (0, 1, -1):
        for run in best_runs(weight, there, by, _TRIED):
            add("shifted" if by else "turned", run_order(size, run), by)
    for half in halves(case.places[order], case.spacing):
        add("mirrored", half.order, half=half)
    if not found:
        return None
    gain = case.gain(np.stack([order, *(order[change.order] for change in found)]), expected)
    best = int(gain[1:].argmax())
    gained = float(gain[1 + best] - gain[0])
    return found[best]._replace(gain=gained) if gained > 0 else None
