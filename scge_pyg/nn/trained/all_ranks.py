"""Activations of all processes of a distributed training, for statistics that every process must share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["of_all_ranks"]


def of_all_ranks(check: Callable[[], Tensor], device: torch.device, group: Any = None) -> Tensor:
    """Checked activations ``[B, N, C]`` of all processes one after the other, in the order of ranks.

    Without a process group, those of this process. Batches may differ in length. A process whose activations are
    refused tells the others, so that all raise and none waits.

    Cost: each process receives the activations of all others.

    Args:
        check: What gives the activations of this process, or raises.
        device: Where they are.
        group: The process group. Default: all processes.

    Raises:
        ValueError: If activations of another process are refused, or differ in channels or dtype.

    Example:
        >>> of_all_ranks(lambda: torch.ones(2, 3, 1), torch.device("cpu")).shape
        torch.Size([2, 3, 1])
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size(group) == 1:
        return check()
    failure: Exception | None = None
    x = torch.empty(0, 0, 0, device=device)
    try:
        x = check()
    except Exception as error:
        failure = error
    kind = [-1, 0, 0] if failure else [x.shape[0], x.shape[2], x.element_size()]
    kinds = torch.stack(_gather(torch.tensor(kind, device=device), group)).tolist()
    if failure is not None:
        raise failure
    for rank, (rows, *others) in enumerate(kinds):
        if rows < 0:
            raise ValueError(f"HebbianLoss: the activations of rank {rank} were refused, as its own error says")
        if others != kind[1:]:
            raise ValueError(
                f"HebbianLoss: all ranks must have activations of {kind[1]} channels and {kind[2]} bytes a value as "
                f"this one, got {others[0]} and {others[1]} on rank {rank}"
            )
    counts = [rows for rows, *_ in kinds]
    padded = x.new_zeros((max(counts), *x.shape[1:]))
    padded[: len(x)] = x
    return torch.cat([part[:rows] for part, rows in zip(_gather(padded, group), counts, strict=True)])


def _gather(values: Tensor, group: Any) -> list[Tensor]:
    parts = [torch.empty_like(values) for _ in range(dist.get_world_size(group))]
    dist.all_gather(parts, values, group=group)
    return parts
