"""Families that have a geometry: places on a square, other shapes, and fields that must not be refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import places as shapes
from draws import Array, Draw, Family, seeded
from fields import matern_field
from numpy.random import Generator

__all__ = ["GEOMETRY", "conditions", "observed"]

_SIZES = {100: ((10, 10), 0.99), 300: ((15, 20), 0.995), 1000: ((25, 40), 0.998)}
_SHAPES = {
    "line": shapes.line,
    "ring": shapes.ring,
    "sphere": shapes.sphere,
    "torus": shapes.torus,
    "cylinder": shapes.cylinder,
    "volume": shapes.volume,
}


def conditions(
    rng: Generator,
    length: tuple[float, float] = (2, 4),
    noise: tuple[float, float] = (0.05, 0.3),
    samples: tuple[int, int] = (3000, 3000),
) -> dict[str, Any]:
    """Smoothness, correlation length in spacings, noise and number of samples of one draw."""
    return {
        "nu": float(rng.choice([0.5, 1.5, 2.5])),
        "length": float(rng.uniform(*length)),
        "noise": float(rng.uniform(*noise)),
        "samples": int(rng.integers(samples[0], samples[1] + 1)),
    }


def observed(places: Array, params: dict[str, Any], rng: Generator, memory: float = 0.0, extra: int = 0) -> Array:
    """The Matern field of ``params`` at ``places``, with noise; ``extra`` samples more than wanted."""
    x = matern_field(places, params["length"], params["nu"], params["samples"] + extra, rng, memory)
    return np.asarray(x + params["noise"] * rng.standard_normal(x.shape))


def _square(kind: str, nodes: int, rng: Generator) -> Draw:
    """Places on a square of unit density: thrown uniformly, in clusters, or a jittered grid."""
    params = conditions(rng)
    truth: dict[str, Any] = {"dim": 2, "columns": 2, "pieces": 1}
    if kind == "uniform":
        places = math.sqrt(nodes) * rng.random((nodes, 2))
    elif kind == "clustered":
        places = shapes.clustered(nodes, params["length"], rng)
    else:
        params["jitter"] = float(rng.choice([0.1, 0.2, 0.3]))
        places, _, truth["cells"] = shapes.jittered(_SIZES[nodes][0], params["jitter"], rng)
    return Draw(observed(places, params, rng), places, truth, params)


def _shape(
    make: Callable[[bool, Generator], shapes.Shape], regular: bool | None, params: Callable[..., Any], rng: Generator
) -> Draw:
    """A field over a shape; its length is at least the longest gap, so that one piece is the truth."""
    drawn = params(rng)
    drawn["regular"] = bool(rng.random() < 0.5) if regular is None else regular
    shape = make(drawn["regular"], rng)
    drawn["length"] = max(drawn["length"], shapes.longest_gap(shape.places))
    truth: dict[str, Any] = {"dim": shape.dim, "columns": shape.places.shape[1], "pieces": 1}
    if shape.cells is not None:
        truth["cells"] = shape.cells
    return Draw(observed(shape.places, drawn, rng), shape.places, truth, drawn)


def _plane(regular: bool, rng: Generator) -> shapes.Shape:
    """60 to 300 uniform places on a square, or a grid of about as many."""
    if regular:
        return shapes.jittered((int(rng.integers(8, 18)), int(rng.integers(8, 18))), 0.0, rng)
    nodes = int(rng.integers(60, 301))
    return shapes.Shape(math.sqrt(nodes) * rng.random((nodes, 2)), 2)


def _families() -> list[Family]:
    families = []
    for kind in ("uniform", "clustered", "jittered"):
        for nodes, (_, trust) in _SIZES.items():
            name = f"{kind}-{nodes}"
            wanted = ("dimension", "pieces", "trust") + (("lattice",) if kind == "jittered" else ())
            draw = seeded(name, partial(_square, kind, nodes))
            what = f"{kind} places on a square, N {nodes:,}"
            families.append(Family(name, what, "places", draw, wanted, trust=trust, quick=nodes < 1000))
    for kind, make in _SHAPES.items():
        for regular in (True, False):
            name = f"{kind}-{'regular' if regular else 'irregular'}"
            draw = seeded(name, partial(_shape, make, regular, partial(conditions, length=(2, 3))))
            families.append(Family(name, name.replace("-", ", "), "shapes", draw, ("dimension", "columns", "pieces")))
    weak = partial(conditions, noise=(0.05, 0.5), samples=(1000, 3000))
    for kind in ("plane", "line", "ring", "volume", "sphere"):
        name = f"kept-{kind}"
        draw = seeded(name, partial(_shape, {**_SHAPES, "plane": _plane}[kind], None, weak))
        families.append(Family(name, f"{kind}, noise up to 0.5", "kept", draw, ("kept",)))
    return families


GEOMETRY = tuple(_families())
