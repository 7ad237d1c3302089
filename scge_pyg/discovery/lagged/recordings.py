"""Series in time order: read, standardised, and cut into blocks that predict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.lagged.times import after_gaps
from scge_pyg.discovery.layouts.recording import speaking_for
from scge_pyg.discovery.signals.reading import blocks
from scge_pyg.graph.checks import check_same_names
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["Blocks", "Series", "in_blocks", "most_lags", "read_series"]

_WHERE = "lagged_coupling"
_MOST_BLOCKS, _FEWEST_BLOCKS = 20, 8
_BLOCK = 10  # lags in a block, at least: its first ones have no past


class Series(NamedTuple):
    """Standardised series.

    Attributes:
        score: ``[T, N]`` float32 of mean 0 and variance 1 over time, 0 where constant; recordings one after the other.
        deviation: Standard deviation of each node as it came, ``[N]``.
        recording: Number of the recording of each step, or of the piece of one between gaps, ``[T]`` ascending.
        names: Names of the nodes, of ``x`` or of the graph.
    """

    score: Tensor
    deviation: Tensor
    recording: Tensor
    names: tuple[str, ...] | None


class Blocks(NamedTuple):
    """Series in blocks of equal length.

    Attributes:
        score: Standardised ``[T, N]``.
        block: Block of each step, ``[T]`` ascending.
        segment: Number of the stretch within one block and one recording, ``[T]`` ascending.
        num_blocks: How many blocks.
    """

    score: Tensor
    block: Tensor
    segment: Tensor
    num_blocks: int

    def steps(self, lags: int, *, reverse: bool) -> Tensor:
        """Steps whose past (with ``reverse``, future) of so many lags lies in the same segment, ascending."""
        whole = self.segment[lags:] == self.segment[: len(self.segment) - lags]
        return whole.nonzero().squeeze(1) + (0 if reverse else lags)


def read_series(x: Any, graph: SharedGraph | None) -> Series:
    """Read ``x`` as :func:`discover` does, each batch as a recording by itself, cut where its index has gaps.

    Raises:
        TypeError: If ``x`` is nothing of the kind.
        ValueError: If its index is out of order, it has several channels, other nodes or names than the graph, missing
            values, or a constant node that is live in the graph.
    """
    with speaking_for(_WHERE):
        values, recording, names = _in_pieces(x)
    steps, nodes, channels = values.shape
    if channels != 1 or (graph is not None and nodes != graph.num_nodes):
        wanted = "N" if graph is None else graph.num_nodes
        got = [steps, nodes] if channels == 1 else [steps, nodes, channels]
        raise ValueError(
            f"{_WHERE}: x must be [T, {wanted}], one channel of the nodes in time order, got {got}; of several "
            f"channels pass one at a time, x[:, :, 0]"
        )
    if graph is not None:
        check_same_names(_WHERE, "x", names, "graph", graph.names)
        names = names or graph.names
    values = values.squeeze(2)
    missing = values.isnan().any(0)
    if missing.any():
        node = int(missing.nonzero()[0])
        step = int(values[:, node].isnan().nonzero()[0])
        raise ValueError(
            f"{_WHERE}: x must have no missing values, {int(missing.sum())} nodes have some, the first is "
            f"{_named(names, node)} at step {step}; interpolate short gaps, and pass the pieces between long ones as a "
            f"list"
        )
    score = values.double()
    score -= score.mean(0)
    deviation = score.square().mean(0).sqrt()
    if graph is not None:
        constant = (deviation == 0) & graph.live.cpu()
        if constant.any():
            node = int(constant.nonzero()[0])
            raise ValueError(f"{_WHERE}: {_named(names, node)} is live in graph, but constant in x")
    score /= deviation.clamp_min(torch.finfo(torch.float64).tiny)
    return Series(score.float(), deviation, recording, names)


def _in_pieces(x: Any) -> tuple[Tensor, Tensor, tuple[str, ...] | None]:
    """Values ``[T, N, C]``, the number of the piece that each step belongs to ``[T]``, and names of the nodes.

    A piece is a batch of ``x``, or what lies between two gaps of its index.
    """
    gaps: list[np.ndarray | None] = []  # of each batch

    def noticed(items: Iterable[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            first = item[0] if isinstance(item, list | tuple) and item else item
            gaps.append(after_gaps(first, f"batch {number} of x"))
            yield item

    several = isinstance(x, list | tuple | Iterator)
    if not several:
        gaps.append(after_gaps(x, "x"))
    values, batch, names = [], [], None
    for number, block in enumerate(blocks(noticed(x) if several else x)):
        values.append(block.values)
        batch.append(len(gaps) - 1 if several or gaps[0] is not None else number)
        names = names or block.names
    length = torch.tensor([len(block) for block in values])
    own = torch.tensor(batch).repeat_interleave(length)
    gap = own.diff(prepend=own[:1]) > 0
    for number, found in enumerate(gaps):
        if found is not None:
            gap[own == number] |= torch.from_numpy(found)
    return torch.cat(values), gap.cumsum(0), names


def most_lags(series: Series) -> int:
    """Lags that leave eight blocks of ten times as many steps."""
    return len(series.score) // (_FEWEST_BLOCKS * _BLOCK)


def in_blocks(series: Series, lags: int) -> Blocks:
    """Cut into as many blocks as their length of at least ten times the lags allows, at most 20.

    Raises:
        ValueError: If that gives less than 8, or recordings are too short to have a past of so many lags.
    """
    steps = len(series.score)
    if lags > most_lags(series):
        raise ValueError(
            f"{_WHERE}: at least {_FEWEST_BLOCKS * _BLOCK * lags} steps in time order are needed for {lags} lags, got "
            f"{steps}; pass more of them or fewer lags"
        )
    count = min(_MOST_BLOCKS, steps // (_BLOCK * lags))
    block = torch.arange(steps) * count // steps
    new = block.diff(prepend=block[:1]) + series.recording.diff(prepend=series.recording[:1]) > 0
    found = Blocks(series.score, block, new.cumsum(0), count)
    used = torch.bincount(block[found.steps(lags, reverse=False)], minlength=count)
    if int(used.min()) < _BLOCK:
        pieces = int(series.recording[-1]) + 1
        raise ValueError(
            f"{_WHERE}: the {pieces} recordings of x, or pieces between gaps of its index, are too short for {lags} "
            f"lags: each of {count} blocks needs {_BLOCK} steps with a whole past; pass longer ones, fewer lags, or "
            f"x.reset_index(drop=True) where rows follow one another in spite of their index"
        )
    return found


def _named(names: tuple[str, ...] | None, node: int) -> str:
    return f"node {node}" if names is None else f"node {names[node]!r}"
