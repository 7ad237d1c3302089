"""Smoothness by a loop over pairs, and the limit of propagation by many steps of it."""

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.zoo.operators import graph_smoothness, node_smoothness, propagation_limit, smoothness


def test_smoothness_by_a_loop(monkeypatch):
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(350), dtype=torch.double)
    x[3] = 0
    unit = [row / row.norm() if row.norm() else row for row in x]
    expected = torch.tensor([sum(float((a - b).norm()) / 2 for b in unit) / 8 for a in unit], dtype=torch.double)
    assert torch.allclose(node_smoothness(x), expected)
    assert float(graph_smoothness(x)) == pytest.approx(float(expected.mean()))
    monkeypatch.setattr(smoothness, "_BLOCK", 20)
    assert torch.allclose(node_smoothness(x), expected)
    assert float(node_smoothness(torch.full((200, 7), 0.3)).max()) == 0.0


@pytest.mark.parametrize("normalization", ["sym", "rw"])
def test_the_limit_is_where_many_steps_lead(normalization):
    pos = torch.rand(24, 2, generator=torch.Generator().manual_seed(351), dtype=torch.double)
    graph = SharedGraph.from_pos(pos)
    keep = ((graph.edge_index < 8).all(0)) | ((graph.edge_index >= 8) & (graph.edge_index < 23)).all(0)
    graph = SharedGraph(graph.pos, graph.edge_index[:, keep], graph.edge_weight[keep])
    adjacency = torch.zeros(24, 24, dtype=torch.double)
    adjacency[graph.edge_index[1], graph.edge_index[0]] = graph.edge_weight.double()
    adjacency += torch.eye(24)
    degree = adjacency.sum(1)
    step = adjacency / degree[:, None]
    if normalization == "sym":
        step = degree.rsqrt()[:, None] * adjacency * degree.rsqrt()
    x = torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(352), dtype=torch.double)
    expected = torch.linalg.matrix_power(step, 2**20) @ x
    assert torch.allclose(propagation_limit(graph, x, normalization), expected, atol=1e-8)
    assert torch.allclose(propagation_limit(graph, x.flatten(0, 1), normalization), expected.flatten(0, 1), atol=1e-8)
    assert torch.allclose(expected[:, 23], x[:, 23])


def test_refused():
    with pytest.raises(ValueError, match="at least 2 nodes"):
        node_smoothness(torch.ones(1, 2))
    with pytest.raises(ValueError, match="must be finite"):
        node_smoothness(torch.tensor([[1.0], [float("nan")]]))
    with pytest.raises(ValueError, match="normalization must be 'sym' or 'rw'"):
        propagation_limit(SharedGraph.from_grid((3,)), torch.ones(3, 1), "none")
    path = SharedGraph.from_grid((3,))
    one_way = SharedGraph(path.pos, path.edge_index, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(ValueError, match="propagation_limit: graph must have the same weight in both directions"):
        propagation_limit(one_way, torch.ones(3, 1))
