"""From samples as they arrived to the signals that everything after is computed from."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from scge_pyg.discovery.signals.blocks import split_blocks
from scge_pyg.discovery.signals.distinct import distinct_contents
from scge_pyg.discovery.signals.row_blocks import node_blocks, reordered, rows_of
from scge_pyg.discovery.signals.samples import Samples
from scge_pyg.discovery.signals.scores import normal_scores
from scge_pyg.discovery.signals.signals import Signals

__all__ = ["FLOORED", "distinct_samples", "fewest_values", "prepare", "square_roots"]

logger = logging.getLogger("scge_pyg")

FLOORED = 0.05  # share of the lowest value at which it is a floor
_FEWEST = 50  # samples that a node, or a pair, needs where values are missing


def distinct_samples(values: np.ndarray) -> np.ndarray:
    """First occurrence of each sample ``[n]``, in order: what was recorded once counts once.

    Samples of discrete values repeat by chance. They are copies if some node takes at least half as many different
    values as there are different samples; otherwise all of them count.

    Cost: :math:`O(S N C)` for an exact 64-bit hash.

    Example:
        >>> distinct_samples(np.array([[[0.5]], [[0.5]], [[0.7]]])).tolist()
        [0, 2]
    """
    count = len(values)
    flat = values.reshape(count, int(np.prod(values.shape[1:])))
    width = np.uint32 if flat.dtype == np.float32 else np.uint64
    weight = np.random.default_rng(0).integers(1, 2**63, flat.shape[1], dtype=np.uint64) * 2 + 1
    key = np.empty(count, dtype=np.uint64)
    step = max(1, 2**22 // max(1, flat.shape[1]))
    for start in range(0, count, step):
        bits = (flat[start : start + step] + 0.0).view(width).astype(np.uint64)
        bits ^= bits >> np.uint64(15)
        key[start : start + step] = (bits * weight).sum(1, dtype=np.uint64)
    first = np.sort(np.unique(key, return_index=True)[1])
    if len(first) == count:
        return first
    kept = flat[first]
    richest = max(len(np.unique(column)) for column in kept.T[_varied(kept)])
    return first if richest >= len(first) / 2 else np.arange(count)


def _varied(flat: np.ndarray, most: int = 64) -> np.ndarray:
    """A few columns, evenly spread over those that change between the first samples."""
    changing = np.flatnonzero((flat[:4096] != flat[:1]).any(0))
    if not len(changing):
        return np.arange(1)
    return changing[np.linspace(0, len(changing) - 1, min(most, len(changing))).astype(int)]


def square_roots(rows: np.ndarray) -> np.ndarray | None:
    r"""Square roots of intensities ``[N, C, S]``: :math:`\sqrt{x - \min x}` in each channel, standardised a row.

    Ranks of one node don't compare with those of another: where most values of dark pixels are 0, the scores of the
    rest say nothing of how bright they are. Intensities and counts, which pile up at their lowest value, keep their
    scale; the root evens out their variance. Everything else has scores alone.
    """
    low = np.fmin.reduce(rows, axis=(0, 2), keepdims=True)
    if (rows == low).mean() < FLOORED:
        return None
    largest = np.fmax(np.fmax.reduce(rows, axis=(0, 2), keepdims=True), -low)
    power = -(np.frexp(largest)[1] // 2 * 2)  # a power of 4, which leaves roots their bits, brings all into float32
    above = np.ldexp(rows, power)
    above -= np.ldexp(low, power)
    root = np.sqrt(above, dtype=np.float32)
    count = (~np.isnan(root)).sum(2, keepdims=True)
    root -= np.nansum(root, axis=2, keepdims=True) / np.maximum(count, 1).astype(np.float32)
    np.nan_to_num(root, copy=False)
    deviation = np.sqrt((root**2).mean(2, keepdims=True))
    root /= np.where(deviation > 0, deviation, 1)
    return root.reshape(len(root), -1)


def _floored(values: np.ndarray, nodes: np.ndarray) -> bool:
    """Whether enough values ``[S, N, C]`` of some nodes are the lowest of their channel."""
    low = np.fmin.reduce([np.fmin.reduce(values[:, some], (0, 1)) for some in node_blocks(values, nodes)], 0)
    lowest = sum(int((values[:, some] == low).sum()) for some in node_blocks(values, nodes))
    return lowest / (len(values) * len(nodes) * values.shape[2]) >= FLOORED


def _chosen(kept: np.ndarray, *tables: Any) -> Any:
    """The rows of tables that are kept; without a copy where that is all."""
    return tables if kept.all() else tuple(None if table is None else table[kept] for table in tables)


def fewest_values(count: int) -> int:
    """Observed values that a node, or a pair, needs among so many samples: 50, or half of them, if that is less."""
    return min(_FEWEST, count // 2)


def prepare(samples: Samples) -> Signals:
    """Distinct samples as normal scores of the distinct live nodes, nodes in canonical order.

    The order is that of the scores themselves, each row with the sign that its first sample gives it, so that shuffling
    the nodes, changing units, or inverting sensors leaves everything that follows as it is.

    Raises:
        ValueError: If all values are missing, or fewer than 2 distinct samples or 3 distinct nodes are left.
    """
    values = samples.values.numpy()
    first = distinct_samples(values)
    if len(values) > 1 and np.isnan(values).all():
        raise ValueError(
            f"discover: every value of x is missing (NaN) in all {samples.count} samples; see how it was read, and "
            f"whether missing_value is meant"
        )
    if len(first) < 2 <= samples.count:
        raise ValueError(
            f"discover: all {len(samples.live)} nodes of x are constant, its {samples.count} samples are the same; at "
            f"least 2 different ones are needed"
        )
    if len(first) < 2:
        raise ValueError(
            f"discover: at least 2 different samples are needed, got {len(first)} distinct of {samples.count}"
        )
    if len(first) < len(values):
        logger.info("%d of %d samples repeat others and count once", len(values) - len(first), len(values))
        values = values[first]
    nodes = np.flatnonzero(samples.live.numpy())
    rows = rows_of(values, nodes)
    observed = ~np.isnan(rows) if np.isnan(rows).any() else None
    fewest = fewest_values(len(values))
    if observed is not None:
        enough = observed.any(1).sum(1) >= fewest
        nodes, rows, observed = _chosen(enough, nodes, rows, observed)
    if not len(nodes):
        raise _too_few(0, samples)
    score = normal_scores(rows, rows if rows.dtype == np.float32 else None)
    del rows
    varies = (score != 0).any(2)
    nodes, score, observed, varies = _chosen(varies.any(1), nodes, score, observed, varies)
    channels = score.shape[1]
    score *= np.sqrt(channels / np.maximum(varies.sum(1), 1)).astype(np.float32)[:, None, None]
    flat = score.reshape(len(nodes), -1)
    seen = None if observed is None else observed.reshape(len(nodes), -1)
    leading = np.take_along_axis(flat, (flat != 0).argmax(1)[:, None], 1)
    facing = np.where(leading < 0, -1.0, 1.0).astype(np.float32)

    def content(some: np.ndarray, columns: slice) -> np.ndarray:
        key = flat[some, columns] * facing[some] + np.float32(0.0)
        return key if seen is None else np.where(seen[some, columns], key, np.float32(np.nan))

    original, rank = distinct_contents(len(nodes), content)
    shared = np.flatnonzero(np.bincount(rank)[rank] > 1).tolist()
    # by content in any unit, not by number
    shared.sort(key=lambda node: (facing[node, 0], np.nan_to_num(values[:, nodes[node]], nan=np.inf).T.tolist()))
    original[rank[shared]] = shared
    if len(original) < 3:
        raise _too_few(len(original), samples)
    twin = np.setdiff1d(np.arange(len(nodes)), original)
    if len(twin):
        logger.info("%d nodes carry exactly the signal of another node and share its place", len(twin))
    source = original[rank[twin]]
    flat = reordered(flat, original)
    rooted = square_roots(rows_of(values, nodes[original])) if _floored(values, nodes[original]) else None
    number = samples.number.numpy()[first]
    split = split_blocks(flat[:, : len(values)], number)
    if channels > 1:
        split = replace(split, block=np.tile(split.block, channels))
    return Signals(
        flat,
        rooted,
        None if seen is None else reordered(seen, original),
        split,
        nodes[original],
        nodes[np.stack([twin, source])],
        (facing[twin, 0] * facing[source, 0]).astype(np.int64),
        fewest,
        number,
        np.zeros(len(original), dtype=np.int64),
    )


def _too_few(count: int, samples: Samples) -> ValueError:
    return ValueError(
        f"discover: at least 3 nodes must vary and differ in their signal, got {count} distinct ones of "
        f"{len(samples.live)}; is x really [samples, nodes]?"
    )
