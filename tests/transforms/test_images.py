import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from scge_pyg import SharedGraph
from scge_pyg.graph import Lattice
from scge_pyg.transforms import ImageToNodes, NodesToImage


def test_pixels_come_in_row_major_order():
    image = torch.arange(24.0).view(2, 3, 4)
    nodes = ImageToNodes()(image)
    assert nodes.shape == (12, 2)
    for row in range(3):
        for col in range(4):
            assert torch.equal(nodes[4 * row + col], image[:, row, col])


@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 1, 6, 2), (5, 3, 2, 6)])
def test_there_and_back(shape):
    images = torch.rand(shape)
    assert torch.equal(NodesToImage(shape[-2:])(ImageToNodes()(images)), images)


def test_a_lattice_puts_shuffled_nodes_back_and_fills_the_holes():
    order = torch.tensor([3, 0, 5, 2, 1])
    lattice = Lattice(SharedGraph.from_grid((2, 3)).lattice.cell[order], (2, 3))
    x = order.float().view(1, 5, 1)
    assert NodesToImage(lattice, fill=-7)(x).tolist() == [[[[0, 1, 2], [3, -7, 5]]]]
    graph = SharedGraph(lattice.pos, torch.empty(2, 0, dtype=torch.long), lattice=lattice)
    assert torch.equal(NodesToImage(graph)(x), NodesToImage(lattice)(x))


def test_data_stays_whole_and_batches_as_images():
    image = torch.rand(3, 4, 5)
    data = Data(x=image, y=torch.tensor([2]))
    nodes = ImageToNodes()(data)
    assert data.x.shape == (3, 4, 5)
    assert nodes.x.shape == (20, 3)
    assert nodes.num_nodes == 20
    back = NodesToImage((4, 5))(nodes)
    assert torch.equal(back.x[0], image)
    assert int(back.y) == 2
    assert torch.equal(ImageToNodes()(back).x, nodes.x)
    batch = next(iter(DataLoader([back, back], batch_size=2)))
    assert batch.x.shape == (2, 3, 4, 5)


def test_channels_of_pixels_as_nodes_of_their_own():
    images = torch.rand(5, 3, 2, 4)
    nodes = ImageToNodes(per_channel=True)(images)
    assert nodes.shape == (5, 24, 1)
    for channel in range(3):
        assert torch.equal(nodes[:, 8 * channel : 8 * channel + 8, 0], images[:, channel].flatten(1))
    back = NodesToImage((2, 4), per_channel=True)
    assert torch.equal(back(nodes), images)
    assert torch.equal(back(nodes[0]), images[0])
    one = ImageToNodes(per_channel=True)(Data(x=images[0]))
    assert one.num_nodes == 24
    assert torch.equal(back(one).x[0], images[0])
    with pytest.raises(ValueError, match=r"must be \[S, C \* 8, 1\], one node for each channel of 8 pixels, got"):
        back(torch.rand(5, 23, 1))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"must be \[\.\.\., C, H, W\], got \[4, 5\]"):
        ImageToNodes()(torch.rand(4, 5))
    with pytest.raises(ValueError, match="one sample"):
        ImageToNodes()(Data(x=torch.rand(2, 3, 4, 5)))
    with pytest.raises(ValueError, match="no lattice"):
        NodesToImage(SharedGraph.from_pos(torch.rand(9, 2)))
    with pytest.raises(ValueError, match=r"x must be \[S, 20, C\]"):
        NodesToImage((4, 5))(torch.rand(2, 19, 3))


def test_repr():
    assert str(ImageToNodes()) == "ImageToNodes()"
    assert str(ImageToNodes(per_channel=True)) == "ImageToNodes(per_channel=True)"
    assert str(NodesToImage((4, 5))) == "NodesToImage(4x5)"
