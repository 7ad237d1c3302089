"""Values that stand in for missing ones, such as -999, or the 0 of a speed sensor that is off."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["StandIn", "stand_ins"]

_TIMES = 5  # how often a value must come
_SHARE = 0.004, 0.5  # share of the samples of its node that it must have
_DISTINCT = 20  # different values that the node must take otherwise


class StandIn(NamedTuple):
    """A value that a node takes too often, and its share of the node's samples."""

    node: int
    value: float
    share: float


def stand_ins(values: Tensor) -> list[StandIn]:
    r"""Nodes that are often exactly equal to one value and otherwise never near it.

    The value is the lowest or the highest of its node. With :math:`d_1 \le d_2 \le \dots` the distances of the other
    values from it, and :math:`q` their quantiles, it stands apart where

    .. math::
        d_1 > \tfrac{3}{2} (q_{3/4} - q_{1/4}) \quad\text{and}\quad d_1 > 3 \max_{d_i < q_{9/10}} (d_{i+1} - d_i) .

    The other values must be many and different, so that pixels, counts, switches and rectified signals are left alone.

    Args:
        values: Samples ``[S, N, C]``, ``NaN`` where missing.

    Example:
        >>> import torch
        >>> x = 60 + 5 * torch.randn(500, 3, 1, generator=torch.Generator().manual_seed(0))
        >>> x[::20, 1] = 0
        >>> stand_ins(x)
        [StandIn(node=1, value=0.0, share=0.05)]
    """
    missing = values.isnan()
    observed = (~missing).sum(0)
    found = []
    for extreme in (
        values.masked_fill(missing, torch.inf).amin(0),
        values.masked_fill(missing, -torch.inf).amax(0),
    ):
        times = (values == extreme).sum(0)
        least = (observed * _SHARE[0]).clamp_min(_TIMES)
        for node, channel in ((times >= least) & (times <= observed * _SHARE[1])).nonzero().tolist():
            signal = values[:, node, channel]
            if _isolated(signal[~signal.isnan()].double(), extreme[node, channel].double()):
                share = int(times[node, channel]) / int(observed[node, channel])
                found.append(StandIn(node, float(extreme[node, channel]), share))
    return sorted({(item.node, item.value): item for item in found}.values())


def _isolated(signal: Tensor, value: Tensor) -> bool:
    """Whether ``value`` lies away from all others in ``signal`` by more than those lie apart."""
    half = signal / 2  # differences of the largest numbers stay finite
    others = half[signal != value].sort(descending=bool(signal.max() == value)).values
    if (others.diff() != 0).sum() + 1 < _DISTINCT:
        return False
    low, high = others[len(others) // 4], others[3 * len(others) // 4]
    inner = others[: -(-9 * len(others) // 10)].diff().abs().amax()
    gap = (others[0] - value / 2).abs()
    return bool(gap > 1.5 * (high - low).abs() and gap > 3 * inner)
