import pytest
import torch

from scge_pyg import lower_to_conv
from scge_pyg.graph import Lattice, SharedGraph
from scge_pyg.models import GridCNN, NodeMLP, SCGEClassifier
from scge_pyg.nn import SCGEConv
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


@pytest.fixture
def shuffled():
    """A 12x10 grid in another node order, and that order."""
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0))
    full = SharedGraph.from_grid((12, 10))
    lattice = Lattice(full.lattice.cell[order], (12, 10))
    return SharedGraph(lattice.pos, torch.zeros(2, 0, dtype=torch.long), lattice=lattice), order


@pytest.mark.parametrize("lowered", [False, True])
def test_on_a_full_grid_it_is_the_cnn(shuffled, lowered):
    graph, order = shuffled
    cnn = GridCNN(3, 5, (12, 10), channels=(4, 6)).double()
    model = SCGEClassifier(3, 5, graph, channels=(4, 6)).double()
    for ours, dense in zip(model.body, cnn.body, strict=True):
        if isinstance(ours, SCGEConv):
            ours.weight.data = dense.weight.data.flatten(2).permute(2, 1, 0).clone()
    model.head.load_state_dict(cnn.head.state_dict())
    x = torch.randn(4, 120, 3, dtype=torch.float64)
    net = lower_to_conv(model, strict=True) if lowered else model
    for training in (True, False):
        cnn.train(training)
        net.train(training)
        torch.testing.assert_close(net(x[:, order]), cnn(x))


def test_the_whole_body_shares_one_grid_view(shuffled):
    lowered = lower_to_conv(SCGEClassifier(3, 5, shuffled[0], channels=(4, 6)), strict=True)
    assert len(lowered.body) == 1
    dense = [type(module).__name__ for module in lowered.body[0].body]
    assert dense == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"] * 2


def test_coordinates_alone_suffice():
    pos = torch.rand(60, 2, generator=torch.Generator().manual_seed(0)) * 8
    pos[7] = torch.nan
    model = SCGEClassifier(2, 3, SharedGraph.from_pos(pos), channels=(4, 6)).eval()
    assert [layer.target.num_nodes for layer in model.body if isinstance(layer, SCGEConv)] == [60, 18]
    x = torch.randn(4, 60, 2)
    y = model(x)
    assert y.shape == (4, 3)
    assert_batch_equals_loop(model, x)
    x[:, 7] += 10
    torch.testing.assert_close(model(x), y)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ["cnn", "mlp", "scge"])
def test_layouts_and_gradients(name, dtype):
    models = {
        "cnn": lambda: GridCNN(3, 5, (8, 8), channels=(4, 6)),
        "mlp": lambda: NodeMLP(3, 5, 64, hidden=(16, 8)),
        "scge": lambda: SCGEClassifier(3, 5, SharedGraph.from_grid((8, 8)), channels=(4, 6)),
    }
    model = models[name]().to(dtype)
    x = torch.randn(4, 64, 3, dtype=dtype)
    assert_gradients_reach_all(model, x)
    model.eval()
    torch.testing.assert_close(model(x.flatten(0, 1)), model(x))
    assert model(x[0]).shape == (1, 5)
    with pytest.raises(ValueError, match=r"x must be \[B, 64, 3\]"):
        model(x[:, 1:])


def test_even_kernels_have_no_grid_of_the_same_shape():
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        GridCNN(3, 5, (8, 8), kernel_size=2)
