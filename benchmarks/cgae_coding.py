"""Bits and errors of quantised coefficients: a uniform scalar quantiser with an entropy model, and water-filling.

Tables of the quantiser (probabilities, reconstruction points) come from training values and are counted for nobody;
what is counted is the cross-entropy of other values under the training's probabilities: the length that an
arithmetic coder with these tables reaches within 2 bits a sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from draws import Array

__all__ = ["OperatingPoints", "ScalarCoder", "gaussian_rate_distortion", "operating_points", "steps_at"]

_PRIOR = 0.5  # counts added to each cell (Krichevsky and Trofimov, 1981)


class ScalarCoder:
    """A uniform quantiser for each column, cells centred at multiples of its step, entropy-coded column by column.

    A cell's reconstruction point is the mean of the training values in it, its middle if there are none. Values beyond
    the training's outermost cells fall into these. A column with an infinite step has one cell: no bits, its mean.

    Args:
        x: Training values ``[S, n]``.
        step: Width of a cell, for all columns or for each ``[n]``.

    Example:
        >>> coder = ScalarCoder(np.array([[0.1], [-0.1], [0.9], [1.3]]), 1.0)
        >>> cells = coder.encode(np.array([[0.4], [7.0]]))
        >>> coder.decode(cells).ravel().tolist(), coder.bits(cells).tolist()
        ([0.0, 1.1], [1.0, 1.0])
    """

    def __init__(self, x: Array, step: Array | float) -> None:
        self.step = np.broadcast_to(np.asarray(step, float), x.shape[1:])
        index = np.rint(x / self.step).astype(np.int64)
        self.low, self.high = index.min(0), index.max(0)
        widths = self.high - self.low + 1
        self.start = np.cumsum(widths) - widths
        cells = (index - self.low + self.start).ravel()
        count = np.bincount(cells, minlength=widths.sum())
        total = np.bincount(cells, x.ravel(), minlength=widths.sum())
        column = np.repeat(np.arange(len(widths)), widths)
        number = np.arange(widths.sum()) - self.start[column] + self.low[column]
        with np.errstate(invalid="ignore"):  # 0 times an infinite step, in a cell that is not empty
            self.point = np.where(count > 0, total / np.maximum(count, 1), number * self.step[column])
        self.length = -np.log2((count + _PRIOR) / (len(x) + _PRIOR * widths[column]))

    def encode(self, x: Array) -> Array:
        """Cells ``[S, n]`` of values ``[S, n]``, numbered through all columns."""
        index = np.rint(x / self.step).astype(np.int64)
        return np.asarray(np.clip(index, self.low, self.high) - self.low + self.start)

    def decode(self, cells: Array) -> Array:
        """Reconstruction points ``[S, n]``."""
        return np.asarray(self.point[cells])

    def bits(self, cells: Array) -> Array:
        """Length ``[S]`` of each sample's code."""
        return np.asarray(self.length[cells].sum(1))


class OperatingPoints(NamedTuple):
    """What each column costs at each step: ``step [J]``, ``bits [n, J]`` and squared ``error [n, J]``, means."""

    step: Array
    bits: Array
    error: Array


def operating_points(x: Array, steps: Array) -> OperatingPoints:
    """Bits and squared errors of columns ``x [S, n]`` at an infinite step and at each of ``steps [J - 1]``."""
    steps = np.append(np.inf, steps)
    bits, error = np.empty((2, x.shape[1], len(steps)))
    for j, step in enumerate(steps):
        coder = ScalarCoder(x, step)
        cells = coder.encode(x)
        bits[:, j] = coder.length[cells].mean(0)
        error[:, j] = np.square(x - coder.decode(cells)).mean(0)
    return OperatingPoints(steps, bits, error)


def steps_at(points: OperatingPoints, slope: float) -> Array:
    r"""Steps ``[n]`` of least error + slope bits: reverse water-filling on the values themselves.

    For Gaussian columns at high rate every step is :math:`\sqrt{6 \,\text{slope} / \ln 2}`, and a column whose
    variance is below the water level stays out (an infinite step).
    """
    return np.asarray(points.step[(points.error + slope * points.bits).argmin(1)])


def gaussian_rate_distortion(variance: Array, level: Array) -> tuple[Array, Array]:
    r"""Rate-distortion function of independent Gaussians by reverse water-filling.

    .. math::
        R = \sum_i \max(0, \tfrac12 \log_2 (\sigma_i^2 / \theta)), \qquad D = \sum_i \min(\sigma_i^2, \theta)

    Args:
        variance: The :math:`\sigma_i^2` ``[n]``.
        level: Water levels :math:`\theta` ``[L]``.

    Returns:
        Bits R and squared errors D, both ``[L]``.

    Example:
        >>> bits, error = gaussian_rate_distortion(np.array([4.0, 1.0, 0.25]), np.array([1.0]))
        >>> bits.item(), error.item()
        (1.0, 2.25)
    """
    least = np.minimum(variance, level[:, None])
    ratio = np.divide(variance, least, out=np.ones_like(least), where=least > 0)
    return np.log2(ratio).sum(1) / 2, least.sum(1)
