"""The convolutional autoencoder that is told the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from scge_pyg.models.autoencoders.base import AutoEncoder
from scge_pyg.models.autoencoders.hierarchy import bottleneck, last_bias

__all__ = ["ConvAutoEncoder"]


class ConvAutoEncoder(AutoEncoder):
    r"""The architecture of beta-VAE (Higgins et al., 2017) with a deterministic code, for row-major pixels.

    Strided 4x4 convolutions with ReLU, a dense layer before and after the code, transposed convolutions back. For
    images of 64x64 they used four convolutions of 32, 32, 64 and 64 channels; the default is two, for 28x28.

    Args:
        shape: Height and width, multiples of :math:`2^{\text{levels}}`.
        in_channels: Channels of a pixel.
        latent: Size of the code.
        channels: Channels of each level. Default: ``(32, 64)``.
        hidden: Width of the dense layers. Default: 256.

    Shapes:
        - **input:** :math:`(B, H W, C)`, flat :math:`(B H W, C)` or one sample :math:`(H W, C)`
        - **output:** :math:`(B, H W, C)`

    Raises:
        ValueError: If a size is no positive integer, the shape can't be halved often enough, or ``latent`` exceeds
            :math:`H W C`.

    Example:
        >>> import torch
        >>> ConvAutoEncoder((28, 28), 1, 16)(torch.rand(2, 784, 1)).shape
        torch.Size([2, 784, 1])
    """

    def __init__(
        self,
        shape: tuple[int, int],
        in_channels: int,
        latent: int,
        *,
        channels: Sequence[int] = (32, 64),
        hidden: int = 256,
    ) -> None:
        super().__init__(math.prod(shape), in_channels, latent)
        self._check_positive(hidden=hidden)
        if any(n % 2 ** len(channels) for n in shape):
            raise ValueError(
                f"ConvAutoEncoder: height and width must be multiples of 2**{len(channels)}, one factor of 2 for each "
                f"of channels={tuple(channels)}, got {tuple(shape)}"
            )
        self.shape = tuple(shape)
        self.small = tuple(n // 2 ** len(channels) for n in shape)
        widths = [in_channels, *channels]
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for fine, coarse in pairwise(widths):
            down += [nn.Conv2d(fine, coarse, 4, stride=2, padding=1), nn.ReLU()]
            up = [nn.ConvTranspose2d(coarse, fine, 4, stride=2, padding=1), nn.ReLU(), *up]
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up[:-1])
        self.dense_down, self.dense_up = bottleneck(math.prod(self.small) * widths[-1], hidden, latent)

    def _output_biases(self) -> list[tuple[nn.Parameter, Tensor | slice]]:
        return [(last_bias(self.up), slice(None))]

    def _to_code(self) -> nn.Sequential:
        return self.dense_down

    def _encode(self, x: Tensor) -> Tensor:
        grid = self.down(x.transpose(1, 2).unflatten(2, self.shape))
        z: Tensor = self.dense_down(grid.flatten(2).transpose(1, 2).flatten(1))
        return z

    def _decode(self, z: Tensor) -> Tensor:
        nodes = self.dense_up(z).unflatten(1, (math.prod(self.small), -1))
        grid: Tensor = self.up(nodes.transpose(1, 2).unflatten(2, self.small))
        return grid.flatten(2).transpose(1, 2)
