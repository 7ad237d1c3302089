"""A graph inside a checkpoint: tensors and one string, so that it travels with the weights and runs no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scge_pyg.graph import SharedGraph
from scge_pyg.graph.graph_file import pack, unpack

__all__ = ["GRAPH", "SIZES", "graph_from_state", "graph_state", "same_graph", "saved_graph"]

GRAPH = "scge_pyg.graph"
SIZES = "scge_pyg.sizes"


def graph_state(graph: SharedGraph) -> dict[str, Tensor | str]:
    """Tensors by name and the header as JSON.

    Example:
        >>> graph = SharedGraph.from_grid((2, 3))
        >>> same_graph(graph_from_state(graph_state(graph)), graph)
        True
    """
    tensors, header = pack(graph)
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()} | {"header": json.dumps(header)}


def graph_from_state(state: Mapping[str, Any]) -> SharedGraph:
    """The graph of :func:`graph_state`."""
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    try:
        return SharedGraph(**unpack(tensors, json.loads(state["header"])))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the checkpoint holds a damaged graph ({error})") from error


def same_graph(one: SharedGraph, other: SharedGraph) -> bool:
    """Whether nodes, places, edges and lattices agree to the bit; how a graph was judged doesn't matter."""
    (left, left_header), (right, right_header) = pack(one), pack(other)
    kept = [name for name in left if not name.startswith("node_gain")]
    same = kept == [name for name in right if not name.startswith("node_gain")]
    same = same and all(_same(left[name], right[name]) for name in kept)
    left_header, right_header = (
        json.loads(json.dumps({key: value for key, value in header.items() if not key.endswith("fit")}))
        for header in (left_header, right_header)
    )
    return bool(same and left_header == right_header)


def saved_graph(path: str | os.PathLike[str]) -> SharedGraph | None:
    """The graph in a checkpoint; None if there is none.

    Raises:
        ValueError: If the file is no checkpoint that loads without running code, or its graph is damaged.
    """
    try:
        content = torch.load(Path(path), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises what its readers raise
        raise ValueError(f"saved_graph: {path} is no readable checkpoint ({type(error).__name__}: {error})") from error
    return graph_from_state(content[GRAPH]) if GRAPH in content else None


def _same(one: Tensor, other: Tensor) -> bool:
    one, other = one.cpu(), other.cpu()
    return one.dtype == other.dtype and one.shape == other.shape and bool(((one == other) | (one != one)).all())
