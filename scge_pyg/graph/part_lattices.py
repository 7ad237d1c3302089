"""The lattices of a graph: each lies in one of its parts, and a part has at most one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scge_pyg.graph.checks import check_per_node
from scge_pyg.graph.lattice import Lattice

__all__ = ["checked_lattices", "lattice_of_part", "moved_lattices"]


def checked_lattices(
    where: str, lattice: Lattice | None, others: Sequence[Lattice], component: Tensor
) -> tuple[Lattice | None, tuple[Lattice, ...]]:
    """The lattice of the largest part that has one, and those of the others by part.

    A lattice that is alone may reach over several parts, or over none, as a grid with masked cells does.

    Args:
        where: Name of the caller for errors.
        lattice: A lattice over all nodes.
        others: More of them, in any order.
        component: Part of each node ``[N]``, -1 where not live.

    Raises:
        TypeError: If ``others`` is not a sequence of lattices.
        ValueError: If a lattice is over other nodes, a node has cells in two of them, or one part has two.
    """
    if not isinstance(others, Sequence) or any(not isinstance(one, Lattice) for one in others):
        raise TypeError(f"{where}: other_lattices must be a sequence of Lattice, got {others!r}")
    if lattice is None:
        if others:
            raise ValueError(f"{where}: lattice is None, but other_lattices has {len(others)}; give one as lattice")
        return None, ()
    named = {"lattice": lattice} | {f"other_lattices[{number}]": one for number, one in enumerate(others)}
    for name, one in named.items():
        check_per_node(where, f"{name}.cell", one.cell.shape[:1], component.numel())
    if not others:
        return lattice, ()
    taken = torch.zeros_like(component, dtype=torch.bool)
    holder: dict[int, str] = {}
    for name, one in named.items():
        twice = taken & one.placed
        if twice.any():
            raise ValueError(
                f"{where}: {name} has a cell for node {int(twice.nonzero()[0])}, and so has one before it; "
                "lattices of different parts share no node, those of other parts have cells of -1"
            )
        taken |= one.placed
        found = component[one.placed & (component >= 0)].unique().tolist()
        if len(found) != 1:
            raise ValueError(
                f"{where}: each of several lattices must lie in one part, but the live nodes of {name} lie in "
                f"{len(found)}; join them by edges, or give each part its own lattice"
            )
        if found[0] in holder:
            raise ValueError(f"{where}: {holder[found[0]]} and {name} both lie in part {found[0]}; a part has one")
        holder[found[0]] = name
    first, *rest = [named[holder[part]] for part in sorted(holder)]
    return first, tuple(rest)


def moved_lattices(lattices: tuple[Lattice, ...], device: torch.device | str) -> tuple[Lattice | None, list[Lattice]]:
    """The first lattice, if any, and the others, with their cells on ``device``."""
    moved = [lattice.to(device) for lattice in lattices]
    return (moved[0] if moved else None), moved[1:]


def lattice_of_part(lattices: tuple[Lattice, ...], nodes: Tensor) -> Lattice | None:
    """The lattice in which most of the nodes have a cell, its open axes cut to what they fill; None without one."""
    if not lattices:
        return None
    lattice = max(lattices, key=lambda one: int((one.cell[nodes] != -1).any(1).sum()))
    cell, placed = lattice.cell[nodes], lattice.placed[nodes]
    if 2 * int(placed.sum()) <= nodes.numel():
        return None
    closed = torch.tensor(lattice.periodic, device=cell.device)
    low = cell[placed].amin(0).masked_fill(closed, 0)
    high = cell[placed].amax(0) + 1
    cell = torch.where(placed.unsqueeze(1), cell - low, -1)
    extent = [s if p else h for s, p, h in zip(lattice.shape, lattice.periodic, (high - low).tolist(), strict=True)]
    origin = [o + s * c for o, s, c in zip(lattice.origin, lattice.stride, low.tolist(), strict=True)]
    return Lattice(cell, extent, lattice.periodic, origin, lattice.stride)
