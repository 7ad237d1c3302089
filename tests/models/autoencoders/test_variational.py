import copy

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from scge_pyg import SharedGraph, lower_to_conv
from scge_pyg.models.autoencoders import (
    ConvAutoEncoder,
    LocallyLinearAutoEncoder,
    MLPAutoEncoder,
    PCAAutoEncoder,
    SCGEAutoEncoder,
    TransformerAutoEncoder,
    VariationalAutoEncoder,
    fit_autoencoder,
)

SIZES = {"channels": (3, 5), "hidden": 6}
BASES = {
    "MLP": lambda: MLPAutoEncoder(32, 2, 3, hidden=(6,)),
    "convolutional": lambda: ConvAutoEncoder((8, 4), 2, 3, **SIZES),
    "SCGE": lambda: SCGEAutoEncoder(SharedGraph.from_grid((8, 4)), 2, 3, **SIZES),
    "Transformer": lambda: TransformerAutoEncoder((8, 4), 2, 3, patch=2, width=8, heads=2, hidden=6),
}


def seeded(number):
    return torch.Generator().manual_seed(number)


def small(beta=1.0):
    return VariationalAutoEncoder(MLPAutoEncoder(6, 2, 3, hidden=(5,)), beta=beta).double()


@pytest.mark.parametrize("make", BASES.values(), ids=BASES)
def test_without_noise_it_is_the_autoencoder_it_is_made_of(make):
    base, x = make(), torch.rand(5, 32, 2)
    before = copy.deepcopy(base.state_dict())
    model = VariationalAutoEncoder(base)
    torch.testing.assert_close(model.encode(x), base.encode(x))
    torch.testing.assert_close(model(x), base(x))
    torch.testing.assert_close(model.posterior(x)[0], model.encode(x))
    model.initialize(x)
    base.initialize(x)
    torch.testing.assert_close(model(x), base(x))
    model.loss(x).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    assert base.encode(x).shape == (5, 3)
    assert before.keys() == base.state_dict().keys()


def test_the_divergence_is_that_of_torch():
    model, x = small(), torch.rand(7, 6, 2, dtype=torch.float64)
    mean, deviation = model.posterior(x)
    expected = kl_divergence(Normal(mean, deviation), Normal(torch.zeros(()), torch.ones(()))).sum(1)
    torch.testing.assert_close(model.divergence(x), expected)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_is_the_error_of_a_draw_and_the_divergence(beta):
    model, x = small(beta), torch.rand(7, 6, 2, dtype=torch.float64)
    mean, deviation = model.posterior(x)
    noise = torch.empty_like(mean).normal_(generator=seeded(3))
    error = (x - model.decode(mean + deviation * noise)).square().sum((1, 2)).mean()
    expected = error + 2 * error / 12 * beta * model.divergence(x).mean()
    torch.testing.assert_close(model.loss(x, seeded(3)), expected)
    assert model.loss(x, seeded(4)) != expected


def test_its_gradient_is_that_of_the_evidence_bound_at_the_best_variance():
    model, x = small(beta=4.0), torch.rand(7, 6, 2, dtype=torch.float64)
    model.loss(x, seeded(0)).backward()
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    mean, deviation = model.posterior(x)
    noise = torch.empty_like(mean).normal_(generator=seeded(0))
    reconstruction = model.decode(mean + deviation * noise)
    variance = (x - reconstruction).square().mean()
    likelihood = Normal(reconstruction, variance.sqrt()).log_prob(x).sum((1, 2)).mean()
    (-likelihood + 4.0 * model.divergence(x).mean()).backward()
    for gradient, parameter in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, 2 * variance.detach() * parameter.grad)


def test_layouts_and_samples():
    model = small()
    x = torch.rand(5, 6, 2, dtype=torch.float64)
    torch.testing.assert_close(model.loss(x.flatten(0, 1), seeded(1)), model.loss(x, seeded(1)))
    first = model.sample(4, seeded(2))
    assert first.shape == (4, 6, 2)
    codes = torch.randn(4, 3, generator=seeded(2), dtype=torch.float64)
    torch.testing.assert_close(first, model.decode(codes))


def test_it_is_lowered_before_or_after():
    graph, x = SharedGraph.from_grid((8, 8)), torch.rand(3, 64, 1)
    model = VariationalAutoEncoder(SCGEAutoEncoder(graph, 1, 3, **SIZES))
    lowered = lower_to_conv(model, strict=True)
    torch.testing.assert_close(lowered(x), model(x))
    torch.testing.assert_close(lowered.loss(x, seeded(0)), model.loss(x, seeded(0)))
    assert any(isinstance(layer, torch.nn.Conv2d) for layer in lowered.modules())
    again = VariationalAutoEncoder(lower_to_conv(SCGEAutoEncoder(graph, 1, 3, **SIZES), strict=True))
    assert again.sample(2).shape == (2, 64, 1)


def test_training_minimises_its_loss():
    x = torch.rand(64, 6, 2, generator=seeded(0), dtype=torch.float64)
    said = {}
    for beta in (0.0, 100.0):
        torch.manual_seed(0)
        model = small(beta)
        start = copy.deepcopy(model)
        start.initialize(x)
        torch.manual_seed(1)
        fit = fit_autoencoder(model, x, epochs=15, batch_size=64, lr=0.03)
        torch.manual_seed(1)
        order = torch.randperm(64, generator=seeded(0))
        assert fit.losses[0] == pytest.approx(start.loss(x[order]).item())  # one step an epoch
        said[beta] = model.divergence(x).mean().item()
    assert said[100.0] < said[0.0] / 4


def test_bad_arguments():
    with pytest.raises(ValueError, match="beta must be at least 0, got -1"):
        small(beta=-1)
    for base in (PCAAutoEncoder(6, 1, 2), LocallyLinearAutoEncoder(6, 1, 2), small()):
        with pytest.raises(ValueError, match=f"end its encoder with a dense layer.*got {type(base).__name__}"):
            VariationalAutoEncoder(base)
