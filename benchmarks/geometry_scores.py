"""A discovered graph against the truth of a draw: measures, and the checks that a draw must pass."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from draws import Array, Draw, Family
from scipy.spatial.distance import cdist

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice
from scge_pyg.metrics import trustworthiness

__all__ = ["CHECKS", "cells_right", "lattice_state", "node_right", "same", "score"]

_MAP, _TRUE, _FEWEST = 8, 12, 25
_CELLS = 52 / 61


def cells_right(lattice: Lattice, cells: Array) -> Array:
    """Which nodes ``[N]`` sit in their exact cell under the symmetry and shift with the most that do."""
    found, placed = lattice.cell.cpu().numpy(), lattice.placed.cpu().numpy()
    best = np.zeros(len(cells), dtype=bool)
    dim = cells.shape[1]
    if found.shape[1] != dim or not placed.any():
        return best
    for axes in itertools.permutations(range(dim)):
        size = np.array([lattice.shape[a] if lattice.periodic[a] else 0 for a in axes])
        for signs in itertools.product((1, -1), repeat=dim):
            shift = cells - found[:, axes] * np.array(signs)
            shift = np.where(size > 0, shift % np.maximum(size, 1), shift)
            values, count = np.unique(shift[placed], axis=0, return_counts=True)
            right = placed & (shift == values[count.argmax()]).all(1)
            best = right if right.sum() > best.sum() else best
    return best


def _true_distance(draw: Draw) -> Array | None:
    """Distances ``[N, N]`` that say who is truly near, infinite from each node to itself; None where nobody knows."""
    if draw.places is None and "distance" not in draw.truth:
        return None
    distance = draw.truth["distance"].copy() if draw.places is None else cdist(draw.places, draw.places)
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance)


def _near(distance: Array, k: int) -> Array:
    """Who is among the k nearest of each node, ``[N, N]`` bool; what lies as far as the k-th counts too."""
    limit = np.partition(distance, k - 1, axis=1)[:, k - 1 : k]
    return np.asarray(distance <= limit * (1 + 1e-9))


def node_right(graph: SharedGraph, draw: Draw) -> Array:
    """Which nodes ``[N]`` are placed right: 1, 0, or -1 where a node has no place or nobody knows.

    On a lattice a node belongs into its cell; elsewhere half of its 8 nearest on the map must be among its 12 truly
    nearest.
    """
    right = np.full(len(graph.live), -1)
    pos = graph.pos.cpu().double().numpy()
    finite = np.isfinite(pos).all(1) & (pos.shape[1] > 0) & graph.live.cpu().numpy()
    distance = _true_distance(draw)
    if distance is not None and finite.sum() >= _FEWEST:
        own = np.flatnonzero(finite)
        between = cdist(pos[own], pos[own])
        np.fill_diagonal(between, np.inf)
        on_map = own[np.argsort(between, 1)[:, :_MAP]]
        truly = _near(distance[np.ix_(own, own)], _TRUE)
        number = np.full(len(right), -1)
        number[own] = np.arange(len(own))
        right[own] = np.take_along_axis(truly, number[on_map], 1).sum(1) >= _MAP / 2
    if graph.lattice is not None:
        placed = graph.lattice.placed.cpu().numpy()
        cells = draw.truth.get("cells")
        right[placed] = 0 if cells is None else cells_right(graph.lattice, cells)[placed]
    return right


def lattice_state(graph: SharedGraph, cells: Array | None) -> str:
    """``none``, ``exact``, ``partial`` (some nodes have no cell, all others their own) or ``wrong``."""
    if graph.lattice is None:
        return "none"
    placed = graph.lattice.placed.cpu().numpy()
    if cells is None or not cells_right(graph.lattice, cells)[placed].all():
        return "wrong"
    return "exact" if placed.all() else "partial"


def _signs(graph: SharedGraph, sign: Array) -> float:
    """Share of the nodes with the right sign, up to one flip of each part."""
    found, part = graph.sign.cpu().numpy(), graph.component.cpu().numpy()
    agree = [max(float((found[own] * sign[own] == s).sum()) for s in (1, -1)) for own in _members(part)]
    return sum(agree) / len(sign)


def _members(part: Array) -> list[Array]:
    return [np.flatnonzero(part == p) for p in range(part.max(initial=-1) + 1)]


def _parts_exact(graph: SharedGraph, draw: Draw) -> int:
    """True parts that came back as a part of the graph, each node of it in its exact cell."""
    exact = 0
    for part, nodes in zip(graph.parts(), _members(graph.component.cpu().numpy()), strict=False):
        true = draw.truth["part"][nodes]
        cells = draw.truth["cells"][nodes]
        cells = cells[:, np.ptp(cells, axis=0) > 0]
        whole = len(set(true)) == 1 and len(nodes) == (draw.truth["part"] == true[0]).sum()
        exact += whole and part.lattice is not None and bool(cells_right(part.lattice, cells).all())
    return exact


def score(graph: SharedGraph, draw: Draw, family: Family, warned: list[str]) -> dict[str, Any]:
    """Measures of one graph; None where a measure has no meaning."""
    columns = graph.pos.shape[1]
    finite = torch.isfinite(graph.pos).all(1) & (columns > 0) & graph.live
    record: dict[str, Any] = {
        "dim": graph.dim,
        "columns": columns,
        "pieces": int(graph.component.max()) + 1 if graph.num_nodes else 0,
        "live": int(graph.live.sum()),
        "edges": graph.num_edges,
        "refused": graph.dim == 0 and bool(warned),
        "lattice": lattice_state(graph, draw.truth.get("cells")),
    }
    record |= dict.fromkeys(("trust", "near", "signs", "lattice_confidence"))
    if draw.places is not None and int(finite.sum()) > 2 * family.near:
        places = torch.from_numpy(draw.places).double()
        record["trust"] = trustworthiness(graph.pos.cpu().double(), places, family.near, mask=finite.cpu())
    if draw.places is not None and graph.num_edges:
        distance = _true_distance(draw)
        assert distance is not None
        source, target = graph.edge_index.cpu().numpy()
        record["near"] = float(_near(distance, family.near)[source, target].mean())
    if "sign" in draw.truth and getattr(graph, "sign", None) is not None:
        record["signs"] = _signs(graph, draw.truth["sign"])
    if graph.lattice is not None:
        record["lattice_confidence"] = float(graph.confidence[graph.lattice.placed].mean())
    if "parts" in family.wanted:
        record["parts"] = _parts_exact(graph, draw)
    if "cells" in family.wanted:
        right = np.zeros(len(graph.live)) if graph.lattice is None else cells_right(graph.lattice, draw.truth["cells"])
        record["cells"] = float(right[draw.truth["scored"]].mean())
    fit = getattr(graph, "fit", None)
    record |= {f"fit_{key}": None if fit is None else _plain(getattr(fit, key)) for key in ("ratio", "error", "gain")}
    record |= {f"fit_{key}": None if fit is None else getattr(fit, key) for key in ("verdict", "coupling")}
    return record


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _dense(graph: SharedGraph) -> torch.Tensor:
    """Weights ``[N, N]``, -1 where there is no edge."""
    weight = graph.pos.new_full((graph.num_nodes, graph.num_nodes), -1.0)
    weight[tuple(graph.edge_index)] = graph.edge_weight
    return weight


def same(first: SharedGraph, second: SharedGraph, order: Array) -> bool:
    """Whether ``second``, whose node i is node ``order[i]`` of ``first``, is the same graph bit for bit."""
    back = torch.from_numpy(np.argsort(order))
    equal = first.dim == second.dim and torch.equal(_dense(first), _dense(second)[back][:, back])
    for name in ("pos", "confidence", "live"):
        equal = equal and np.array_equal(getattr(first, name), getattr(second, name)[back], equal_nan=True)
    if first.lattice is None or second.lattice is None:
        return equal and first.lattice is second.lattice
    return equal and torch.equal(first.lattice.cell, second.lattice.cell[back])


Check = Callable[[dict[str, Any], Family, dict[str, Any]], bool]

CHECKS: dict[str, Check] = {
    "dimension": lambda r, family, truth: r["dim"] == truth["dim"],
    "columns": lambda r, family, truth: r["columns"] == truth["columns"],
    "pieces": lambda r, family, truth: r["pieces"] == truth["pieces"] and r["live"] == r["nodes"],
    "trust": lambda r, family, truth: r["trust"] is not None and r["trust"] >= family.trust,
    "near": lambda r, family, truth: r["near"] is not None and r["near"] >= 0.99,
    "fast": lambda r, family, truth: r["seconds"] < 10,
    "lattice": lambda r, family, truth: r["lattice"] != "wrong",
    "doubted": lambda r, family, truth: r["lattice"] != "wrong" or r["lattice_confidence"] <= 0.5,
    "cells": lambda r, family, truth: r["cells"] >= _CELLS,
    "parts": lambda r, family, truth: r["parts"] == truth["pieces"],
    "refused": lambda r, family, truth: r["refused"],
    "kept": lambda r, family, truth: r["dim"] > 0,
    "signs": lambda r, family, truth: r["signs"] is not None and r["signs"] >= 0.99,
    "same": lambda r, family, truth: r["same"],
}
"""What a draw may have to pass, from its record, its family and its truth, by name."""
