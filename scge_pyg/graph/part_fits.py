"""What each part of a graph was judged by: fits over the nodes of one part, by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from scge_pyg.graph.checks import check_per_node
from scge_pyg.graph.fit import Fit

__all__ = ["checked_fits", "moved_fit", "of_nodes"]


def checked_fits(
    where: str, fit: Fit | None, part_fit: Sequence[Fit | None] | None, component: Tensor, count: int
) -> tuple[Fit | None, ...]:
    """The fit of each part of at least two nodes, by falling size, None where it was not judged.

    Args:
        where: Name of the caller for errors.
        fit: Fit over all nodes, that of the largest part.
        part_fit: One entry a part, each over its nodes in their order. Default: ``fit`` for the largest alone.
        component: Part of each node ``[N]``, -1 where not live.
        count: Number of parts of at least two nodes.

    Raises:
        TypeError: If ``part_fit`` is not a sequence of fits.
        ValueError: If a fit is over other nodes, or entries and parts differ in number.
    """
    if fit is not None:
        check_per_node(where, "fit.node_gain", fit.node_gain.shape, component.numel())
    if part_fit is None:
        return (None if fit is None else of_nodes(fit, component == 0), *[None] * (count - 1))[:count]
    if not isinstance(part_fit, Sequence) or any(not isinstance(one, Fit | None) for one in part_fit):
        raise TypeError(f"{where}: part_fit must be a sequence of Fit or None, one a part, got {part_fit!r}")
    if len(part_fit) != count:
        raise ValueError(
            f"{where}: part_fit must have an entry for each of the {count} parts of at least two nodes, None where a "
            f"part was not judged, got {len(part_fit)}"
        )
    sizes = torch.bincount(component[component >= 0]).tolist()
    for number, one in enumerate(part_fit):
        if one is not None:
            check_per_node(where, f"part_fit[{number}].node_gain", one.node_gain.shape, sizes[number])
    return tuple(part_fit)


def of_nodes(fit: Fit, nodes: Tensor) -> Fit:
    """The fit with the gains of some nodes alone, given by number or as a mask."""
    return replace(fit, node_gain=fit.node_gain[nodes.to(fit.node_gain.device)])


def moved_fit(fit: Fit | None, device: torch.device | str) -> Fit | None:
    """The fit with its gains on ``device``."""
    return None if fit is None else replace(fit, node_gain=fit.node_gain.to(device))
