import pytest
import torch

from scge_pyg.nn.fixed.neighbor_product import blended_weights, neighbor_product
from scge_pyg.nn.layer.kernel import KernelMLP, KernelPoints, kernel_points


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_hats_interpolate_linearly(dim):
    """Inside the hull of the points the weights sum to 1 and their mean point is the offset itself."""
    points = kernel_points(3, dim)
    kernel = KernelPoints(points).double()
    offset = 2 * torch.rand(50, dim, dtype=torch.float64) - 1
    phi = kernel(offset)
    torch.testing.assert_close(phi.sum(1), torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(phi @ points, offset)
    assert ((phi > 0).sum(1) <= 2**dim).all()
    assert (kernel(offset + 4) == 0).all()


def test_trained_points_get_gradients_and_reset():
    kernel = KernelPoints(kernel_points(3, 2), trained=True).double()
    offset = torch.rand(20, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: torch.func.functional_call(kernel, {"points": p}, offset), kernel.points)
    with torch.no_grad():
        kernel.points.add_(1.0)
    kernel.reset_parameters()
    assert torch.equal(kernel.points.detach(), kernel_points(3, 2))
    assert "9 points in 2 dimensions, trained" in repr(kernel)


def test_network_kernel_has_finite_support():
    kernel = KernelMLP(2, 5, radius=2.0).double()
    direction = torch.nn.functional.normalize(torch.randn(30, 2, dtype=torch.float64), dim=1)
    assert (kernel(2.0 * direction).abs() < 1e-12).all()
    assert (kernel(3.0 * direction) == 0).all()
    assert (kernel(1.0 * direction) != 0).any()
    leaf = direction.clone().requires_grad_()
    assert torch.autograd.gradcheck(kernel, leaf)
    before = kernel.first.weight.clone()
    kernel.reset_parameters()
    assert not torch.equal(before, kernel.first.weight)


def product_inputs(targets=7, neighbors=3, taps=2, batch=2, channels=3, out=4):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()

    index = torch.randint(0, 6, (targets, neighbors), generator=generator)
    return draw(6, batch * channels), index, draw(targets, neighbors, taps), draw(taps * channels, out)


@pytest.mark.parametrize(
    ("taps", "neighbors", "out", "blended"),
    [(1, 3, 4, False), (2, 3, 4, False), (12, 2, 4, True), (2, 3, 1, True)],  # the last gathers products
)
def test_neighbor_product_against_loops_and_finite_differences(taps, neighbors, out, blended, monkeypatch):
    columns, index, mix, weight = product_inputs(taps=taps, neighbors=neighbors, out=out)
    assert blended_weights(2, neighbors, taps, out) == blended
    y = neighbor_product(columns, index, mix, weight)
    expected = torch.zeros(7, 2, out, dtype=torch.float64)
    for i in range(7):
        for k in range(neighbors):
            for p in range(taps):
                x = columns[index[i, k]].view(2, 3)
                expected[i] += mix[i, k, p] * x @ weight[3 * p : 3 * p + 3]
    torch.testing.assert_close(y, expected)
    monkeypatch.setattr("scge_pyg.nn.fixed.neighbor_product._BLOCK", 40)  # two targets a block
    torch.testing.assert_close(neighbor_product(columns, index, mix, weight), expected)

    def function(*tensors):
        return neighbor_product(tensors[0], index, *tensors[1:])

    assert torch.autograd.gradcheck(function, (columns, mix, weight))
    assert torch.autograd.gradgradcheck(function, (columns, mix, weight))


@pytest.mark.parametrize("taps", [1, 2])
@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_neighbor_product_gives_only_the_gradient_that_is_wanted(wanted, taps):
    columns, index, mix, weight = product_inputs(taps=taps)
    tensors = [columns, mix, weight]
    expected = torch.autograd.grad(neighbor_product(columns, index, mix, weight).sin().sum(), tensors[wanted])[0]
    alone = [t if k == wanted else t.detach() for k, t in enumerate(tensors)]
    found = torch.autograd.grad(neighbor_product(alone[0], index, *alone[1:]).sin().sum(), alone[wanted])[0]
    torch.testing.assert_close(found, expected)
