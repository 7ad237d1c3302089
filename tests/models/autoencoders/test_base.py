import pytest
import torch

from scge_pyg.models.autoencoders import AutoEncoder, MLPAutoEncoder


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((6, 1, 0), "latent must be a positive integer, got 0"),
        ((6, 1, 7), "latent must be at most num_nodes \\* in_channels = 6, got 7"),
        ((6, 2, 13), "= 12, got 13"),
        ((0, 1, 1), "num_nodes must be a positive integer"),
        ((6, 1.0, 1), "in_channels must be a positive integer"),
        ((6, 1, True), "latent must be a positive integer"),
    ],
)
def test_sizes(sizes, message):
    with pytest.raises(ValueError, match=message):
        MLPAutoEncoder(*sizes, hidden=(4,))


def test_all_layouts_of_a_batch():
    model = MLPAutoEncoder(6, 2, 3, hidden=(4,))
    x = torch.rand(5, 6, 2)
    assert model.encode(x).shape == (5, 3)
    assert model(x).shape == (5, 6, 2)
    torch.testing.assert_close(model.encode(x.flatten(0, 1)), model.encode(x))
    torch.testing.assert_close(model.encode(x[1]), model.encode(x)[1:2])
    torch.testing.assert_close(model.decode(model.encode(x)), model(x))


@pytest.mark.parametrize("shape", [(5, 6), (5, 5, 2), (5, 7, 2)])
def test_wrong_samples(shape):
    with pytest.raises(ValueError, match="MLPAutoEncoder: x must be"):
        MLPAutoEncoder(6, 2, 3, hidden=(4,)).encode(torch.rand(shape))


@pytest.mark.parametrize("shape", [(5,), (5, 2), (5, 3, 1)])
def test_wrong_codes(shape):
    with pytest.raises(ValueError, match=r"z must be \[B, 3\]"):
        MLPAutoEncoder(6, 2, 3, hidden=(4,)).decode(torch.rand(shape))


def test_the_interface_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        AutoEncoder(6, 1, 2)
