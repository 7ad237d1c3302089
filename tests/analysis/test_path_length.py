import math

import pytest
import torch

from scge_pyg.analysis import (
    frobenius_norm,
    jacobian_along,
    l2_path_length,
    perceptual_path_length,
    spherical,
    straight,
)


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def helix(z):
    return torch.cat([z.cos(), z.sin(), 0.5 * z], 1)


WEIGHT = normal(6, 3, seed=9)


def linear(z):
    return z @ WEIGHT.T


def test_length_of_a_helix_is_that_of_its_chords():
    points = 41
    path = straight(torch.tensor([0.0]).double(), torch.tensor([4.0]).double(), points)
    step = 4 / (points - 1)
    chord = math.hypot(2 * math.sin(step / 2), 0.5 * step)
    assert l2_path_length(helix, path).item() == pytest.approx((points - 1) * chord, rel=1e-12)
    assert l2_path_length(helix, path).item() == pytest.approx(4 * math.sqrt(1.25), rel=1e-3)


@pytest.mark.parametrize("chunk_size", [1, 5, 1000])
def test_batches_of_paths_in_any_chunks(chunk_size):
    z1, z2 = normal(4, 3), normal(4, 3, seed=1)
    path = straight(z1, z2, 6)
    torch.testing.assert_close(l2_path_length(linear, path, chunk_size), ((z2 - z1) @ WEIGHT.T).norm(dim=1))
    single = torch.stack([l2_path_length(torch.sin, one) for one in path])
    torch.testing.assert_close(l2_path_length(torch.sin, path, chunk_size), single)
    norms = jacobian_along(torch.sin, path, chunk_size)
    torch.testing.assert_close(norms, path.cos().norm(dim=2))
    torch.testing.assert_close(norms[1], frobenius_norm(torch.sin, path[1]))
    assert jacobian_along(torch.sin, path[0]).shape == (6,)


def test_perceptual_length_of_a_linear_map_in_closed_form():
    z1, z2 = normal(5, 3), normal(5, 3, seed=1)
    found = perceptual_path_length(linear, z1, z2, draws=3, generator=torch.Generator().manual_seed(0))
    expected = ((z2 - z1) @ WEIGHT.T).square().sum(1)
    torch.testing.assert_close(found.per_pair, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.mean, expected.mean(), rtol=1e-6, atol=0)
    torch.testing.assert_close(found.standard_error, expected.std() / 5**0.5, rtol=1e-6, atol=0)


def test_perceptual_length_is_the_mean_squared_speed():
    z1, z2 = torch.zeros(2_000, 1).double(), torch.full((2_000, 1), 2.0).double()
    found = perceptual_path_length(torch.exp, z1, z2, generator=torch.Generator().manual_seed(0))
    speed = 4 * (math.exp(4) - 1) / 4  # the integral of (2 exp(2 t))^2 over t in [0, 1]
    assert abs(found.mean.item() - speed) <= 3 * found.standard_error.item()


def test_perceptual_length_on_the_sphere_and_in_features():
    z1, z2 = torch.tensor([[3.0, 0.0]]).double(), torch.tensor([[0.0, 3.0]]).double()
    generator = torch.Generator().manual_seed(0)
    found = perceptual_path_length(lambda z: z, z1, z2, interpolation="spherical", draws=5, generator=generator)
    assert found.mean.item() == pytest.approx((3 * math.pi / 2) ** 2, rel=1e-6)
    assert found.standard_error.isnan()
    flat = perceptual_path_length(lambda z: z, z1, z2, lambda x: 2 * x[:, :1], generator=generator)
    assert flat.mean.item() == pytest.approx(36, rel=1e-6)
    torch.testing.assert_close(spherical(z1, z2, 3)[0, 1], torch.full((2,), 3 / math.sqrt(2)).double())


def test_the_seed_alone_decides():
    z1, z2 = normal(5, 3), normal(5, 3, seed=1)

    def run(seed, chunk_size):
        generator = torch.Generator().manual_seed(seed)
        return perceptual_path_length(torch.sin, z1, z2, generator=generator, chunk_size=chunk_size).per_pair

    torch.testing.assert_close(run(0, 3), run(0, 1000))
    assert not torch.allclose(run(0, 1000), run(1, 1000))


def test_bad_input_is_refused():
    z = normal(2, 3)
    with pytest.raises(ValueError, match="l2_path_length: a path needs at least 2 points"):
        l2_path_length(linear, z[:1])
    with pytest.raises(ValueError, match="jacobian_along: a path needs at least 2 points"):
        jacobian_along(linear, z[:1])
    with pytest.raises(ValueError, match="path holds NaN"):
        l2_path_length(linear, z * torch.nan)
    for arguments, message in (
        ({"epsilon": 0.0}, "epsilon must lie between"),
        ({"epsilon": torch.nan}, "epsilon must lie between"),
        ({"draws": 0}, "draws must be a positive"),
        ({"interpolation": "cubic"}, "interpolation must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            perceptual_path_length(linear, z, z + 1, **arguments)
    training = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout()).double()
    with pytest.raises(ValueError, match="call eval"):
        perceptual_path_length(training, z, z + 1)
    with pytest.raises(ValueError, match="call eval"):
        perceptual_path_length(linear, z, z + 1, training[1])
