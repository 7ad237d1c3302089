import itertools
import math

import pytest
import torch

from scge_pyg import SCGEConv, SharedGraph
from scge_pyg.analysis import geodesic, lemma1, spherical, straight


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("latent", [1, 4])
def test_both_sides_of_a_linear_decoder(latent):
    weight = normal(7, latent, seed=2)
    z1, z2 = normal(50, latent), normal(50, latent, seed=1)
    found = lemma1(lambda z: z @ weight.T, straight(z1, z2, 2))
    torch.testing.assert_close(found.left, ((z2 - z1) @ weight.T).square().sum(1))
    torch.testing.assert_close(found.length, (z2 - z1).norm(dim=1))
    torch.testing.assert_close(found.mean_square, weight.square().sum().expand(50))
    torch.testing.assert_close(found.right, (z2 - z1).square().sum(1) * weight.square().sum())
    torch.testing.assert_close(found.slack, found.right - found.left)
    assert (found.quadrature_error < 1e-12 * found.right).all()
    assert found.holds.all()
    if latent == 1:  # nothing is lost: equality
        torch.testing.assert_close(found.left, found.right)
        assert not (found.left <= found.mean_square).all()  # the lemma without the path's length fails
    else:
        assert (found.slack > 0).all()


def test_both_sides_of_a_helix():
    def helix(z):
        return torch.cat([z.cos(), z.sin(), 0.5 * z], 1)

    z1, z2 = torch.zeros(1, 1).double(), torch.full((1, 1), 3.0).double()
    found = lemma1(helix, straight(z1, z2, 2), subdivisions=3)
    assert found.left.item() == pytest.approx(2 - 2 * math.cos(3) + 0.25 * 9)
    assert found.right.item() == pytest.approx(9 * 1.25)


def test_polar_coordinates_along_straight_and_bent_paths():
    def polar(z):
        return torch.stack([z[:, 0] * z[:, 1].cos(), z[:, 0] * z[:, 1].sin()], 1)

    points = torch.tensor([[1.0, 0.0], [2.0, 0.0], [2.0, 1.5]]).double()
    found = lemma1(polar, points)
    # the squared norm is 1 + radius^2: Simpson's rule is exact
    assert found.length.item() == pytest.approx(2.5)
    integral = (1 + 7 / 3) * 1 + (1 + 4) * 1.5
    assert found.mean_square.item() == pytest.approx(integral / 2.5)
    assert found.right.item() == pytest.approx(2.5 * integral)
    assert found.quadrature_error.item() < 1e-12
    assert found.left.item() == pytest.approx(1 + 4 - 4 * math.cos(1.5))


def test_the_error_is_reported_and_falls():
    z1, z2 = torch.zeros(1, 1).double(), torch.full((1, 1), 3.0).double()
    exact = 3 * (math.exp(6) - 1) / 2
    errors = []
    for subdivisions in (1, 2, 4, 8):
        found = lemma1(torch.exp, straight(z1, z2, 2), subdivisions)
        errors.append(abs(found.right.item() - exact))
        assert errors[-1] <= found.quadrature_error.item() <= 40 * errors[-1]
    assert all(8 * after < before for before, after in itertools.pairwise(errors))
    same = lemma1(torch.exp, straight(z1, z2, 5))
    assert same.right.item() == pytest.approx(lemma1(torch.exp, straight(z1, z2, 2), 4).right.item())


def test_a_jumping_norm_stays_within_the_error_on_the_whole():
    kinks = normal(40, seed=3)

    def relu(z):
        return torch.relu(z - kinks)

    z1, z2 = normal(30, 1, seed=4) - 2, normal(30, 1, seed=5) + 2
    found = lemma1(relu, straight(z1, z2, 2), 4)
    through = (z2.clamp_min(kinks) - z1.clamp_min(kinks)).sum(1)  # integral of the number of active units
    exact = (z2 - z1).squeeze(1) * through
    assert ((found.right - exact).abs() <= 4 * found.quadrature_error + 1e-12).float().mean() > 0.9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_holds_on_random_pairs_of_networks_along_every_path(dtype):
    torch.manual_seed(0)
    dense = torch.nn.Sequential(torch.nn.Linear(3, 24), torch.nn.ReLU(), torch.nn.Linear(24, 16))
    conv = torch.nn.Sequential(
        torch.nn.Linear(3, 16),
        torch.nn.Tanh(),
        torch.nn.Unflatten(1, (16, 1)),
        SCGEConv(1, 2, SharedGraph.from_grid((4, 4))),
    )
    z1, z2 = normal(40, 3, dtype=dtype), normal(40, 3, seed=1, dtype=dtype)
    for decoder in (dense.to(dtype), conv.to(dtype)):
        for path in (straight(z1, z2, 2), spherical(z1, z2, 5), geodesic(decoder, z1, z2, 5, iterations=5).path):
            found = lemma1(decoder, path, subdivisions=2)
            assert found.left.dtype == dtype
            assert found.holds.all()
            single = lemma1(decoder, path[3], subdivisions=2, chunk_size=5)
            torch.testing.assert_close(single.right, found.right[3])
            assert single.left.shape == ()


def test_a_path_that_stands_still():
    found = lemma1(lambda z: 3 * z, torch.ones(2, 2))
    assert (found.left, found.right, found.length) == (0, 0, 0)
    assert found.mean_square == 18
    assert found.holds


def test_bad_input_is_refused():
    z = normal(4, 2)
    with pytest.raises(ValueError, match="lemma1: a path needs at least 2 points"):
        lemma1(torch.sin, z[:1])
    with pytest.raises(ValueError, match="lemma1: path holds NaN"):
        lemma1(torch.sin, z * torch.nan)
    with pytest.raises(ValueError, match="subdivisions must be"):
        lemma1(torch.sin, z, 0)
    with pytest.raises(ValueError, match="lemma1: the function 'detach' has no gradient"):
        lemma1(torch.detach, z)
