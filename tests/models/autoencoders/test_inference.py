import pytest
import torch

from scge_pyg.models.autoencoders import LatentEncoder, MLPAutoEncoder, infer_latent
from scge_pyg.testing import assert_batch_equals_loop

DOUBLE = {"dtype": torch.float64}


class Curved(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line, self.bend = torch.nn.Linear(3, 10), torch.nn.Linear(3, 10)

    def forward(self, z):
        return 2 * self.line(z) + 0.3 * torch.tanh(2 * self.bend(z))


@pytest.fixture
def curved():
    """A smooth decoder that is one to one, and samples that it can't reach."""
    torch.manual_seed(0)
    decode = Curved().double()
    return decode, torch.randn(7, 10, **DOUBLE)


def test_least_squares_on_a_linear_decoder():
    torch.manual_seed(0)
    A = torch.randn(4, 20, **DOUBLE) * torch.tensor([[2.0], [1.5], [1.0], [0.5]])
    x = torch.randn(6, 20, **DOUBLE)
    found = infer_latent(lambda z: z @ A + 1, x, torch.zeros(6, 4, **DOUBLE), steps=100)
    exact = torch.linalg.lstsq(A.T, (x - 1).T).solution.T
    torch.testing.assert_close(found.z, exact, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("step_size", [1e-6, 0.1, 1e6])
def test_no_loss_ever_rises(curved, step_size):
    decode, x = curved
    found = infer_latent(decode, x, torch.zeros(7, 3, **DOUBLE), steps=60, step_size=step_size)
    assert found.losses.shape == (61, 7)
    assert (found.losses.diff(dim=0) <= 0).all()
    assert (found.losses[-1] < found.losses[0]).all()
    torch.testing.assert_close((x - decode(found.z)).square().sum(1), found.losses[-1])


def test_the_first_step_follows_the_notes(curved):
    """dz/dt = (x - r(z))^T grad r, against central differences of the loss."""
    decode, x = curved
    z0 = torch.randn(7, 3, **DOUBLE)
    beta, h = 1e-4, 1e-5
    moved = (infer_latent(decode, x, z0, steps=1, step_size=beta).z - z0) / beta
    for e in range(3):
        shift = h * torch.eye(3, **DOUBLE)[e]
        up, down = ((x - decode(z0 + s)).square().sum(1) / 2 for s in (shift, -shift))
        torch.testing.assert_close(moved[:, e], -(up - down) / (2 * h), atol=1e-7, rtol=1e-7)


def test_it_ends_where_the_gradient_vanishes(curved):
    decode, x = curved
    z = infer_latent(decode, x, torch.zeros(7, 3, **DOUBLE), steps=100).z.requires_grad_()
    (slope,) = torch.autograd.grad((x - decode(z)).square().sum(), z)
    assert slope.abs().max() < 1e-4


def test_samples_are_independent_and_codes_constant(curved):
    decode, x = curved
    assert_batch_equals_loop(lambda part: infer_latent(decode, part, part[:, :3], steps=9).z, x)
    found = infer_latent(decode, x, x[:, :3])
    assert not found.z.requires_grad
    assert not found.losses.requires_grad
    assert all(parameter.grad is None for parameter in decode.parameters())
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            torch.testing.assert_close(infer_latent(decode, x * 1, x[:, :3]).z, found.z)


def test_a_step_into_nothing_is_not_taken():
    """A decoder that overflows away from the start."""
    found = infer_latent(lambda z: z.sqrt(), torch.zeros(1, 1), torch.ones(1, 1), step_size=100.0, steps=30)
    assert found.losses.isfinite().all()
    assert found.losses[-1] < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z0": torch.zeros(6, 3)}, r"z0 must be \[B, latent\] with one row for each of the 7 samples"),
        ({"z0": torch.zeros(7)}, "z0 must be"),
        ({"steps": -1}, "steps must be an integer of at least 0, got -1"),
        ({"steps": 2.0}, "steps must be an integer"),
        ({"step_size": 0.0}, "step_size must be positive and finite"),
        ({"step_size": float("nan")}, "step_size must be positive"),
        ({"x": torch.zeros(7, 10, 1)}, r"shape that decode gives, \[7, 10\], got \[7, 10, 1\]"),
        ({"x": torch.full((7, 10), torch.nan)}, "loss at z0 is NaN or infinite for 7 of 7"),
    ],
)
def test_bad_input(change, message):
    given = {"x": torch.zeros(7, 10), "z0": torch.zeros(7, 3)} | change
    with pytest.raises(ValueError, match=message):
        infer_latent(torch.nn.Linear(3, 10), **given)


def test_the_gradient_encoder_is_fixed_and_agrees_with_inference(curved):
    decode, x = curved
    encoder = LatentEncoder(10, 3, "gradient", steps=7).double()
    encoder.start_from(x.mean(0), torch.eye(3, 10, **DOUBLE))
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    torch.testing.assert_close(encoder.linear(x), (x - x.mean(0))[:, :3])
    for training in (True, False):
        z = encoder.train(training)(x, decode)
        torch.testing.assert_close(z, infer_latent(decode, x, (x - x.mean(0))[:, :3], steps=7).z)


def test_envelope_theorem(curved):
    """At the optimal code, the decoder's gradient at a fixed code is that of the minimum over codes."""
    decode, x = curved
    weight, h = decode.bend.weight, 1e-4

    def least(shift):
        with torch.no_grad():
            weight[4, 2] += shift
            loss = infer_latent(decode, x, torch.zeros(7, 3, **DOUBLE), steps=100).losses[-1].sum()
            weight[4, 2] -= shift
        return loss

    z = infer_latent(decode, x, torch.zeros(7, 3, **DOUBLE), steps=100).z
    (gradient,) = torch.autograd.grad((x - decode(z)).square().sum(), weight)
    torch.testing.assert_close(gradient[4, 2], (least(h) - least(-h)) / (2 * h), atol=1e-4, rtol=1e-4)


def test_the_amortised_encoder_refines_in_evaluation_only():
    torch.manual_seed(0)
    encoder, up = LatentEncoder(10, 3, hidden=8, steps=5), torch.nn.Linear(3, 10)
    x = torch.randn(6, 10)
    rough = encoder(x, up)
    assert rough.requires_grad
    torch.testing.assert_close(rough, encoder.linear(x) + encoder.mlp(x))
    torch.testing.assert_close(encoder.eval()(x, up), infer_latent(up, x, rough, steps=5).z)
    encoder.start_from(x.mean(0), torch.eye(3, 10))
    torch.testing.assert_close(encoder.train()(x, up), (x - x.mean(0))[:, :3])


def test_it_serves_any_autoencoder():
    torch.manual_seed(0)
    model, x = MLPAutoEncoder(6, 2, 3, hidden=(8,)), torch.rand(5, 6, 2)
    losses = infer_latent(model.decode, x, model.encode(x), steps=30).losses
    torch.testing.assert_close(losses[0], (x - model(x)).square().sum((1, 2)))
    assert (losses[-1] < losses[0]).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "vae"}, "encoder must be 'amortized' or 'gradient', got 'vae'"),
        ({"hidden": 0}, "hidden must be a positive integer, got 0"),
        ({"steps": -1}, "steps must be an integer of at least 0"),
        ({"kind": "gradient", "steps": 0}, "at least 1 for 'gradient'"),
    ],
)
def test_bad_encoders(given, message):
    with pytest.raises(ValueError, match=message):
        LatentEncoder(6, 2, **given)
