"""A Transformer autoencoder whose code has a size of its own, not that of its tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from scge_pyg.models.autoencoders.base import AutoEncoder
from scge_pyg.models.autoencoders.hierarchy import bottleneck

__all__ = ["TransformerAutoEncoder"]

_PLACE = 0.02  # deviation of the places at the start, as in ViT


class TransformerAutoEncoder(AutoEncoder):
    r"""Patches of an image as tokens, self-attention among them, and a dense bottleneck between two Transformers.

    Tokens are linear images of square patches plus a learned vector for the place, as in ViT (Dosovitskiy et al., 2021,
    "An image is worth 16x16 words"). A Transformer keeps as many numbers as it has tokens, the size of whose code is
    thus tied to the patches; here all tokens together pass the dense layers of :class:`ConvAutoEncoder`, so that the
    code has ``latent`` numbers. It is told the grid, through the patches.

    Args:
        shape: Height and width, multiples of ``patch``.
        in_channels: Channels of a pixel.
        latent: Size of the code.
        patch: Side of a patch. Default: 4.
        width: Numbers of a token, a multiple of ``heads``. Default: 64.
        depth: Layers of self-attention before and after the code each. Default: 2.
        heads: Heads of the attention. Default: 4.
        hidden: Width of the dense layers. Default: 256.

    Shapes:
        - **input:** :math:`(B, H W, C)`, flat :math:`(B H W, C)` or one sample :math:`(H W, C)`
        - **output:** :math:`(B, H W, C)`

    Raises:
        ValueError: If a size is no positive integer, the shape no multiple of ``patch``, ``width`` none of ``heads``,
            or ``latent`` exceeds :math:`H W C`.

    Example:
        >>> import torch
        >>> TransformerAutoEncoder((28, 28), 1, 16)(torch.rand(2, 784, 1)).shape
        torch.Size([2, 784, 1])
    """

    def __init__(
        self,
        shape: tuple[int, int],
        in_channels: int,
        latent: int,
        *,
        patch: int = 4,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        hidden: int = 256,
    ) -> None:
        super().__init__(math.prod(shape), in_channels, latent)
        self._check_positive(patch=patch, width=width, depth=depth, heads=heads, hidden=hidden)
        if any(n % patch for n in shape):
            raise ValueError(
                f"TransformerAutoEncoder: height and width must be multiples of patch={patch}, got {tuple(shape)}"
            )
        if width % heads:
            raise ValueError(f"TransformerAutoEncoder: width must be a multiple of heads={heads}, got {width}")
        self.patch, self.patches = patch, tuple(n // patch for n in shape)
        tokens, values = math.prod(self.patches), patch**2 * in_channels
        self.embed, self.place_down = nn.Linear(values, width), _places(tokens, width)
        self.down, self.up = _transformer(width, depth, heads), _transformer(width, depth, heads)
        self.dense_down, self.dense_up = bottleneck(tokens * width, hidden, latent)
        self.place_up, self.unembed = _places(tokens, width), nn.Linear(width, values, bias=False)
        self.bias = nn.Parameter(torch.zeros(in_channels))

    def _output_biases(self) -> list[tuple[nn.Parameter, Tensor | slice]]:
        return [(self.bias, slice(None))]

    def _to_code(self) -> nn.Sequential:
        return self.dense_down

    def _encode(self, x: Tensor) -> Tensor:
        (high, wide), side = self.patches, self.patch
        blocks = x.unflatten(1, (high, side, wide, side)).transpose(2, 3)
        tokens = self.embed(blocks.flatten(3).flatten(1, 2)) + self.place_down
        z: Tensor = self.dense_down(self.down(tokens).flatten(1))
        return z

    def _decode(self, z: Tensor) -> Tensor:
        side = self.patch
        tokens = self.dense_up(z).unflatten(1, self.place_up.shape) + self.place_up
        blocks: Tensor = self.unembed(self.up(tokens)).unflatten(1, self.patches)
        return blocks.unflatten(3, (side, side, -1)).transpose(2, 3).flatten(1, 4) + self.bias


def _places(tokens: int, width: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(tokens, width) * _PLACE)


def _transformer(width: int, depth: int, heads: int) -> nn.TransformerEncoder:
    """Layers that normalise first, without dropout, as all models here are trained."""
    layer = nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)
