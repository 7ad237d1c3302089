"""What all autoencoders share: one interface, and the checks at its boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from scge_pyg.nn.batching import as_batch

__all__ = ["AutoEncoder"]


class AutoEncoder(torch.nn.Module, ABC):
    r"""Samples to a small latent code without noise and back, :math:`r(z(x)) \approx x`.

    Subclasses implement ``_encode`` from ``[B, N, C]`` to ``[B, latent]`` and ``_decode`` the other way.

    Args:
        num_nodes: Number of nodes N.
        in_channels: Channels C of a node.
        latent: Size of the code, from 1 to :math:`N C`.

    Raises:
        ValueError: If a size is no positive integer, or ``latent`` exceeds :math:`N C`.
    """

    def __init__(self, num_nodes: int, in_channels: int, latent: int) -> None:
        super().__init__()
        for name, size in (("num_nodes", num_nodes), ("in_channels", in_channels), ("latent", latent)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ValueError(f"{type(self).__name__}: {name} must be a positive integer, got {size!r}")
        if latent > num_nodes * in_channels:
            raise ValueError(
                f"{type(self).__name__}: latent must be at most num_nodes * in_channels = "
                f"{num_nodes * in_channels}, got {latent}; a larger code compresses nothing"
            )
        self.num_nodes, self.in_channels, self.latent = num_nodes, in_channels, latent

    @abstractmethod
    def _encode(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _decode(self, z: Tensor) -> Tensor: ...

    def encode(self, x: Tensor) -> Tensor:
        """Codes ``[B, latent]`` of ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        return self._encode(as_batch(x, self.num_nodes, self.in_channels, type(self).__name__))

    def decode(self, z: Tensor) -> Tensor:
        """Samples ``[B, N, C]`` of codes ``[B, latent]``."""
        if z.dim() != 2 or z.shape[1] != self.latent:
            raise ValueError(f"{type(self).__name__}: z must be [B, {self.latent}], got {list(z.shape)}")
        return self._decode(z)

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Parameters for an optimiser with their learning rates."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def forward(self, x: Tensor) -> Tensor:
        """Reconstructions ``[B, N, C]``."""
        return self.decode(self.encode(x))

    def extra_repr(self) -> str:
        return f"num_nodes={self.num_nodes}, in_channels={self.in_channels}, latent={self.latent}"
