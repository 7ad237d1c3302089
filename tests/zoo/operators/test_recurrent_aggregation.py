"""An LSTM over neighbours, against a loop over nodes."""

import pytest
import torch
from torch_geometric.nn import SAGEConv

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.zoo.operators import RecurrentAggregation

INDEX = torch.tensor([0, 0, 0, 2, 2, 3])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_each_node_is_read_at_its_own_length(cell):
    aggregation = RecurrentAggregation(3, 4, cell)
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(370))
    found = aggregation(x, INDEX, dim_size=5)
    expected = torch.zeros(5, 4)
    for node in (0, 2, 3):
        expected[node] = aggregation.recurrent(x[node == INDEX][None])[0][0, -1]
    assert torch.allclose(found, expected, atol=1e-6)
    many = torch.cat([INDEX, torch.full((9,), 4)])
    wider = aggregation(torch.cat([x, torch.ones(9, 3)]), many, dim_size=5)
    assert torch.allclose(wider[:4], found[:4], atol=1e-6)


def test_a_sample_does_not_hang_on_others_of_a_subset():
    graph = SharedGraph.from_grid((4, 5))
    layer = OnSharedGraph(SAGEConv(3, 8, aggr=RecurrentAggregation(3, 3)), graph)
    x = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(371))
    assert torch.allclose(layer(x)[1], layer(x[1]), atol=1e-6)
    corner = graph.edge_index[:, graph.edge_index[1] == 0]
    assert torch.allclose(layer.conv(x[0], corner)[0], layer(x[0])[0], atol=1e-6)


def test_shuffling_is_for_training_alone():
    aggregation = RecurrentAggregation(2, 2, shuffle=True)
    x, index = torch.randn(40, 2, generator=torch.Generator().manual_seed(372)), torch.arange(4).repeat_interleave(10)
    torch.manual_seed(0)
    drawn = [aggregation(x, index) for _ in range(2)]
    assert not torch.allclose(*drawn)
    aggregation.eval()
    assert torch.equal(aggregation(x, index), aggregation(x, index))
    order = torch.randperm(4)
    where = torch.cat([torch.arange(10) + 10 * block for block in order])
    aggregation.train()
    torch.manual_seed(1)
    assert aggregation(x[where], index).shape == (4, 2)


def test_refused():
    with pytest.raises(ValueError, match="cell must be 'lstm' or 'gru', got 'rnn'"):
        RecurrentAggregation(2, 2, "rnn")
    assert repr(RecurrentAggregation(2, 3, "gru")) == "RecurrentAggregation(2, 3, cell='gru')"
