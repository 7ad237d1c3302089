"""Ways to turn maps in space that are too many to try: optimal transport between places and statistics of nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from scge_pyg.importing import import_extra

__all__ = ["turns_by_transport"]

_WEIGHTS = (0.5, 0.8, 0.95)  # of distances between places against statistics of nodes
_LARGEST = 4096  # nodes


def turns_by_transport(own: Tensor, other: Tensor, shape_a: Tensor, shape_b: Tensor) -> list[Tensor]:
    r"""Orthogonal maps from the axes of one map to those of another, by fused Gromov-Wasserstein plans.

    A plan is sought that keeps distances between places, and lays nodes on nodes of like statistics (Vayer et al.,
    2020; ``ot.gromov.fused_gromov_wasserstein``); a map is the turn that best follows it (Procrustes). One for each of
    three weights of distances against statistics.

    Cost: :math:`O(N^3)` an iteration, :math:`N^2` numbers.

    Args:
        own: Places of a ``[N_a, c]``.
        other: Places of b ``[N_b, c]``.
        shape_a: Statistics of the nodes of a ``[N_a, f]``.
        shape_b: Those of b ``[N_b, f]``.

    Raises:
        ImportError: If POT isn't installed.
        ValueError: If a map has more than 4,096 nodes.
    """
    ot = import_extra("ot", "align", "align on maps in three or more dimensions")
    if max(len(own), len(other)) > _LARGEST:
        raise ValueError(
            f"align: maps in three or more dimensions can have at most {_LARGEST} nodes, got {len(own)} and "
            f"{len(other)}; coarsen(num_nodes={_LARGEST}) both"
        )
    within = [torch.cdist(one, one) for one in (own.double(), other.double())]
    distances = [(one / one.mean()).numpy() for one in within]
    unlike = torch.cdist(_standardised(shape_a), _standardised(shape_b)).square()
    cost = (unlike / unlike.mean().clamp_min(1e-12)).numpy()
    centred = [one.double() - one.double().mean(0) for one in (own, other)]
    found = []
    for weight in _WEIGHTS:
        plan = ot.gromov.fused_gromov_wasserstein(cost, *distances, alpha=weight, symmetric=True, max_iter=200)
        left, _, right = torch.linalg.svd(centred[1].T @ torch.from_numpy(plan).T @ centred[0])
        found.append(left @ right)
    return found


def _standardised(shape: Tensor) -> Tensor:
    offset = shape.double() - shape.double().mean(0)
    return offset / offset.square().mean(0).sqrt().clamp_min(1e-12)
