"""Draws against the probabilities they should have, and relaxed gradients against one-dimensional integrals."""

import math

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import chisquare
from torch.distributions import Categorical, Independent

from scge_pyg.models.cgae.learning.proposal_draws import draw_codes, relaxed_draws

LOGITS = torch.tensor([[[0.0, 1.0, -1.0], [2.0, 0.0, 0.5]], [[-1.0, -1.0, 3.0], [0.0, 0.0, 0.0]]])


def seeded(number):
    return torch.Generator().manual_seed(number)


def agrees(code):
    """Frequencies of joint values ``[K, B, H]``, parts being independent, by a chi-square test of each image."""
    for image, logits in enumerate(LOGITS):
        chance = torch.outer(*logits.double().softmax(-1)).flatten()
        found = torch.bincount(code[:, image, 0] * 3 + code[:, image, 1], minlength=9)
        if chisquare(found.double(), chance * len(code)).pvalue < 0.01:
            return False
    return True


def test_codes_have_the_probabilities_of_their_logits():
    logits = LOGITS.clone().requires_grad_()
    code, log_proposal = draw_codes(logits, 20_000, seeded(100))
    assert code.shape == (20_000, 2, 2)
    assert agrees(code)
    assert not agrees(code.flip(1))
    torch.testing.assert_close(log_proposal, Independent(Categorical(logits=logits), 1).log_prob(code))
    log_proposal[0, 0].backward()
    one_hot = torch.nn.functional.one_hot(code[0, 0], 3)
    torch.testing.assert_close(logits.grad[0], one_hot - LOGITS[0].softmax(-1))
    assert not logits.grad[1].any()


def test_the_same_seed_draws_the_same():
    first, again, other = (draw_codes(LOGITS, 50, seeded(s))[0] for s in (100, 100, 101))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    one, two = (relaxed_draws(LOGITS, 5, generator=seeded(100)) for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("temperature", [0.01, 1.0, 5.0])
def test_relaxed_draws_lie_between_values_and_their_largest_is_a_draw(temperature):
    soft = relaxed_draws(LOGITS, 20_000, temperature, generator=seeded(100))
    hard = relaxed_draws(LOGITS, 20_000, temperature, hard=True, generator=seeded(100))
    assert soft.shape == (20_000, 2, 2, 3)
    assert soft.min() >= 0
    torch.testing.assert_close(soft.sum(-1), torch.ones(20_000, 2, 2))
    assert agrees(soft.argmax(-1))
    torch.testing.assert_close(hard, torch.nn.functional.one_hot(soft.argmax(-1), 3).float())
    assert (soft.amax(-1).mean() > 0.99) == (temperature == 0.01)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_gradients_of_two_values_are_those_of_an_integral(hard, temperature):
    """The difference of two Gumbel numbers is logistic, so that the mean gradient is one integral over it."""
    gap, first, second, image = 0.7, -0.4, 1.5, 1.2

    def steepness(y):
        return (image - first - (second - first) * y) * (second - first)

    def inside(noise):
        y = 1 / (1 + math.exp(-(gap + noise) / temperature))
        at = float(gap + noise > 0) if hard else y
        density = 1 / (2 + 2 * math.cosh(noise))
        return density * steepness(at) * y * (1 - y) / temperature

    own = sum(quad(inside, *ends)[0] for ends in ((-60, -gap), (-gap, 60)))
    logits = torch.zeros(20_000, 1, 2, dtype=torch.float64)
    logits[..., 1] = gap
    logits.requires_grad_()
    y = relaxed_draws(logits, 10, temperature, hard, seeded(100))
    decoded = (y * torch.tensor([first, second])).sum((-1, -2))
    (-(image - decoded).square() / 2).mean(0).sum().backward()
    estimates = logits.grad[:, 0, 1]
    error = estimates.std() / len(estimates) ** 0.5
    assert abs(estimates.mean() - own) < 3 * error
    share = 1 / (1 + math.exp(-gap))
    bound = share * (1 - share) * ((image - first) ** 2 - (image - second) ** 2) / 2
    assert abs(estimates.mean() - bound) > 10 * error


def test_straight_through_leaves_the_decoder_unbiased():
    prototypes = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    logits, image = LOGITS[:1, :1].double(), 1.3
    chance = logits[0, 0].softmax(-1)
    truth = chance * (image - prototypes)
    found = {}
    for hard in (True, False):
        leaf = prototypes.expand(20_000, -1).clone().requires_grad_()
        y = relaxed_draws(logits, 20_000, 1.0, hard, seeded(100))[:, 0, 0]
        (-(image - (y * leaf).sum(-1)).square() / 2).sum().backward()
        error = leaf.grad.std(0) / len(leaf) ** 0.5
        found[hard] = ((leaf.grad.mean(0) - truth) / error).abs().max()
    assert found[True] < 3
    assert found[False] > 30


def test_bad_arguments():
    for bad in (torch.zeros(3), torch.zeros(2, 3), torch.zeros(0, 2, 3), torch.zeros(2, 3, 0)):
        for draw in (draw_codes, relaxed_draws):
            with pytest.raises(ValueError, match=rf"{draw.__name__}: logits must be \[B, H, n\].*got \["):
                draw(bad, 2)
    for count in (0, -1, 1.5, True):
        for draw in (draw_codes, relaxed_draws):
            with pytest.raises(ValueError, match=f"{draw.__name__}: num_draws must be a positive integer, got {count}"):
                draw(LOGITS, count)
    for temperature in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"temperature must be positive and finite, got {temperature}"):
            relaxed_draws(LOGITS, 2, temperature)
