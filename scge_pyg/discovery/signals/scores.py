"""Normal scores: signals without unit, offset, gain, heavy tail or spike."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri

from scge_pyg.discovery.sharing.shared_blocks import blocks_of, shared_blocks

__all__ = ["normal_scores"]

_BLOCK_VALUES = 2**20  # small enough for a processor's cache


def normal_scores(values: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    r"""Gaussian quantiles of the mid-ranks along the last axis, with mean 0 and variance 1.

    .. math::
        z_s = \Phi^{-1}\left(\frac{r_s - 1/2}{n}\right)

    where :math:`r_s` is the rank of sample s among the n observed ones, ties sharing their mean rank. Any increasing
    transformation without new ties leaves the scores as they are, bit for bit (van der Waerden, 1952).

    Cost: one sort of S values a row, in blocks of at most a million values.

    Args:
        values: Rows ``[..., S]``; NaN is missing.
        out: Where scores are written, contiguous float32; it may be ``values``. Default: a new array.

    Returns:
        Scores ``[..., S]`` float32, 0 where missing and in rows that never vary.

    Example:
        >>> normal_scores(np.array([[5.0, np.nan, 7.0], [900.0, np.nan, 1.0]])).tolist()
        [[-1.0, 0.0, 1.0], [1.0, 0.0, -1.0]]
    """
    rows = values.reshape(-1, values.shape[-1])
    result = np.empty(rows.shape, dtype=np.float32) if out is None else out.reshape(rows.shape)
    step = max(1, _BLOCK_VALUES // max(1, rows.shape[1]))

    def compute(block: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.from_numpy(_scores(rows[block[0] : block[-1] + 1])),)

    shared_blocks(blocks_of(len(rows), step), "scores", compute, [torch.from_numpy(result)])
    return result.reshape(values.shape)


def _scores(rows: np.ndarray) -> np.ndarray:
    """Scores of rows ``[n, S]``; those without a tie or a gap all get the same ones, in their own order."""
    order = np.argsort(rows, axis=1)  # NaN comes last
    sorted_rows = np.take_along_axis(rows, order, 1)
    plain = (sorted_rows[:, 1:] > sorted_rows[:, :-1]).all(1) & ~np.isnan(sorted_rows[:, -1])
    score = np.empty(rows.shape, dtype=np.float32)
    if plain.any():
        score[plain] = _sorted_scores(np.arange(rows.shape[1], dtype=float)[None])
    if not plain.all():
        score[~plain] = _sorted_scores(sorted_rows[~plain])
    result = np.empty(rows.shape, dtype=np.float32)
    np.put_along_axis(result, order, score, 1)
    return result


def _sorted_scores(sorted_rows: np.ndarray) -> np.ndarray:
    """Scores of rows ``[n, S]`` whose values ascend, NaN last."""
    length = sorted_rows.shape[1]
    place = np.arange(length, dtype=np.int32)
    differs = sorted_rows[:, 1:] != sorted_rows[:, :-1]
    first = np.zeros(sorted_rows.shape, dtype=np.int32)
    first[:, 1:] = np.where(differs, place[1:], 0)
    np.maximum.accumulate(first, axis=1, out=first)
    last = np.full(sorted_rows.shape, length - 1, dtype=np.int32)
    last[:, :-1] = np.where(differs, place[:-1], length - 1)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    missing = np.isnan(sorted_rows)
    count = length - missing.sum(1, keepdims=True)
    observed = np.maximum(count, 1)
    doubled = np.where(missing, observed, first + last + 1)
    score = _quantiles(doubled, observed)
    score -= _sum_both_ways(score, count) / observed
    score[missing] = 0.0
    deviation = np.sqrt(_sum_both_ways(score**2, count) / observed)
    varies = deviation > 1e-6
    result: np.ndarray = np.where(varies, score / np.where(varies, deviation, 1.0), 0.0) + 0.0  # no negative zeros
    return result


def _quantiles(doubled: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Gaussian quantiles of doubled mid-ranks among ``count [n, 1]`` observed values, exactly antisymmetric."""
    if (count == count[0]).all():
        every = np.arange(2 * int(count[0, 0]) + 1)
        result: np.ndarray = _quantile(every, count[0])[doubled]
        return result
    return _quantile(doubled, count)


def _quantile(doubled: np.ndarray, count: np.ndarray) -> np.ndarray:
    tail = ndtri(np.minimum(doubled, 2 * count - doubled) / (2 * count))
    return np.where(doubled < count, tail, -tail)


def _sum_both_ways(sorted_rows: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Sum of the first ``count [n, 1]`` values of each row; rows read backwards give the same bits."""
    length = sorted_rows.shape[1]
    if (count == length).all():
        half = length // 2
        total: np.ndarray = (sorted_rows[:, :half] + sorted_rows[:, : -half - 1 : -1]).sum(1, keepdims=True)
        return total + sorted_rows[:, half : half + length % 2].sum(1, keepdims=True)
    place = np.arange(length)
    mirrored = np.take_along_axis(sorted_rows, np.where(place < count, count - 1 - place, place), 1)
    both: np.ndarray = (sorted_rows + mirrored).sum(1, keepdims=True)
    return both / 2
