"""Which rows meet the same columns, how near that makes them, and a first sketch of their places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from scge_pyg.discovery.maps.sketch import Links, scale_geodesics

__all__ = ["Alike", "alike_rows", "barycentres", "evident", "links_of", "once", "smoothed", "start_places"]

_FEW, _MANY = 8, 64
_NEAR = np.exp(-1.0)  # lift at two widths
_SHORTEST = 0.1  # of the squared length: below, noise chooses who is nearest
_RARE = 0.25  # of the median: rarer columns weigh no more
_ROWS = 512
_SMOOTHED_ROWS = 4096
_LANDMARKS = 256
_EXCESS = 3.0  # times what the margins expect, below which a count is no evidence of nearness
_CHANCE = 1e-3
_CERTAIN = 8.0


@dataclass(frozen=True)
class Alike:
    """The rows most alike to each row.

    Attributes:
        index: Rows by falling lift, ``[N, k]``; -1 where there are fewer.
        lift: How much more often both meet the same column than unrelated rows do: 1 next to each other, 0 far apart.
    """

    index: np.ndarray
    lift: np.ndarray
    deviations: np.ndarray


def alike_rows(counts: sp.csr_matrix, k: int = _MANY) -> Alike:
    r"""The ``k`` rows most alike to each row.

    Two rows are as alike as a count of the one and a count of the other fall on the same column more often than the
    margins say,

    .. math::
        c_{nn'} = \sum_m \frac{p_{nm}\, p_{n'm}}{q_m},

    shifted and scaled so that the median of all pairs is 0 and that of third largest values is 1. Of independent rows
    with t and t' counts it has mean 1 and variance :math:`M / (t t')`; its skewness is reckoned with.

    Cost: :math:`O(\sum_m n_m^2)` with :math:`n_m` rows that meet column m; memory that of 512 rows.

    Args:
        counts: Counts ``[N, M]`` without empty rows and columns.
        k: Rows a row.
    """
    total = np.asarray(counts.sum(1)).ravel()
    margin = np.asarray(counts.sum(0)).ravel()
    margin = np.maximum(margin, _RARE * np.median(margin))
    share = sp.csr_matrix(sp.diags(1 / total) @ counts)
    weighted = sp.csr_matrix((share @ sp.diags(margin.sum() / margin)).T).astype(np.float32)
    share = share.astype(np.float32)
    num_rows = counts.shape[0]
    k = min(k, num_rows - 1)
    index, value = np.full((num_rows, k), -1, dtype=np.int64), np.zeros((num_rows, k))
    middle = []
    for start in range(0, num_rows, _ROWS):
        block = (share[start : start + _ROWS] @ weighted).tocsr()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        other = row + start != block.indices
        middle.append(_median_with_zeros(block.data[other], block.shape[0] * (num_rows - 1)))
        row, col, data = row[other], block.indices[other], block.data[other]
        order = np.lexsort((col, -data, row))
        row, col, data = row[order], col[order], data[order]
        rank = np.arange(len(row)) - np.searchsorted(row, np.arange(block.shape[0]))[row]
        kept = rank < k
        index[start + row[kept], rank[kept]], value[start + row[kept], rank[kept]] = col[kept], data[kept]
    base = float(np.median(middle))
    peak = float(np.median(value[:, min(2, k - 1)]))
    lift = (value - base) / max(peak - base, 1e-12)
    chances = total[:, None] * total[index]
    deviations = (value - 1) / np.sqrt(counts.shape[1] / chances)
    skew = float((margin.sum() / margin).mean()) / np.sqrt(counts.shape[1] * chances)
    missing = index < 0
    return Alike(index, np.where(missing, 0.0, lift), np.where(missing, -np.inf, _as_normal(deviations, skew)))


def _as_normal(deviations: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Deviations of as rare a normal variable, by Bennett's inequality; negative ones stay as they are."""
    scaled = np.maximum(skew * deviations, 0)
    bound = np.sqrt(2 * np.maximum((1 + scaled) * np.log1p(scaled) - scaled, 0)) / skew
    return np.where(deviations > 0, bound, deviations)


def _median_with_zeros(data: np.ndarray, count: int) -> float:
    zeros = count - len(data)
    return 0.0 if zeros > count / 2 else float(np.partition(data, max(0, count // 2 - zeros))[count // 2 - zeros])


def evident(alike: Alike, num_rows: int) -> np.ndarray:
    r"""Whether rows are alike by :math:`\sqrt{4 \log N + 8}` deviations, as no two unrelated ones are, ``[N, k]``."""
    result: np.ndarray = alike.deviations > np.sqrt(4 * np.log(max(num_rows, 2)) + _CERTAIN)
    return result


def smoothed(counts: sp.csr_matrix, alike: Alike) -> sp.csr_matrix:
    """Counts of each row and its eight most alike ones together, ``[N, M]``."""
    near = alike.index[:, :_FEW]
    row = np.repeat(np.arange(len(near)), near.shape[1])[near.ravel() >= 0]
    chosen = sp.csr_matrix((np.ones(len(row)), (row, near.ravel()[near.ravel() >= 0])), (len(near), len(near)))
    return sp.csr_matrix((chosen + sp.identity(len(near))) @ counts)


def links_of(counts: sp.csr_matrix) -> tuple[Links, np.ndarray]:
    r"""Links between rows alike, and the lift of each.

    Lifts of profiles smoothed over the eight most alike rows; with a normal kernel the lift at r widths is
    :math:`e^{-r^2 / 4}`, which gives lengths. Linked are the eight most alike and all up to two widths apart, at most
    64 a row. Above 4,096 rows, profiles stay as they are.
    """
    alike = alike_rows(counts)
    if counts.shape[0] <= _SMOOTHED_ROWS:
        alike = alike_rows(smoothed(counts, alike))
    rank = np.arange(alike.index.shape[1])
    row, place = np.nonzero((alike.index >= 0) & (alike.lift > 0) & ((alike.lift > _NEAR) | (rank < _FEW)))
    pairs, lift = once(row, alike.index[row, place], alike.lift[row, place], counts.shape[0])
    length = 2 * np.sqrt(np.maximum(-np.log(np.maximum(lift, 1e-3)), _SHORTEST))
    return Links(pairs, length, counts.shape[0]), lift


def once(row: np.ndarray, col: np.ndarray, value: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Each pair once with ``i < j``, and its largest value."""
    low, high = np.minimum(row, col), np.maximum(row, col)
    order = np.lexsort((-value, low * count + high))
    key, first = np.unique((low * count + high)[order], return_index=True)
    return np.stack([key // count, key % count]), value[order][first]


def barycentres(counts: sp.csr_matrix, pos: np.ndarray) -> np.ndarray:
    """Each column in the middle of the rows that meet it more than the margins expect, ``[M, d]``."""
    counts = counts.tocsr()
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    total, margin = np.asarray(counts.sum(1)).ravel(), np.asarray(counts.sum(0)).ravel()
    expected = total[row] * margin[counts.indices] / margin.sum()
    excess = np.maximum(counts.data - _EXCESS * expected, 0) + _CHANCE * counts.data
    weight = sp.csr_matrix((excess, counts.indices, counts.indptr), counts.shape).T
    return np.asarray((weight @ pos) / np.asarray(weight.sum(1)))


def start_places(links: Links, columns: int) -> np.ndarray:
    """Landmark scaling of geodesics along links, in widths of the kernel, ``[N, columns]``.

    Pieces that links leave apart are joined at the length of the longest link.
    """
    count, label = connected_components(links.matrix(), directed=False)
    if count > 1:
        first = np.unique(label, return_index=True)[1]
        bridge = np.stack([np.zeros(count - 1, np.int64), first[1:]])
        length = np.r_[links.length, np.full(count - 1, links.length.max(initial=1.0))]
        links = Links(np.concatenate([links.pairs, bridge], 1), length, links.num_nodes)
    return scale_geodesics(links, columns, _LANDMARKS)
