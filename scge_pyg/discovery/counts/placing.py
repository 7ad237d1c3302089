"""Places of rows and columns by the likelihood of the counts between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from scge_pyg.discovery.counts.dense import DenseSums
from scge_pyg.discovery.counts.kernels import Kernel
from scge_pyg.discovery.counts.mesh import MeshSums

__all__ = ["MESH_COLUMNS", "Placed", "log_chances", "place", "sums"]

MESH_COLUMNS = 3  # up to here sums are taken on a mesh
_RATE = 0.6  # widths a step, at first: maps that geodesics have straightened bend back
_RATE_OF_CHAINS = 0.15  # nothing bends in one column, and rows would jump
_LAST = 0.01  # of that in the end
_OF_SCALARS = 0.5
_MEAN, _SQUARE = 0.9, 0.99
_REFRESH = 8
_ONSET = (0.25, 1e3)
_FEWEST = 0.5  # counts a column is taken to have, so that its yield stays finite
_SURE = (1e-4, 0.95)
_PAIRS = 2**20
_FEW_PAIRS = 2**15  # up to here sums over all pairs cost no more than a mesh


@dataclass(frozen=True)
class Placed:
    """Places in widths of the kernel, and what else the likelihood needs.

    Attributes:
        z: Places of the rows ``[N, d]``.
        y: Places of the columns ``[M, d]``; the same where rows meet rows.
        log_yield: Logarithm of the yields of the columns ``[M]``, mean 0.
        kernel: How contact falls with distance.
        background: Share of the counts that come from anywhere.
        margin: Chances of the columns for those, ``[M]``.
        shared: Whether rows meet rows.
        fixed: Whether the yields are known and stay.
    """

    z: np.ndarray
    y: np.ndarray
    log_yield: np.ndarray
    kernel: Kernel
    background: float
    margin: np.ndarray
    shared: bool
    fixed: bool = False


def sums(placed: Placed) -> MeshSums | DenseSums:
    """Sums of contact over all columns: on a mesh, or over all pairs if they are few or lie in four columns."""
    few = len(placed.z) * len(placed.y) <= _FEW_PAIRS
    method = DenseSums if few or placed.z.shape[1] > MESH_COLUMNS else MeshSums
    return method(placed.z, placed.y, np.exp(placed.log_yield), placed.kernel, placed.shared)


def log_chances(placed: Placed, row: np.ndarray, col: np.ndarray, total: np.ndarray | None = None) -> np.ndarray:
    r"""Logarithm of the chance that a count of a row falls on a column, over that by the margins alone.

    .. math::
        p(m \mid n) = (1 - \varepsilon) \frac{e^{b_m} k(|z_n - y_m|)}{\sum_{m'} e^{b_{m'}} k(|z_n - y_{m'}|)}
        + \varepsilon\, q_m

    Args:
        placed: Places.
        row: Rows ``[P]``.
        col: Columns ``[P]``.
        total: The sums below the fraction ``[N]``, if they are known.
    """
    total = sums(placed).total if total is None else total
    found = np.empty(len(row))
    for start in range(0, len(row), _PAIRS):
        part = slice(start, start + _PAIRS)
        square = _squares(placed, row[part], col[part])
        near = placed.log_yield[col[part]] - placed.kernel.energy(square) - np.log(total[row[part]])
        near = np.exp(near) / placed.margin[col[part]]
        found[part] = np.log((1 - placed.background) * near + placed.background)
    return found


def _squares(placed: Placed, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """Squared distances of pairs, ``[P]``."""
    apart = placed.z[row] - placed.y[col]
    return np.asarray(np.einsum("pc,pc->p", apart, apart))


def place(
    counts: sp.csr_matrix,
    start: Placed,
    steps: int,
    tick: Callable[[], None] = lambda: None,
    rate: float | None = None,
) -> Placed:
    r"""Maximise the likelihood of counts given their rows from a start.

    Each step is one of Adam (Kingma and Ba, 2015) on the places and the logarithm of the kernel's onset, at a rate that
    falls as a cosine; yields follow by iterative scaling (Darroch and Ratcliff, 1972). Every eighth step each count is
    split anew between kernel and background (expectation maximisation), and the kernel is replaced by the tangent in
    the squared distance, so that the data enter a step by two sparse products.

    Cost: a step is :math:`O(\text{nnz})` and that of the sums.

    Args:
        counts: Counts ``[N, M]``, no row or column empty.
        start: Where to start from.
        steps: Number of steps.
        tick: Called after each step.
        rate: Widths a step, at first. Default: 0.6, in one column 0.15.
    """
    counts = counts.tocsr()
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    now = start
    rate = rate or (_RATE if now.z.shape[1] > 1 else _RATE_OF_CHAINS)
    free = [now.z.astype(np.float64)] + ([] if now.shared else [now.y.astype(np.float64)])
    free.append(np.array(np.log(now.kernel.onset)))
    mean, square = ([np.zeros_like(value) for value in free] for _ in range(2))
    log_yield = now.log_yield.copy()
    current = sums(now)
    for step in range(1, steps + 1):
        if (step - 1) % _REFRESH == 0:
            seen = _Seen(counts, row, now, current.total)
            now = replace(now, background=seen.background)
        by_z, by_y, expected = current.derivatives(seen.rows)
        pull_z, pull_y = seen.pull(now)
        gradient = [pull_z - by_z + pull_y - by_y] if now.shared else [pull_z - by_z, pull_y - by_y]
        fixed = now.kernel.name == "gaussian"
        gradient.append(np.zeros(()) if fixed else np.array(seen.by_onset - current.by_onset(seen.rows)))
        if not now.fixed:
            log_yield += np.clip(np.log(seen.cols / np.maximum(expected, 1e-9)), -0.5, 0.5)
            log_yield -= log_yield.mean()
        pace = rate * (_LAST + (1 - _LAST) * 0.5 * (1 + np.cos(np.pi * step / steps)))
        for k, slope in enumerate(gradient):
            mean[k] += (1 - _MEAN) * (slope - mean[k])
            square[k] += (1 - _SQUARE) * (slope**2 - square[k])
            root = np.sqrt(square[k] / (1 - _SQUARE**step)) + 1e-12
            own = pace * (_OF_SCALARS if slope.ndim == 0 else 1.0)
            free[k] = free[k] + own * mean[k] / (1 - _MEAN**step) / root
        free[-1] = np.clip(free[-1], *np.log(_ONSET))
        kernel = replace(now.kernel, onset=float(np.exp(free[-1])))
        now = replace(now, z=free[0], y=free[0] if now.shared else free[1], log_yield=log_yield, kernel=kernel)
        current = sums(now)
        tick()
    return now


class _Seen:
    """What the counts say, with the share of each that is due to the kernel.

    Attributes:
        rows: Counts due to the kernel a row, ``[N]``.
        cols: The same a column, ``[M]``.
        background: Share of counts that are not.
        by_onset: Derivative of their log contact by the logarithm of the onset.
    """

    def __init__(self, counts: sp.csr_matrix, row: np.ndarray, now: Placed, total: np.ndarray) -> None:
        own = np.empty(counts.nnz)
        pull = np.empty(counts.nnz)
        self.by_onset = 0.0
        for start in range(0, counts.nnz, _PAIRS):
            part = slice(start, start + _PAIRS)
            i, j = row[part], counts.indices[part]
            distance = _squares(now, i, j)
            near = np.exp(now.log_yield[j] - now.kernel.energy(distance)) / total[i] * (1 - now.background)
            own[part] = counts.data[part] * near / (near + now.background * now.margin[j])
            pull[part] = own[part] * now.kernel.slope(distance)
            self.by_onset -= float((own[part] * now.kernel.stretch(distance)).sum())
        shape = counts.shape
        self.rows = np.maximum(np.bincount(row, own, shape[0]), 1e-9)
        self.cols = np.maximum(np.bincount(counts.indices, own, shape[1]), _FEWEST)
        self.background = float(np.clip(1 - own.sum() / counts.data.sum(), *_SURE))
        self._pull = sp.csr_matrix((pull, counts.indices, counts.indptr), shape)
        self._back = self._pull.T
        self._of_rows = np.bincount(row, pull, shape[0])[:, None]
        self._of_cols = np.bincount(counts.indices, pull, shape[1])[:, None]

    def pull(self, now: Placed) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of the log contacts by the places of rows ``[N, d]`` and columns ``[M, d]``."""
        by_z = -2 * (self._of_rows * now.z - self._pull @ now.y)
        return by_z, -2 * (self._of_cols * now.y - self._back @ now.z)
