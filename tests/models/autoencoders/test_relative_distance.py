import pytest
import torch

from scge_pyg.models.autoencoders import (
    LinearAutoEncoder,
    LocallyLinearAutoEncoder,
    MLPAutoEncoder,
    OffsetAutoEncoder,
    PCAAutoEncoder,
    SecondOrderAutoEncoder,
    calibrate_offset,
    fit_autoencoder,
    reconstruction_error,
    relative_distance_loss,
)


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(9, 4, 2, generator=generator, dtype=torch.float64) for _ in range(2))


def test_all_pairs_one_by_one(samples):
    x, r = samples
    each = [((x[a] - x[b]) - (r[a] - r[b])).square().sum() for a in range(9) for b in range(9) if a != b]
    torch.testing.assert_close(relative_distance_loss(x, r), torch.stack(each).mean())


def test_random_pairs_are_disjoint_and_unbiased(samples):
    x, r = samples
    order = torch.randperm(9, generator=torch.Generator().manual_seed(5))
    expected = [((x - r)[a] - (x - r)[b]).square().sum() for a, b in zip(order[:4], order[4:8], strict=True)]
    drawn = relative_distance_loss(x, r, pairs="random", generator=torch.Generator().manual_seed(5))
    torch.testing.assert_close(drawn, torch.stack(expected).mean())
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([relative_distance_loss(x, r, pairs="random", generator=generator) for _ in range(2000)])
    error = draws.std() / 2000**0.5
    assert (draws.mean() - relative_distance_loss(x, r)).abs() < 3 * error


@pytest.mark.parametrize("pairs", ["all", "random"])
def test_the_gradient_of_a_pair_is_the_notes(pairs):
    torch.manual_seed(0)
    model = SecondOrderAutoEncoder(4, 2, 3).double()
    x = torch.randn(2, 4, 2, dtype=torch.float64)
    z = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    r = model.decode(z)
    (gradient,) = torch.autograd.grad(-relative_distance_loss(x, r, pairs=pairs), z)
    apart = ((r[0] - r[1]) - (x[0] - x[1])).detach().flatten()
    jacobian = model.jacobian(z).flatten(1, 2)
    torch.testing.assert_close(gradient[0], -2 * apart @ jacobian[0])
    torch.testing.assert_close(gradient[1], 2 * apart @ jacobian[1])


def test_it_is_blind_to_a_constant(samples):
    x, r = samples
    torch.testing.assert_close(relative_distance_loss(x, r + 100), relative_distance_loss(x, r))


def test_large_offsets_do_not_cancel():
    x = torch.rand(64, 5, generator=torch.Generator().manual_seed(0))
    far = relative_distance_loss(x, torch.full_like(x, 1000.0))
    torch.testing.assert_close(far, relative_distance_loss(x, torch.zeros_like(x)), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LinearAutoEncoder(4, 2, 3),
        lambda: MLPAutoEncoder(4, 2, 3, hidden=(16,)),
        lambda: SecondOrderAutoEncoder(4, 2, 3, hidden=8),
        lambda: SecondOrderAutoEncoder(4, 2, 3, encoder="gradient", steps=5),
        lambda: LocallyLinearAutoEncoder(4, 2, 3, num_maps=4, hidden=8),
    ],
    ids=["linear", "mlp", "second order", "by gradient", "locally linear"],
)
def test_training_with_it_and_calibrating(make):
    torch.manual_seed(0)
    x = torch.randn(200, 8) @ torch.randn(8, 8) * torch.linspace(2, 0.2, 8)
    x = (x + 5).unflatten(1, (4, 2))
    model = make()
    fit_autoencoder(model, x, epochs=20, batch_size=50, lr=0.01, objective=relative_distance_loss)
    calibrated = calibrate_offset(model, x)
    assert calibrated.training == model.training
    left = reconstruction_error(calibrated, x)
    model.eval()
    with torch.no_grad():
        relative = relative_distance_loss(x, model(x))
        assert (x - calibrated.eval()(x)).mean(0).abs().max() < 1e-4
    assert left == pytest.approx(float(relative) / 2 * (1 - 1 / 200), rel=1e-4)
    gain = reconstruction_error(model, x) - left
    assert gain == pytest.approx(float(calibrated.offset.square().sum()), abs=1e-3)
    torch.testing.assert_close(calibrated.encode(x), model.encode(x))
    variance = x.flatten(1).var(0).sum()
    assert left < 0.7 * float(variance)


def test_loaders_and_state(samples):
    x, _ = samples
    model = MLPAutoEncoder(4, 2, 3, hidden=(5,)).double()
    whole = calibrate_offset(model, x)
    torch.testing.assert_close(calibrate_offset(model, [x[:4], (x[4:], 0)]).offset, whole.offset)
    other = OffsetAutoEncoder(MLPAutoEncoder(4, 2, 3, hidden=(5,)).double(), torch.zeros(4, 2).double())
    other.load_state_dict(whole.state_dict())
    torch.testing.assert_close(other(x), whole(x))


def test_nothing_is_left_to_add_to_pca(samples):
    x, _ = samples
    assert calibrate_offset(PCAAutoEncoder(4, 2, 3).double().fit(x), x).offset.abs().max() < 1e-12


def test_bad_input(samples):
    x, r = samples
    with pytest.raises(ValueError, match=r"one shape .* got \[9, 4, 2\] and \[9, 4, 1\]"):
        relative_distance_loss(x, r[..., :1])
    with pytest.raises(ValueError, match="a pair takes two samples"):
        relative_distance_loss(x[:1], r[:1])
    with pytest.raises(ValueError, match="pairs must be 'all' or 'random', got 'some'"):
        relative_distance_loss(x, r, pairs="some")
    model = LinearAutoEncoder(4, 2, 3)
    with pytest.raises(ValueError, match=r"offset must be one sample \[4, 2\], got \[8\]"):
        OffsetAutoEncoder(model, torch.zeros(8))
    with pytest.raises(ValueError, match="calibrate_offset: x holds no samples"):
        calibrate_offset(model, [])
    with pytest.raises(ValueError, match="calibrate_offset: x holds 8 NaN"):
        calibrate_offset(model, torch.full((1, 4, 2), torch.nan))
