import pytest
import torch
from torch_geometric.data import Batch, Data

from scge_pyg.transforms import PointsToNodes

generator = torch.Generator().manual_seed(0)


def test_edges_are_the_nearest_neighbours():
    neighbors = pytest.importorskip("sklearn.neighbors")
    pos = torch.rand(60, 3, generator=generator)
    data = PointsToNodes(5)(pos)
    expected = neighbors.kneighbors_graph(pos.numpy(), 5).toarray() > 0
    found = torch.zeros(60, 60, dtype=torch.bool)
    found[data.edge_index[1], data.edge_index[0]] = True
    assert (found.numpy() == expected).all()
    assert data.edge_index.shape == (2, 300)
    assert torch.equal(data.x, pos)
    data.validate()


def test_there_and_back():
    cloud = Data(pos=torch.rand(20, 3, generator=generator), x=torch.rand(20, 2), y=torch.tensor([4]))
    convert = PointsToNodes(3)
    nodes = convert(cloud)
    assert torch.equal(nodes.x, torch.cat([cloud.pos, cloud.x], 1))
    assert "edge_index" not in cloud
    back = convert.inverse(nodes)
    assert sorted(back.keys()) == ["pos", "x", "y"]
    for key in back.keys():  # noqa: SIM118
        assert torch.equal(back[key], cloud[key])
    assert "x" not in convert.inverse(convert(cloud.pos))


def test_a_batch_of_clouds():
    clouds = torch.rand(4, 20, 2, generator=generator)
    batch = PointsToNodes(3)(clouds)
    assert isinstance(batch, Batch)
    for number in range(4):
        assert torch.equal(batch[number].edge_index, PointsToNodes(3)(clouds[number]).edge_index)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="k=8 needs more than 8 points, got 8"):
        PointsToNodes()(torch.rand(8, 3))
    with pytest.raises(ValueError, match=r"pos must be finite coordinates \[N, d\], got nothing"):
        PointsToNodes()(Data(x=torch.rand(9, 3)))
    with pytest.raises(ValueError, match=r"got \[9, 2\] with NaN or infinity"):
        PointsToNodes()(torch.full((9, 2), torch.nan))
    with pytest.raises(TypeError, match=r"got list; convert clouds before batching"):
        PointsToNodes()([1, 2])
    assert str(PointsToNodes()) == "PointsToNodes(k=8)"
