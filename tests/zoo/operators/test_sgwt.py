"""The spectral graph wavelet transform, against its definition by eigenvectors."""

import copy
import math

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.zoo.operators import SGWT
from scge_pyg.zoo.operators.wavelet_kernels import log_scales, mexican_hats, splines

GRAPHS = {
    "grid": SharedGraph.from_grid((7, 8)),
    "map": SharedGraph.from_pos(torch.rand(60, 2, generator=torch.Generator().manual_seed(310))),
}


def normal(*shape, seed=311):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def eigen(transform):
    like = torch.zeros(0, dtype=torch.double)
    moved = transform.operator.matrix(like).to_dense()
    values, vectors = torch.linalg.eigh((moved + torch.eye(len(moved))) * transform.lambda_max / 2)
    return values.clamp_min(0), vectors


def direct(transform, x):
    """Coefficients ``[N, J + 1, C]`` by the definition."""
    values, vectors = eigen(transform)
    spectrum = vectors.T @ x
    return torch.stack([vectors @ (band[:, None] * spectrum) for band in transform.kernels(values)], 1)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("normalization", [None, "sym"])
def test_coefficients_by_the_definition(name, normalization):
    graph = GRAPHS[name]
    transform = SGWT(graph, 4, order=30, normalization=normalization)
    x = normal(graph.num_nodes, 3)
    found = transform(x)
    assert torch.allclose(found, direct(transform, x), atol=1e-8)
    series = SGWT(graph, 4, order=12, kernel="spline", normalization=normalization)
    off = (series(x) - direct(series, x)).abs().amax(0)
    bound = series.errors()[:, None] * x.norm(dim=0)
    assert bool((off <= bound).all())
    assert bool((off > bound / 500).any())


