"""Relation-shape convolution: by a loop, and what it is blind to."""

import pytest
import torch

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.zoo.operators import RSConv

POS = torch.rand(25, 3, generator=torch.Generator().manual_seed(600))
GRAPH = SharedGraph.from_pos(POS, k=5)


@pytest.mark.parametrize("relation", ["full", "offset", "distance"])
def test_by_a_loop(relation):
    layer = RSConv(4, 6, relation=relation)
    x = torch.randn(25, 4, generator=torch.Generator().manual_seed(601))
    rows = []
    for i in range(25):
        told = []
        for j in GRAPH.edge_index[0][GRAPH.edge_index[1] == i]:
            offset = POS[i] - POS[j]
            parts = {
                "full": [offset.norm()[None], offset, POS[i], POS[j]],
                "offset": [offset.norm()[None], offset],
                "distance": [offset.norm()[None]],
            }[relation]
            told.append(layer.mapping(torch.cat(parts)[None])[0] * x[j])
        rows.append(layer.up(torch.stack(told).amax(0).relu()))
    assert torch.allclose(layer(x, GRAPH.edge_index, POS), torch.stack(rows), atol=1e-5)
    assert torch.allclose(OnSharedGraph(layer, GRAPH)(x), torch.stack(rows), atol=1e-5)


@pytest.mark.parametrize(
    ("relation", "translated", "rotated"), [("full", False, False), ("offset", True, False), ("distance", True, True)]
)
def test_what_it_is_blind_to(relation, translated, rotated):
    layer = RSConv(4, 6, relation=relation)
    x = torch.randn(25, 4, generator=torch.Generator().manual_seed(602))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(603)))[0]
    y = layer(x, GRAPH.edge_index, POS)
    assert torch.allclose(layer(x, GRAPH.edge_index, POS + 2), y, atol=1e-4) == translated
    assert torch.allclose(layer(x, GRAPH.edge_index, POS @ turn), y, atol=1e-4) == rotated
    order = torch.randperm(25, generator=torch.Generator().manual_seed(604))
    place = order.argsort()
    assert torch.allclose(layer(x[order], place[GRAPH.edge_index], POS[order]), y[order], atol=1e-5)


def test_refused_and_shown():
    with pytest.raises(ValueError, match="relation must be one of full, offset, distance"):
        RSConv(2, 2, relation="angle")
    with pytest.raises(ValueError, match=r"pos must be \[N, 3\], got \[25, 2\]"):
        RSConv(4, 2)(torch.zeros(25, 4), GRAPH.edge_index, POS[:, :2])
    layer = RSConv(2, 3, dim=2, relation="offset")
    assert repr(layer) == "RSConv(2, 3, dim=2, relation='offset')"
    before = layer.up.weight.clone()
    layer.reset_parameters()
    assert not torch.equal(before, layer.up.weight)
