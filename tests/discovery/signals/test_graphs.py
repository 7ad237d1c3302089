import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.loader import DataLoader

from scge_pyg.discovery.signals import reading
from scge_pyg.discovery.signals.samples import read


@pytest.fixture
def x():
    return torch.randn(60, 12, 2, generator=torch.Generator().manual_seed(0))


def shuffled(count, size=12):
    generator = torch.Generator().manual_seed(1)
    return [torch.randperm(12, generator=generator)[:size] for _ in range(count)]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda samples: DataLoader(samples, batch_size=7),
        lambda samples: [(batch, "label") for batch in DataLoader(samples, batch_size=60)],
        lambda samples: Batch.from_data_list(samples),
        lambda samples: samples,
        lambda samples: iter(samples),
    ],
    ids=["loader", "tuples", "one batch", "list of Data", "iterator of Data"],
)
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_node_id_places_the_values(x, wrap, dtype, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 8 * 24 * 5)
    samples = [Data(x=sample[i], node_id=i.to(dtype)) for sample, i in zip(x, shuffled(60), strict=True)]
    assert torch.equal(read(wrap(samples)).values, x)


def test_absent_nodes_are_missing(x):
    ids = shuffled(60, size=9)
    samples = [Data(x=sample[i], node_id=i) for sample, i in zip(x, ids, strict=True)]
    expected = torch.full_like(x, torch.nan)
    for number, i in enumerate(ids):
        expected[number, i] = x[number, i]
    found = read(DataLoader(samples, batch_size=8))
    torch.testing.assert_close(found.values, expected, rtol=0, atol=0, equal_nan=True)
    assert found.live.all()


def test_later_batches_may_bring_further_nodes(x):
    samples = [Data(x=x[0, :3], node_id=torch.tensor([2, 0, 1])), Data(x=x[1, :2], node_id=torch.tensor([4, 2]))]
    found = read(iter(samples)).values
    assert found.shape == (2, 5, 2)
    assert torch.equal(found[0, [2, 0, 1]], x[0, :3])
    assert torch.equal(found[1, [4, 2]], x[1, :2])
    assert found.isnan().all(2).tolist() == [[False, False, False, True, True], [True, True, False, True, False]]


def test_samples_of_any_size_with_node_id_and_a_missing_value():
    samples = [
        Data(x=torch.tensor([0, 5]), node_id=torch.tensor([1, 0])),
        Data(x=torch.tensor([7]), node_id=torch.tensor([1])),
    ]
    found = read(DataLoader(samples, batch_size=2), missing_value=0)
    torch.testing.assert_close(found.values[..., 0], torch.tensor([[5, torch.nan], [torch.nan, 7]]), equal_nan=True)


def test_one_channel_may_go_without_an_axis(x):
    flat = [Data(x=sample[:, 0]) for sample in x]
    assert torch.equal(read(DataLoader(flat, batch_size=7)).values, x[:, :, :1])


def test_unequal_samples_are_refused_with_their_sizes(x):
    batch = Batch.from_data_list([Data(x=torch.rand(12, 1)), Data(x=torch.rand(28, 1))])
    with pytest.raises(
        ValueError, match=r"batch 0 of x holds samples of 12 and 28 nodes; .*samples of equal size.*node_id"
    ):
        read([batch])
    batch = Batch.from_data_list([Data(x=torch.rand(size, 1)) for size in (3, 9, 5)])
    with pytest.raises(ValueError, match=r"x holds samples of 3 to 9 nodes.*node_id"):
        read(batch)
    with pytest.raises(ValueError, match=r"must share N and C, got \[5, 1\] after \[3, 1\].*node_id"):
        read([Data(x=torch.rand(3, 1)), Data(x=torch.rand(5, 1))])


@pytest.mark.parametrize(
    ("node_id", "error", "match"),
    [
        (torch.tensor([0, 1, 1]), ValueError, "sample 0 of batch 0 of x has node 1 twice"),
        (torch.tensor([0, -1, 1]), ValueError, "must be 0 or more, got -1"),
        (torch.tensor([0, 1]), ValueError, r"must number the 3 rows of x, got shape \[2\]"),
        (torch.tensor([0.0, 1.0, 2.0]), TypeError, "must be a tensor of integers"),
        ([0, 1, 2], TypeError, "must be a tensor of integers"),
        (torch.tensor([0, 1, 2**40]), ValueError, r"goes up to 1099511627776; number the nodes 0..N-1.*torch.unique"),
    ],
)
def test_node_id_that_makes_no_sense(node_id, error, match):
    with pytest.raises(error, match=match):
        read([Data(x=torch.rand(3, 1), node_id=node_id)])


def test_some_batches_with_node_id_and_some_without():
    plain, placed = Data(x=torch.rand(3, 1)), Data(x=torch.rand(3, 1), node_id=torch.arange(3))
    with pytest.raises(ValueError, match="either all batches must have node_id or none, batch 1 of x"):
        read([plain, placed])


@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        (Data(num_nodes=5), ValueError, r"has no x; store the values .* as data\.x"),
        (Data(x=torch.eye(4).to_sparse()), TypeError, r"dense tensor; use .*to_dense"),
        (Data(x=torch.rand(4, 2, 2)), ValueError, r"must be \[M, C\] or \[M\], got \[4, 2, 2\]"),
        (HeteroData(), TypeError, r"several types of nodes; pass the x of one, data\[node_type\]\.x"),
    ],
)
def test_data_without_values_of_one_node_set(data, error, match):
    with pytest.raises(error, match=match):
        read([data])


def test_one_data_alone_is_one_sample():
    with pytest.raises(TypeError, match="got Data, which is one sample; pass a list of them or a DataLoader"):
        read(Data(x=torch.rand(5, 1)))
    with pytest.raises(TypeError, match=r"got HeteroData; pass the batches of one node type"):
        read(HeteroData())
