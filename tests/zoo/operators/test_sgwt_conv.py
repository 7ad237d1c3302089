"""Wavelets as a convolution, against PyG's Chebyshev convolution."""

import pytest
import torch
from torch_geometric.nn import ChebConv

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.zoo.operators import SGWTConv


def test_it_is_a_chebyshev_convolution_with_fewer_matrices():
    graph = SharedGraph.from_grid((5, 6))
    layer = SGWTConv(3, 4, graph, 2, order=9, normalization="sym").double()
    assert layer.transform.lambda_max == 2.0
    cheb = ChebConv(3, 4, 10, normalization="sym").double()
    bands = layer.lin.weight.view(4, 3, 3)  # [C', band, C]
    with torch.no_grad():
        for degree, lin in enumerate(cheb.lins):
            taken = layer.scale * layer.transform.coefficients[:, degree].view(1, 3, 1)
            lin.weight.copy_((taken * bands).sum(1))
        cheb.bias.copy_(layer.lin.bias)
    x = torch.randn(2, 30, 3, generator=torch.Generator().manual_seed(330), dtype=torch.double)
    assert torch.allclose(layer(x), OnSharedGraph(cheb, graph)(x), atol=1e-6)
    assert torch.allclose(layer(x.flatten(0, 1)), layer(x).flatten(0, 1))


def test_energy_and_refusal():
    graph = SharedGraph.from_grid((6, 6))
    layer = SGWTConv(2, 3, graph, bias=False)
    x = torch.randn(36, 2, generator=torch.Generator().manual_seed(331))
    assert float((layer.scale * layer.transform(x)).norm()) <= float(x.norm())
    with pytest.raises(ValueError, match="SGWTConv: x must have 2 channels"):
        layer(torch.zeros(36, 3))
    with pytest.raises(ValueError, match="in_channels must be"):
        SGWTConv(0, 3, graph)
    before = layer(x)
    layer.reset_parameters()
    assert not torch.equal(layer(x), before)
