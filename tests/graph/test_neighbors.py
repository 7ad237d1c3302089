import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scge_pyg.graph import knn, neighbors
from scge_pyg.graph.neighbors import safe_norm


def brute_force(query, reference, k, exclude_self):
    """Every pair, ordered by (distance, index)."""
    square = (query.unsqueeze(1) - reference).square().sum(-1)
    if exclude_self:
        square.fill_diagonal_(torch.inf)
    index = square.sort(dim=1, stable=True).indices[:, :k]
    return square.gather(1, index).sqrt(), index


def assert_exact(query, reference, k, exclude_self, backend="torch"):
    distance, index = knn(query, reference, k, exclude_self=exclude_self, backend=backend)
    true_distance, true_index = brute_force(query, reference, k, exclude_self)
    assert torch.equal(index, true_index)
    torch.testing.assert_close(distance, true_distance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [1, 2, 3, 50])
def test_equals_brute_force(dim, dtype):
    generator = torch.Generator().manual_seed(dim)
    query, reference = (torch.randn(n, dim, dtype=dtype, generator=generator) for n in (60, 90))
    for k in (1, 7, 90):
        assert_exact(query, reference, k, exclude_self=False)
    for k in (1, 7, 89):
        assert_exact(reference, reference, k, exclude_self=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 4), st.integers(1, 5))
def test_ties_go_to_the_lower_index(seed, k, dim, side):
    points = torch.randint(0, side, (40, dim), generator=torch.Generator().manual_seed(seed)).float()
    assert_exact(points, points, k, exclude_self=True)
    assert_exact(points, points, k, exclude_self=False)


@pytest.mark.parametrize(("offset", "unit"), [(100.0, 2.0**-10), (1e4, 1.0), (-1e6, 1.0), (0.0, 1e-12), (0.0, 1e12)])
def test_origin_and_unit_do_not_matter(offset, unit):
    generator = torch.Generator().manual_seed(0)
    points = torch.randint(0, 1000, (300, 2), generator=generator).float() * unit + offset
    assert_exact(points, points, 5, exclude_self=True)


def test_far_apart_clusters_stay_exact():
    generator = torch.Generator().manual_seed(0)
    cluster = torch.randint(0, 64, (100, 2), generator=generator).float()
    points = torch.cat([cluster, cluster + 2.0**17])
    assert_exact(points, points, 4, exclude_self=True)


def test_many_coinciding_points():
    points = torch.zeros(50, 3)
    assert_exact(points, points, 4, exclude_self=True)


def test_blocks_do_not_change_the_result(monkeypatch):
    points = torch.rand(70, 3, generator=torch.Generator().manual_seed(0))
    points[10:40] = points[10]
    whole = knn(points, points, 6, exclude_self=True)
    monkeypatch.setattr(neighbors, "_BLOCK_BYTES", 1000)
    parts = knn(points, points, 6, exclude_self=True)
    assert torch.equal(whole[0], parts[0])
    assert torch.equal(whole[1], parts[1])


def test_faiss_gives_the_same_answer():
    pytest.importorskip("faiss")
    generator = torch.Generator().manual_seed(1)
    for points in (
        torch.randn(200, 20, generator=generator),
        torch.randn(200, 2, generator=generator, dtype=torch.float64) * 1e-4 + 118,
        torch.cartesian_prod(torch.arange(12.0), torch.arange(12.0)),
        torch.zeros(50, 3),
    ):
        for exclude_self in (False, True):
            one, other = (knn(points, points, 5, exclude_self=exclude_self, backend=b) for b in ("torch", "faiss"))
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])
        assert_exact(points, points, 5, exclude_self=True, backend="faiss")


def test_gradients_equal_those_of_all_pairs():
    points = torch.rand(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    distance, index = knn(points, points, 3, exclude_self=True)
    (gradient,) = torch.autograd.grad(distance.square().sum(), points)
    square = (points.unsqueeze(1) - points[index]).square().sum()
    (expected,) = torch.autograd.grad(square, points)
    torch.testing.assert_close(gradient, expected)
    with torch.no_grad():
        assert torch.equal(knn(points, points, 3, exclude_self=True)[0], distance)


def test_coinciding_points_have_finite_gradients():
    points = torch.zeros(5, 2, requires_grad=True)
    knn(points, points, 2, exclude_self=True)[0].sum().backward()
    assert torch.equal(points.grad, torch.zeros(5, 2))


def test_safe_norm_is_the_norm():
    offset = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    torch.testing.assert_close(safe_norm(offset), offset.norm(dim=-1))
    assert torch.autograd.gradcheck(safe_norm, offset)


def test_bad_input_is_refused():
    points = torch.rand(5, 2)
    with pytest.raises(ValueError, match=r"must be \[Q, d\] and \[M, d\] with the same d, got \[5, 2\] and \[5, 3\]"):
        knn(points, torch.rand(5, 3), 1)
    with pytest.raises(ValueError, match=r"k must lie in 1\.\.4 for 5 points, got k=5"):
        knn(points, points, 5, exclude_self=True)
    with pytest.raises(ValueError, match=r"k must lie in 1\.\.5 for 5 points, got k=0"):
        knn(points, points, 0)
    with pytest.raises(ValueError, match="same node set"):
        knn(points[:4], points, 1, exclude_self=True)
    with pytest.raises(ValueError, match="must be finite"):
        knn(points, points.log() * torch.inf, 1)
    with pytest.raises(ValueError, match="backend must be"):
        knn(points, points, 1, backend="scann")
    with pytest.raises(TypeError, match=r"one dtype, got torch.float32 and torch.float64"):
        knn(points, points.double(), 1)
    with pytest.raises(TypeError, match=r"convert them with \.float\(\)"):
        knn(points.long(), points.long(), 1)


def test_faiss_without_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    points = torch.rand(5, 2)
    with pytest.raises(ValueError, match=r"scge-pyg\[approx\]"):
        knn(points, points, 1, backend="faiss")
    assert knn(points, points, 1)[1].flatten().tolist() == [0, 1, 2, 3, 4]
