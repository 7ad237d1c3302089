"""Uniform places whose samples are distorted in ways that leave the geometry as it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from draws import Array, Draw, Family, seeded
from families_geometry import conditions, observed
from numpy.random import Generator

__all__ = ["DISTORTED"]

_NODES, _STEPS, _MEMORY = 200, 3, 0.8

Distortion: TypeAlias = Callable[[Array, Generator], tuple[Array, Array]]


def untouched(x: Array, rng: Generator) -> tuple[Array, Array]:
    """The samples as they are, and the signs of the nodes."""
    return x, np.ones(x.shape[1], dtype=np.int64)


def inverted(share: float, x: Array, rng: Generator) -> tuple[Array, Array]:
    """A share of the nodes wired with reversed polarity."""
    sign = np.ones(x.shape[1], dtype=np.int64)
    sign[rng.permutation(len(sign))[: round(share * len(sign))]] = -1
    return x * sign, sign


def spiked(x: Array, rng: Generator) -> tuple[Array, Array]:
    """5 % of the values replaced by spikes of 10 to 50 standard deviations."""
    spikes = rng.uniform(10, 50, x.shape) * rng.choice([-1, 1], x.shape) * x.std()
    return untouched(np.where(rng.random(x.shape) < 0.05, spikes, x), rng)


def shifted(x: Array, rng: Generator) -> tuple[Array, Array]:
    """Another unit."""
    return untouched(3 * x + 20, rng)


def amplified(x: Array, rng: Generator) -> tuple[Array, Array]:
    """A gain of 0.2 to 5 for each node, uniform in its logarithm."""
    return untouched(x * np.exp(rng.uniform(math.log(0.2), math.log(5), x.shape[1])), rng)


def delayed(x: Array, rng: Generator) -> tuple[Array, Array]:
    """Each node 0 to 3 steps late; the first 3 samples are used up."""
    step = np.arange(_STEPS, len(x))[:, None] - rng.integers(0, _STEPS + 1, x.shape[1])
    return untouched(np.take_along_axis(x, step, 0), rng)


def punctual(x: Array, rng: Generator) -> tuple[Array, Array]:
    """The samples that :func:`delayed` delays."""
    return untouched(x[_STEPS:], rng)


def missing(x: Array, rng: Generator) -> tuple[Array, Array]:
    """10 % of the values missing at random."""
    return untouched(np.where(rng.random(x.shape) < 0.1, np.nan, x), rng)


def _distorted(distortion: Distortion, memory: float, rng: Generator) -> Draw:
    params = conditions(rng)
    places = math.sqrt(_NODES) * rng.random((_NODES, 2))
    x, sign = distortion(observed(places, params, rng, memory, _STEPS if memory else 0), rng)
    return Draw(x, places, {"dim": 2, "columns": 2, "pieces": 1, "sign": sign}, params)


def _family(name: str, what: str, distortion: Distortion, memory: float = 0.0) -> Family:
    source = "untouched-slow" if memory else "untouched"
    draw = seeded(name, partial(_distorted, distortion, memory), stream=source)
    if name == source:
        return Family(name, what, "distorted", draw, ("pieces", "trust", "signs"), draws=20, trust=0.99)
    return Family(name, what, "distorted", draw, ("as untouched", "signs"), draws=20, reference=source)


DISTORTED = (
    _family("untouched", f"{_NODES} uniform places", untouched),
    _family("inverted-third", "a third of the nodes inverted", partial(inverted, 1 / 3)),
    _family("inverted-few", "5 % of the nodes inverted", partial(inverted, 0.05)),
    _family("spikes", "5 % spikes", spiked),
    _family("unit", "3 x + 20", shifted),
    _family("gains", "gains of 0.2 to 5", amplified),
    _family("missing", "10 % missing", missing),
    _family("untouched-slow", "the same, AR(0.8) in time", punctual, _MEMORY),
    _family("delays", "delays of 0 to 3 steps", delayed, _MEMORY),
)
