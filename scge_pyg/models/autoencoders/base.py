"""What all autoencoders share: one interface, and the checks at its boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from scge_pyg.nn.layer.batching import as_batch

__all__ = ["AutoEncoder", "summed_squared_error"]


def summed_squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    r"""Mean over samples of :math:`\lVert x - r \rVert^2`, the square summed over nodes and channels.

    Example:
        >>> summed_squared_error(torch.ones(2, 3, 1), torch.zeros(2, 3, 1)).item()
        3.0
    """
    return (x - reconstruction).square().flatten(1).sum(1).mean()


class AutoEncoder(nn.Module, ABC):
    r"""Samples to a small latent code without noise and back, :math:`r(z(x)) \approx x`.

    Subclasses implement ``_encode`` from ``[B, N, C]`` to ``[B, latent]`` and ``_decode`` the other way, and may name
    the biases of their output, for :meth:`initialize`, and the layers that end in the code, for
    :class:`VariationalAutoEncoder`.

    Args:
        num_nodes: Number of nodes N.
        in_channels: Channels C of a node.
        latent: Size of the code, from 1 to :math:`N C`.

    Raises:
        ValueError: If a size is no positive integer, or ``latent`` exceeds :math:`N C`.
    """

    def __init__(self, num_nodes: int, in_channels: int, latent: int) -> None:
        super().__init__()
        self._check_positive(num_nodes=num_nodes, in_channels=in_channels, latent=latent)
        if latent > num_nodes * in_channels:
            raise ValueError(
                f"{type(self).__name__}: latent must be at most num_nodes * in_channels = "
                f"{num_nodes * in_channels}, got {latent}; a larger code compresses nothing"
            )
        self.num_nodes, self.in_channels, self.latent = num_nodes, in_channels, latent

    @classmethod
    def _check_positive(cls, **sizes: int) -> None:
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ValueError(f"{cls.__name__}: {name} must be a positive integer, got {size!r}")

    def _checked(self, name: str, x: Tensor) -> Tensor:
        """``x``, if its numbers are of the kind that the model holds."""
        own = {p.dtype for p in self.parameters()} or {b.dtype for b in self.buffers() if b.is_floating_point()}
        if own and x.dtype not in own and not torch.is_autocast_enabled(x.device.type):
            dtype = min(own, key=str)
            raise TypeError(
                f"{type(self).__name__}: {name} is {x.dtype} and the model {dtype}; convert one of them, "
                f"{name}.to({dtype}) or model.to({name}.dtype)"
            )
        return x

    def _samples(self, x: Tensor) -> Tensor:
        return self._checked("x", as_batch(x, self.num_nodes, self.in_channels, type(self).__name__))

    def _some(self, x: Tensor) -> Tensor:
        """Samples ``[B, N, C]`` of which a mean can be taken."""
        samples = self._samples(x)
        if not len(samples):
            raise ValueError(f"{type(self).__name__}: a loss needs at least one sample, got x {list(x.shape)}")
        return samples

    @abstractmethod
    def _encode(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _decode(self, z: Tensor) -> Tensor: ...

    def encode(self, x: Tensor) -> Tensor:
        """Codes ``[B, latent]`` of ``[B, N, C]``, flat ``[B * N, C]`` or one sample ``[N, C]``."""
        return self._encode(self._samples(x))

    def decode(self, z: Tensor) -> Tensor:
        """Samples ``[B, N, C]`` of codes ``[B, latent]``."""
        if z.dim() != 2 or z.shape[1] != self.latent:
            raise ValueError(f"{type(self).__name__}: z must be [B, {self.latent}], got {list(z.shape)}")
        return self._decode(self._checked("z", z))

    def _output_biases(self) -> list[tuple[nn.Parameter, Tensor | slice]]:
        """Biases of the output, one a value or one a channel, and the nodes that each is added to."""
        return []

    def _to_code(self) -> nn.Sequential | None:
        """Layers whose last is the ``nn.Linear`` to the code; None if there are no such."""
        return None

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Let the reconstruction start around the mean of samples ``[S, N, C]``: the last bias becomes it.

        A bias for each value takes the mean of that value, a bias for each channel the mean of that channel.

        Raises:
            ValueError: If the shape is another, or a value is NaN or infinite.
        """
        samples = as_batch(x, self.num_nodes, self.in_channels, f"{type(self).__name__}.initialize")
        mean = samples.mean(0, dtype=torch.float64)
        if not bool(torch.isfinite(mean).all()):
            raise ValueError(
                f"{type(self).__name__}.initialize: x holds NaN or infinite values; remove those samples or fill the "
                f"gaps first"
            )
        for bias, nodes in self._output_biases():
            own = mean[nodes]
            shared = own.sort(0).values.mean(0)  # in one order of summation, whatever the order of the nodes
            bias.copy_((own if bias.numel() == own.numel() else shared).view_as(bias))

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Parameters for an optimiser with their learning rates."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def loss(self, x: Tensor) -> Tensor:
        """What training minimises: the summed squared error of ``[B, N, C]`` or flat samples, mean over them."""
        samples = self._some(x)
        return summed_squared_error(samples, self(samples))

    def forward(self, x: Tensor) -> Tensor:
        """Reconstructions ``[B, N, C]``."""
        return self.decode(self.encode(x))

    def extra_repr(self) -> str:
        return f"num_nodes={self.num_nodes}, in_channels={self.in_channels}, latent={self.latent}"
