"""Linear Gaussian networks, against their densities and samples."""

import pytest
import torch

from scge_pyg.zoo.markov import LinearGaussian

MODELS = {
    "b": (("a",), [0.5], 1.0, 0.5),
    "a": ((), [], 2.0, 1.5),
    "c": (("a", "b"), [-1.0, 2.0], 0.0, 0.25),
}


def test_the_density_is_the_product_of_the_conditionals():
    model = LinearGaussian(MODELS)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(530), dtype=torch.double)
    value = dict(zip(model.order, x.T, strict=True))
    total = torch.zeros(5, dtype=torch.double)
    for child, (parents, weights, bias, variance) in MODELS.items():
        mean = bias + sum(w * value[p] for w, p in zip(weights, parents, strict=True))
        total += torch.distributions.Normal(mean + torch.zeros(5), variance**0.5).log_prob(value[child])
    assert torch.allclose(model.log_prob(x), total, atol=1e-9)


def test_posteriors_by_the_density():
    model = LinearGaussian(MODELS)
    mean, covariance = model.posterior(["a"], {"c": 3.0, "b": 1.0})
    grid = torch.linspace(-8, 12, 20001, dtype=torch.double)
    place = {name: number for number, name in enumerate(model.order)}
    x = torch.zeros(20001, 3, dtype=torch.double)
    x[:, place["a"]], x[:, place["b"]], x[:, place["c"]] = grid, 1.0, 3.0
    weight = model.log_prob(x).softmax(0)
    assert float(mean) == pytest.approx(float((weight * grid).sum()), abs=1e-6)
    assert float(covariance) == pytest.approx(float((weight * (grid - mean) ** 2).sum()), abs=1e-5)
    both, _ = model.posterior(["c", "a"])
    assert torch.allclose(both, model.mean[[place["c"], place["a"]]])
    assert repr(model) == "LinearGaussian(variables=3)"


def test_refused():
    with pytest.raises(ValueError, match="cycle"):
        LinearGaussian({0: ((1,), [1.0], 0.0, 1.0), 1: ((0,), [1.0], 0.0, 1.0)})
    with pytest.raises(ValueError, match="one coefficient each"):
        LinearGaussian({0: ((), [1.0], 0.0, 1.0)})
    with pytest.raises(ValueError, match="variance"):
        LinearGaussian({0: ((), [], 0.0, 0.0)})
    with pytest.raises(ValueError, match="different ones of"):
        LinearGaussian(MODELS).posterior(["a"], {"a": 1.0})
