"""Second moments and correlations of normal scores, complete or with gaps."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["correlation_of", "correlations_by_side", "positive_definite", "second_moments"]

_COLUMNS = 8192
_CLIP = 1e-3
_CONSTANT = 1e-4  # share of the second moment that is variance, below which a row does not vary


def second_moments(score: np.ndarray, columns: np.ndarray | None = None, other: np.ndarray | None = None) -> np.ndarray:
    r"""Sums of products :math:`Z Z'^\top` over the chosen columns, ``[N, M]`` float64.

    Products run in float32 over at most 8,192 columns and are added up in float64.

    Cost: :math:`O(N M S)`.

    Args:
        score: Rows ``[N, S]`` float32.
        columns: Columns ``[n]``. Default: all.
        other: Rows ``[M, S]`` of the second factor. Default: ``score``.
    """
    other = score if other is None else other
    total = np.zeros((len(score), len(other)))
    columns = np.arange(score.shape[1]) if columns is None else columns
    whole = len(columns) == score.shape[1]
    for start in range(0, len(columns), _COLUMNS):
        part = columns[start : start + _COLUMNS]
        left = _columns(score, part, whole)
        right = left if other is score else _columns(other, part, whole)
        total += (left @ right.T).numpy()
    return (total + total.T) / 2 if other is score else total


def _columns(score: np.ndarray, part: np.ndarray, whole: bool) -> torch.Tensor:
    """Columns of the scores, in one piece of memory."""
    if whole:
        return torch.from_numpy(np.ascontiguousarray(score[:, part[0] : part[-1] + 1]))
    return torch.from_numpy(np.take(score, part, axis=1))  # ten times as fast as an index


def correlation_of(
    score: np.ndarray, observed: np.ndarray | None, columns: np.ndarray | None = None, fewest: int = 50
) -> np.ndarray:
    r"""Correlation ``[N, N]`` over the samples that both nodes have, made positive definite.

    .. math::
        R_{ij} = \frac{\sum_s z_{is} z_{js}}{\sqrt{\sum_s z_{is}^2 o_{js} \sum_s z_{js}^2 o_{is}}}

    with the mask o of observed values. Pairs with fewer than ``fewest`` common samples, and rows that do not vary, are
    uncorrelated with all others.

    Args:
        score: Normal scores ``[N, S]``, 0 where missing.
        observed: Mask ``[N, S]``, or ``None`` where nothing is missing.
        columns: Columns to use. Default: all.
        fewest: Common samples that a pair needs.
    """
    sums = _sums(score, np.arange(score.shape[1]) if columns is None else columns)
    if observed is None:
        return _scaled(*sums)
    product, total, _ = sums
    own = np.diag(product).copy()
    mask = observed.astype(np.float32)
    common = second_moments(mask, columns)
    shared = second_moments(score**2, columns, mask)
    scale = np.sqrt(shared * shared.T)
    varies = own - total**2 / np.maximum(np.diag(common), 1) > _CONSTANT * own
    known = (common >= fewest) & (scale > 0) & varies[:, None] & varies[None, :]
    correlation = np.divide(product, scale, out=np.zeros_like(product), where=known)
    np.fill_diagonal(correlation, 1.0)
    return positive_definite(correlation)


def correlations_by_side(
    score: np.ndarray, sides: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation ``[N, N]`` of complete scores over all columns, and over those of either side, in one pass.

    Cost: :math:`O(N^2 S)`.

    Args:
        score: Normal scores ``[N, S]``.
        sides: Columns of the two sides, which share none.

    Example:
        >>> score = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
        >>> whole, first, _ = correlations_by_side(score, (np.arange(4), np.arange(5, 8)))
        >>> bool(np.allclose(whole, correlation_of(score, None)))
        True
    """
    rest = np.setdiff1d(np.arange(score.shape[1]), np.concatenate(sides))
    parts = [_sums(score, columns) for columns in (*sides, rest)]
    product = parts[0][0] + parts[1][0] + parts[2][0]
    total = parts[0][1] + parts[1][1] + parts[2][1]
    return _scaled(product, total, score.shape[1]), _scaled(*parts[0]), _scaled(*parts[1])


def _sums(score: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Sums over columns of products ``[N, N]`` and of values ``[N]``, and how many columns there are."""
    one = np.ones((1, score.shape[1]), dtype=np.float32)
    return second_moments(score, columns), second_moments(score, columns, one)[:, 0], len(columns)


def _scaled(product: np.ndarray, total: np.ndarray, count: int) -> np.ndarray:
    """Correlation from sums; rows that do not vary are uncorrelated with all others."""
    own = np.diag(product).copy()
    varies = own - total**2 / count > _CONSTANT * own
    scale = np.divide(1.0, np.sqrt(own), out=np.zeros_like(own), where=varies)
    correlation = product * scale[:, None] * scale[None, :]
    np.fill_diagonal(correlation, 1.0)
    return correlation


def positive_definite(correlation: np.ndarray) -> np.ndarray:
    """The nearest matrix with eigenvalues of at least 0.001, then scaled to a diagonal of 1.

    Example:
        >>> broken = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
        >>> bool(np.linalg.eigvalsh(positive_definite(broken)).min() > 0)
        True
    """
    value, vector = torch.linalg.eigh(torch.from_numpy(correlation))
    if float(value[0]) >= _CLIP:
        return correlation
    fixed = ((vector * value.clamp_min(_CLIP)) @ vector.T).numpy()
    scale = 1 / np.sqrt(np.diag(fixed))
    result: np.ndarray = fixed * scale[:, None] * scale[None, :]
    return (result + result.T) / 2
