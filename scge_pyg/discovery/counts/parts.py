"""Rows that hang together because they meet the same columns."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from scge_pyg.discovery.counts.joints import Joints
from scge_pyg.discovery.counts.profiles import Alike, alike_rows, evident

__all__ = ["rows_and_columns"]

_LIKELY = 3.0
_LIST = 32
_COMMON = 0.7  # genomes of 50,000 contacts: with half, one row in four falls into a part of another chain
_MANY_PAIRS = 6
_MOST_PIECES = 256  # the largest are joined; rows of others move
_APART = 2.0
_BY_COUNT = 4.5  # nats, three deviations: chains of one kind meet each other more than others do, but evenly
_TWICE = np.log(2.0)  # deviations are small where counts are many, and strangers differ by chance and kind
_ODDS = 10.0  # of a joint against each pair that could be one
_ROUNDS = 2
_MOVES = 3
_LITTLE = 0.5


def rows_and_columns(counts: sp.csr_matrix, shared: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
    r"""Rows and columns of each part, by falling number of rows.

    Rows are joined where they meet the same columns by :math:`\sqrt{4 \log N + 8}` standard deviations more often than
    the margins say, which no two of N unrelated rows do. A row without such a link follows the row most alike, if that
    is so by three deviations. A column belongs to the part that meets it most.

    Where rows meet rows, seven tenths of the 32 rows most alike must be the same as well (shared neighbours, Jarvis and
    Patrick, 1973), so that a single row that resembles two parts does not join them; pieces are joined whose contacts
    stand out among those of all pairs of pieces or fall off along both, such as the arms of a chromosome; and each row
    goes to the part that it meets most beyond the margins; twice over.

    Args:
        counts: Counts ``[N, M]`` without empty rows and columns.
        shared: Whether rows meet rows.
    """
    num_rows = counts.shape[0]
    alike = alike_rows(counts, _LIST)
    row, col = _evident_links(alike, num_rows, shared)
    label = _labels(row, col, num_rows)
    own = np.flatnonzero((np.bincount(label)[label] == 1) & (alike.deviations[:, 0] > _LIKELY))
    label = _labels(np.r_[row, own], np.r_[col, alike.index[own, 0]], num_rows)
    if shared:
        for _ in range(_ROUNDS):
            label = _moved(counts, _joined(counts, label))
    count = int(label.max()) + 1
    if count == 1:
        return [(np.arange(num_rows), np.arange(counts.shape[1]))]
    met = sp.csc_matrix(_members(label) @ counts)
    part_of = label
    if not shared:
        ends = zip(met.indptr[:-1], met.indptr[1:], strict=True)
        part_of = np.array([met.indices[a:b][met.data[a:b].argmax()] for a, b in ends])
    size = np.bincount(label)
    first = np.unique(label, return_index=True)[1]
    order = np.lexsort((first, -size)).tolist()
    return [(np.flatnonzero(label == part), np.flatnonzero(part_of == part)) for part in order]


def _evident_links(alike: Alike, num_rows: int, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Links beyond chance; where rows meet rows, between those that have seven tenths of their neighbours in common."""
    linked = evident(alike, num_rows)
    row, place = np.nonzero(linked)
    col = alike.index[row, place]
    if not shared or not len(row):
        return row, col
    near = sp.csr_matrix((np.ones(len(row)), (row, col)), (num_rows, num_rows)) + sp.identity(num_rows)
    near = sp.csr_matrix(near)
    common = np.asarray(near[row].multiply(near[col]).sum(1)).ravel()
    size = linked.sum(1) + 1
    kept = common >= _COMMON * np.minimum(size[row], size[col])
    return row[kept], col[kept]


def _joined(counts: sp.csr_matrix, label: np.ndarray) -> np.ndarray:
    """Labels with pieces joined that meet by two deviations more often than pairs of pieces do.

    Deviations are those of the logarithm over all pairs and of the counts, where these exceed the middle twofold. Half
    their square and the nats by which the two lie rather end to end
    (:class:`scge_pyg.discovery.counts.joints.Joints`) must outweigh ten times all pairs; where the order of both is
    known, counts alone do not suffice.
    """
    joints = Joints(counts)
    while True:
        size, first = np.bincount(label), np.unique(label, return_index=True)[1]
        large = np.lexsort((first, -size))[:_MOST_PIECES]
        if len(large) * (len(large) - 1) / 2 < _MANY_PAIRS:
            return label
        one, other = np.triu_indices(len(large), 1)
        deviations = _deviations(counts, _members(label)[large], one, other)
        evidence = np.where(deviations > _APART, deviations**2 / 2, 0.0)
        rows = [np.flatnonzero(label == part) for part in large.tolist()]
        for pair in np.flatnonzero(evidence).tolist():
            along = joints.evidence(rows[one[pair]], rows[other[pair]])
            if along:
                evidence[pair] = min(evidence[pair], _BY_COUNT) + along
        best = int(evidence.argmax())
        if evidence[best] < np.log(_ODDS * len(one)):
            return label
        label[rows[other[best]]] = large[one[best]]
        label = np.unique(label, return_inverse=True)[1]


def _deviations(counts: sp.csr_matrix, member: sp.csr_matrix, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """By how much pairs of pieces exceed the middle of all, in deviations of the pairs and of their counts, ``[P]``."""
    met = np.asarray((member @ counts @ member.T).todense())[one, other]
    total = np.asarray((member @ counts).sum(1)).ravel()
    expected = total[one] * total[other] / counts.sum()
    excess = np.log((met + 1) / (expected + 1))
    middle = _weighted_median(excess, expected)
    spread = 1.48 * _weighted_median(np.abs(excess - middle), expected)
    deviations = (excess - middle) / np.sqrt(spread**2 + 1 / (expected * np.exp(middle) + 1))
    return np.asarray(np.where(excess - middle > _TWICE, deviations, 0.0))


def _moved(counts: sp.csr_matrix, label: np.ndarray) -> np.ndarray:
    """Labels with each row in the part that it meets most often for what the margins expect, three times over."""
    total = np.asarray(counts.sum(1)).ravel()
    for _ in range(_MOVES):
        met = sp.csr_matrix(counts @ _members(label).T)
        row = np.repeat(np.arange(len(label)), np.diff(met.indptr))
        share = np.bincount(label, total) / total.sum()
        order = np.lexsort((met.indices, -met.data / (total[row] * share[met.indices] + _LITTLE), row))
        label = np.unique(met.indices[order][met.indptr[:-1]], return_inverse=True)[1]
    return label


def _weighted_median(value: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(value, kind="stable")
    total = np.cumsum(weight[order])
    return float(value[order][np.searchsorted(total, total[-1] / 2)])


def _members(label: np.ndarray) -> sp.csr_matrix:
    """0/1 matrix of parts by rows."""
    return sp.csr_matrix((np.ones(len(label)), (label, np.arange(len(label)))))


def _labels(row: np.ndarray, col: np.ndarray, num_rows: int) -> np.ndarray:
    links = sp.csr_matrix((np.ones(len(row)), (row, col)), (num_rows, num_rows))
    label: np.ndarray = connected_components(links, directed=False)[1]
    return label
