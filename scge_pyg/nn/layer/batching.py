"""The three layouts of a batch over one node set, and the way back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["as_batch", "as_given", "as_present"]


def as_batch(x: Any, num_nodes: int, channels: int | None, where: str) -> Tensor:
    """``[B, N, C]`` of a batch given as ``[B, N, C]``, as PyG's flat ``[B * N, C]``, or as one sample ``[N, C]``.

    Args:
        x: The input.
        num_nodes: Nodes N of the layer's source.
        channels: Channels C that the layer expects, if it expects a number.
        where: Name of the layer, for the error.

    Example:
        >>> import torch
        >>> as_batch(torch.zeros(12, 5), num_nodes=4, channels=5, where="layer").shape
        torch.Size([3, 4, 5])
    """
    if not isinstance(x, Tensor):
        hint = "pass its x" if hasattr(x, "num_nodes") else "convert it with torch.as_tensor(x)"
        raise TypeError(f"{where}: x must be a tensor of node features, got {type(x).__name__}; {hint}")
    fits = x.dim() in (2, 3) and (x.shape[1] == num_nodes if x.dim() == 3 else x.shape[0] % num_nodes == 0)
    if not fits or (channels is not None and x.shape[-1] != channels):
        width = "C" if channels is None else channels
        raise ValueError(
            f"{where}: x must be [B, {num_nodes}, {width}], flat [B * {num_nodes}, {width}] or one sample "
            f"[{num_nodes}, {width}], got {list(x.shape)}; nodes are the rows, channels the last axis"
        )
    dense: Tensor = x if x.dim() == 3 else x.unflatten(0, (-1, num_nodes))
    return dense


def as_given(y: Tensor, x: Tensor) -> Tensor:
    """``y [B, M, C]`` in the layout that ``x`` came in: flat if ``x`` was."""
    return y if x.dim() == 3 else y.flatten(0, 1)


def as_present(
    x: Any, node_id: Tensor, batch: Tensor | None, num_nodes: int, where: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Samples that hold some of the nodes, in any order, as ``[B, N, C]`` with zeros for the others.

    Args:
        x: Features of the nodes that are there ``[M, C]``.
        node_id: Which node of the modality each row is ``[M]``.
        batch: Sample of each row ``[M]``, as in a PyG ``Batch``. Default: one sample.
        num_nodes: Nodes N of the modality.
        where: Name of the layer, for errors.

    Returns:
        The batch, which nodes are present ``[B, N]``, and the flat position of each row ``[M]``.

    Example:
        >>> dense, present, row = as_present(torch.tensor([[5.0], [6.0]]), torch.tensor([2, 0]), None, 3, "layer")
        >>> dense.flatten().tolist(), present.tolist()
        ([6.0, 0.0, 5.0], [[True, False, True]])
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{where}: x must be a tensor of node features, got {type(x).__name__}")
    if x.dim() != 2 or node_id.shape != (x.shape[0],) or (batch is not None and batch.shape != node_id.shape):
        raise ValueError(
            f"{where}: with node_id, x must be flat [M, C] and node_id (and batch) [M], got x {list(x.shape)}, "
            f"node_id {list(node_id.shape)}, batch {None if batch is None else list(batch.shape)}"
        )
    if node_id.numel() and not 0 <= int(node_id.min()) <= int(node_id.max()) < num_nodes:
        raise ValueError(
            f"{where}: node_id must lie in 0..{num_nodes - 1}, got {int(node_id.min())} to {int(node_id.max())}"
        )
    sample = torch.zeros_like(node_id) if batch is None else batch
    samples = int(sample.max()) + 1 if sample.numel() else 1
    row = sample * num_nodes + node_id
    present = torch.zeros(samples * num_nodes, dtype=torch.bool, device=x.device)
    present[row] = True
    if int(present.sum()) != row.numel():
        raise ValueError(f"{where}: some sample holds a node twice; node_id must be unique within each sample")
    dense = x.new_zeros(samples * num_nodes, x.shape[1]).index_copy(0, row, x)
    return dense.view(samples, num_nodes, -1), present.view(samples, num_nodes), row
