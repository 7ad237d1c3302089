import pytest
import torch
from torch.nn import functional as F

from scge_pyg.models.autoencoders import ConvAutoEncoder
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


def test_equals_its_layers_one_by_one():
    model = ConvAutoEncoder((8, 12), 2, 5, channels=(3, 4), hidden=6).double()
    x = torch.rand(2, 96, 2, dtype=torch.float64)
    grid = x.view(2, 8, 12, 2).permute(0, 3, 1, 2)
    for layer in (model.down[0], model.down[2]):
        grid = F.relu(F.conv2d(grid, layer.weight, layer.bias, stride=2, padding=1))
    z = model.dense_down(grid.permute(0, 2, 3, 1).flatten(1))
    torch.testing.assert_close(model.encode(x), z)
    grid = model.dense_up(z).view(2, 2, 3, 4).permute(0, 3, 1, 2)
    grid = F.relu(F.conv_transpose2d(grid, model.up[0].weight, model.up[0].bias, stride=2, padding=1))
    grid = F.conv_transpose2d(grid, model.up[2].weight, model.up[2].bias, stride=2, padding=1)
    torch.testing.assert_close(model(x), grid.permute(0, 2, 3, 1).flatten(1, 2))


def test_batches_and_gradients():
    model = ConvAutoEncoder((8, 8), 1, 3, channels=(4,), hidden=8)
    x = torch.rand(4, 64, 1)
    assert_batch_equals_loop(model, x)
    assert_gradients_reach_all(model, x)


def test_a_shape_that_cannot_be_halved():
    with pytest.raises(ValueError, match=r"multiples of 2\*\*2.*got \(28, 30\)"):
        ConvAutoEncoder((28, 30), 1, 3)
