"""Stretches in which a node stays at one value: gaps that were filled, by 0 or by the value before them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scge_pyg.discovery.signals.row_blocks import count_of
from scge_pyg.discovery.signals.samples import Samples

__all__ = ["Held", "held_values"]

_LONG = 20, 0.02  # samples, and share of all samples, that a stretch must have
_REPEATS = 0.02  # share of equal successive values elsewhere: rounded values, counts and pixels have more
_ELSEWHERE = 0.2  # share of the steps that must lie elsewhere: slow readings that are repeated have none


class Held(NamedTuple):
    """A node that stays at values for long, the share of its samples there, and the value, NaN for several."""

    node: int
    share: float
    value: float


def held_values(samples: Samples) -> list[Held]:
    """Nodes that stay at exactly one value for long, though their values otherwise hardly ever repeat.

    A stretch is long from 20 samples and 2 % of all on. Stretches at the lowest or highest value of a node are left
    alone, since signals are cut off there, and so are samples that all nodes repeat, which count once. Elsewhere, less
    than 2 % of the successive values may be equal.

    Cost: :math:`O(S N C)`.

    Example:
        >>> import torch
        >>> from scge_pyg.discovery.signals.samples import read
        >>> x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
        >>> x[100:200, 1] = 0
        >>> held_values(read(x))
        [Held(node=1, share=0.2, value=0.0)]
    """
    values, (count, num_nodes, channels) = samples.values, samples.values.shape
    least = max(_LONG[0], int(np.ceil(_LONG[1] * count)))
    if count <= least:
        return []
    equal = (values[1:] == values[:-1]).flatten(1)
    equal[samples.number.diff() != 1] = False
    equal[equal.view(-1, num_nodes, channels)[:, samples.live].flatten(1).all(1)] = False
    begins = count_of(equal[1:] & ~equal[:-1], 0)
    some = ((count_of(equal, 0) >= least - 1) & (begins <= _REPEATS * count)).nonzero().squeeze(1)
    series, repeated = values.flatten(1)[:, some].T.contiguous().numpy(), equal[:, some].T.numpy()
    low, high = np.fmin.reduce(series, 1, initial=np.inf), np.fmax.reduce(series, 1, initial=-np.inf)
    row, first, length = _runs(repeated)
    at = series[row, first]
    long = (length >= least - 1) & (low[row] < at) & (at < high[row])
    row, length, at = row[long], length[long], at[long]
    held, stretches = np.bincount(row, length, len(some)), np.bincount(row, minlength=len(some))
    elsewhere = count - 1 - held - 2 * stretches
    unusual = (held > 0) & (elsewhere >= _ELSEWHERE * count) & (repeated.sum(1) - held < _REPEATS * elsewhere)
    found: dict[int, Held] = {}
    for one in np.flatnonzero(unusual).tolist():
        node, own = int(some[one]) // channels, np.unique(at[row == one])
        value = float(own[0]) if len(own) == 1 else np.nan
        found.setdefault(node, Held(node, float((held[one] + stretches[one]) / count), value))
    return list(found.values())


def _runs(repeated: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, first place and length of each run of true values in ``repeated [N, S]``."""
    change = np.diff(np.pad(repeated, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (row, first), (_, last) = np.nonzero(change == 1), np.nonzero(change == -1)
    return row, first, last - first