def test_the_bound_falls_with_the_order():
    errors = [SGWT(GRAPHS["grid"], order=order).errors().max() for order in (5, 10, 20, 30)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-8
    assert SGWT(GRAPHS["grid"], kernel="spline", order=30).errors()[0] > 1e-3


@pytest.mark.parametrize("kernel", ["mexican_hat", "spline"])
def test_frame_bounds_hold_and_are_met(kernel):
    transform = SGWT(GRAPHS["map"], 3, kernel=kernel, order=200)
    lower, upper = transform.frame_bounds()
    values, vectors = eigen(transform)
    energy = transform(vectors).square().sum((0, 1))  # of each eigenvector
    assert lower <= float(energy.min()) + 1e-4
    assert float(energy.max()) <= upper + 1e-4
    assert torch.allclose(energy, transform.kernels(values).square().sum(0), atol=1e-3)
    assert lower > 0.05


@pytest.mark.parametrize("shape", [(60, 2), (3, 60, 2), (180, 2)])
def test_adjoint_and_inverse(shape):
    transform = SGWT(GRAPHS["map"])
    x, c = normal(*shape), normal(*shape[:-1], 5, 2, seed=312)
    found = transform(x)
    assert found.shape == c.shape
    assert torch.isclose((found * c).sum(), (x * transform.adjoint(c)).sum(), rtol=1e-10)
    assert torch.allclose(transform.inverse(found), x, atol=1e-8)
    assert torch.allclose(transform.inverse(found.float()), x.float(), atol=1e-4)
    nearest = transform.inverse(c)  # c has no signal: what is left is orthogonal to all coefficients
    assert float((transform.adjoint(c - transform(nearest))).abs().max()) < 1e-9


def test_batches_are_samples():
    transform, x = SGWT(GRAPHS["grid"]), normal(3, 56, 2)
    one_by_one = torch.stack([transform(sample) for sample in x])
    assert torch.allclose(transform(x), one_by_one, atol=1e-12)
    assert torch.allclose(transform(x.flatten(0, 1)), one_by_one.flatten(0, 1), atol=1e-12)


def test_constants_are_in_the_low_pass_alone():
    found = SGWT(GRAPHS["map"])(torch.ones(60, 1, dtype=torch.double))
    assert torch.allclose(found[:, 0], torch.full((60, 1), math.exp(-1), dtype=torch.double), atol=1e-8)
    assert float(found[:, 1:].abs().max()) < 1e-8


def test_parts_and_nodes_without_neighbours_are_apart():
    graph = SharedGraph.from_grid((30,))
    keep = ((graph.edge_index < 12).all(0)) | ((graph.edge_index > 12).all(0))
    graph = SharedGraph(graph.pos, graph.edge_index[:, keep], graph.edge_weight[keep])
    x = torch.zeros(30, 1, dtype=torch.double)
    x[:12] = normal(12, 1)
    for normalization in (None, "sym"):
        transform = SGWT(graph, normalization=normalization)
        assert float(transform(x)[12:].abs().max()) < 1e-12
        alone = transform(torch.eye(30, dtype=torch.double)[12][:, None])[12].flatten()
        assert torch.allclose(alone, transform.kernels(torch.zeros(1))[:, 0], atol=1e-8)
        assert torch.allclose(transform.inverse(transform(x)), x, atol=1e-8)


def test_kernels():
    x = torch.linspace(0, 6, 601, dtype=torch.double)
    hats, spline = mexican_hats(6.0, 3, 20.0)(x), splines(6.0, 3, 20.0)(x)
    scales = log_scales(2 * 20 / 6, 1 / 6, 3)
    assert torch.allclose(hats[1:], scales[:, None] * x * (-scales[:, None] * x).exp())
    assert torch.allclose(hats[0], (-1 - scales[0] * x).exp())
    assert spline[0, 0] == pytest.approx(float(spline[1:].max()), abs=1e-3)
    for values in (hats, spline):
        assert values[1:, 0].tolist() == [0.0, 0.0, 0.0]
    steps = spline[2].diff()
    assert float(steps.diff().abs().max()) < 0.01  # value and slope go through at both ends of the cubic


def test_a_kernel_of_ones_own():
    def bands(x):
        return torch.stack([(-x).exp(), (1 - (-2 * x).exp()).clamp_min(0).sqrt()])

    transform = SGWT(GRAPHS["grid"], 1, kernel=bands, order=60)
    assert transform.frame_bounds().lower == pytest.approx(1.0)
    assert transform.frame_bounds().upper == pytest.approx(1.0)
    assert "kernel=bands" in repr(transform)
    x = normal(56, 1)
    assert float(transform(x).square().sum()) == pytest.approx(float(x.square().sum()), rel=1e-2)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # torch's own
def test_modules():
    transform, x = SGWT(GRAPHS["grid"]), normal(2, 56, 3).float()
    other = SGWT(GRAPHS["grid"])
    other.load_state_dict(transform.state_dict())
    assert torch.equal(other(x), copy.deepcopy(transform)(x))
    with pytest.raises(RuntimeError, match="another graph"):
        SGWT(SharedGraph.from_grid((8, 7))).load_state_dict(transform.state_dict())
    assert torch.allclose(transform.double()(x.double()), transform(x).double(), atol=1e-5)
    compiled = torch.compile(transform, backend="eager")
    value = x.clone().requires_grad_()
    compiled(value).square().sum().backward()
    expected = x.clone().requires_grad_()
    transform(expected).square().sum().backward()
    assert torch.allclose(value.grad, expected.grad)
    assert torch.autograd.gradcheck(transform, (normal(56, 1).requires_grad_(),))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"num_scales": 0}, ValueError, "num_scales must be an integer of at least 1, got 0"),
        ({"order": 2.5}, TypeError, "order must be an integer"),
        ({"lowpass": 1.0}, ValueError, "lowpass must be above 1, got 1.0"),
        ({"kernel": "haar"}, ValueError, "kernel must be one of mexican_hat, spline, or a function, got 'haar'"),
        ({"kernel": lambda x: x[None]}, ValueError, "kernel must give 5 rows.*got 1"),
        ({"normalization": "rw"}, ValueError, "SGWT: normalization must be"),
    ],
)
def test_refused(options, error, says):
    with pytest.raises(error, match=says):
        SGWT(GRAPHS["grid"], **options)


def test_input_refused():
    transform = SGWT(GRAPHS["grid"])
    with pytest.raises(ValueError, match="SGWT: x must be"):
        transform(torch.zeros(57, 1))
    with pytest.raises(ValueError, match=r"coefficients must be \[..., N, 5, C\]"):
        transform.adjoint(torch.zeros(56, 4, 1))
    with pytest.raises(RuntimeError, match="raise max_steps"):
        transform.inverse(transform(normal(56, 1)), max_steps=1)
