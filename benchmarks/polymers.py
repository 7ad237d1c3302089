"""Simulated contacts of chromosomes: bins of chains that fold within territories, counted with uneven yields."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from draws import Array
from numpy.random import Generator

__all__ = ["Genome", "genome"]


class Genome(NamedTuple):
    """Symmetric contacts ``[N, N]``, the chain of each bin ``[N]`` and its place along it ``[N]``."""

    contacts: sp.csr_matrix
    chain: Array
    place: Array


def genome(
    rng: Generator,
    *,
    chains: int = 20,
    longest: int = 120,
    shortest: int = 20,
    contacts: int = 100_000,
    within: float = 0.6,
    decay: float = 1.0,
    knee: float = np.inf,
    floor: float = 0.0,
    compartments: float = 0.3,
    affinities: float = 0.3,
    kin: float = 0.0,
    arms: float = 0.7,
    poor: float = 0.0,
) -> Genome:
    """Poisson contacts of bins that meet along their chain as a power of their distance.

    Args:
        rng: Source of randomness.
        chains: Number of chains; their lengths fall evenly from ``longest`` to ``shortest``.
        longest: Bins of the longest chain.
        shortest: Bins of the shortest chain.
        contacts: Expected number of contacts.
        within: Share of them within chains.
        decay: Power by which contact falls along a chain.
        knee: Bins beyond which contact falls by a power of 0.8 more.
        floor: Contact of all bins of a chain, next to that of neighbours.
        compartments: Logarithm by which bins of one compartment prefer each other; runs are 5 bins long on average.
        affinities: Standard deviation of the logarithm of contact between two chains.
        kin: Logarithm by which the shorter half of the chains meet each other more.
        arms: Factor on contacts across the centromere, a gap of up to a tenth of the chain.
        poor: Share of bins with a tenth of the yield.
    """
    lengths = np.linspace(longest, shortest, chains).astype(int)
    chain = np.repeat(np.arange(chains), lengths)
    place = np.concatenate([np.arange(n) for n in lengths])
    middle = (rng.uniform(0.2, 0.5, chains) * lengths).astype(int)
    gap = (rng.uniform(0, 0.1, chains) * lengths).astype(int)
    arm = place > middle[chain]
    live = ~((place > middle[chain]) & (place <= (middle + gap)[chain]))
    kind = np.cumsum(rng.random(len(chain)) < 0.2) % 2
    same = chain[:, None] == chain[None]
    apart = np.abs(place[:, None] - place[None]).astype(float)
    steps = np.maximum(apart, 1)
    cis = np.where(same, steps**-decay * (1 + (steps / knee) ** 2) ** -0.4 + floor, 0.0)
    cis *= np.where(arm[:, None] == arm[None], 1.0, arms)
    short = np.arange(chains) >= chains // 2
    pair = np.exp(affinities * rng.standard_normal((chains, chains)) + kin * np.outer(short, short))
    trans = np.where(same, 0.0, np.minimum(pair, pair.T)[chain][:, chain])
    alike = np.exp(compartments * np.where(kind[:, None] == kind[None], 1.0, -1.0))
    yields = np.exp(0.3 * rng.standard_normal(len(chain))) * live
    yields *= np.where(rng.random(len(chain)) < poor, 0.1, 1.0)
    both = yields[:, None] * yields[None] * alike
    upper = [np.triu(both * part, 1) for part in (cis, trans)]
    expected = contacts * (within * upper[0] / upper[0].sum() + (1 - within) * upper[1] / upper[1].sum())
    found = sp.csr_matrix(rng.poisson(expected))
    order = rng.permutation(len(chain))
    return Genome(sp.csr_matrix((found + found.T)[order][:, order]), chain[order], place[order])
