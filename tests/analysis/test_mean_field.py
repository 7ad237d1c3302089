import math

import pytest
import scipy.integrate
import torch

from scge_pyg.analysis import (
    critical_sigma_w,
    initialize_,
    mean_field,
    singular_values,
    spectrum_moments,
    variance_map,
)

WIDTH, DEPTH, NETWORKS = 160, 4, 24


def gaussian_mean(function):
    def weighted(h):
        return function(h) * math.exp(-h * h / 2) / math.sqrt(2 * math.pi)

    return scipy.integrate.quad(weighted, -12, 12, epsabs=1e-13, limit=400, points=[-1, 0, 1])[0]


@pytest.mark.parametrize("q", [1e-3, 0.5, 4.0, 400.0])
def test_means_equal_an_adaptive_integral(q):
    found = mean_field("tanh", 1.7, q=q)
    root = math.sqrt(q)
    assert variance_map("tanh", q, 1.7, 0.4) == pytest.approx(
        1.7**2 * gaussian_mean(lambda h: math.tanh(root * h) ** 2) + 0.16, rel=1e-9
    )
    assert found.slope_2 == pytest.approx(gaussian_mean(lambda h: (1 - math.tanh(root * h) ** 2) ** 2), rel=1e-8)
    assert found.slope_4 == pytest.approx(gaussian_mean(lambda h: (1 - math.tanh(root * h) ** 2) ** 4), rel=1e-8)
    assert found.chi == 1.7**2 * found.slope_2


@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(0.8, 0.3), (1.2, 0.0), (1.2, 0.2), (3.0, 1.0), (1.001, 0.0)])
def test_the_fixed_point_is_one_and_attracts(sigma_w, sigma_b):
    q = mean_field("tanh", sigma_w, sigma_b).q
    assert q > 0
    assert variance_map("tanh", q, sigma_w, sigma_b) == pytest.approx(q, rel=1e-9)
    for start in (0.5 * q, 2 * q):
        assert abs(variance_map("tanh", start, sigma_w, sigma_b) - q) < abs(start - q)


def test_small_weights_without_biases_die():
    assert mean_field("tanh", 0.9) == (0.0, 0.9**2, 1.0, 1.0)
    assert mean_field("tanh", 1.0).chi == 1.0


def test_the_critical_line_of_tanh():
    assert critical_sigma_w(0.0) == 1.0
    assert critical_sigma_w(1e-4) == pytest.approx(1, abs=0.01)
    previous = 1.0
    for sigma_b in (0.05, 0.3, 1.0, 4.0):
        sigma_w = critical_sigma_w(sigma_b)
        assert mean_field("tanh", sigma_w, sigma_b).chi == pytest.approx(1, abs=1e-8)
        assert mean_field("tanh", 0.95 * sigma_w, sigma_b).chi < 1 < mean_field("tanh", 1.05 * sigma_w, sigma_b).chi
        assert sigma_w > previous
        previous = sigma_w


def test_relu_and_linear_in_closed_form():
    found = mean_field("relu", 1.2, 0.5)
    assert found.q == pytest.approx(0.25 / (1 - 0.72))
    assert found.chi == pytest.approx(0.72)
    assert variance_map("relu", found.q, 1.2, 0.5) == pytest.approx(found.q)
    assert spectrum_moments(mean_field("relu", 2**0.5, q=1.0), 7) == pytest.approx((1.0, 7.0))
    assert spectrum_moments(mean_field("relu", 2**0.5, q=1.0), 7, "gaussian") == pytest.approx((1.0, 14.0))
    assert spectrum_moments(mean_field("relu", 1.0, 0.3), 3) == pytest.approx((0.125, 3 / 64))
    assert spectrum_moments(mean_field("linear", 0.5), 2) == (0.0625, 0.0)


def network(activation, sigma_w, sigma_b, weights, generator):
    layers = []
    for _ in range(DEPTH):
        layers += [torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh() if activation == "tanh" else torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers).double()
    initialize_(model, gain=sigma_w, generator=generator)
    with torch.no_grad():
        for layer in model[::2]:
            layer.bias.normal_(0, sigma_b, generator=generator)
            if weights == "gaussian":
                layer.weight.normal_(0, sigma_w / WIDTH**0.5, generator=generator)
    return model


@pytest.mark.parametrize("weights", ["orthogonal", "gaussian"])
@pytest.mark.parametrize(
    ("activation", "sigma_w", "sigma_b"), [("tanh", 1.2, 0.2), ("tanh", 1.3956, 0.3), ("relu", 2**0.5, 0.0)]
)
def test_wide_random_networks_agree(activation, sigma_w, sigma_b, weights):
    generator = torch.Generator().manual_seed(0)
    field = mean_field(activation, sigma_w, sigma_b, q=1.0 if activation == "relu" else None)
    measured = []
    for _ in range(NETWORKS):
        model = network(activation, sigma_w, sigma_b, weights, generator)
        x = torch.randn(1, WIDTH, generator=generator, dtype=torch.float64)
        x *= math.sqrt((field.q - sigma_b**2) / sigma_w**2) / x.square().mean().sqrt()
        square = singular_values(model, x).square()
        measured.append([square.mean(), square.var(correction=0)])
    measured = torch.tensor(measured)
    error = measured.std(0) / NETWORKS**0.5
    expected = torch.tensor(spectrum_moments(field, DEPTH, weights))
    # the prediction is for infinite width: what is missing is of the order depth / width
    assert ((measured.mean(0) - expected).abs() <= 3 * error + DEPTH / WIDTH * expected).all()
    other = torch.tensor(spectrum_moments(field, DEPTH, "gaussian" if weights == "orthogonal" else "orthogonal"))
    assert (measured.mean(0) - other)[1].abs() > 5 * error[1]


def test_bad_input_is_refused():
    for call, message in (
        (lambda: mean_field("gelu", 1.0), "activation must be one of"),
        (lambda: mean_field("tanh", 0.0), "sigma_w must be positive"),
        (lambda: mean_field("tanh", 1.0, -1.0), "sigma_b at least 0"),
        (lambda: mean_field("tanh", 1.0, math.nan), "sigma_b at least 0"),
        (lambda: mean_field("relu", 2**0.5), "no single fixed point"),
        (lambda: mean_field("relu", 1.0, q=-1.0), "q must be"),
        (lambda: variance_map("tanh", math.inf, 1.0), "q must be"),
        (lambda: critical_sigma_w(-0.1), "sigma_b must lie between 0 and 4"),
        (lambda: spectrum_moments(mean_field("tanh", 1.0), 0), "depth must be"),
        (lambda: spectrum_moments(mean_field("tanh", 1.0), 2, "sparse"), "weights must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
