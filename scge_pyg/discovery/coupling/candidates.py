"""Couplings that compete: the data decide which of them draws the map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scge_pyg.discovery.coupling.direct import centred, partial_correlation

__all__ = ["Candidate", "candidates"]


@dataclass(frozen=True)
class Candidate:
    """A coupling that a map may be drawn from.

    Attributes:
        name: ``"correlation"``, ``"partial 0.03"``, ... with bars around it where signs are ignored.
        direct: Whether it is a partial correlation, which says who is beside whom but not how far.
        absolute: Whether signs are ignored.
        ridge: Ridge of a partial correlation, else 0.
        value: Pairwise values ``[N, N]``, -inf on the diagonal.
    """

    name: str
    direct: bool
    absolute: bool
    ridge: float
    value: np.ndarray


def candidates(correlation: np.ndarray, ridges: tuple[float, ...]) -> Iterator[Candidate]:
    """Signed and absolute correlation, and centred partial correlation at several ridges, signed and absolute.

    An absolute form is left out where the node's strongest partners are positive anyway: it would draw the same map.

    Cost: one inverse :math:`O(N^3)` a ridge.

    Args:
        correlation: Correlation matrix ``[N, N]``, positive semidefinite.
        ridges: Ridges of the partial correlations.
    """
    values = [("correlation", False, 0.0, correlation)]
    values += [
        (f"partial {ridge:.2g}", True, ridge, centred(partial_correlation(correlation, ridge))) for ridge in ridges
    ]
    for name, direct, ridge, value in values:
        own = value.copy()
        np.fill_diagonal(own, -np.inf)
        yield Candidate(name, direct, False, ridge, own)
        if np.any(-np.where(np.isfinite(own), own, 0.0).min(1) > _eighth(own)):
            own = np.abs(value)
            np.fill_diagonal(own, -np.inf)
            yield Candidate(f"|{name}|", direct, True, ridge, own)


def _eighth(value: np.ndarray) -> np.ndarray:
    """Each node's eighth strongest value (the weakest, where there are fewer)."""
    k = min(8, len(value) - 1)
    return -np.partition(-value, k - 1, axis=1)[:, k - 1]
