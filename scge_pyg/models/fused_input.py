"""What a classifier of several modalities refuses, and with which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.module_dict import ModuleDict

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.checks import whole_number

__all__ = ["check_classes", "check_finite", "check_modalities", "checked_channels"]


def check_modalities(in_channels: Any, graphs: Any) -> None:
    """Two or more modalities, named alike in both mappings, each with a graph."""
    for argument, given in (("in_channels", in_channels), ("graphs", graphs)):
        if not isinstance(given, Mapping):
            raise TypeError(
                f"FusedClassifier: {argument} must be a mapping by modality, {{'image': ..., 'sound': ...}}, got "
                f"{type(given).__name__}"
            )
    if len(graphs) < 2 or set(in_channels) != set(graphs):
        raise ValueError(
            "FusedClassifier: graphs and in_channels must name the same two or more modalities, got "
            f"{sorted(map(str, graphs))} and {sorted(map(str, in_channels))}"
        )
    taken = vars(ModuleDict())
    for name, graph in graphs.items():
        if not isinstance(name, str):
            raise TypeError(
                f"FusedClassifier: names of modalities must be strings, got {name!r} ({type(name).__name__})"
            )
        if not name or name in taken:
            raise ValueError(f"FusedClassifier: {name!r} can't name a modality, torch's modules need it; rename it")
        if not isinstance(graph, SharedGraph):
            raise TypeError(
                f"FusedClassifier: graphs[{name!r}] must be a SharedGraph, got {type(graph).__name__}; use discover(x)"
            )


def check_classes(y: Any, samples: int, num_classes: int) -> None:
    """One class for each sample ``[B]`` int64."""
    if not isinstance(y, Tensor) or y.dtype != torch.int64:
        got = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"FusedClassifier.loss: y must be an int64 tensor of classes [{samples}], got {got}")
    if y.shape != (samples,):
        raise ValueError(
            f"FusedClassifier.loss: y must be [{samples}], the class of each sample of x, got {list(y.shape)}"
        )
    if bool(((y < 0) | (y >= num_classes)).any()):
        raise ValueError(
            f"FusedClassifier.loss: y must lie in 0..{num_classes - 1}, got {int(y.min())} to {int(y.max())}"
        )


def check_finite(x: Tensor, there: Tensor, name: str) -> None:
    """Samples ``x [B, N, C]`` that are there have all of their values."""
    broken = ~x.isfinite().flatten(1).all(1) & there
    if bool(broken.any()):
        sample = int(broken.nonzero()[0])
        nodes = int((~x[sample].isfinite()).any(-1).sum())
        raise ValueError(
            f"FusedClassifier: {name} of sample {sample} has NaN or infinite values at {nodes} of {x.shape[1]} nodes; "
            f"fill them, or make the whole modality NaN where a sample lacks it"
        )


def checked_channels(channels: Any) -> tuple[int, ...]:
    """Output channels of each level."""
    if isinstance(channels, str) or not isinstance(channels, Sequence) or not channels:
        raise TypeError(
            f"FusedClassifier: channels must be a sequence of one integer a level, (32, 64, 128), got {channels!r}"
        )
    return tuple(whole_number("FusedClassifier", "channels", size, 1) for size in channels)
