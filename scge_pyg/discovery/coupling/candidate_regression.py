"""Ridge regression of each node on a few candidates, batched, and the choice of its ridge by held-out error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "RIDGES",
    "START",
    "CandidateMoments",
    "best_ridge",
    "candidate_moments",
    "held_out_gain",
    "held_out_gains",
    "ridge_regression",
]

RIDGES = 10.0 ** np.arange(-3.5, 1.01, 0.25)
START = 6  # of walks along them

_ROWS = 16  # whose candidates' signals are gathered at once

CandidateMoments = tuple[Tensor, Tensor, Tensor]


def best_ridge(score: Callable[[float], float], start: int = START) -> tuple[int, float]:
    """Place in :data:`RIDGES` with the best score on a walk from ``start``, and that score.

    Example:
        >>> step, _ = best_ridge(lambda ridge: -abs(ridge - 1.0))
        >>> float(RIDGES[step].round(6))
        1.0
    """
    scores: dict[int, float] = {}

    def at(step: int) -> float:
        if step not in scores:
            scores[step] = score(float(RIDGES[step]))
        return scores[step]

    step = start
    while True:
        best = max((s for s in (step, step - 1, step + 1) if 0 <= s < len(RIDGES)), key=at)
        if best == step:
            return step, at(step)
        step = best


def candidate_moments(signal: Tensor, rows: Tensor, index: Tensor) -> CandidateMoments:
    """Second moments in float64 among the candidates of each row, with the row itself, and of the row.

    Args:
        signal: Node signals ``[N, S]``.
        rows: Nodes ``[n]``.
        index: Their candidates ``[n, m]``.

    Returns:
        ``[n, m, m]``, ``[n, m]`` and ``[n]``.
    """
    grams, crosses = [], []
    for part in range(0, len(rows), _ROWS):
        near = signal[index[part : part + _ROWS]]
        grams.append(near @ near.transpose(1, 2))
        crosses.append(torch.bmm(near, signal[rows[part : part + _ROWS]].unsqueeze(2)).squeeze(2))
    samples = signal.shape[1]
    own = signal[rows].square().sum(1)
    return torch.cat(grams).double() / samples, torch.cat(crosses).double() / samples, own.double() / samples


def ridge_regression(moments: CandidateMoments, ridge: float) -> tuple[Tensor, Tensor]:
    r"""Coefficients :math:`\beta = (G + \lambda I)^{-1} g` ``[n, m]`` and residual variances ``[n]``."""
    gram, cross, own = moments
    eye = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    beta = torch.linalg.solve(gram + ridge * eye, cross)
    variance = (own + ridge - (beta * cross).sum(1)).clamp_min(1e-9)
    return beta, variance


def held_out_gain(fit: CandidateMoments, check: CandidateMoments, ridge: float) -> float:
    """Mean of :func:`held_out_gains` over the nodes."""
    return float(held_out_gains(fit, check, ridge).mean())


def held_out_gains(fit: CandidateMoments, check: CandidateMoments, ridge: float) -> Tensor:
    """Log-likelihood of ``check`` above that of independent nodes after a fit on ``fit``, in nats, ``[n]``."""
    beta, variance = ridge_regression(fit, ridge)
    gram, cross, own = check
    error = own - 2 * (beta * cross).sum(1) + torch.einsum("ni,nij,nj->n", beta, gram, beta)
    return (-variance.log() - error / variance + 1) / 2
