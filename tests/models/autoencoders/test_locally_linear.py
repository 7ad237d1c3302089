import pytest
import torch

from scge_pyg.models.autoencoders import (
    LocallyLinearAutoEncoder,
    PCAAutoEncoder,
    fit_autoencoder,
    reconstruction_error,
)
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def bent():
    """400 points of a curved sheet in 12 dimensions."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(400, 2, generator=generator, dtype=torch.float64)
    maps = torch.randn(2, 12, generator=generator, dtype=torch.float64)
    return (2 * z @ maps + torch.sin(2 * z @ maps.roll(3, 1)) + 3).unflatten(1, (6, 2))


@pytest.fixture
def model():
    """Random, with maps that disagree."""
    model = LocallyLinearAutoEncoder(6, 2, 3, num_maps=4, hidden=8).double()
    torch.nn.init.normal_(model.means)
    torch.nn.init.constant_(model.log_sigma, -0.3)
    return model


def jacobian(model, z):
    return torch.func.vmap(torch.func.jacrev(lambda code: model.decode(code[None])[0]))(z)


def local_maps(model, z):
    """Predictions [B, K, D] of each map, map by map."""
    return torch.stack(
        [(z - nu) @ W + mu for nu, W, mu in zip(model.centers, model.weight, model.means, strict=True)],
        1,
    )


@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.0])
def test_the_formula_map_by_map(model, temperature):
    model.temperature = temperature
    z = torch.randn(5, 3, dtype=torch.float64)
    for code, local, sample, gates in zip(z, local_maps(model, z), model.decode(z), model.gates(z), strict=True):
        energy = torch.stack([-((code - nu) ** 2).sum() / (2 * model.log_sigma.exp()) for nu in model.centers])
        if temperature:
            weight = (energy / temperature).exp() / (energy / temperature).exp().sum()
        else:
            weight = (energy == energy.max()).double()
        torch.testing.assert_close(gates, weight)
        torch.testing.assert_close(sample.flatten(), weight @ local)


def test_the_nearest_map_wins(model):
    """The notes' energy without its minus sign would choose the farthest."""
    assert model.gates(model.centers).argmax(1).tolist() == [0, 1, 2, 3]


def test_cooling_down_reaches_the_hard_limit(model):
    z = torch.randn(50, 3, dtype=torch.float64)
    model.temperature = 0.0
    cold = model.decode(z)
    nearest = torch.cdist(z, model.centers).argmin(1)
    torch.testing.assert_close(cold.flatten(1), local_maps(model, z)[torch.arange(50), nearest])
    model.temperature = 1e-6
    torch.testing.assert_close(model.decode(z), cold)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.0])
def test_what_the_approximate_jacobian_neglects(model, temperature):
    model.temperature = temperature
    z = torch.randn(5, 3, dtype=torch.float64)
    gates, local = model.gates(z), local_maps(model, z)
    missing = torch.zeros(5, 6, 2, 3, dtype=torch.float64)
    if temperature:
        apart = model.centers - (gates @ model.centers).unsqueeze(1)
        missing = torch.einsum("bk,bkd,bke->bde", gates, local, apart) / (model.log_sigma.exp() * temperature)
        missing = missing.unflatten(1, (6, 2))
        assert missing.abs().max() > 0.1
    torch.testing.assert_close(model.approximate_jacobian(z) + missing, jacobian(model, z))


def test_layouts_and_gradients(model):
    x = torch.rand(5, 6, 2, dtype=torch.float64)
    assert_gradients_reach_all(model, x)
    assert_batch_equals_loop(model, x)
    assert model.encode(x[0]).shape == (1, 3)


def test_parameters_grow_with_maps():
    def count(maps):
        model = LocallyLinearAutoEncoder(50, 1, 3, num_maps=maps)
        return sum(p.numel() for p in model.parameters())

    assert count(9) - count(8) == (3 + 1) * 50 + 3


def test_one_map_is_pca(bent):
    model = LocallyLinearAutoEncoder(6, 2, 2, num_maps=1).double()
    model.initialize(bent)
    torch.testing.assert_close(model(bent), PCAAutoEncoder(6, 2, 2).double().fit(bent)(bent))


@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_it_starts_below_pca_and_training_improves_it(bent, temperature):
    pca = reconstruction_error(PCAAutoEncoder(6, 2, 2).double().fit(bent), bent)
    model = LocallyLinearAutoEncoder(6, 2, 2, num_maps=12, hidden=32, temperature=temperature).double()
    model.initialize(bent)
    start = reconstruction_error(model, bent)
    assert start < 0.7 * pca
    fit_autoencoder(model, bent, epochs=40, batch_size=50, lr=0.01)
    assert reconstruction_error(model, bent) < 0.95 * start


def test_initialize_repeats_itself_and_needs_no_full_cluster(bent):
    first, second = (LocallyLinearAutoEncoder(6, 2, 2, num_maps=7).double() for _ in range(2))
    first.initialize(bent)
    second.initialize(bent)
    assert torch.equal(first(bent), second(bent))
    twice = bent[:3].repeat(4, 1, 1)  # three different samples, five maps: some clusters stay empty
    model = LocallyLinearAutoEncoder(6, 2, 2, num_maps=5).double()
    model.initialize(twice)
    torch.testing.assert_close(model(twice), twice)


def test_codes_by_gradient_train_the_decoder(bent):
    model = LocallyLinearAutoEncoder(6, 2, 2, num_maps=12, encoder="gradient").double()
    model.initialize(bent)
    start = reconstruction_error(model, bent)
    fit_autoencoder(model, bent, epochs=10, batch_size=50, lr=0.01)
    assert reconstruction_error(model, bent) < 0.8 * start
    assert not model.encode(bent).requires_grad


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_maps": 0}, "num_maps must be a positive integer, got 0"),
        ({"num_maps": 2.0}, "num_maps must be a positive integer"),
        ({"temperature": -1.0}, "temperature must be at least 0 and finite, got -1"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"encoder": "mlp"}, "encoder must be 'amortized' or 'gradient'"),
    ],
)
def test_bad_arguments(given, message):
    with pytest.raises(ValueError, match=message):
        LocallyLinearAutoEncoder(6, 2, 3, **given)


def test_initialize_refuses_bad_samples(model):
    with pytest.raises(ValueError, match="initialize: x holds 108 NaN"):
        model.initialize(torch.full((9, 6, 2), torch.nan))
    with pytest.raises(ValueError, match="at least num_maps=4 samples, got 3"):
        model.initialize(torch.rand(3, 6, 2))
    with pytest.raises(TypeError, match=r"must be a tensor \[S, N, C\], got list"):
        model.initialize([torch.rand(9, 6, 2)])
