"""What the constructors of a graph refuse, and with which words."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Real
from operator import index
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

__all__ = [
    "as_coordinates",
    "check_edge_values",
    "check_geometry",
    "check_per_node",
    "check_same_names",
    "checked_confidence",
    "checked_edges",
    "checked_live",
    "checked_names",
    "checked_partners",
    "checked_pos",
    "checked_sign",
    "positive_number",
    "whole_number",
]


def as_coordinates(where: str, pos: Tensor | ArrayLike) -> Tensor:
    """Coordinates ``[N, d]`` as a float tensor: a float tensor as it is, anything else in torch's default precision."""
    if not isinstance(pos, Tensor):
        try:
            pos = torch.from_numpy(np.array(pos, dtype=np.float64)).to(torch.get_default_dtype())
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{where}: pos must be a tensor, array or nested list of numbers [N, d], "
                f"got {type(pos).__name__} ({error})"
            ) from error
    if pos.dim() != 2:
        raise ValueError(f"{where}: pos must be [N, d], got {list(pos.shape)}")
    return pos if pos.is_floating_point() else pos.to(torch.get_default_dtype())


def checked_pos(where: str, pos: Tensor) -> Tensor:
    """Coordinates as a float tensor ``[N, d]``; ``d`` may be 0."""
    if not isinstance(pos, Tensor):
        raise TypeError(
            f"{where}: pos must be a float tensor [N, d], got {type(pos).__name__}; "
            "SharedGraph.from_pos takes arrays and lists"
        )
    if pos.dim() != 2 or not pos.is_floating_point():
        raise ValueError(f"{where}: pos must be a float tensor [N, d], got {pos.dtype} {list(pos.shape)}")
    return pos


def checked_live(where: str, live: Tensor | None, pos: Tensor) -> Tensor:
    """Live nodes ``[N]`` bool, all of which have coordinates (where there are columns)."""
    finite = torch.isfinite(pos).all(1)
    live = finite if live is None else live.bool()
    if live.shape != finite.shape or bool((live & ~finite).any()):
        raise ValueError(f"{where}: live must be [N] bool, and every live node needs finite coordinates")
    return live


def check_edge_values(where: str, edge_index: Tensor, weight: Tensor, lag: Tensor) -> None:
    """Weights ``[E]`` are finite and at least 0, lags ``[E]`` whole steps."""
    shape = edge_index.shape[1:]
    if weight.shape != shape or not bool((torch.isfinite(weight) & (weight >= 0)).all()):
        raise ValueError(f"{where}: edge_weight must be [E] with finite entries of at least 0")
    if lag.shape != shape or lag.dtype != torch.int64:
        raise ValueError(
            f"{where}: lag must be int64 {list(shape)}, one entry an edge, got {lag.dtype} {list(lag.shape)}"
        )


def check_per_node(where: str, name: str, shape: Sequence[int], num_nodes: int) -> None:
    """What is named has one entry a node."""
    if tuple(shape) != (num_nodes,):
        raise ValueError(f"{where}: {name} must be [{num_nodes}], one entry a node, got {list(shape)}")


def check_geometry(where: str, dim: int) -> None:
    """There are places, which ``where`` needs."""
    if dim == 0:
        raise ValueError(
            f"{where}: this graph has no geometry (dim is 0), so its nodes have no places; run PyG operators on "
            "its edges with OnSharedGraph(conv, graph), or draw a map all the same with discover(x, dim=...)"
        )


def checked_confidence(where: str, confidence: Tensor | None, live: Tensor, dtype: torch.dtype) -> Tensor:
    """Confidence ``[N]`` in [0, 1], 0 where not live; 1 where live by default."""
    confidence = live if confidence is None else confidence
    check_per_node(where, "confidence", confidence.shape, live.numel())
    confidence = confidence.to(dtype)
    if not bool(((confidence >= 0) & (confidence <= 1)).all()):
        raise ValueError(f"{where}: confidence must lie in [0, 1], got {confidence.tolist()[:8]}")
    return confidence.masked_fill(~live, 0)


