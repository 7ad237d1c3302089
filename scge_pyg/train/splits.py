"""From samples to three tensors: split by seed or by time, gaps filled and units taken from the training samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from scge_pyg.graph.checks import whole_number

__all__ = [
    "Missing",
    "by_seed",
    "by_time",
    "check_choice",
    "check_shares",
    "filled",
    "mean_of_nodes",
    "scaled",
    "whole",
]

Missing = Literal["refuse", "mean", "previous"]


def by_seed(count: int, val: float, test: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of the samples to train on, to validate and to test with: a random split.

    Example:
        >>> [len(part) for part in by_seed(20, 0.1, 0.2, seed=0)]
        [14, 2, 4]
    """
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    sizes = _sizes(count, val, test)
    train, held, tested = order.split(list(sizes))
    return train, held, tested


def by_time(count: int, val: float, test: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same of steps of a series: the oldest train, the newest test.

    Example:
        >>> [part.tolist() for part in by_time(6, 0.2, 0.2)]
        [[0, 1, 2, 3], [4], [5]]
    """
    train, held, tested = torch.arange(count).split(list(_sizes(count, val, test)))
    return train, held, tested


def _sizes(count: int, val: float, test: float) -> tuple[int, int, int]:
    held, tested = round(val * count), round(test * count)
    return count - held - tested, held, tested


def mean_of_nodes(x: Tensor) -> Tensor:
    """Mean ``[N, C]`` of the values ``[S, N, C]`` that are there; NaN where there are none."""
    mean = x.mean(0)
    return x.nanmean(0) if bool(torch.isnan(mean).any()) else mean


def filled(
    parts: list[Tensor],
    missing: Missing,
    time: bool,
    mean: Tensor | None = None,
    names: Sequence[str] | None = None,
) -> list[Tensor]:
    """Samples without NaN.

    Args:
        parts: Samples ``[S, N, C]``, those to train on first; of a series ``[T, N, C]``, in the order of time.
        missing: ``"refuse"`` them; ``"mean"``: the mean that the node has in the training samples; ``"previous"``: the
            value before it in time, or that mean where there is none.
        time: Whether samples are steps of one series.
        mean: That mean ``[N, C]``. Default: of the first part.
        names: Names of the nodes, for messages.

    Raises:
        ValueError: If values are missing and refused, or infinite, or a node has none in the training samples.

    Example:
        >>> x = torch.tensor([[1.0], [float("nan")], [3.0]]).view(3, 1, 1)
        >>> filled([x], "mean", time=False)[0].flatten().tolist()
        [1.0, 2.0, 3.0]
        >>> filled([x], "previous", time=True)[0].flatten().tolist()
        [1.0, 1.0, 3.0]
    """
    infinite = sum(int(torch.isinf(part).sum()) for part in parts)
    if infinite:
        raise ValueError(f"NodesDataModule: x holds {infinite} infinite values; set them to NaN and choose missing=")
    gaps = sum(int(torch.isnan(part).sum()) for part in parts)
    if not gaps:
        return parts
    mean = mean_of_nodes(parts[0]) if mean is None else mean
    if bool(torch.isnan(mean).any()) and (missing != "refuse" or len(parts) > 1):
        empty = torch.isnan(mean).any(1).nonzero().flatten().tolist()
        shown = ", ".join(repr(names[node]) if names else str(node) for node in empty[:5])
        raise ValueError(
            f"NodesDataModule: {len(empty)} nodes have no value in the training samples, "
            f"{shown}{f' and {len(empty) - 5} more' if len(empty) > 5 else ''}; leave them out"
        )
    if missing == "refuse":
        total = sum(part.numel() for part in parts)
        also = " or missing='previous' (in time)" if time else ""
        raise ValueError(
            f"NodesDataModule: {gaps} of {total} values are missing; say what to put there, missing='mean' (of the "
            f"node in the training samples){also}"
        )
    if missing == "previous" and not time:
        raise ValueError("NodesDataModule: missing='previous' needs a series, task='forecasting'; use missing='mean'")
    if missing == "mean":
        return [torch.where(torch.isnan(part), mean, part) for part in parts]
    whole = torch.cat([mean.unsqueeze(0), *parts])
    step = torch.arange(len(whole)).view(-1, 1, 1)
    last = torch.where(torch.isnan(whole), 0, step).cummax(0).values
    return list(whole.gather(0, last)[1:].split([len(part) for part in parts]))


def scaled(
    parts: list[Tensor], scale: tuple[Tensor, Tensor] | None = None
) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
    """Mean 0 and deviation 1 in each channel of the training samples, all nodes taken together, and these two.

    ``scale`` is the mean and deviation to take out instead.
    """
    if scale is None:
        deviation, mean = torch.std_mean(parts[0], (0, 1))
        scale = mean, torch.where(deviation > 0, deviation, 1.0)
    return [(part - scale[0]) / scale[1] for part in parts], scale


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise unless a word is one of those known."""
    if value not in known:
        raise ValueError(f"NodesDataModule: {name} must be one of {', '.join(known)}, got {value!r}")


def check_shares(val: float, test: float) -> None:
    """Raise unless both are shares and leave samples to train on."""
    for name, share in (("val", val), ("test", test)):
        if not 0 <= share < 1 or math.isnan(share):
            raise ValueError(f"NodesDataModule: {name} must be a share of the samples in [0, 1), got {share!r}")
    if val + test >= 1:
        raise ValueError(f"NodesDataModule: val and test must leave samples to train on, got {val} and {test}")


def whole(name: str, value: int, least: int) -> int:
    """A whole number of at least ``least``."""
    return whole_number("NodesDataModule", name, value, least)
