"""Chebyshev series: against numpy's, eigendecompositions and finite differences."""

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.zoo.operators.chebyshev import (
    ChebyshevOperator,
    chebyshev_coefficients,
    chebyshev_values,
    squared_series,
)
from scge_pyg.zoo.operators.laplacian import laplacian_of


@pytest.fixture(scope="module")
def operator():
    return ChebyshevOperator(laplacian_of(SharedGraph.from_grid((5, 6))))


def random_series(rows, order, seed):
    return torch.randn(rows, order + 1, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


@pytest.mark.parametrize("order", [0, 1, 7, 30])
def test_coefficients_of_numpy(order):
    found = chebyshev_coefficients(lambda x: torch.stack([(-x).exp(), (3 * x).cos()]), order, 5.0)
    expected = [
        np.polynomial.chebyshev.Chebyshev.interpolate(f, 400, [0, 5]).coef[: order + 1]
        for f in (lambda x: np.exp(-x), lambda x: np.cos(3 * x))
    ]
    assert torch.allclose(found, torch.from_numpy(np.stack(expected)), atol=1e-12)


def test_values_of_numpy():
    series = random_series(3, 9, 301)
    x = torch.linspace(0, 4, 50, dtype=torch.double)
    expected = np.stack([np.polynomial.chebyshev.chebval(x.numpy() / 2 - 1, row) for row in series.numpy()])
    assert torch.allclose(chebyshev_values(series, x, 4.0), torch.from_numpy(expected), atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 5, 12])
def test_squares(order):
    series = random_series(4, order, 302)
    x = torch.linspace(0, 3, 40, dtype=torch.double)
    expected = chebyshev_values(series, x, 3.0).square().sum(0)
    assert torch.allclose(chebyshev_values(squared_series(series), x, 3.0)[0], expected, atol=1e-10)


@pytest.mark.parametrize("order", [0, 1, 2, 7, 8, 15, 16, 17, 30])
def test_series_of_an_eigendecomposition(operator, order):
    series = random_series(3, order, 303)
    x = random_series(30, 3, 304)
    laplacian = (operator.matrix(x).to_dense() + torch.eye(30)) * operator.lambda_max / 2
    values, vectors = torch.linalg.eigh(laplacian)
    bands = chebyshev_values(series, values.clamp_min(0), operator.lambda_max)
    expected = torch.stack([vectors @ torch.diag(band) @ vectors.T @ x for band in bands])
    found = operator.series(series, x)
    assert torch.allclose(found, expected, atol=1e-9)
    y = random_series(90, 3, 305).view(3, 30, 4)
    assert torch.isclose((found * y).sum(), (x * operator.adjoint(series, y)).sum(), rtol=1e-12, atol=1e-10)


def test_gradients(operator):
    series = random_series(2, 9, 306)
    x = random_series(30, 1, 307).requires_grad_()
    y = random_series(60, 1, 308).view(2, 30, 2).requires_grad_()
    for function, value in ((operator.series, x), (operator.adjoint, y)):
        assert torch.autograd.gradcheck(lambda v, f=function: f(series, v), (value,))
        assert torch.autograd.gradgradcheck(lambda v, f=function: f(series, v).pow(2), (value,))


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite values"):
        chebyshev_coefficients(lambda x: (x / 0)[None], 3, 2.0)
    with pytest.raises(ValueError, match=r"values \[J"):
        chebyshev_coefficients(lambda x: x, 3, 2.0)