def checked_edges(where: str, edge_index: Tensor, num_nodes: int) -> Tensor:
    """Edges as int64 ``[2, E]`` that name nodes of the node set only."""
    if not isinstance(edge_index, Tensor):
        raise TypeError(
            f"{where}: edge_index must be an int64 tensor [2, E], got {type(edge_index).__name__}; "
            "convert it with torch.as_tensor"
        )
    integral = not (edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool)
    if edge_index.dim() != 2 or edge_index.shape[0] != 2 or not integral:
        raise ValueError(f"{where}: edge_index must be int64 [2, E], got {edge_index.dtype} {list(edge_index.shape)}")
    if edge_index.numel() and not (0 <= int(edge_index.min()) and int(edge_index.max()) < num_nodes):
        raise ValueError(
            f"{where}: edge_index names nodes {int(edge_index.min())}..{int(edge_index.max())}, "
            f"but there are {num_nodes} nodes, numbered 0..{num_nodes - 1}"
        )
    return edge_index.long()


def checked_names(where: str, names: Sequence[str] | None, num_nodes: int) -> tuple[str, ...] | None:
    """One name a node, all different."""
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError(f"{where}: names must be a sequence of {num_nodes} strings, got one string")
    names = tuple(names)
    foreign = next((name for name in names if not isinstance(name, str)), None)
    if foreign is not None:
        raise TypeError(f"{where}: names must be strings, got {foreign!r} ({type(foreign).__name__})")
    if len(names) != num_nodes:
        raise ValueError(f"{where}: names must be {num_nodes}, one a node, got {len(names)}")
    if len(set(names)) != num_nodes:
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{where}: names must differ, {twice!r} came twice; number the nodes or leave names out")
    return tuple(map(str, names))


def checked_partners(where: str, partner_pos: Tensor | None, columns: int) -> Tensor | None:
    """Places of partners ``[M, d]`` in the frame of the nodes."""
    if partner_pos is not None and (
        not isinstance(partner_pos, Tensor)
        or partner_pos.dim() != 2
        or not partner_pos.is_floating_point()
        or partner_pos.shape[1] != columns
    ):
        got = list(partner_pos.shape) if isinstance(partner_pos, Tensor) else type(partner_pos).__name__
        raise ValueError(f"{where}: partner_pos must be a float tensor [M, {columns}], columns as in pos, got {got}")
    return partner_pos


def checked_sign(where: str, sign: Tensor | None, live: Tensor) -> Tensor:
    """Signs ``[N]`` int64 in -1, 0 and 1."""
    if sign is None:
        return live.long()
    if sign.shape != live.shape or not bool(((sign == -1) | (sign == 0) | (sign == 1)).all()):
        raise ValueError(f"{where}: sign must be [{live.numel()}] with entries -1, 0 and 1, got {list(sign.shape)}")
    return sign.long()


def positive_number(where: str, name: str, value: Any) -> float:
    """A finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{where}: {name} must be a number above 0, got {value!r} ({type(value).__name__})")
    number = float(value)
    if not (isfinite(number) and number > 0):
        raise ValueError(f"{where}: {name} must be a finite number above 0, got {number}")
    return number


def whole_number(where: str, name: str, value: int, low: int, high: int | None = None) -> int:
    """An integer from ``low`` to ``high``, or of at least ``low``."""
    wanted = f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    try:
        number = index(value)
    except TypeError as error:
        raise TypeError(f"{where}: {name} must be {wanted}, got {value!r} ({type(value).__name__})") from error
    if number < low or (high is not None and number > high):
        raise ValueError(f"{where}: {name} must be {wanted}, got {number}")
    return number


def check_same_names(
    where: str, argument: str, names: Sequence[str] | None, graph: str, known: Sequence[str] | None
) -> None:
    """Refuse samples whose nodes have other names than those of a graph, or the same in another order."""
    if names is None or known is None or list(names) == list(known):
        return
    if sorted(names) == sorted(known):
        raise ValueError(
            f"{where}: {argument} has its nodes in another order than {graph}; pass {argument}[list({graph}.names)]"
        )
    strange = sorted({*names} - {*known}) or [names[-1]]
    raise ValueError(
        f"{where}: {argument} has a node {strange[0]!r} that {graph} has not; discover the graph from the same nodes"
    )
