import pytest
import torch

from scge_pyg import NodeEmbedding, SharedGraph, lower_to_conv
from scge_pyg.models.autoencoders import (
    AutoEncoder,
    ConvAutoEncoder,
    LinearAutoEncoder,
    LocallyConnectedAutoEncoder,
    MLPAutoEncoder,
    PCAAutoEncoder,
    SCGEAutoEncoder,
)


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


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.long])
@pytest.mark.parametrize("make", [lambda: MLPAutoEncoder(6, 2, 3, hidden=(4,)), lambda: PCAAutoEncoder(6, 2, 3)])
def test_numbers_of_another_kind(make, dtype):
    model = make()
    message = (
        rf"AutoEncoder: {{}} is {dtype} and the model torch.float32; convert one of them, {{}}.to\(torch.float32\)"
    )
    with pytest.raises(TypeError, match=message.format("x", "x")):
        model.loss(torch.ones(5, 6, 2, dtype=dtype))
    with pytest.raises(TypeError, match=message.format("z", "z")):
        model.decode(torch.ones(5, 3, dtype=dtype))


def test_autocast_chooses_the_numbers_itself():
    model, x = MLPAutoEncoder(6, 2, 3, hidden=(4,)), torch.rand(5, 6, 2)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(model(x.bfloat16()).float(), model(x).float(), atol=0.05, rtol=0)


def test_the_loss_is_the_mean_over_samples_in_every_layout():
    for nodes in (1, 6):
        model, x = MLPAutoEncoder(nodes, 2, 2, hidden=(4,)), torch.rand(5, nodes, 2)
        expected = torch.stack([(one - model(one)[0]).square().sum() for one in x]).mean()
        torch.testing.assert_close(model.loss(x), expected)
        torch.testing.assert_close(model.loss(x.flatten(0, 1)), expected)
    with pytest.raises(ValueError, match=r"a loss needs at least one sample, got x \[0, 6, 2\]"):
        model.loss(x[:0])


@pytest.mark.parametrize("hidden", [0, -1, 2.0])
def test_dense_layers_have_a_width(hidden):
    message = f"AutoEncoder: hidden must be a positive integer, got {hidden}"
    with pytest.raises(ValueError, match=message):
        ConvAutoEncoder((8, 4), 1, 2, hidden=hidden)
    with pytest.raises(ValueError, match=message):
        SCGEAutoEncoder(GRID, 1, 2, hidden=hidden)


def test_the_interface_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        AutoEncoder(6, 1, 2)


GRID = SharedGraph.from_grid((8, 4))
SIZES = {"channels": (3, 5), "hidden": 6}
ONE_A_VALUE = {
    "linear": lambda: LinearAutoEncoder(32, 2, 3),
    "MLP": lambda: MLPAutoEncoder(32, 2, 3, hidden=(6, 5), batch_norm=True),
    "locally connected": lambda: LocallyConnectedAutoEncoder(GRID, 2, 3, **SIZES),
}
ONE_A_CHANNEL = {
    "convolutional": lambda: ConvAutoEncoder((8, 4), 2, 3, **SIZES),
    "SCGE": lambda: SCGEAutoEncoder(GRID, 2, 3, **SIZES),
    "lowered": lambda: lower_to_conv(SCGEAutoEncoder(GRID, 2, 3, **SIZES), strict=True),
    "coordinates": lambda: SCGEAutoEncoder(SharedGraph.from_pos(GRID.pos), 2, 3, **SIZES),
    "content": lambda: SCGEAutoEncoder(GRID, 2, 3, content="dot", **SIZES),
    "learned": lambda: SCGEAutoEncoder(NodeEmbedding(32, 2, seed=0), 2, 3, **SIZES),
}


def where_only_biases_speak(model, x):
    """Reconstructions by a model that has started from ``x``, once no layer of its decoder hears the one before."""
    model.initialize(x)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("up", "dense_up")) and name.endswith("weight"):
                parameter.zero_()
    return model.eval()(x)


@pytest.mark.parametrize("make", ONE_A_VALUE.values(), ids=ONE_A_VALUE)
def test_a_bias_for_each_value_starts_at_its_mean(make):
    x = torch.rand(7, 32, 2)
    torch.testing.assert_close(where_only_biases_speak(make(), x), x.mean(0).expand(7, 32, 2))


@pytest.mark.parametrize("make", ONE_A_CHANNEL.values(), ids=ONE_A_CHANNEL)
def test_a_bias_for_each_channel_starts_at_its_mean(make):
    x = torch.rand(7, 32, 2)
    torch.testing.assert_close(where_only_biases_speak(make(), x), x.mean((0, 1)).expand(7, 32, 2))


def test_nodes_that_take_no_part_start_at_their_own_mean():
    graph = SharedGraph(GRID.pos, GRID.edge_index, lattice=GRID.lattice, live=torch.arange(32) != 5)
    x = torch.rand(7, 32, 1)
    mean = x[:, torch.arange(32) != 5].mean().repeat(32)
    mean[5] = x[:, 5].mean()
    found = where_only_biases_speak(SCGEAutoEncoder(graph, 1, 3, **SIZES), x)
    torch.testing.assert_close(found, mean.view(32, 1).expand(7, 32, 1))


def test_a_closed_form_has_nothing_to_start():
    model = PCAAutoEncoder(32, 2, 3)
    model.initialize(torch.rand(7, 32, 2))
    assert not list(model.parameters())


def test_bad_samples_to_start_from():
    model = MLPAutoEncoder(6, 2, 3, hidden=(4,))
    with pytest.raises(ValueError, match=r"MLPAutoEncoder\.initialize: x holds NaN"):
        model.initialize(torch.full((5, 6, 2), torch.nan))
    with pytest.raises(ValueError, match=r"MLPAutoEncoder\.initialize: x must be"):
        model.initialize(torch.rand(5, 7, 2))
