import pytest
import torch

from scge_pyg.models.autoencoders import (
    PCAAutoEncoder,
    SecondOrderAutoEncoder,
    fit_autoencoder,
    reconstruction_error,
)
from scge_pyg.testing import assert_batch_equals_loop, assert_gradients_reach_all


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def bent():
    """300 points of a curved sheet in 12 dimensions, exactly of second order."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(300, 2, generator=generator, dtype=torch.float64)
    features = torch.stack([z[:, 0], z[:, 1], 0.5 * z[:, 0] ** 2, z[:, 0] * z[:, 1], 0.5 * z[:, 1] ** 2], 1)
    maps = torch.randn(5, 12, generator=generator, dtype=torch.float64) * torch.tensor(
        [[2.0], [2.0], [0.3], [0.3], [0.3]]
    )
    return (features @ maps + 3).unflatten(1, (6, 2))


@pytest.fixture
def model():
    return SecondOrderAutoEncoder(6, 2, 3, hidden=8).double()


def test_the_closed_form_jacobian_is_autograds(model):
    z = torch.randn(5, 3, dtype=torch.float64)
    exact = torch.func.vmap(torch.func.jacrev(lambda code: model.decode(code[None])[0]))(z)
    torch.testing.assert_close(model.jacobian(z), exact)


def test_the_formula_sample_by_sample(model):
    z = torch.randn(5, 3, dtype=torch.float64)
    W, A = model.hessian(), model.linear.T.unflatten(0, (6, 2))
    torch.testing.assert_close(W, W.transpose(2, 3))
    assert W.shape == (6, 2, 3, 3)
    for code, sample in zip(z, model.decode(z), strict=True):
        torch.testing.assert_close(sample, model.mean.view(6, 2) + A @ code + 0.5 * (W @ code) @ code)
    exact = torch.func.hessian(lambda code: model.decode(code[None])[0])(z[0])
    torch.testing.assert_close(W, exact)


def test_layouts_and_gradients(model):
    x = torch.rand(5, 6, 2, dtype=torch.float64)
    assert_gradients_reach_all(model, x)
    assert_batch_equals_loop(model, x)
    assert model.encode(x[0]).shape == (1, 3)
    assert model.jacobian(model.encode(x)).shape == (5, 6, 2, 3)


def test_it_starts_below_pca_and_training_improves_it(bent):
    pca = reconstruction_error(PCAAutoEncoder(6, 2, 2).double().fit(bent), bent)
    model = SecondOrderAutoEncoder(6, 2, 2, hidden=32).double()
    model.initialize(bent)
    z = model.encode(bent)
    torch.testing.assert_close(z.T @ z / 300, torch.eye(2).double())
    start = reconstruction_error(model, bent)
    assert start < 0.9 * pca
    fit_autoencoder(model, bent, epochs=40, batch_size=50, lr=0.01)
    assert reconstruction_error(model, bent) < 0.5 * start


def test_without_curvature_the_start_is_pca():
    half = torch.randn(100, 12, dtype=torch.float64) * torch.linspace(2, 0.1, 12)
    x = torch.cat([half, -half]).unflatten(1, (6, 2))
    model = SecondOrderAutoEncoder(6, 2, 3).double()
    model.initialize(x)
    assert model.hessian().abs().max() < 1e-10  # odd data have no even part
    torch.testing.assert_close(model(x), PCAAutoEncoder(6, 2, 3).double().fit(x)(x))


def test_codes_by_gradient_train_the_decoder(bent):
    model = SecondOrderAutoEncoder(6, 2, 2, encoder="gradient").double()
    model.initialize(bent)
    start = reconstruction_error(model, bent)
    fit_autoencoder(model, bent, epochs=15, batch_size=50, lr=0.01)
    assert reconstruction_error(model, bent) < 0.1 * start
    assert not model.encode(bent).requires_grad
    assert_batch_equals_loop(model, bent[:4])


def test_refinement_can_only_help(bent):
    model = SecondOrderAutoEncoder(6, 2, 2, steps=10).double()
    model.initialize(bent)
    amortized = (bent - model.train()(bent)).square().sum((1, 2))
    assert ((bent - model.eval()(bent)).square().sum((1, 2)) <= amortized * (1 + 1e-12)).all()


def test_initialize_refuses_bad_samples(model):
    with pytest.raises(ValueError, match=r"SecondOrderAutoEncoder.initialize: x holds 1 NaN"):
        model.initialize(torch.rand(9, 6, 2).flatten().index_fill(0, torch.tensor([3]), torch.nan).view(9, 6, 2))
    with pytest.raises(TypeError, match=r"must be a tensor \[S, N, C\], got list"):
        model.initialize([torch.rand(9, 6, 2)])
    with pytest.raises(ValueError, match=r"x must be \[B, 6, 2\]"):
        model.initialize(torch.rand(9, 5, 2))


def test_the_state_dict_is_all_there_is(bent, model):
    other = SecondOrderAutoEncoder(6, 2, 3, hidden=8).double()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(bent), model(bent))


def test_bad_encoder():
    with pytest.raises(ValueError, match="encoder must be 'amortized' or 'gradient'"):
        SecondOrderAutoEncoder(6, 2, 3, encoder="mlp")
