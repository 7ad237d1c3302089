import pytest
import torch

from scge_pyg.datasets import blue_noise_points, foveated_points, hexagonal_points
from scge_pyg.graph import knn

LAYOUTS = [blue_noise_points, foveated_points, hexagonal_points]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(32, 32), (24, 60)])
def test_places_lie_in_the_patch_and_depend_on_the_seed(layout, size):
    points = layout(150, size, seed=1)
    assert points.shape == (150, 2)
    assert (points >= 0).all()
    assert (points <= torch.tensor(size) - 1).all()
    assert torch.equal(points, layout(150, size, seed=1))
    assert not torch.allclose(points, layout(150, size, seed=2))


def test_blue_noise_keeps_its_distance():
    points = blue_noise_points(300, (32, 32))
    random = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)) * 31
    closest, random_closest = (float(knn(p, p, 1, exclude_self=True)[0].min()) for p in (points, random))
    spacing = 31 / 300**0.5
    assert closest > 0.6 * spacing
    assert random_closest < 0.3 * spacing
    assert points.amin() < spacing
    assert points.amax() > 31 - spacing


def test_the_fovea_is_dense():
    points = foveated_points(400, (64, 64))
    radius = (points - 31.5).norm(dim=1) / 31.5
    assert radius.max() <= 1
    nearest = knn(points, points, 1, exclude_self=True)[0].squeeze(1)
    assert nearest[radius > 0.8].median() > 2 * nearest[radius < 0.2].median()


def test_hexagons_have_six_equal_sides():
    points = hexagonal_points(200, (40, 64))
    distance = knn(points, points, 6, exclude_self=True)[0]
    inner = (points - points.mean(0)).norm(dim=1) < 12
    side = distance.min()
    assert torch.allclose(distance[inner], side.expand(int(inner.sum()), 6), rtol=1e-3)
    assert inner.sum() > 50
    assert (points.amax(0) - points.amin(0)).max() > 35


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bad_input_is_refused(layout):
    with pytest.raises(ValueError, match=f"{layout.__name__}: count must be at least 1, got 0"):
        layout(0, (8, 8))
    with pytest.raises(ValueError, match="at least 2 each"):
        layout(5, (1, 8))
    assert layout(1, (8, 8)).shape == (1, 2)
