import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCNConv

from scge_pyg import SharedGraph
from scge_pyg.transforms import AttachGraph


def graph_with_a_dead_node():
    pos = torch.tensor([[0.0, 0.0], [0.0, 1.0], [torch.nan, torch.nan], [1.0, 0.0]])
    return SharedGraph(pos, torch.tensor([[0, 1, 0, 3], [1, 0, 3, 0]]), torch.tensor([0.5, 0.5, 0.25, 0.25]))


def test_a_loader_yields_ready_batches():
    graph = graph_with_a_dead_node()
    attach = AttachGraph(graph)
    samples = [attach(Data(x=torch.rand(4, 3), y=torch.tensor([i]))) for i in range(5)]
    batch = next(iter(DataLoader(samples, batch_size=5)))
    assert batch.x.shape == (20, 3)
    assert torch.equal(batch.edge_index, torch.cat([graph.edge_index + 4 * i for i in range(5)], 1))
    assert torch.equal(batch.edge_weight, graph.edge_weight.repeat(5))
    assert torch.equal(batch.live, graph.live.repeat(5))
    assert torch.equal(batch.pos.view(5, 4, 2)[3, 2], torch.zeros(2))
    assert torch.isfinite(batch.pos).all()
    conv = GCNConv(3, 2)
    alone = conv(samples[3].x, samples[3].edge_index, samples[3].edge_weight)
    together = conv(batch.x, batch.edge_index, batch.edge_weight)
    assert torch.allclose(together.view(5, 4, 2)[3], alone, atol=1e-6)


def test_a_graph_without_a_geometry_is_attached():
    graph = SharedGraph(torch.empty(3, 0), torch.tensor([[0, 1], [1, 0]]))
    samples = [AttachGraph(graph)(Data(x=torch.rand(3, 2))) for _ in range(2)]
    batch = Batch.from_data_list(samples)
    assert batch.pos.shape == (6, 0)
    assert batch.edge_index.tolist() == [[0, 1, 3, 4], [1, 0, 4, 3]]
    assert batch.live.all()


def test_the_sample_itself_is_left_alone():
    data = Data(x=torch.rand(4, 3))
    AttachGraph(graph_with_a_dead_node())(data)
    assert data.edge_index is None


def test_bad_input_is_refused():
    attach = AttachGraph(graph_with_a_dead_node())
    with pytest.raises(ValueError, match=r"the graph has 4 nodes.*x of shape \[5, 3\]"):
        attach(Data(x=torch.rand(5, 3)))
    with pytest.raises(ValueError, match="no x"):
        attach(Data(y=torch.rand(1)))
    with pytest.raises(ValueError, match="before batching"):
        attach(Batch.from_data_list([Data(x=torch.rand(4, 3))] * 2))
    with pytest.raises(TypeError, match="expected a PyG Data"):
        attach(torch.rand(4, 3))
    with pytest.raises(TypeError, match="graph must be a SharedGraph"):
        AttachGraph(torch.rand(4, 2))
    assert str(attach) == "AttachGraph(num_nodes=4)"
