"""Gates of channels, against the block on images."""

import pytest
import torch
from torch import nn

from scge_pyg import SharedGraph
from scge_pyg.zoo.operators import SqueezeExcitation


class OnImages(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.ReLU(), nn.Conv2d(2, 8, 1))
        with torch.no_grad():
            for conv, linear in ((self.layers[1], block.squeeze), (self.layers[3], block.excite)):
                conv.weight.copy_(linear.weight[:, :, None, None])
                conv.bias.copy_(linear.bias)

    def forward(self, x):
        return self.layers(x).sigmoid() * x


def test_equal_to_the_block_on_images():
    graph = SharedGraph.from_grid((5, 6))
    block = SqueezeExcitation(8, graph, reduction=4).double()
    x = torch.randn(3, 30, 8, generator=torch.Generator().manual_seed(360), dtype=torch.double)
    images = OnImages(block.double()).double()(graph.lattice.to_grid(x))
    assert torch.allclose(graph.lattice.from_grid(images), block(x), atol=1e-12, rtol=0)
    assert torch.equal(block(x.flatten(0, 1)), block(x).flatten(0, 1))


def test_dead_nodes_have_no_say():
    pos = torch.tensor([[0.0], [1.0], [float("nan")], [2.0]])
    graph = SharedGraph.from_pos(pos)
    block = SqueezeExcitation(2, graph, reduction=1)
    x = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(361))
    other = x.clone()
    other[:, 2] = 100.0
    assert torch.equal(block(x)[:, [0, 1, 3]], block(other)[:, [0, 1, 3]])


def test_refused_and_shown():
    graph = SharedGraph.from_grid((5, 6))
    assert "8, nodes=30, reduction=16" in repr(SqueezeExcitation(8, graph))
    with pytest.raises(TypeError, match="graph must be a SharedGraph"):
        SqueezeExcitation(8, 30)
    with pytest.raises(ValueError, match="reduction must be"):
        SqueezeExcitation(8, graph, reduction=0)
    with pytest.raises(ValueError, match="SqueezeExcitation: x must be"):
        SqueezeExcitation(8, graph)(torch.zeros(30, 7))
