"""Samplers against the distribution that they are to have, where all codes can be counted."""

import itertools
from collections.abc import Callable

import pytest
import torch
from scipy.stats import chisquare

from scge_pyg.models.cgae import CGAE
from scge_pyg.models.cgae.code import State


def toy(decoder: str, price: float | None) -> CGAE:
    model = CGAE((2, 2), 2, 2, 2, decoder=decoder, price=price).double()
    generator = torch.Generator().manual_seed(103)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model.requires_grad_(False)


def all_states(model: CGAE) -> State:
    kinds = range(-1 if model.price is not None else 0, 2)
    one = [(k, p) for k in kinds for p in range(4) if k >= 0 or p == 0]
    both = torch.tensor(list(itertools.product(one, one)))
    return State(both[:, :, 1], both[:, :, 0], torch.zeros(len(both), 2, 0, dtype=torch.double))


def numbered(state: State) -> torch.Tensor:
    part = torch.where(state.kind >= 0, state.kind * 4 + state.place, 8)
    return part[:, 0] * 9 + part[:, 1]


@pytest.mark.parametrize("decoder", ["additive", "occluding"])
@pytest.mark.parametrize("price", [None, 0.3])
@pytest.mark.parametrize("method", ["gibbs", "tempering"])
def test_the_chain_has_the_posterior_of_all_codes(
    decoder: str, price: float | None, method: str, agreement: Callable[..., float]
) -> None:
    model, count = toy(decoder, price), 3000
    x = torch.randn(1, 1, 4, generator=torch.Generator().manual_seed(104), dtype=torch.double)
    states = all_states(model)
    posterior = model.posterior(x.expand(len(states.kind), -1, -1))
    expected = torch.zeros(81, dtype=torch.double)
    expected[numbered(states)] = (-posterior.energy(states)).softmax(0)
    many = model.posterior(x.expand(count, -1, -1), torch.Generator().manual_seed(105))
    with torch.no_grad():
        if method == "gibbs":
            state = many.pursuit()
            for _ in range(12):
                state = many.sweep(state, 1.0)
        else:
            state, _ = many.tempered([1.0, 3.0], 13)  # the last thing done is an exchange
    seen = torch.bincount(numbered(state), minlength=81)
    assert int(seen[expected == 0].sum()) == 0
    assert agreement(seen, expected * count) > 1e-3


def test_a_wrong_temperature_is_seen() -> None:
    model, count = toy("additive", None), 3000
    x = torch.randn(1, 1, 4, generator=torch.Generator().manual_seed(104), dtype=torch.double)
    states = all_states(model)
    energy = model.posterior(x.expand(len(states.kind), -1, -1)).energy(states)
    many = model.posterior(x.expand(count, -1, -1), torch.Generator().manual_seed(105))
    state = many.pursuit()
    for _ in range(12):
        state = many.sweep(state, 1.5)
    seen = torch.bincount(numbered(state), minlength=81)[numbered(states)].double()
    assert chisquare(seen.numpy(), (count * (-energy).softmax(0)).numpy()).pvalue < 1e-6


def test_exchanges_keep_the_units_of_linear_codes() -> None:
    """With a price the number of linear codes differs between states: the probability of none by integration."""
    model = CGAE((1, 1), 1, 1, 1, num_linear=1, price=0.2).double()
    with torch.no_grad():
        model.decoder.weight.fill_(0.5)
        model.decoder.basis.fill_(1.5)
    count, x = 20_000, torch.full((1, 1, 1), 0.4, dtype=torch.double)
    many = model.posterior(x.expand(count, -1, -1), torch.Generator().manual_seed(106))
    state, _ = many.tempered([1.0, 4.0], 13)
    grid = torch.linspace(-12, 12, 4001, dtype=torch.double)
    energy = 0.5 * (0.4 - 0.5 - 1.5 * grid) ** 2 + 0.5 * grid**2 + 0.2
    part = float(torch.trapezoid((-energy).exp(), grid)) / (2 * torch.pi) ** 0.5
    none = float(torch.tensor(-0.5 * 0.4**2).exp())
    wanted = none / (none + part)
    share = float((state.kind < 0).double().mean())
    assert abs(share - wanted) < 4 * (wanted * (1 - wanted) / count) ** 0.5


def test_linear_codes_solved_at_once_have_no_slope_left() -> None:
    for decoder in ("additive", "occluding"):
        model = CGAE((6, 6), 3, 4, 3, num_linear=2, decoder=decoder).double()
        generator = torch.Generator().manual_seed(107)
        with torch.no_grad():
            for parameter in model.decoder.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        posterior = model.posterior(torch.randn(5, 1, 36, generator=generator, dtype=torch.double), generator)
        state = posterior.solved(posterior.sweep(posterior.empty(), 1.0))
        b = state.b.clone().requires_grad_()
        (slope,) = torch.autograd.grad(posterior.energy(state._replace(b=b)).sum(), b)
        assert float(slope.abs().max()) < 1e-8
