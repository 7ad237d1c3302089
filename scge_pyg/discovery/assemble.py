"""From parts in canonical order to one `SharedGraph` over the nodes of the samples."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from scge_pyg.discovery.lattices.snapping import Cells
from scge_pyg.discovery.parts.part import Part
from scge_pyg.graph.edges import connected_parts
from scge_pyg.graph.fit import Fit
from scge_pyg.graph.lattice import Lattice
from scge_pyg.graph.part_fits import of_nodes
from scge_pyg.graph.shared_graph import SharedGraph

__all__ = ["Rows", "assemble"]

_GAP = 64.0  # spacings between parts: further than any kernel reaches


class Rows(Protocol):
    """Which node each row of the parts is, as signals say it (:class:`scge_pyg.discovery.signals.signals.Signals`)."""

    @property
    def num_nodes(self) -> int: ...
    @property
    def order(self) -> np.ndarray: ...
    @property
    def twins(self) -> np.ndarray: ...
    @property
    def twin_sign(self) -> np.ndarray: ...
    @property
    def delay(self) -> np.ndarray: ...
    @property
    def effective(self) -> float: ...


def assemble(
    signals: Rows,
    parts: list[tuple[np.ndarray, Part]],
    num_nodes: int,
    names: tuple[str, ...] | None,
    num_samples: int,
    seconds: dict[str, float],
) -> SharedGraph:
    """Put the parts side by side along the first axis and back into the order of the samples.

    A twin shares all but the cell of its original, and runs with or against it. ``dim`` and ``fit`` are those of the
    largest part that edges hold together; the first lattice, by falling size, keeps the origin of its cells at zero.
    Where edges alone leave a part in pieces, each has the fit of the whole.

    Args:
        signals: Signals of all distinct live nodes.
        parts: Rows of each part and its geometry, by falling size.
        num_nodes: Number of nodes N; those without a signal are not live.
        names: Names of the nodes.
        num_samples: Samples that were used.
        seconds: Time of the stages before the parts.
    """
    rows = signals.num_nodes
    columns = max((part.pos.shape[1] for _, part in parts), default=0)
    pos, confidence = np.zeros((rows, columns)), np.zeros(rows)
    sign = np.ones(rows, dtype=np.int64)
    own_dim, part_of = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    edges, weights, lattices = [], [], []
    right = -_GAP
    for number, (nodes, _) in enumerate(parts):
        part_of[nodes] = number
    for nodes, part in _anchored(parts):
        shift = right + _GAP - (0.0 if part.cells is not None and right < 0 else _leftmost(part))
        if columns:
            pos[nodes, : part.pos.shape[1]] = part.pos
            pos[nodes, 0] += shift
            right = float(pos[nodes, 0].max())
        confidence[nodes], sign[nodes], own_dim[nodes] = part.confidence, part.sign, part.dim
        edges.append(nodes[part.edges])
        weights.append(part.weight)
        if part.cells is not None:
            lattices.append(_lattice(signals.order[nodes], part.cells, num_nodes, shift))
    half = np.concatenate([signals.order[np.concatenate([*edges, np.zeros((2, 0), np.int64)], 1)], signals.twins], 1)
    weight = np.r_[np.concatenate([*weights, np.zeros(0)]), np.ones(signals.twins.shape[1])]

    def scatter(values: np.ndarray, fill: float) -> Tensor:
        full = np.full((num_nodes, *values.shape[1:]), fill, dtype=values.dtype)
        full[signals.order] = values
        full[signals.twins[0]] = full[signals.twins[1]]
        return torch.from_numpy(full)

    turned = scatter(sign, 0)
    turned[signals.twins[0]] *= torch.from_numpy(signals.twin_sign)
    live = scatter(np.ones(rows, dtype=bool), False)
    delay = scatter(signals.delay, 0)
    places = scatter(pos, np.nan)
    edge_index = torch.from_numpy(np.concatenate([half, half[::-1]], 1))
    component = connected_parts(edge_index, live)
    own = _of_each_part(scatter(own_dim, 0), component)
    fits = _fits(signals, parts, num_nodes, num_samples, seconds)
    part_fit = [fits[number] for number in _of_each_part(scatter(part_of, 0), component)]
    largest = next(filter(None, [*part_fit[:1], *fits[:1]]), None)
    return SharedGraph(
        places.float() if columns and own else places[:, :0].float(),
        edge_index,
        torch.from_numpy(np.tile(weight, 2)).float(),
        part_dim=own if columns else None,
        dim=None if columns and own else 0,
        live=live,
        confidence=scatter(confidence, 0.0).float(),
        lattice=lattices[0] if lattices else None,
        other_lattices=lattices[1:],
        names=names,
        sign=turned,
        lag=delay[edge_index[1]] - delay[edge_index[0]],
        fit=largest,
        part_fit=[fit and of_nodes(fit, component == number) for number, fit in enumerate(part_fit)],
    )


def _of_each_part(values: Tensor, component: Tensor) -> list[int]:
    """The value of one node of each component that has at least two."""
    count = torch.bincount(component[component >= 0])
    found = torch.zeros(len(count), dtype=values.dtype)
    found[component[component >= 0]] = values[component >= 0]
    return found[count > 1].tolist()


def _anchored(parts: list[tuple[np.ndarray, Part]]) -> list[tuple[np.ndarray, Part]]:
    """The parts with the first lattice in front, which stands at the origin."""
    first = next((k for k, (_, part) in enumerate(parts) if part.cells is not None), 0)
    return [*parts[first : first + 1], *parts[:first], *parts[first + 1 :]]


def _leftmost(part: Part) -> float:
    return float(part.pos[:, 0].min()) if part.pos.shape[1] else 0.0


def _lattice(nodes: np.ndarray, cells: Cells, num_nodes: int, shift: float) -> Lattice:
    """Cells of one part, over all nodes."""
    cell = np.full((num_nodes, cells.cell.shape[1]), -1, dtype=np.int64)
    cell[nodes] = cells.cell
    origin = [shift] + [0.0] * (cells.cell.shape[1] - 1)
    return Lattice(torch.from_numpy(cell), cells.shape, cells.periodic, origin)


def _fits(
    signals: Rows, parts: list[tuple[np.ndarray, Part]], num_nodes: int, num_samples: int, seconds: dict[str, float]
) -> list[Fit | None]:
    """What each part was judged by, all with the gains of all judged nodes and the time of all parts together."""
    gain = np.full(num_nodes, np.nan)
    total = dict(seconds)
    for nodes, part in parts:
        if part.verdict is not None and len(part.rows):
            gain[signals.order[nodes[part.rows]]] = part.verdict.node_gain
        for stage, spent in part.seconds.items():
            total[stage] = total.get(stage, 0.0) + spent
    node_gain = torch.from_numpy(gain)
    return [_fit(part, node_gain, num_samples, signals.effective, total) for _, part in parts]


def _fit(part: Part, node_gain: Tensor, num_samples: int, effective: float, seconds: dict[str, float]) -> Fit | None:
    choice, verdict = part.choice, part.verdict
    if choice is None or verdict is None:
        return None
    return Fit(
        coupling=part.coupling,
        gain=verdict.gain,
        ceiling=verdict.ceiling,
        chance=verdict.chance,
        ratio=verdict.ratio,
        error=verdict.error,
        verdict=verdict.verdict,
        columns=part.pos.shape[1],
        gain_by_columns=choice.gain_by_columns,
        node_gain=node_gain,
        num_samples=num_samples,
        effective_samples=effective,
        seconds=seconds,
        factors=verdict.factors,
    )
