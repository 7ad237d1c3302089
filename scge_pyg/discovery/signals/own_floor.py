"""The floor of a part's values, which is not that of what stands beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scge_pyg.discovery.signals.delays import shifted_back
from scge_pyg.discovery.signals.prepare import square_roots
from scge_pyg.discovery.signals.samples import Samples
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["with_own_floor"]


def with_own_floor(signals: Signals, samples: Samples, number: np.ndarray) -> Signals:
    """Signals of a part with the square roots of what lies above the part's own lowest value.

    Pictures beside sound have no floor in common with it: their values are at least 0, those of sound are of either
    sign.

    Cost: a copy of the part's samples.

    Args:
        signals: Signals of the part, shifted back by their delays.
        samples: What they were read from.
        number: Number of each distinct sample in the stream, before delays cut some off.
    """
    index = np.searchsorted(samples.number.numpy(), number)
    values = samples.values.numpy()[:, signals.order]
    rows = np.ascontiguousarray(values.transpose(1, 2, 0)[:, :, index])
    rooted = square_roots(rows)
    if rooted is not None and len(number) > len(signals.number):
        rooted = shifted_back(rooted, signals.channels, signals.delay, len(signals.number))
    return replace(signals, rooted=rooted)
