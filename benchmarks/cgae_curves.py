"""Images for coding, and curves of error against bits: which settings a method is given is decided on validation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from draws import Array

from scge_pyg.datasets import FashionMNISTNodes, MNISTNodes

__all__ = ["NAMES", "Candidate", "Split", "classes", "curve", "error_at", "split"]

NAMES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
_KINDS = {"mnist": MNISTNodes, "fashion_mnist": FashionMNISTNodes}
_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_VALID = 5_000


class Split(NamedTuple):
    """Images ``[S, 784]`` float32 in [0, 1]: to learn from, to choose settings by, and to report."""

    train: Array
    valid: Array
    test: Array


@cache
def split(name: str, quick: bool) -> Split:
    """The first 55,000 training images, the last 5,000, and 10,000 test images; ``quick``: 2,000, 500 and 500.

    Args:
        name: A key of ``NAMES``.
        quick: The small form.
    """
    x, test = (_dataset(name, train=part).x.squeeze(2).numpy() for part in (True, False))
    train, valid = x[: len(x) - _VALID], x[len(x) - _VALID :]
    return Split(train[:2_000], valid[:500], test[:500]) if quick else Split(train, valid, test)


def classes(name: str) -> Array:
    """Classes ``[S]`` of the training images of :func:`split`."""
    y = _dataset(name, train=True).y.numpy()
    return np.asarray(y[: len(y) - _VALID])


@cache
def _dataset(name: str, train: bool) -> MNISTNodes:
    return _KINDS[name](_CACHE / name, train=train)


class Candidate(NamedTuple):
    """Mean bits and mean summed squared error on validation and on test images, and the settings that gave them."""

    settings: dict[str, Any]
    valid: tuple[float, float]
    test: tuple[float, float]


def curve(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates on the lower convex hull of the validation's (bits, error), by rising bits.

    Between two of them every point of the segment can be had: some images get one code, the others the other.

    Example:
        >>> points = [(0, 9), (1, 4), (2, 3.5), (3, 1), (4, 2)]
        >>> [c.test for c in curve(Candidate({}, p, p) for p in points)]
        [(0, 9), (1, 4), (3, 1)]
    """
    hull: list[Candidate] = []
    for point in sorted(candidates, key=lambda c: c.valid):
        if hull and point.valid[1] >= hull[-1].valid[1]:
            continue
        while len(hull) > 1 and _above(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _above(left: Candidate, middle: Candidate, right: Candidate) -> bool:
    (a, e), (b, f), (c, g) = left.valid, middle.valid, right.valid
    return (f - e) * (c - a) >= (g - e) * (b - a)


def error_at(points: Sequence[tuple[float, float]], bits: float) -> float | None:
    """Error with at most ``bits`` on the curve through points (bits, error); None where the cheapest costs more.

    Example:
        >>> error_at([(10, 8.0), (20, 4.0)], 15), error_at([(10, 8.0), (20, 4.0)], 30), error_at([(10, 8.0)], 9)
        (6.0, 4.0, None)
    """
    known, error = np.array(sorted(points)).T
    return float(np.interp(bits, known, error)) if known[0] <= bits else None
