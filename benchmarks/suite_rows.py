"""The rows of the suite: families of the other benchmark, and fields under one condition at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from draws import Array, Draw, Family, seeded
from families import FAMILIES
from families_geometry import observed
from numpy.random import Generator
from places import Shape, curve, jittered, longest_gap
from suite_recordings import SUITE_RECORDINGS

from scge_pyg.datasets import PhotoPatches
from scge_pyg.datasets.layouts import foveated_points, hexagonal_points

__all__ = ["GROUPS", "SUITE"]

_NODES, _FIELD = 200, {"nu": 1.5, "length": 3.0, "noise": 0.2, "samples": 2000}
_RATE = 1.0

Change = Callable[[Array, Generator], Array]


def _uniform(rng: Generator) -> Shape:
    return Shape(math.sqrt(_NODES) * rng.random((_NODES, 2)), 2)


def _grid(rng: Generator) -> Shape:
    return jittered((15, 20), 0.0, rng)


def _layout(points: Callable[..., Any], rng: Generator) -> Shape:
    """300 places of a layout, their median distance to the nearest scaled to 1."""
    places = points(300, (200, 200), seed=int(rng.integers(2**31))).double().numpy()
    nearest = np.sort(np.linalg.norm(places[:, None] - places, axis=2), 1)[:, 1]
    return Shape(places / np.median(nearest), 2)


def _field(
    make: Callable[[Generator], Shape], changed: dict[str, float], change: Change | None, rng: Generator
) -> Draw:
    """A Matern field at the places of a shape, read by noisy sensors, and what was done to the samples afterwards."""
    params: dict[str, Any] = {**_FIELD, **changed}
    shape = make(rng)
    params["length"] = max(params["length"], longest_gap(shape.places))
    x = observed(shape.places, params, rng)
    truth = {"dim": shape.dim, "columns": shape.places.shape[1], "pieces": 1}
    if shape.cells is not None:
        truth["cells"] = shape.cells
    return Draw(x if change is None else change(x, rng), shape.places, truth, params)


def counts(x: Array, rng: Generator) -> Array:
    """Poisson counts whose logarithmic rate is the signal; the median rate is 1."""
    return rng.poisson(_RATE * np.exp(x)).astype(float)


def heavy_tails(x: Array, rng: Generator) -> Array:
    """Noise of Student's t with 1.5 degrees of freedom, which has no variance, on top."""
    return np.asarray(x + 0.2 * rng.standard_t(1.5, x.shape))


def offsets(x: Array, rng: Generator) -> Array:
    """An offset of each node, with a standard deviation of ten signals."""
    return np.asarray(x + 10 * rng.standard_normal(x.shape[1]))


def common_mode(x: Array, rng: Generator) -> Array:
    """One signal of twice the amplitude in all nodes."""
    return np.asarray(x + 2 * rng.standard_normal((len(x), 1)))


def average_reference(x: Array, rng: Generator) -> Array:
    """Each sample against its mean over the nodes."""
    return np.asarray(x - x.mean(1, keepdims=True))


def _photographs(rng: Generator) -> Draw:
    data = PhotoPatches(32, 32, 5000, int(rng.integers(2**31)))
    assert data.cells is not None
    cells = data.cells.numpy()
    return Draw(
        data.x[..., 0].double().numpy(), cells.astype(float), {"dim": 2, "columns": 2, "pieces": 1, "cells": cells}
    )


def _row(
    name: str,
    what: str,
    group: str,
    make: Callable[[Generator], Shape] = _uniform,
    change: Change | None = None,
    **changed: float,
) -> Family:
    return Family(name, what, group, seeded(name, partial(_field, make, changed, change)))


def _of(name: str, group: str, what: str) -> Family:
    return replace(FAMILIES[name], group=group, what=what)


def _rows() -> list[Family]:
    photographs = seeded("photos-32x32", _photographs)
    return [
        _row("grid", "grid 15x20", "places", _grid),
        _of("jittered-300", "places", "jittered grid"),
        _of("uniform-300", "places", "thrown on a square"),
        _of("clustered-300", "places", "clusters on a square"),
        _row("foveated", "foveated", "places", partial(_layout, foveated_points)),
        _row("hexagonal", "hexagonal", "places", partial(_layout, hexagonal_points)),
        _of("line-regular", "places", "chain"),
        _of("line-irregular", "places", "chain, irregular"),
        _of("ring-irregular", "places", "ring, irregular"),
        _of("sphere-irregular", "places", "sphere, irregular"),
        _of("torus-irregular", "places", "flat torus, irregular"),
        _of("cylinder-irregular", "places", "cylinder, irregular"),
        _of("volume-irregular", "places", "volume, irregular"),
        _row("curve", "curve in the plane, irregular", "places", partial(curve, 120), length=2.0),
        *(_row(f"matern-{nu:g}", f"Matern {nu:g}", "fields", nu=nu) for nu in (0.5, 1.5, 2.5, 5.0)),
        *(_row(f"noise-{sd:g}-field", f"noise {sd:g}", "fields", noise=sd) for sd in (0.1, 0.5, 1.0)),
        *(_of(f"photos-blue-{s:g}", "fields", f"photographs, {s:g} pixels apart") for s in (1.25, 1.8, 2.7)),
        Family("photos-32x32", "photographs 32x32", "fields", photographs, quick=False),
        *(_row(f"samples-{n}", f"{n:,} samples", "fields", samples=n) for n in (100, 300, 1000, 5000)),
        _of("spikes", "sensors", "5 % spikes"),
        _row("counts", "Poisson counts", "sensors", change=counts),
        _row("heavy-tails", "noise of heavy tails", "sensors", change=heavy_tails),
        _of("gains", "sensors", "gains of 0.2 to 5"),
        _row("offsets", "offsets", "sensors", change=offsets),
        _of("missing", "sensors", "10 % missing"),
        _of("inverted-third", "sensors", "a third inverted"),
        _of("untouched-slow", "sensors", "memory of 0.8 a step"),
        _of("delays", "sensors", "the same, delays of 0 to 3 steps"),
        _row("common-mode", "common mode", "sensors", change=common_mode),
        _row("average-reference", "average reference", "sensors", change=average_reference),
        _of("tree", "graphs", "random trees"),
        _of("small-world", "graphs", "small worlds"),
        _of("erdos-renyi", "graphs", "random graphs"),
        _of("factors", "graphs", "6 to 20 factors"),
        _of("noise", "graphs", "independent noise"),
        _of("eeg-raw", "recordings", "EEG, raw"),
        _of("eeg-average", "recordings", "EEG, average reference"),
        _of("traffic", "recordings", "loop detectors on roads"),
        _of("digits-1797", "recordings", "digits 8x8"),
        *SUITE_RECORDINGS,
    ]


GROUPS = {
    "places": "Places, under a Matern field",
    "fields": "Fields, noise and numbers of samples",
    "sensors": "What sensors do to a field",
    "graphs": "No geometry of few columns",
    "recordings": "Recordings",
}
"""Titles of the tables, in order."""
SUITE = {family.name: family for family in _rows()}
"""Every row by its name, in the order of the tables."""
