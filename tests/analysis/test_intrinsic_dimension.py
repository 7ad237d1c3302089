import importlib
import math

import pytest
import torch

from scge_pyg.analysis import intrinsic_dimension


def uniform(count, dim, seed=0):
    return torch.rand(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equals_a_loop_over_samples():
    x, k = uniform(40, 3), 6
    found = intrinsic_dimension(x, k)
    inverses = []
    for i in range(40):
        distance = sorted(math.dist(x[i].tolist(), x[j].tolist()) for j in range(40) if j != i)
        inverses.append(sum(math.log(distance[k - 1] / distance[j]) for j in range(k - 1)) / (k - 1))
    torch.testing.assert_close(found.per_point, 1 / torch.tensor(inverses, dtype=torch.float64))
    assert found.dimension.item() == pytest.approx(40 / sum(inverses))
    for fewer in (2, 3, 5):
        assert found.by_neighbors[fewer - 2].item() == pytest.approx(intrinsic_dimension(x, fewer).dimension.item())
    assert found.by_neighbors[-1] == found.dimension


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_cubes_of_known_dimension_whatever_the_space_around_them(dim):
    turn = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    x = uniform(2000, dim) @ turn[:dim] + 100
    assert intrinsic_dimension(x, 10).dimension.item() == pytest.approx(dim, rel=0.06)


def test_a_torus_has_no_border_and_no_bias():
    angle = 2 * torch.pi * uniform(4000, 2)
    flat = torch.cat([angle.cos(), angle.sin()], 1)
    # 4,000 times 9 exponential logarithms, a relative error of 0.5 %, if neighbourhoods didn't overlap
    assert intrinsic_dimension(flat, 10).dimension.item() == pytest.approx(2, rel=0.02)


def test_a_sphere_has_one_dimension_less_than_its_space():
    x = torch.randn(2000, 4, generator=torch.Generator().manual_seed(0))
    on_sphere = x / x.norm(dim=1, keepdim=True)
    assert intrinsic_dimension(on_sphere, 10).dimension.item() == pytest.approx(3, rel=0.04)


def test_inverses_are_averaged():
    found = intrinsic_dimension(uniform(500, 2), 5)
    assert found.dimension.item() == pytest.approx(1 / (1 / found.per_point).mean().item())
    assert found.per_point.mean() > 1.2 * found.dimension  # (k - 1) / (k - 2) on average


def test_blocks_and_units_change_nothing(monkeypatch):
    x = uniform(300, 3)
    whole = intrinsic_dimension(x, 7)
    monkeypatch.setattr(importlib.import_module("scge_pyg.analysis.intrinsic_dimension"), "_BLOCK_BYTES", 8 * 300 * 7)
    for other in (x, 1e6 * x + 1e6, x.view(300, 3, 1)):
        torch.testing.assert_close(intrinsic_dimension(other, 7).per_point, whole.per_point, rtol=1e-6, atol=0)


def test_some_points_have_their_neighbours_among_all_samples():
    x = uniform(300, 3)
    whole, some = intrinsic_dimension(x, 7), intrinsic_dimension(x, 7, points=100)
    torch.testing.assert_close(some.per_point, whole.per_point[::3])
    assert some.dimension.item() == pytest.approx(1 / (1 / whole.per_point[::3]).mean().item())


def test_float32_far_from_the_origin_of_its_own_scale():
    x = uniform(2000, 2).float()
    x[0] += 1000  # one stray sample, which spoils products in float32 but not the distances of the others
    assert intrinsic_dimension(x, 10).dimension.item() == pytest.approx(
        intrinsic_dimension(x.double(), 10).dimension.item(), rel=1e-3
    )


@pytest.mark.parametrize(
    ("dtype", "factor"),
    [
        (torch.float32, 1e-30),
        (torch.float32, 1e25),
        (torch.float32, 3e38),
        (torch.float64, 1e-300),
        (torch.float64, 1e307),
    ],
)
def test_units_near_the_ends_of_a_dtype_change_nothing(dtype, factor):
    x = 2 * uniform(500, 2).to(dtype) - 1
    expected = intrinsic_dimension(x.double(), 10)
    torch.testing.assert_close(intrinsic_dimension(factor * x, 10).per_point, expected.per_point, rtol=1e-4, atol=0)


def test_a_spread_far_below_the_place_changes_nothing():
    x = uniform(500, 2)
    place = torch.full((500, 1), 1e30, dtype=torch.float64)
    far = intrinsic_dimension(torch.cat([place, 1e-160 * x], 1), 10)
    torch.testing.assert_close(far.per_point, intrinsic_dimension(x, 10).per_point)


def test_neighbours_of_samples_in_half_precision_are_their_own():
    x = torch.randn(1000, 32, generator=torch.Generator().manual_seed(0)).half()
    expected = intrinsic_dimension(x.double(), 5)
    torch.testing.assert_close(intrinsic_dimension(x, 5).per_point, expected.per_point, rtol=1e-4, atol=0)


def test_all_others_may_be_neighbours():
    x = uniform(6, 2)
    log = torch.cdist(x, x).sort(1).values[:, 1:].log()
    expected = 1 / (log[:, -1:] - log[:, :-1]).mean(1)
    torch.testing.assert_close(intrinsic_dimension(x, 5).per_point, expected)


@pytest.mark.parametrize("points", [0, 6, 2.5, True])
def test_a_bad_number_of_points_is_refused(points):
    with pytest.raises(ValueError, match=f"points must be an integer from 1 to 5.*got {points}"):
        intrinsic_dimension(torch.rand(5, 2), 2, points=points)


@pytest.mark.parametrize(
    ("x", "neighbors", "message"),
    [
        (torch.rand(5, 2), 5, r"neighbors must be an integer from 2 to 4.*got 5 for x \[5, 2\]"),
        (torch.rand(5, 2), 1, "from 2 to 4.*got 1"),
        (torch.rand(5, 2), 2.0, "must be an integer.*got 2.0"),
        (torch.rand(6, 2).index_fill(1, torch.tensor([0]), torch.nan), 3, "x holds NaN or infinity"),
        (torch.ones(6, 2, dtype=torch.long), 3, "x must be a floating-point tensor"),
        (torch.tensor([[0.0], [1.0], [1.0], [3.0], [7.0]]), 2, r"2 of 5 samples coincide.*torch\.unique"),
        (torch.tensor(1.0), 2, r"x must be samples \[S, D\], at least 3 of at least one value, got \[\]$"),
        (torch.rand(50), 2, r"x must be samples \[S, D\].*got \[50\]; for one value a sample pass x.unsqueeze\(1\)"),
        (torch.rand(2, 3), 2, r"at least 3 of at least one value, got \[2, 3\]"),
        (torch.rand(9, 0), 2, r"at least one value, got \[9, 0\]"),
    ],
)
def test_bad_input_is_refused(x, neighbors, message):
    with pytest.raises(ValueError, match=message):
        intrinsic_dimension(x, neighbors)
