"""Series in time order: read, standardised, and cut into blocks that predict each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from scge_pyg.discovery.layouts.recording import speaking_for
from scge_pyg.discovery.signals.reading import blocks
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["Series", "read_series"]

_WHERE = "lagged_coupling"
_MOST_BLOCKS, _FEWEST_BLOCKS = 20, 8
_BLOCK = 10  # lags in a block, at least: its first ones have no past


class Series(NamedTuple):
    """Standardised series.

    Attributes:
        score: ``[T, N]`` float32 of mean 0 and variance 1 over time, recordings one after the other.
        deviation: Standard deviation of each node as it came, ``[N]``.
        segment: Number of the stretch without a gap and within one block, ``[T]`` ascending.
        block: Block of each step, ``[T]`` ascending.
        num_blocks: How many.
    """

    score: Tensor
    deviation: Tensor
    segment: Tensor
    block: Tensor
    num_blocks: int

    def steps(self, lags: int, *, reverse: bool) -> Tensor:
        """Steps whose past (with ``reverse``, future) of so many lags lies in the same segment, ascending."""
        whole = self.segment[lags:] == self.segment[: len(self.segment) - lags]
        return whole.nonzero().squeeze(1) + (0 if reverse else lags)


def read_series(x: Any, graph: SharedGraph, lags: int) -> Series:
    """Read ``x`` as :func:`discover` does, each batch as a recording by itself.

    Raises:
        TypeError: If ``x`` is nothing of the kind.
        ValueError: If it has several channels, other nodes or names than the graph, missing values, a live node that is
            constant, or too few steps.
    """
    with speaking_for(_WHERE):
        recordings = list(blocks(x))
    values = torch.cat([block.values for block in recordings])
    steps, nodes, channels = values.shape
    if channels != 1 or nodes != graph.num_nodes:
        got = [steps, nodes, channels] if channels != 1 else [steps, nodes]
        raise ValueError(
            f"{_WHERE}: x must be [T, {graph.num_nodes}], one channel of the nodes of graph in time order, got {got}; "
            f"of several channels pass one at a time, x[:, :, 0]"
        )
    _check_names(recordings[0].names, graph)
    values = values.squeeze(2)
    missing = values.isnan().any(0)
    if missing.any():
        node = int(missing.nonzero()[0])
        step = int(values[:, node].isnan().nonzero()[0])
        raise ValueError(
            f"{_WHERE}: x must have no missing values, {int(missing.sum())} nodes have some, the first is "
            f"{_named(graph, node)} at step {step}; interpolate short gaps, and pass the pieces between long ones as a "
            f"list"
        )
    fewest = _FEWEST_BLOCKS * _BLOCK * lags
    if steps < fewest:
        raise ValueError(
            f"{_WHERE}: at least {fewest} steps in time order are needed for {lags} lags, got {steps}; pass more of "
            f"them or fewer lags"
        )
    score = values.double()
    score -= score.mean(0)
    deviation = score.square().mean(0).sqrt()
    constant = (deviation == 0) & graph.live.cpu()
    if constant.any():
        node = int(constant.nonzero()[0])
        raise ValueError(f"{_WHERE}: {_named(graph, node)} is live in graph, but constant in x")
    score /= deviation.clamp_min(torch.finfo(torch.float64).tiny)
    count = min(_MOST_BLOCKS, steps // (_BLOCK * lags))
    block = torch.arange(steps) * count // steps
    length = torch.tensor([len(recording.values) for recording in recordings])
    recording = torch.arange(len(length)).repeat_interleave(length)
    segment = (block.diff(prepend=block[:1]) + recording.diff(prepend=recording[:1]) > 0).cumsum(0)
    series = Series(score.float(), deviation, segment, block, count)
    used = torch.bincount(block[series.steps(lags, reverse=False)], minlength=count)
    if int(used.min()) < _BLOCK:
        raise ValueError(
            f"{_WHERE}: recordings of {int(length.min())} to {int(length.max())} steps are too short for {lags} lags, "
            f"each of {count} blocks needs {_BLOCK} steps with a whole past; pass longer ones or fewer lags"
        )
    return series


def _named(graph: SharedGraph, node: int) -> str:
    return f"node {node}" if graph.names is None else f"node {graph.names[node]!r}"


def _check_names(names: tuple[str, ...] | None, graph: SharedGraph) -> None:
    if names is None or graph.names is None or names == graph.names:
        return
    if sorted(names) == sorted(graph.names):
        raise ValueError(f"{_WHERE}: x has its nodes in another order than graph; pass x[list(graph.names)]")
    strange = next(name for name in names if name not in set(graph.names))
    raise ValueError(f"{_WHERE}: x has a node {strange!r} that graph has not; discover the graph from the same nodes")
