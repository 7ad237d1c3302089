import math

import pytest
import torch

from scge_pyg import SCGEConv, SharedGraph
from scge_pyg.analysis import geodesic, l2_path_length, straight


def normal(*size, seed=0, dtype=torch.float64):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def polar(z):
    return torch.stack([z[:, 0] * z[:, 1].cos(), z[:, 0] * z[:, 1].sin()], 1)


def sphere(z):
    return torch.stack([z[:, 0].cos() * z[:, 1].cos(), z[:, 0].cos() * z[:, 1].sin(), z[:, 0].sin()], 1)


def cylinder(z):
    return torch.stack([z[:, 0].cos(), z[:, 0].sin(), z[:, 1]], 1)


def test_polar_coordinates_give_straight_lines_in_data_space():
    z1, z2 = torch.tensor([[1.0, 0.0], [2.0, 0.5]]).double(), torch.tensor([[1.0, 2.0], [1.0, 2.0]]).double()
    found = geodesic(polar, z1, z2, steps=12)
    distance = (polar(z2) - polar(z1)).norm(dim=1)
    assert found.converged.all()
    torch.testing.assert_close(found.length, distance, rtol=1e-6, atol=0)
    expected = straight(polar(z1), polar(z2), 12)
    torch.testing.assert_close(polar(found.path.flatten(0, 1)).view(2, 12, 2), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.straight_length, l2_path_length(polar, straight(z1, z2, 12)))
    assert (found.straight_length > 1.05 * distance).all()


def test_on_a_sphere_it_is_the_great_circle():
    z1, z2 = torch.tensor([0.7, 0.0]).double(), torch.tensor([0.7, 2.0]).double()
    found = geodesic(sphere, z1, z2, steps=30)
    angle = math.acos(float((sphere(z1[None]) * sphere(z2[None])).sum()))
    assert found.converged
    assert found.length.item() == pytest.approx(29 * 2 * math.sin(angle / 58), rel=1e-5)
    assert found.straight_length > 1.09 * found.length
    steps = sphere(found.path).diff(dim=0).norm(dim=1)
    assert steps.std() < 1e-2 * steps.mean()


def test_on_a_cylinder_the_straight_path_is_shortest_already():
    z1, z2 = torch.tensor([0.0, 0.0]).double(), torch.tensor([2.0, 1.0]).double()
    found = geodesic(cylinder, z1, z2)
    torch.testing.assert_close(found.path, straight(z1, z2, 16), rtol=0, atol=1e-5)
    assert found.converged


def test_never_longer_than_straight_in_networks():
    torch.manual_seed(0)
    dense = torch.nn.Sequential(torch.nn.Linear(2, 24), torch.nn.ReLU(), torch.nn.Linear(24, 16))
    conv = torch.nn.Sequential(
        torch.nn.Linear(2, 16),
        torch.nn.Tanh(),
        torch.nn.Unflatten(1, (16, 1)),
        SCGEConv(1, 2, SharedGraph.from_grid((4, 4))),
    )
    for dtype in (torch.float32, torch.float64):
        for decoder in (dense.to(dtype), conv.to(dtype)):
            z1, z2 = 2 * normal(6, 2, dtype=dtype), 2 * normal(6, 2, seed=1, dtype=dtype)
            found = geodesic(decoder, z1, z2, steps=8, iterations=15, chunk_size=20)
            assert found.path.dtype == dtype
            assert (found.length <= found.straight_length).all()
            assert (found.length < 0.999 * found.straight_length).any()
            assert (found.length >= (1 - 1e-5) * l2_path_length(decoder, straight(z1, z2, 2))).all()
            torch.testing.assert_close(found.length, l2_path_length(decoder, found.path))
            assert torch.equal(found.path[:, 0], z1)
            assert torch.equal(found.path[:, -1], z2)


def test_degenerate_paths():
    z1, z2 = normal(2, 2), normal(2, 2, seed=1)
    two = geodesic(polar, z1, z2, steps=2)
    assert torch.equal(two.path, straight(z1, z2, 2))
    assert two.converged.all()
    still = geodesic(polar, z1, z1, steps=5)
    torch.testing.assert_close(still.path, straight(z1, z1, 5))
    assert still.length.tolist() == [0.0, 0.0]
    flat = geodesic(lambda z: torch.relu(z - 10), z1, z2, steps=5)
    assert torch.equal(flat.path, straight(z1, z2, 5))


def test_a_decoder_that_is_not_finite_gives_the_straight_path_back():
    z1, z2 = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 1.0])
    found = geodesic(torch.sqrt, z1.abs(), z2, steps=5)
    assert found.path.isfinite().all()
    broken = geodesic(lambda z: torch.where(z < 0.1, torch.nan, z), z1, z2, steps=5)
    assert torch.equal(broken.path, straight(z1, z2, 5))
    assert not broken.converged


def test_one_iteration_has_not_converged(capsys):
    z1, z2 = torch.tensor([0.7, 0.0]).double(), torch.tensor([0.7, 2.5]).double()
    assert not geodesic(sphere, z1, z2, iterations=1, progress=True).converged
    assert "geodesic" in capsys.readouterr().err
    geodesic(sphere, z1, z2, iterations=1)
    assert capsys.readouterr().err == ""


def test_bad_input_is_refused():
    z = normal(2, 2)
    with pytest.raises(ValueError, match="steps is the number of points"):
        geodesic(polar, z, z, steps=1)
    with pytest.raises(ValueError, match="iterations must be"):
        geodesic(polar, z, z, iterations=0)
    with pytest.raises(ValueError, match="tolerance must be"):
        geodesic(polar, z, z, tolerance=torch.nan)
    with pytest.raises(ValueError, match="geodesic: the function 'detach' has no gradient"):
        geodesic(torch.detach, z, z)
    with pytest.raises(ValueError, match="geodesic: z1 and z2 must be codes"):
        geodesic(polar, z, z[:1])
