"""Gradients against enumeration of two parts with three values: over all tuples of draws, and by big samples."""

import copy
import itertools
import math

import pytest
import torch
from torch.distributions import Categorical, kl_divergence

from scge_pyg.models.cgae.learning.estimators import RunningMean, importance_loss, posterior_loss, reinforce_loss
from scge_pyg.models.cgae.learning.proposal_draws import draw_codes

PARTS, VALUES, PIXELS, IMAGES, NOISE = 2, 3, 4, 2, 1.2
CODES = torch.tensor(list(itertools.product(range(VALUES), repeat=PARTS)))
LOSSES = {
    "reinforce": lambda q, r: reinforce_loss(q, r, None),
    "leave one out": reinforce_loss,
    "importance": importance_loss,
    "posterior": lambda q, r: posterior_loss(q + r),
}


def seeded(number):
    return torch.Generator().manual_seed(number)


def leaves(copies=1):
    """Logits of the proposal ``[R, B, H, n]`` and prototypes ``[R, H, n, D]``, R copies of each."""
    generator = seeded(100)
    logits = torch.randn(IMAGES, PARTS, VALUES, generator=generator, dtype=torch.float64)
    prototypes = torch.randn(PARTS, VALUES, PIXELS, generator=generator, dtype=torch.float64)
    return [p.expand(copies, *p.shape).clone().requires_grad_() for p in (logits, prototypes)]


def scores(parameters, code):
    """log q_e and log q_r of codes ``[K, R * B, H]``."""
    logits, prototypes = parameters
    images = torch.randn(IMAGES, PIXELS, generator=seeded(101), dtype=torch.float64).repeat(len(logits), 1)
    copy_of = torch.arange(len(logits)).repeat_interleave(IMAGES).unsqueeze(1)
    decoded = prototypes[copy_of, torch.arange(PARTS), code].sum(2)
    every = logits.flatten(0, 1).log_softmax(-1)
    log_proposal = sum(every[torch.arange(len(every)), h].T[code[..., h], torch.arange(len(every))] for h in (0, 1))
    return log_proposal, -(images - decoded).square().sum(-1) / (2 * NOISE**2)


def enumerated(parameters):
    return scores(parameters, CODES.unsqueeze(1).expand(-1, IMAGES, -1))


def slopes(value, parameters):
    found = torch.autograd.grad(value, parameters, materialize_grads=True, retain_graph=True)
    return [g.flatten(1) for g in found]


def exact(objective):
    parameters = leaves()
    log_proposal, log_likelihood = enumerated(parameters)
    if objective == "bound":
        return slopes((log_proposal.exp() * log_likelihood).sum(0).mean(), parameters)
    return slopes(torch.logsumexp(log_proposal + log_likelihood, 0).mean(), parameters)


def expected(loss, draws, law="proposal"):
    """Exact mean of minus a loss's gradient: all tuples of draws as images of one call, each with its probability."""
    parameters = leaves()
    log_proposal, log_likelihood = enumerated(parameters)
    index = torch.cartesian_prod(*[torch.arange(len(CODES))] * draws).reshape(-1, draws).T
    total = 0
    for image in range(IMAGES):
        q, r = log_proposal[:, image][index], log_likelihood[:, image][index]
        inputs = [q.detach().requires_grad_(), r.detach().requires_grad_()]
        by_q, by_r = torch.autograd.grad(-loss(*inputs) * index.shape[1], inputs, materialize_grads=True)
        chance = log_proposal if law == "proposal" else (log_proposal + log_likelihood).log_softmax(0)
        chance = chance.detach()[:, image][index].sum(0).exp()
        total = total + ((by_q * q + by_r * r) * chance).sum() / IMAGES
    return slopes(total, parameters)


def in_errors(sample, truth):
    """How far a mean of estimates ``[R, P]`` is off: chi-square over their axes, in its standard deviations."""
    variance, axes = torch.linalg.eigh(sample.T.cov())
    common = variance > 1e-4 * variance[-1]  # codes that are hardly ever drawn have no standard error worth the name
    off = (sample.mean(0) - truth) @ axes
    if off[~common].norm() > 1e-2 * truth.norm():
        return math.inf
    square = off[common].square() / variance[common] * len(sample)
    return (square.sum().item() - len(square)) / math.sqrt(2 * len(square))


def sampled(loss_of, copies=10_000):
    """Independent estimates of the gradient ``[R, P]``, encoder and decoder."""
    parameters = leaves(copies)
    return slopes(-copies * loss_of(parameters), parameters)


def from_proposal(loss, draws, generator):
    def loss_of(parameters):
        code, log_proposal = draw_codes(parameters[0].flatten(0, 1), draws, generator)
        again, log_likelihood = scores(parameters, code)
        torch.testing.assert_close(again, log_proposal)
        return loss(log_proposal, log_likelihood)

    return loss_of


