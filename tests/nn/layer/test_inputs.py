import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import SCGEConv


@pytest.fixture
def conv():
    return SCGEConv(1, 2, SharedGraph.from_grid((4, 5)))


def of_sizes(*sizes, **more):
    return Batch.from_data_list([Data(x=torch.randn(n, 1), **more) for n in sizes])


def test_samples_of_equal_size_come_in_any_form(conv):
    x = torch.randn(3, 20, 1)
    flat = conv(x).flatten(0, 1)
    batch = Batch.from_data_list([Data(x=one) for one in x])
    torch.testing.assert_close(conv(batch), flat)
    torch.testing.assert_close(conv(batch.x, batch=batch.batch), flat)
    torch.testing.assert_close(conv(Data(x=x[0])), flat[:20])


@pytest.mark.parametrize(
    ("sizes", "named"), [((12, 28), "12, 28"), ((10, 10), "10"), ((20, 20, 40), "20, 40"), ((40,), "40")]
)
def test_samples_of_other_sizes_are_refused(sizes, named, conv):
    match = rf"samples have {named} nodes, and the layer's graph has 20; .* node_id"
    with pytest.raises(ValueError, match=match):
        conv(of_sizes(*sizes))
    batch = of_sizes(*sizes)
    with pytest.raises(ValueError, match=match):
        conv(batch.x, batch=batch.batch)
    if len(sizes) == 1:
        with pytest.raises(ValueError, match=match):
            conv(Data(x=batch.x))


def test_samples_that_say_which_nodes_they_have(conv):
    x = torch.randn(2, 20, 1)
    present = [torch.tensor([4, 0, 7]), torch.randperm(20, generator=torch.Generator().manual_seed(0))]
    samples = [Data(x=one[nodes], node_id=nodes) for one, nodes in zip(x, present, strict=True)]
    dense = torch.zeros(2, 20, 1)
    for row, nodes in zip(range(2), present, strict=True):
        dense[row, nodes] = x[row, nodes]
    expected = torch.cat([y[nodes] for y, nodes in zip(conv(dense), present, strict=True)])
    torch.testing.assert_close(conv(Batch.from_data_list(samples)), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((HeteroData(),), TypeError, r"HeteroData has several node sets.*data\['pixel'\]\.x"),
        ((Data(num_nodes=20),), ValueError, r"the Data has no x; give node features as Data\(x=features\)"),
        ((torch.rand(20, 1), SharedGraph.from_grid((4, 5)).edge_index), ValueError, r"edge_index.*layer\(x\)"),
        ((torch.rand(20, 1), list(range(20))), TypeError, "node_id must be an int64 tensor"),
        ((torch.rand(20, 1), torch.rand(20)), ValueError, "node_id must hold integers, got torch.float32"),
        ((torch.rand(20, 1).numpy(),), TypeError, r"got ndarray; convert it with torch\.as_tensor"),
        ((torch.rand(20, 1).double(),), TypeError, r"x is torch\.float64 and the layer torch\.float32"),
        ((torch.ones(20, 1).long(),), TypeError, r"x is torch\.int64 and the layer torch\.float32"),
        ((torch.rand(20),), ValueError, r"x must be \[B, 20, 1\].*got \[20\]"),
        ((torch.rand(20, 1), None, torch.zeros(3).long()), ValueError, r"batch must be \[20\].*got \[3\]"),
        ((torch.rand(40, 1), None, torch.arange(40) % 2), ValueError, "batch must be sorted"),
    ],
)
def test_what_is_no_batch_is_named(arguments, error, match, conv):
    with pytest.raises(error, match=match):
        conv(*arguments)
