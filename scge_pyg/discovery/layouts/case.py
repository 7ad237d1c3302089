"""What is judged: the coupling of channels that have a signal, and the places that the layout claims."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import cdist

from scge_pyg.discovery.layouts.curve import falling_curve
from scge_pyg.discovery.layouts.gains import own_gains, referenced

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """Places of a layout and the correlation of the channels that can be judged.

    Attributes:
        places: Claimed places ``[P, d]`` of the channels that have one, in channel order.
        judged: Which of them have a signal of their own, ``[n]`` ascending.
        correlation: Their correlation ``[n, n]``, inverted channels turned.
    """

    places: np.ndarray
    judged: np.ndarray
    correlation: np.ndarray

    @cached_property
    def coupling(self) -> np.ndarray:
        """Correlation of the signals less their mean, which a reference or a common source adds to all."""
        return referenced(self.correlation)

    @cached_property
    def distance(self) -> np.ndarray:
        """Distances of the places, ``[P, P]``."""
        return np.asarray(cdist(self.places, self.places))

    @cached_property
    def spacing(self) -> float:
        """Median distance of a place to the nearest other one."""
        return float(np.median((self.distance + np.diag(np.full(len(self.places), np.inf))).min(1)))

    def apart(self, order: np.ndarray) -> np.ndarray:
        """Distances ``[n, n]`` of the judged channels where channel i is at place ``order[i]``."""
        at = order[self.judged]
        return self.distance[np.ix_(at, at)]

    def expected(self, order: np.ndarray) -> np.ndarray:
        """Coupling of all places ``[P, P]`` by the curve of distance that fits under ``order``."""
        return falling_curve(self.coupling, self.apart(order))(self.distance)

    def gains(self, order: np.ndarray) -> np.ndarray:
        """Gain of each judged channel under ``order``, ``[n]``."""
        return own_gains(self.coupling, falling_curve(self.coupling, self.apart(order))(self.apart(order)))

    def gain(self, orders: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Sum of the gains of all channels, in nats a sample, under each of ``orders [m, P]``."""
        at = orders[:, self.judged]
        return np.asarray(own_gains(self.coupling, expected[at[:, :, None], at[:, None]]).sum(1))