def from_gibbs(draws, sweeps, generator):
    """Each chain starts at a draw of the proposal and changes one part after the other given the rest."""

    def loss_of(parameters):
        code = draw_codes(parameters[0].detach().flatten(0, 1), draws, generator)[0]
        with torch.no_grad():
            table = sum(enumerated(leaves())).view(VALUES, VALUES, IMAGES).repeat(1, 1, len(parameters[0]))
        image = torch.arange(table.shape[-1]).expand(draws, -1)
        for _ in range(sweeps):
            for part, given in ((0, table.transpose(0, 1)), (1, table)):
                chance = given[code[..., 1 - part], :, image].softmax(-1)
                code[..., part] = torch.multinomial(chance.flatten(0, 1), 1, generator=generator).view(draws, -1)
        return posterior_loss(sum(scores(parameters, code)))

    return loss_of


@pytest.mark.parametrize(
    ("baseline", "draws"), [(None, 1), (None, 3), ("running", 1), ("running", 3), ("loo", 2), ("loo", 3)]
)
def test_reinforce_has_the_gradient_of_the_bound_as_its_mean(baseline, draws):
    level = RunningMean()
    level(torch.full((1, 1), -3.0))

    def loss(q, r):
        return reinforce_loss(q, r, copy.deepcopy(level) if baseline == "running" else baseline)

    found = expected(loss, draws)
    for mean, bound, marginal in zip(found, exact("bound"), exact("marginal"), strict=True):
        torch.testing.assert_close(mean, bound)
        assert (bound - marginal).norm() > 0.3 * bound.norm()


def test_posterior_draws_have_the_gradient_of_the_marginal_likelihood_as_their_mean():
    for draws in (1, 3):
        for mean, marginal in zip(expected(LOSSES["posterior"], draws, "posterior"), exact("marginal"), strict=True):
            torch.testing.assert_close(mean, marginal)


def test_one_importance_weighted_draw_is_the_bound_without_its_score():
    encoder, decoder = expected(importance_loss, 1)
    assert not encoder.any()
    torch.testing.assert_close(decoder, exact("bound")[1])


@pytest.mark.parametrize("draws", [2, 3, 4])
def test_importance_weighting_averages_over_a_picked_draw(draws):
    parameters = leaves()
    log_proposal, log_likelihood = enumerated(parameters)
    index = torch.cartesian_prod(*[torch.arange(len(CODES))] * draws).T
    chance, likelihood = log_proposal.exp()[index].prod(0).detach(), log_likelihood.exp()[index]
    share = (likelihood / likelihood.sum(0)).detach()
    picked = (share * chance * (log_proposal + log_likelihood)[index]).sum((0, 1)).mean()
    sharp = (chance * likelihood.mean(0).log()).sum(0).mean()
    found = expected(importance_loss, draws)
    for mean, true in zip(found, slopes(picked, parameters), strict=True):
        torch.testing.assert_close(mean, true)
    torch.testing.assert_close(found[1], slopes(sharp, parameters)[1])


def test_the_encoder_of_burdas_bound_has_another_weight():
    parameters = leaves()
    log_proposal, log_likelihood = enumerated(parameters)
    index = torch.cartesian_prod(*[torch.arange(len(CODES))] * 3).T
    chance, likelihood = log_proposal[index].sum(0).exp(), log_likelihood.detach().exp()[index]
    sharp = slopes((chance * likelihood.mean(0).log()).sum(0).mean(), parameters)[0]
    weight = -torch.log1p(-likelihood / likelihood.sum(0))
    scored = slopes((chance.detach() * weight * log_proposal[index]).sum((0, 1)).mean(), parameters)[0]
    torch.testing.assert_close(scored, sharp)
    assert (expected(importance_loss, 3)[0] - sharp).norm() > 0.05 * sharp.norm()


def test_the_excess_over_the_bound_is_the_gradient_of_a_divergence():
    parameters = leaves()
    log_proposal, log_likelihood = enumerated(parameters)
    joint = log_proposal + log_likelihood
    divergence = kl_divergence(Categorical(logits=log_proposal.T), Categorical(logits=joint.T)).mean()
    held, law = (log_likelihood - torch.logsumexp(joint, 0)).detach(), log_proposal.detach().exp()
    rho = held.exp()
    scored = law * ((rho - 1 - held) * log_proposal + (rho - 1) * log_likelihood)
    by_weight = slopes(scored.sum(0).mean(), parameters)
    for side, found in enumerate(slopes(divergence, parameters)):
        torch.testing.assert_close(found, exact("marginal")[side] - exact("bound")[side])
        torch.testing.assert_close(found, by_weight[side])


CASES = {
    "REINFORCE": (lambda g: from_proposal(LOSSES["reinforce"], 4, g), "bound", "marginal"),
    "REINFORCE, leave one out": (lambda g: from_proposal(reinforce_loss, 4, g), "bound", "marginal"),
    "importance": (lambda g: from_proposal(importance_loss, 4, g), "picked", "marginal"),
    "Gibbs": (lambda g: from_gibbs(4, 5, g), "marginal", "bound"),
}


