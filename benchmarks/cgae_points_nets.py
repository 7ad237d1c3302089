"""Small networks on points, pixels and patches."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch_geometric.nn import PointTransformerConv

__all__ = ["CNN", "PointNet", "ViT"]


def _mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class PointNet(nn.Module):
    """Three PointTransformerConvs on all pairs of an image's points, and their mean and maximum."""

    def __init__(self, features: int, width: int = 64) -> None:
        super().__init__()
        self.first = _mlp(features + 2, 2 * width, width)
        self.layers = nn.ModuleList(
            PointTransformerConv(width, width, _mlp(2, width, width), _mlp(width, width, width)) for _ in range(3)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.head = _mlp(2 * width, width, 10)

    def forward(self, place: Tensor, value: Tensor) -> Tensor:
        """Logits of points ``[B, H, 2]`` and what lies there ``[B, H, features]``."""
        images, parts = place.shape[:2]
        pair = torch.cartesian_prod(torch.arange(parts), torch.arange(parts))
        pair = pair[pair[:, 0] != pair[:, 1]].T
        edges = (pair.unsqueeze(1) + parts * torch.arange(images)[:, None]).flatten(1)
        x, pos = self.first(torch.cat([value, place], 2).flatten(0, 1)), place.flatten(0, 1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + layer(norm(x), pos, edges).relu()
        x = x.view(images, parts, -1)
        return self.head(torch.cat([x.mean(1), x.amax(1)], 1))


class CNN(nn.Module):
    """Three convolutions, each at half the size of the one before."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = (1, width, 2 * width, 2 * width)
        blocks = [nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
                  for a, b in itertools.pairwise(widths)]  # fmt: skip
        self.net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(9 * 2 * width, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images ``[B, 28, 28]``."""
        return self.net(x.unsqueeze(1))


class ViT(nn.Module):
    """A transformer on the 16 patches of 7 x 7."""

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.first, self.place = nn.Linear(49, width), nn.Parameter(0.02 * torch.randn(16, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of images ``[B, 28, 28]``."""
        patches = nn.functional.unfold(x.unsqueeze(1), 7, stride=7).transpose(1, 2)
        return self.head(self.layers(self.first(patches) + self.place).mean(1))
