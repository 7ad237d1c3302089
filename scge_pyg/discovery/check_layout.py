"""`check_layout`: are channels where a layout says?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from scge_pyg.discovery.layouts.chance import Chance, exchanges_by_chance, largest_blocks, looseness
from scge_pyg.discovery.layouts.findings import Judged, told
from scge_pyg.discovery.layouts.layout_check import ALPHA, LayoutCheck
from scge_pyg.discovery.layouts.recording import Recording, record
from scge_pyg.discovery.layouts.related import unrelated
from scge_pyg.discovery.layouts.search import exchanges_of, search
from scge_pyg.graph.checks import checked_names, whole_number

__all__ = ["check_layout"]

_FAMILIES = 2  # exchanges and blocks: Bonferroni
_FEWEST_DRAWS = 99  # of fewer, none could be significant


def check_layout(
    x: Any,
    positions: Tensor | ArrayLike,
    *,
    names: Sequence[str] | None = None,
    missing_value: float | None = None,
    replicates: int = 199,
    seed: int = 0,
) -> LayoutCheck:
    r"""Say whether channels are where a layout claims, from samples alone, and where they are if not.

    1. *Coupling*: the correlation of normal scores, less what all channels share, so that gains, heavy tails and
       references don't matter; inverted channels are turned first. A robust, falling curve of the claimed distances
       says what it should be.
    2. *Gain*: each channel is predicted from the others by kriging at its claimed place and at any other one; what an
       exchange of two channels gains is the sum of what either gains, without the two as predictors
       (:func:`~scge_pyg.discovery.layouts.gains.exchange_gains`).
    3. *Search*: exchanges one by one, and runs of channels turned round or shifted by one or two pins, halves mirrored
       against the other; the explanation with the most gain for the fewest changes is kept.
    4. *Chance*: the same on recordings drawn from the curve, with each channel's spectrum, at places that scatter about
       the claimed ones as far as the misfit of the curve asks for. The largest gain of each draw, over all channels,
       gives p-values that hold for all channels together.

    A layout that is mirrored or turned as a whole has the same distances and can't be told from the right one.

    Cost: :math:`O(S N^2 + B N^3)` for B replicates, which are only drawn where something gains.

    Args:
        x: Samples ``[S, N]`` or ``[S, N, C]``, as for :func:`discover`.
        positions: Claimed places ``[N, d]``, d from 1 to 3, in any unit; a row of NaN is a channel without a place.
            Rows are channels in their order on the connectors: runs are looked for in it.
        names: One name a channel. Default: the columns of a frame.
        missing_value: A value that marks missing ones.
        replicates: Recordings that are drawn, at least 99.
        seed: Seed of all randomness.

    Raises:
        TypeError: If ``x`` or ``positions`` are no numbers.
        ValueError: If sizes disagree, positions are infinite or all the same, fewer than 8 channels can be judged, or
            there are more than 1,024.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> walk = torch.randn(1000, 24, generator=generator).cumsum(1)      # neighbours are coupled
        >>> swapped = walk.clone()
        >>> swapped[:, [4, 15]] = walk[:, [15, 4]]
        >>> print(check_layout(swapped, torch.arange(24.0)[:, None]).describe().splitlines()[0])
        channels 4 and 15 are swapped (p = 0.01); all others fit.
    """
    places = _checked_positions(positions)
    replicates = whole_number("check_layout", "replicates", replicates, _FEWEST_DRAWS)
    seed = whole_number("check_layout", "seed", seed, 0)
    recording = record(x, places, missing_value, seed)
    names = checked_names("check_layout", recording.names if names is None else names, recording.num_channels)
    return told(recording, _judged(recording, replicates, seed), names)


def _judged(recording: Recording, replicates: int, seed: int) -> Judged:
    """The layout that fits, found twice: with what gains at all, then with what gains more than chance."""
    case, claimed = recording.case, np.arange(len(recording.placed))
    rng = np.random.default_rng(seed)
    nothing = np.ones(len(case.judged))
    whole = unrelated(case, replicates, rng)
    if whole > ALPHA:
        return Judged(claimed, (), nothing, whole)
    anything = np.zeros((len(claimed), len(claimed)))
    order, changes = search(case, anything)
    if not changes and exchanges_of(case, claimed).max() <= 0:
        return Judged(claimed, (), nothing, whole)
    chance = Chance(case, order, recording.spectra)
    chance = chance._replace(loose=looseness(chance, seed))
    exchanges = exchanges_by_chance(chance, replicates, rng)
    blocks = any(change.kind != "exchanged" for change in changes)
    largest_block = largest_blocks(chance, replicates, rng) if blocks else np.full(replicates, np.inf)
    allowed = int(ALPHA / _FAMILIES * (replicates + 1))
    threshold = exchanges.threshold(allowed)
    order, changes = search(case, threshold, float(largest_block[allowed - 1]))
    found = []
    for change in changes:
        if change.kind == "exchanged":
            strength = exchanges.strength(np.array(change.gain), *map(np.array, change.places))
            found.append((change, float(_p_value(strength, exchanges.largest))))
        else:
            found.append((change, float(_p_value(np.array(change.gain), largest_block))))
    at, gain = order[case.judged], exchanges_of(case, order)
    gain = np.where(gain > threshold[np.ix_(at, at)], 0.0, gain)  # the search has refused them: the others lose more
    strength = exchanges.strength(gain, at[:, None], at).max(1)
    return Judged(order, found, _p_value(strength, exchanges.largest), whole)


def _p_value(statistic: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Share of draws whose largest value, of ``largest`` descending, reaches ``statistic``; for both families."""
    reached = len(largest) - np.searchsorted(largest[::-1], statistic, side="left")
    return np.minimum(_FAMILIES * (1 + reached) / (1 + len(largest)), 1.0)


def _checked_positions(positions: Tensor | ArrayLike) -> np.ndarray:
    values = positions.numpy(force=True) if isinstance(positions, Tensor) else positions
    try:
        places = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"check_layout: positions must be numbers [N, d], got {type(positions).__name__} ({error})"
        ) from error
    if places.ndim != 2 or not 1 <= places.shape[1] <= 3:
        raise ValueError(f"check_layout: positions must be [N, d] with d from 1 to 3, got {list(places.shape)}")
    if np.isinf(places).any():
        row = int(np.flatnonzero(np.isinf(places).any(1))[0])
        raise ValueError(f"check_layout: positions must be finite or NaN, that of channel {row} is infinite")
    known = places[np.isfinite(places).all(1)]
    different = len(np.unique(known, axis=0))
    if 0 < 2 * different <= len(known):
        raise ValueError(f"check_layout: positions must differ, but {len(known)} channels share {different} places")
    return places