@pytest.mark.parametrize(("make", "own", "other"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("seed", [100, 101])
def test_big_samples_agree_with_their_own_objective_and_with_no_other(make, own, other, seed):
    samples = sampled(make(seeded(seed)))
    truths = {name: exact(name) for name in ("bound", "marginal")}
    truths["picked"] = expected(importance_loss, 4) if own == "picked" else None
    assert max(in_errors(sample, truth[0]) for sample, truth in zip(samples, truths[own], strict=True)) < 3
    for sample, truth in zip(samples, truths[other], strict=True):
        assert in_errors(sample, truth[0]) > (3 if own == "bound" else 30)


def test_a_chain_that_has_not_settled_fails_the_same_test():
    samples = sampled(from_gibbs(4, 0, seeded(100)))
    assert min(in_errors(s, t[0]) for s, t in zip(samples, exact("marginal"), strict=True)) > 30


def test_baselines_lower_the_variance_of_the_encoder_alone():
    """The images' likelihoods differ by 40 nats, which one level for all of them can't take away."""
    level, apart = RunningMean(), torch.tensor([0.0, -40.0])

    def loss_with(baseline):
        return lambda q, r: reinforce_loss(q, r + apart.repeat(r.shape[1] // 2), baseline)

    for seed in range(100, 110):
        from_proposal(loss_with(level), 4, seeded(seed))(leaves(50))
    spread = {}
    for name, baseline in (("none", None), ("running", level), ("loo", "loo")):
        samples = sampled(from_proposal(loss_with(baseline), 4, seeded(100)), 2000)
        spread[name] = [sample.var(0).sum().item() for sample in samples]
    assert spread["loo"][0] < spread["running"][0] / 2
    assert spread["running"][0] < spread["none"][0] / 2
    assert spread["loo"][1] == spread["running"][1] == spread["none"][1]


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_batch_is_the_mean_of_its_images(loss):
    q = torch.randn(5, 7, generator=seeded(100), dtype=torch.float64, requires_grad=True)
    r = torch.randn(5, 7, generator=seeded(101), dtype=torch.float64) - 200 * torch.arange(7)
    r.requires_grad_()
    found = torch.autograd.grad(loss(q, r), (q, r))
    alone = [torch.autograd.grad(loss(q[:, b : b + 1], r[:, b : b + 1]), (q, r)) for b in range(7)]
    for side in (0, 1):
        torch.testing.assert_close(found[side], sum(one[side] for one in alone) / 7)
        assert found[side].abs().amax(0).min() > 0


@pytest.mark.parametrize("loss", [LOSSES[name] for name in ("leave one out", "importance", "posterior")])
def test_a_constant_of_an_image_changes_nothing(loss):
    q = torch.randn(5, 3, generator=seeded(100), dtype=torch.float64, requires_grad=True)
    r = torch.randn(5, 3, generator=seeded(101), dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(loss(q, r), (q, r))
    shifted = torch.autograd.grad(loss(q, r + torch.tensor([-800.0, 0.0, 50.0])), (q, r))
    for one, other in zip(found, shifted, strict=True):
        torch.testing.assert_close(one, other)


def test_the_running_mean_is_that_of_earlier_steps():
    level, values = RunningMean(decay=0.75), torch.randn(6, 4, 3, generator=seeded(100))
    kept = None
    for value in values:
        assert level(value).item() == pytest.approx(0 if kept is None else kept, abs=1e-6)
        mean = value.mean().item()
        kept = mean if kept is None else 0.75 * kept + 0.25 * mean
    restored = RunningMean(decay=0.75)
    restored.load_state_dict(level.state_dict())
    assert torch.equal(restored(values[0]), level(values[0]))
    value = values[0].double().requires_grad_()
    assert level(value).dtype == torch.float64
    assert not level(value).requires_grad


def test_bad_arguments():
    good = torch.zeros(4, 2)
    for bad in (torch.zeros(4), torch.zeros(0, 2), torch.zeros(4, 0), torch.zeros(4, 2, 1)):
        for loss in LOSSES.values():
            with pytest.raises(ValueError, match=r"\[K, B\] with K, B > 0, got .*\["):
                loss(bad, bad)
    for loss in (reinforce_loss, importance_loss):
        with pytest.raises(ValueError, match=r"got log_proposal \[4, 2\], log_likelihood \[4, 3\]"):
            loss(good, torch.zeros(4, 3))
        for value in (math.nan, -math.inf):
            with pytest.raises(ValueError, match="log_likelihood has NaN or infinite"):
                loss(good, torch.full((4, 2), value))
            with pytest.raises(ValueError, match="log_proposal has NaN or infinite"):
                loss(torch.full((4, 2), value), good)
    with pytest.raises(ValueError, match="posterior_loss: log_joint has NaN"):
        posterior_loss(torch.full((4, 2), math.nan))
    with pytest.raises(ValueError, match=r"at least 2 draws.*got 'loo' for 1 draws"):
        reinforce_loss(good[:1], good[:1])
    with pytest.raises(ValueError, match=r"baseline must be.*got 'mean' for 4 draws"):
        reinforce_loss(good, good, "mean")
    for decay in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match=f"decay must be at least 0 and less than 1, got {decay}"):
            RunningMean(decay)
