import pytest
import torch
from torch.nn import functional as F

from scge_pyg.models.autoencoders import TransformerAutoEncoder
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


def small(**sizes):
    return TransformerAutoEncoder((6, 4), 2, 5, **{"patch": 2, "width": 8, "heads": 2, "hidden": 6, **sizes})


def attend(layer, tokens):
    """One layer of self-attention that normalises first, written out."""
    attention = layer.self_attn
    normed = layer.norm1(tokens)
    query, key, value = (normed @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, 2)
    heads = [x.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for x in (query, key, value)]
    weight = (heads[0] @ heads[1].transpose(2, 3) / heads[0].shape[3] ** 0.5).softmax(3)
    tokens = tokens + attention.out_proj((weight @ heads[2]).transpose(1, 2).flatten(2))
    return tokens + layer.linear2(F.gelu(layer.linear1(layer.norm2(tokens))))


def test_equals_its_layers_one_by_one():
    model = small(depth=2).double()
    x = torch.rand(3, 24, 2, dtype=torch.float64)
    image = x.view(3, 6, 4, 2).permute(0, 3, 1, 2)
    weight = model.embed.weight.view(8, 2, 2, 2).permute(0, 3, 1, 2)  # of a convolution from patch to patch
    tokens = F.conv2d(image, weight, model.embed.bias, stride=2).flatten(2).transpose(1, 2) + model.place_down
    for layer in model.down.layers:
        tokens = attend(layer, tokens)
    z = model.dense_down(model.down.norm(tokens).flatten(1))
    torch.testing.assert_close(model.encode(x), z)
    tokens = model.dense_up(z).view(3, 6, 8) + model.place_up
    for layer in model.up.layers:
        tokens = attend(layer, tokens)
    weight = model.unembed.weight.view(2, 2, 2, 8).permute(3, 2, 0, 1)
    grid = model.up.norm(tokens).transpose(1, 2).view(3, 8, 3, 2)
    image = F.conv_transpose2d(grid, weight, model.bias, stride=2)
    torch.testing.assert_close(model(x), image.permute(0, 2, 3, 1).flatten(1, 2))


def test_batches_and_gradients():
    model, x = small(), torch.rand(4, 24, 2)
    assert_batch_equals_loop(model, x)
    assert_gradients_reach_all(model, x)
    torch.testing.assert_close(model.eval()(x), model.train()(x))


@pytest.mark.parametrize("latent", [1, 7, 48])
def test_the_code_has_the_size_that_is_asked_for(latent):
    model = TransformerAutoEncoder((6, 4), 2, latent, patch=2, width=8, heads=2, hidden=6)
    assert model.encode(torch.rand(3, 24, 2)).shape == (3, latent)


def test_it_starts_at_the_mean_of_each_channel():
    model, x = small(), torch.rand(7, 24, 2)
    model.initialize(x)
    torch.testing.assert_close(model.bias.data, x.mean((0, 1)))


@pytest.mark.parametrize("name", ["patch", "width", "depth", "heads", "hidden"])
@pytest.mark.parametrize("size", [0, -2, 1.0, True])
def test_sizes_are_positive_integers(name, size):
    with pytest.raises(ValueError, match=f"TransformerAutoEncoder: {name} must be a positive integer, got {size}"):
        small(**{name: size})


def test_bad_sizes():
    with pytest.raises(ValueError, match=r"multiples of patch=4, got \(6, 8\)"):
        TransformerAutoEncoder((6, 8), 1, 3)
    with pytest.raises(ValueError, match="width must be a multiple of heads=4, got 10"):
        TransformerAutoEncoder((8, 8), 1, 3, width=10)
