"""How many columns the places need, how contact falls with distance, and whether there is a geometry at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from scge_pyg.discovery.counts.factors import factor_lift
from scge_pyg.discovery.counts.halves import halves
from scge_pyg.discovery.counts.kernels import TAILS, Kernel
from scge_pyg.discovery.counts.placing import MESH_COLUMNS, Placed, log_chances, place
from scge_pyg.discovery.counts.profiles import alike_rows, barycentres, links_of, start_places
from scge_pyg.discovery.counts.seriation import along_chains
from scge_pyg.discovery.maps.sketch import Links

__all__ = ["Judged", "first_placed", "judge"]

MAX_COLUMNS = 4
_STEPS = 100
_RATE = 0.15  # widths a step: in so few, longer ones would not settle
_MORE_STEPS = 60
_DENSE_PAIRS = 2**22  # beyond, four columns are not tried
_ALIKE = (0, 4, 16, 64)  # rows whose counts predict without a map
_SHRINK = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)  # towards the margins
_TOLERANCE = 0.005
_SHORT = 0.015
_WORTH = 0.8
_BEYOND_CHANCE = 3.0
_NEGLIGIBLE = 0.005
_BLOCKS = 16
_PRIOR = 0.5
_BACKGROUND = 0.1
_MOST_ORDERED = 2048
_TRIAL_STEPS = 60
_BENT = 0.3


@dataclass(frozen=True)
class Judged:
    """What the halves say of each other.

    Attributes:
        columns: Columns that the places need.
        kernel: How contact falls with distance.
        gain: Nats a count that the places predict better than the margins do.
        ceiling: Nats a count of the best prediction without places.
        ratio: ``gain / ceiling``.
        error: Standard error of the ratio over blocks of rows.
        verdict: ``"geometry"``, ``"no geometry"`` or ``"undecided"``.
        gain_by_columns: Gains of places of one column, two, and so on.
        row_gain: Gain of each row, ``[N]``; NaN where nothing was held out.
        maps: Places of the rows from either half, ``[N, columns]`` each; NaN where a half is empty.
    """

    columns: int
    kernel: Kernel
    gain: float
    ceiling: float
    ratio: float
    error: float
    verdict: str
    gain_by_columns: tuple[float, ...]
    row_gain: np.ndarray
    maps: tuple[np.ndarray, np.ndarray]


class _Half:
    """One half that is fitted, and the other that scores it, over the rows and columns that the first one has."""

    def __init__(
        self, fitted: sp.csr_matrix, scored: sp.csr_matrix, shared: bool, log_yield: np.ndarray | None
    ) -> None:
        self.rows = np.flatnonzero(np.diff(fitted.indptr))
        self.cols = self.rows if shared else np.flatnonzero(np.bincount(fitted.indices, minlength=fitted.shape[1]))
        self.fitted = fitted[self.rows][:, self.cols]
        scored = scored[self.rows][:, self.cols].tocoo()
        self.row, self.col, self.data = scored.row, scored.col, scored.data
        self.held = np.bincount(self.row, self.data, len(self.rows))
        self.shared = shared
        self._links = links_of(self.fitted)[0]
        self._log_yield = None if log_yield is None else log_yield[self.cols]

    def drawn(self, columns: int, kernel: Kernel, tick: Callable[[], None]) -> Placed:
        start = first_placed(self.fitted, self._links, columns, kernel, self.shared, self._log_yield)
        return place(self.fitted, start, _STEPS, tick, rate=_RATE)

    def gains(self, placed: Placed) -> np.ndarray:
        """Nats that the held-out counts of each row gain over the margins, ``[rows]``."""
        return np.bincount(self.row, self.data * log_chances(placed, self.row, self.col), len(self.rows))

    def best_without(self) -> np.ndarray:
        """The same by factors, or by the counts of the row and those most alike, whichever predicts best."""
        alike = alike_rows(self.fitted)
        margin = _margin(self.fitted)
        found = [factor_lift(self.fitted, margin, self.row, self.col)]
        for k in _ALIKE:
            near = alike.index[:, :k]
            own = np.repeat(np.arange(len(near)), near.shape[1])[near.ravel() >= 0]
            chosen = sp.csr_matrix((np.ones(len(own)), (own, near.ravel()[near.ravel() >= 0])), 2 * (len(near),))
            pooled = sp.csr_matrix((chosen + sp.identity(len(near))) @ self.fitted)
            if self.shared:
                pooled.setdiag(0)
            total = np.maximum(np.asarray(pooled.sum(1)).ravel(), 1e-9)
            found.append(np.asarray(pooled[self.row, self.col]).ravel() / total[self.row] / margin[self.col])
        gains = [
            np.bincount(self.row, self.data * np.log((1 - shrink) * lift + shrink), len(self.rows))
            for lift in found
            for shrink in _SHRINK
        ]
        return max(gains, key=lambda gain: float(gain.sum()))


def _margin(counts: sp.csr_matrix) -> np.ndarray:
    margin = np.asarray(counts.sum(0)).ravel() + _PRIOR
    return np.asarray(margin / margin.sum())


def first_placed(
    counts: sp.csr_matrix, links: Links, columns: int, kernel: Kernel, shared: bool, log_yield: np.ndarray | None = None
) -> Placed:
    """A start for :func:`scge_pyg.discovery.counts.placing.place`: geodesics along links between the rows.

    Rows that meet rows are put along chains (:func:`scge_pyg.discovery.counts.seriation.along_chains`), in several
    columns bent as the geodesics are; the start that gets furthest in a few steps is taken.
    """
    margin = _margin(counts)
    own = np.log(margin) if log_yield is None else log_yield

    def at(z: np.ndarray) -> Placed:
        y = z if shared else barycentres(counts, z)
        return Placed(z, y, own - own.mean(), kernel, _BACKGROUND, margin, shared, log_yield is not None)

    z = start_places(links, columns)
    if not shared or len(z) > _MOST_ORDERED:
        return at(z)
    starts = [
        np.column_stack([along * z[:, 0].std() / along.std(), _BENT * z[:, 1:]]) for along in along_chains(counts)
    ]
    starts += [z] if columns > 1 else []
    tried = [place(counts, at(start), _TRIAL_STEPS, rate=_RATE) for start in starts]
    pairs = counts.tocoo()
    return max(tried, key=lambda placed: float(pairs.data @ log_chances(placed, pairs.row, pairs.col)))


def judge(
    counts: sp.csr_matrix,
    seed: int,
    *,
    dim: int | None = None,
    shared: bool = False,
    log_yield: np.ndarray | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Judged:
    """Judge places by counts that had no part in drawing them.

    Each count goes to one of two halves; each half draws places and is scored on the other. Columns are the smallest
    number within two standard errors over rows of the best, tried with a power tail until one more predicts worse; then
    the three kernels compete. The ceiling are predictions without places: by eight factors, or by the counts of the row
    and of those most alike.

    Args:
        counts: Counts ``[N, M]`` in canonical order, without empty rows and columns.
        seed: Seed of the halves.
        dim: Number of columns. Default: chosen.
        shared: Whether rows meet rows.
        log_yield: Logarithm of the yields of the columns ``[M]``, where they are known.
        tick: Called after each step of a fit.
    """
    first, second = halves(counts, seed, shared)
    one, two = _Half(first, second, shared, log_yield), _Half(second, first, shared, log_yield)
    most = MAX_COLUMNS if counts.shape[0] * counts.shape[1] <= _DENSE_PAIRS else MESH_COLUMNS
    tried = range(1, min(most, counts.shape[0] - 2) + 1) if dim is None else (dim,)
    drawn: dict[int, Placed] = {}
    gains: dict[int, np.ndarray] = {}
    for d in tried:
        drawn[d] = one.drawn(d, Kernel("power"), tick)
        gains[d] = one.gains(drawn[d])
        if d - 1 in gains and gains[d].sum() < gains[d - 1].sum():
            break
    top = max(gains.values(), key=lambda gain: float(gain.sum()))
    columns = next(d for d in gains if _as_good(gains[d], top, one.held))
    kernel, kept = _best_kernel(one, drawn[columns], tick)
    other = two.drawn(columns, kernel, tick)
    sides = [(one, kept), (two, other)]
    gain = [half.gains(placed) for half, placed in sides]
    free = [half.best_without() for half, _ in sides]
    held = float(one.held.sum() + two.held.sum())
    total, ceiling = (float(sum(g.sum() for g in side)) / held for side in (gain, free))
    error, spread = _errors(gain, free, [half.held for half, _ in sides])
    ratio, error = (total / ceiling, error) if ceiling > _NEGLIGIBLE else (0.0, 0.0)
    beyond = total > max(_BEYOND_CHANCE * spread, _NEGLIGIBLE)
    row_gain = np.full((2, counts.shape[0]), np.nan)
    maps = []
    for k, (half, placed) in enumerate(sides):
        row_gain[k, half.rows] = gain[k] / np.maximum(half.held, 1)
        full = np.full((counts.shape[0], columns), np.nan)
        full[half.rows] = placed.z
        maps.append(full)
    return Judged(
        columns=columns,
        kernel=kernel,
        gain=total,
        ceiling=ceiling,
        ratio=ratio,
        error=error,
        verdict="geometry" if ratio + 2 * error >= _WORTH and beyond else "no geometry",
        gain_by_columns=tuple(float(gains[d].sum() / one.held.sum()) for d in gains),
        row_gain=row_gain.mean(0),
        maps=(maps[0], maps[1]),
    )


def _as_good(gain: np.ndarray, best: np.ndarray, held: np.ndarray) -> bool:
    """Whether gains fall short of the best by no more than two standard errors over rows, nor by 1.5 %."""
    short = best - gain
    error = float(short.std()) * np.sqrt(len(short))
    scale = abs(float(best.sum()))
    return bool(short.sum() <= min(max(2 * error, _TOLERANCE * scale), _SHORT * scale))


def _best_kernel(half: _Half, drawn: Placed, tick: Callable[[], None]) -> tuple[Kernel, Placed]:
    """The kernel that predicts best, each fitted from the same places; the plainest of equals."""
    found = []
    for name in TAILS:
        kernel = drawn.kernel if name == drawn.kernel.name else Kernel(name)
        placed = place(half.fitted, replace(drawn, kernel=kernel), _MORE_STEPS, tick, rate=0.05)
        found.append((placed.kernel, placed, half.gains(placed)))
    best = max(found, key=lambda entry: float(entry[2].sum()))
    plainest = next(entry for entry in found if _as_good_exactly(entry[2], best[2]))
    return plainest[0], plainest[1]


def _as_good_exactly(gain: np.ndarray, best: np.ndarray) -> bool:
    short = best - gain
    return bool(short.sum() <= float(short.std()) * np.sqrt(len(short)))


def _errors(gain: list[np.ndarray], free: list[np.ndarray], held: list[np.ndarray]) -> tuple[float, float]:
    """Standard errors of the ratio and of the gain over sixteen blocks of rows."""
    both = [np.concatenate([np.add.reduceat(v, _edges(len(v))) for v in side]) for side in (gain, free, held)]
    g, f, n = both
    ratio = (g.sum() - g) / np.maximum(f.sum() - f, 1e-9)
    mean = (g.sum() - g) / np.maximum(n.sum() - n, 1e-9)
    count = len(g)
    scale = np.sqrt((count - 1) / count)
    return float(scale * np.linalg.norm(ratio - ratio.mean())), float(scale * np.linalg.norm(mean - mean.mean()))


def _edges(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count, min(_BLOCKS, count), endpoint=False).astype(int))
