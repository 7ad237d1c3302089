import math

import pytest
import torch

from scge_pyg.analysis import spherical, straight
from scge_pyg.analysis.paths import as_paths


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("path", [straight, spherical])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_are_exact_and_batches_are_single_paths(path, dtype):
    z1, z2 = normal(4, 5, dtype=dtype), normal(4, 5, seed=1, dtype=dtype)
    found = path(z1, z2, 7)
    assert found.shape == (4, 7, 5)
    assert found.dtype == dtype
    assert torch.equal(found[:, 0], z1)
    assert torch.equal(found[:, -1], z2)
    torch.testing.assert_close(found[2], path(z1[2], z2[2], 7))
    assert path(z1, z2, 2).shape == (4, 2, 5)


def test_straight_steps_are_equal():
    steps = straight(normal(3, 4), normal(3, 4, seed=1), 9).diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand(-1, 8, -1))


@pytest.mark.parametrize("degrees", [1e-6, 1, 60, 90, 150, 179.9])
def test_equal_norms_are_joined_at_constant_speed_and_norm(degrees):
    angle = math.radians(degrees)
    z1 = torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64)
    z2 = 2 * torch.tensor([math.cos(angle), 0.0, math.sin(angle)], dtype=torch.float64)
    found = spherical(z1, z2, 11)
    turned = torch.linspace(0, angle, 11, dtype=torch.float64)
    expected = 2 * torch.stack([turned.cos(), torch.zeros_like(turned), turned.sin()], 1)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-9)


def test_unequal_norms_turn_and_grow_evenly():
    found = spherical(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0]), 5)
    torch.testing.assert_close(found.norm(dim=1), torch.linspace(1, 3, 5))
    torch.testing.assert_close(torch.atan2(found[:, 1], found[:, 0]), torch.linspace(0, math.pi / 2, 5))


def test_parallel_codes_are_joined_by_the_straight_line():
    z1 = normal(2, 4)
    torch.testing.assert_close(spherical(z1, 3 * z1, 6), straight(z1, 3 * z1, 6))
    torch.testing.assert_close(spherical(z1, z1, 6), straight(z1, z1, 6))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_codes_without_a_great_circle_are_refused(dtype):
    z = normal(3, 4, dtype=dtype)
    with pytest.raises(ValueError, match="opposite directions"):
        spherical(z, torch.cat([-2 * z[:1], z[1:]]), 5)
    with pytest.raises(ValueError, match="zero vector has no direction"):
        spherical(z, torch.zeros_like(z), 5)


@pytest.mark.parametrize("path", [straight, spherical])
def test_bad_input_is_refused(path):
    z = normal(2, 3)
    for steps in (1, 0, 2.5, True):
        with pytest.raises(ValueError, match="steps is the number of points"):
            path(z, z, steps)
    with pytest.raises(ValueError, match="z1 and z2 must be codes of one shape"):
        path(z, z[:1], 3)
    with pytest.raises(ValueError, match="z1 and z2 must be codes of one shape"):
        path(z, z.float(), 3)
    with pytest.raises(ValueError, match="z2 holds NaN"):
        path(z, z * torch.nan, 3)


def test_paths_need_two_points():
    assert as_paths("test", torch.zeros(2, 3)).shape == (1, 2, 3)
    with pytest.raises(ValueError, match=r"test: a path needs at least 2 points, got \[1, 3\], that is 1"):
        as_paths("test", torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"path must be \[T, E\]"):
        as_paths("test", torch.zeros(3))
