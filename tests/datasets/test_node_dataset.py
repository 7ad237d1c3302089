import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from scge_pyg import SharedGraph
from scge_pyg.datasets import NodeDataset
from scge_pyg.transforms import AttachGraph, ShuffleNodes


@pytest.fixture
def ds():
    cells = torch.cartesian_prod(torch.arange(2), torch.arange(3))
    return NodeDataset(torch.rand(10, 6, 2), torch.arange(10) % 4, cells)


def test_items_are_samples(ds):
    assert len(ds) == 10
    assert (ds.num_nodes, ds.num_node_features, ds.num_classes) == (6, 2, 4)
    for i in (0, 7, -1):
        assert isinstance(ds[i], Data)
        assert torch.equal(ds[i].x, ds.x[i])
        assert ds[i].y.tolist() == [int(ds.y[i])]
    assert torch.equal(ds.pos, ds.cells.float())


@pytest.mark.parametrize(
    "index",
    [
        slice(2, 5),
        slice(None, None, 3),
        slice(None, None, -1),
        slice(-3, None),
        slice(5, 2),
        [4, 1, 1],
        torch.tensor([9, 0]),
        torch.arange(10) > 6,
    ],
)
def test_subsets_hold_their_samples(ds, index):
    part = ds[index]
    order = torch.arange(10)
    order = torch.tensor(order.tolist()[index]) if isinstance(index, slice) else order[index]
    order = order.long()
    assert len(part) == order.numel()
    assert torch.equal(part.x, ds.x[order])
    assert torch.equal(part.y, ds.y[order])
    for place, i in enumerate(order.tolist()):
        assert torch.equal(part[place].x, ds.x[i])


def test_subsets_of_subsets(ds):
    assert torch.equal(ds[2:9][1::2].x, ds.x[[3, 5, 7]])
    assert torch.equal(ds[[5, 3, 8]][1:].x, ds.x[[3, 8]])


def test_a_leading_part_shares_memory(ds):
    assert ds[:4].x.data_ptr() == ds.x.data_ptr()


def test_loader_with_transform(ds):
    shuffle = ShuffleNodes(1)
    attach = AttachGraph(SharedGraph.from_grid((2, 3)))
    ds.transform = lambda data: attach(shuffle(data))
    batch = next(iter(DataLoader(ds, batch_size=4)))
    assert torch.equal(batch.x.view(4, 6, 2), shuffle(ds.x[:4]))
    assert torch.equal(batch.y, ds.y[:4])
    assert batch.edge_index.shape == (2, 4 * 14)


def test_bytes_are_scaled():
    ds = NodeDataset(torch.tensor([[[0], [51], [255]]], dtype=torch.uint8), torch.tensor([0], dtype=torch.uint8))
    assert ds.x.flatten().tolist() == pytest.approx([0, 0.2, 1])
    assert ds.y.dtype == torch.long


def test_bad_input_is_refused():
    x, y = torch.rand(4, 3, 1), torch.arange(4)
    with pytest.raises(ValueError, match=r"x must be \[S, N, C\] and y \[S\], got \[4, 3\]"):
        NodeDataset(x.squeeze(2), y)
    with pytest.raises(ValueError, match=r"and \[3\]"):
        NodeDataset(x, y[:3])
    with pytest.raises(ValueError, match=r"cells must be \[3, D\]"):
        NodeDataset(x, y, torch.zeros(4, 2))
    with pytest.raises(ValueError, match=r"pos must be \[3, D\]"):
        NodeDataset(x, y, pos=torch.zeros(3))
