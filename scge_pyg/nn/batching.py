"""The three layouts of a batch over one node set, and the way back."""

from __future__ import annotations

from torch import Tensor

__all__ = ["as_batch", "as_given"]


def as_batch(x: Tensor, num_nodes: int, channels: int | None, where: str) -> Tensor:
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
    fits = x.dim() in (2, 3) and (x.shape[1] == num_nodes if x.dim() == 3 else x.shape[0] % num_nodes == 0)
    if not fits or (channels is not None and x.shape[-1] != channels):
        width = "C" if channels is None else channels
        raise ValueError(
            f"{where}: x must be [B, {num_nodes}, {width}], flat [B * {num_nodes}, {width}] or one sample "
            f"[{num_nodes}, {width}], got {list(x.shape)}; nodes are the rows, channels the last axis"
        )
    return x if x.dim() == 3 else x.unflatten(0, (-1, num_nodes))


def as_given(y: Tensor, x: Tensor) -> Tensor:
    """``y [B, M, C]`` in the layout that ``x`` came in: flat if ``x`` was."""
    return y if x.dim() == 3 else y.flatten(0, 1)
