"""Estimators against closed forms, finite differences and enumeration."""

import copy
import itertools
import math
import pickle

import pytest
import torch
from scipy.stats import chi2, norm

from scge_pyg.nn.trained.estimators import Gumbel, Reinforce, Soft, StraightThrough, TopK, make_estimator
from scge_pyg.nn.trained.subset_sampling import mutual, plackett_luce_log_prob, relaxed_k_hot, topk_random_ties

ALL = {
    "topk": lambda: TopK(2),
    "soft": Soft,
    "straight_through": lambda: StraightThrough(2),
    "gumbel": lambda: Gumbel(2),
    "hard gumbel": lambda: Gumbel(2, hard=True),
    "reinforce": lambda: Reinforce(2),
}


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


@pytest.fixture(params=ALL)
def estimator(request):
    return ALL[request.param]()


def sequences(scores, k):
    """All ordered draws of k of the candidates and their probabilities, term by term."""
    weight = [math.exp(s) for s in scores.tolist()]
    found = {}
    for order in itertools.permutations(range(len(weight)), k):
        left, p = sum(weight), 1.0
        for j in order:
            p *= weight[j] / left
            left -= weight[j]
        found[order] = p
    assert sum(found.values()) == pytest.approx(1.0)
    return found


def chi_square(counts, expected):
    """p-value of counts against expected counts."""
    statistic = sum((counts.get(key, 0) - e) ** 2 / e for key, e in expected.items())
    return float(chi2.sf(statistic, len(expected) - 1))


def dense(selection, candidates):
    """Weights by candidate ``[T, M]``."""
    return torch.zeros(selection.slot.shape[0], candidates, dtype=selection.weight.dtype).scatter_add(
        1, selection.slot, selection.weight
    )


def test_soft_against_the_closed_form():
    scores = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(4, 6, dtype=torch.float64)
    weight = Soft()(scores).weight
    expected = scores.exp() / scores.exp().sum(1, keepdim=True)
    torch.testing.assert_close(weight, expected, rtol=1e-12, atol=1e-12)
    (grad,) = torch.autograd.grad((weight * upstream).sum(), scores)
    p = expected.detach()
    closed = p * (upstream - (p * upstream).sum(1, keepdim=True))
    torch.testing.assert_close(grad, closed, rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="6 sources are more than max_sources=5"):
        Soft(max_sources=5)(scores)


def test_topk_against_finite_differences():
    scores = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    chooser = TopK(3)
    assert torch.autograd.gradcheck(lambda s: dense(chooser(s), 7), scores)
    weight = dense(chooser(scores), 7)
    best = scores.topk(3, 1).indices
    expected = torch.zeros_like(scores).scatter(1, best, scores.gather(1, best).softmax(1))
    torch.testing.assert_close(weight, expected)


def test_straight_through_is_hard_forward_and_soft_backward():
    scores = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(4, 6, dtype=torch.float64)
    weight = StraightThrough(2)(scores).weight
    expected = torch.zeros_like(scores).scatter(1, scores.topk(2, 1).indices, 0.5)
    torch.testing.assert_close(weight, expected)
    (grad,) = torch.autograd.grad((weight * upstream).sum(), scores)
    (soft,) = torch.autograd.grad((scores.softmax(1) * upstream).sum(), scores)
    torch.testing.assert_close(grad, soft)


@pytest.mark.parametrize("candidates", [3, 4, 5, 6])
def test_gumbel_draws_follow_plackett_luce(candidates):
    generator = torch.Generator().manual_seed(candidates)
    scores = torch.randn(candidates, generator=generator, dtype=torch.float64)
    draws = 20_000
    chooser = Gumbel(2, hard=True, seed=1)
    weight = chooser(scores.expand(draws, -1)).weight
    assert torch.equal((weight > 0.25).sum(1), torch.full((draws,), 2))
    expected = {}
    for order, p in sequences(scores, 2).items():
        key = tuple(sorted(order))
        expected[key] = expected.get(key, 0.0) + p * draws
    chosen = [tuple(pair) for pair in weight.topk(2, 1).indices.sort(1).values.tolist()]
    counts = {key: chosen.count(key) for key in expected}
    assert chi_square(counts, expected) > 0.001
    uniform = dict.fromkeys(expected, draws / len(expected))
    assert candidates == 3 or chi_square(counts, uniform) < 1e-6


def test_reinforce_draws_are_ordered_plackett_luce_draws():
    scores = torch.tensor([0.3, -1.0, 1.2, 0.0], dtype=torch.float64)
    draws = 20_000
    slot = Reinforce(2, seed=3)(scores.expand(draws, -1)).slot
    chosen = [tuple(pair) for pair in slot.tolist()]
    expected = {order: p * draws for order, p in sequences(scores, 2).items()}
    assert chi_square({key: chosen.count(key) for key in expected}, expected) > 0.001


def test_log_probability_against_its_definition():
    scores = torch.randn(5, dtype=torch.float64)
    for order, p in sequences(scores, 3).items():
        found = plackett_luce_log_prob(scores.unsqueeze(0), torch.tensor([order]))
        assert float(found.exp()) == pytest.approx(p, rel=1e-10)
    leaf = scores.unsqueeze(0).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: plackett_luce_log_prob(s, torch.tensor([[3, 0, 4]])), leaf)


def loss_of(weight):
    """A loss of the attention weights ``[..., M]`` that is not linear in them."""
    values = torch.tensor([0.7, -1.1, 0.4, 2.0], dtype=weight.dtype)
    return ((weight * values).sum(-1) - 0.3).square() + 0.5 * (weight * values.flip(0)).sum(-1)


def exact_gradient(scores, k):
    """Gradient of the expected loss over all ordered draws."""
    leaf = scores.clone().requires_grad_()
    total = 0.0
    for order in itertools.permutations(range(len(scores)), k):
        weight = torch.zeros(len(scores), dtype=scores.dtype)
        weight[list(order)] = 1 / k
        total = total + plackett_luce_log_prob(leaf.unsqueeze(0), torch.tensor([order])).exp().sum() * loss_of(weight)
    return torch.autograd.grad(total, leaf)[0]


@pytest.mark.parametrize("baseline", ["loo", "learned"])
def test_reinforce_is_unbiased(baseline):
    scores = torch.tensor([0.3, -0.5, 0.8, 0.0], dtype=torch.float64)
    exact = exact_gradient(scores, 2)
    chooser = Reinforce(2, baseline, seed=0)
    estimates = []
    for _ in range(3000):
        leaf = scores.unsqueeze(0).clone().requires_grad_()
        losses = torch.stack([loss_of(dense(chooser(leaf), 4)[0]) for _ in range(2)])
        estimates.append(torch.autograd.grad(chooser.surrogate(losses), leaf)[0][0])
    sample = torch.stack(estimates)
    error = sample.std(0) / math.sqrt(len(sample))
    limit = norm.ppf(1 - 0.0027 / 2 / 4)  # 3 standard errors for four comparisons
    assert ((sample.mean(0) - exact).abs() / error).max() < limit
    assert (exact.abs() / error).max() > 2 * limit  # enough draws to see a gradient that is wrong


def test_baselines_lower_the_variance():
    scores = torch.tensor([[0.3, -0.5, 0.8, 0.0]], dtype=torch.float64)

    def spread(shift):
        chooser = Reinforce(2, "loo", seed=0)
        found = []
        for _ in range(400):
            leaf = scores.clone().requires_grad_()
            losses = torch.stack([loss_of(dense(chooser(leaf), 4)[0]) for _ in range(4)]) + shift
            found.append(torch.autograd.grad(chooser.surrogate(losses), leaf)[0])
        return torch.stack(found).std(0)

    torch.testing.assert_close(spread(0.0), spread(1000.0), rtol=1e-6, atol=1e-6)


def test_the_loss_hook_wants_its_draws():
    chooser = Reinforce(2)
    scores = torch.randn(3, 5, requires_grad=True)
    chooser(scores)
    with pytest.raises(ValueError, match="at least 2 for baseline='loo', got 1 losses for 1 passes"):
        chooser.surrogate(torch.ones(1))
    chooser(scores), chooser(scores)
    with pytest.raises(ValueError, match="got 3 losses for 2 passes"):
        chooser.surrogate(torch.ones(3))
    with torch.no_grad():
        chooser(scores)
    with pytest.raises(ValueError, match="got 2 losses for 0 passes"):
        chooser.surrogate(torch.ones(2))


def test_gumbel_gradient_against_finite_differences_under_common_noise():
    scores = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def relaxed(s):
        return Gumbel(2, temperature=0.7, seed=5)(s).weight

    assert torch.autograd.gradcheck(relaxed, scores)
    torch.testing.assert_close(relaxed(scores).sum(1), torch.ones(2, dtype=torch.float64))


def test_relaxation_hardens_with_the_temperature():
    scores = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    hot = relaxed_k_hot(scores, 2, 1e-3)
    expected = torch.zeros_like(scores).scatter(1, scores.topk(2, 1).indices, 1.0)
    torch.testing.assert_close(hot, expected, atol=1e-6, rtol=0)
    assert (relaxed_k_hot(scores, 2, 5.0) - expected).abs().max() > 0.3


def test_relaxation_never_chooses_one_candidate_twice():
    """Where scores lie far apart, 1 - p is smaller than the resolution of float32 around 1."""
    scores = torch.tensor([[0.0, -30.0, -60.0, -90.0], [-500.0, 0.0, -900.0, -torch.inf], [7.0, *[-torch.inf] * 3]])
    exact = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    for dtype in (torch.float32, torch.float64):
        for temperature in (0.5, 0.1):
            hot = relaxed_k_hot(scores.to(dtype), 2, temperature)
            torch.testing.assert_close(hot, exact.to(dtype), atol=1e-4, rtol=0)


def test_relaxation_against_its_definition():
    scores = torch.randn(3, 6, dtype=torch.float64)
    for temperature in (0.3, 1.0, 3.0):
        state, expected = scores, torch.zeros_like(scores)
        for _ in range(4):
            share = (state / temperature).softmax(1)
            state, expected = state + (1 - share).log(), expected + share
        torch.testing.assert_close(relaxed_k_hot(scores, 4, temperature), expected, rtol=1e-10, atol=1e-12)


def test_schedule():
    chooser = Gumbel(2, temperature=4.0, final_temperature=0.25, steps=4)
    temperatures = []
    for _ in range(6):
        temperatures.append(chooser.temperature)
        chooser.step()
    assert temperatures == pytest.approx([4.0, 2.0, 1.0, 0.5, 0.25, 0.25])
    twin = Gumbel(2, temperature=4.0, final_temperature=0.25, steps=4)
    twin.load_state_dict(chooser.state_dict())
    assert twin.temperature == 0.25
    chooser.reset_parameters()
    assert chooser.temperature == 4.0


def test_ties_are_broken_fairly_and_repeatably():
    draws = 12_000
    scores = torch.tensor([1.0, 0.0, 1.0, 1.0]).expand(draws, -1)
    order = topk_random_ties(scores, 2, torch.Generator().manual_seed(0))
    pairs = [tuple(pair) for pair in order.tolist()]
    expected = dict.fromkeys(itertools.permutations((0, 2, 3), 2), draws / 6)
    assert set(pairs) == set(expected)
    assert chi_square({key: pairs.count(key) for key in expected}, expected) > 0.001
    assert torch.equal(order, topk_random_ties(scores, 2, torch.Generator().manual_seed(0)))
    assert torch.equal(TopK(2, seed=4)(scores).slot, TopK(2, seed=4)(scores).slot)
    assert not torch.equal(TopK(2, seed=4)(scores).slot, TopK(2, seed=5)(scores).slot)


def test_padding_never_speaks(estimator):
    scores = torch.randn(4, 5, dtype=torch.float64)
    scores[0, 1] = scores[0, 4] = -torch.inf
    scores[1, 1:] = -torch.inf
    scores[2] = -torch.inf
    padding = torch.isinf(scores)
    for training in (True, False):
        leaf = scores.clone().requires_grad_()
        weight = dense(estimator.train(training)(leaf), 5)
        assert (weight[padding] == 0).all()
        torch.testing.assert_close(weight.sum(1), torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64))
        if weight.requires_grad:
            (grad,) = torch.autograd.grad(weight.square().sum(), leaf)
            assert grad.isfinite().all()
            assert (grad[padding] == 0).all()
        if isinstance(estimator, Reinforce) and training:
            (grad,) = torch.autograd.grad(estimator._log_probs.pop(), leaf)
            assert grad.isfinite().all()


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_no_step_of_the_gradient_is_nan(estimator):
    """Not even one that is masked later: anomaly detection would stop there."""
    scores = torch.tensor([[-2000.0, -2001.0, -torch.inf], [-torch.inf] * 3, [-4000.0, -torch.inf, -torch.inf]])
    leaf = scores.requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        weight = estimator(leaf).weight
        loss = weight.square().sum() + sum(getattr(estimator, "_log_probs", ()))
        loss.backward()
    assert weight.isfinite().all()
    assert leaf.grad.isfinite().all()


def test_no_targets(estimator):
    slot, weight = estimator(torch.zeros(0, 4))
    assert slot.shape == weight.shape
    assert slot.shape[0] == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_in_evaluation_the_best_are_heard(estimator, dtype):
    scores = torch.randn(4, 6, dtype=dtype)
    selection = estimator.eval()(scores)
    assert selection.weight.dtype == dtype
    assert selection.slot.dtype == torch.long
    if not isinstance(estimator, Soft):
        kept = dense(selection, 6) > 0
        assert torch.equal(kept, torch.zeros(4, 6).scatter(1, scores.topk(2, 1).indices, 1.0) > 0)


def test_copies_go_on_with_the_same_random_numbers(estimator):
    scores = torch.randn(4, 6)
    estimator(scores)
    twin = copy.deepcopy(estimator)
    assert torch.equal(dense(twin(scores), 6), dense(estimator(scores), 6))
    torch.save(estimator.state_dict(), "/dev/null")


def test_draws_that_nobody_asks_for_do_not_pile_up():
    chooser = Reinforce(2)
    scores = torch.zeros(1, 4, requires_grad=True)
    for _ in range(256):
        chooser(scores)
    with pytest.raises(RuntimeError, match=r"256 draws wait .* add estimator\.surrogate"):
        chooser(scores)
    losses = torch.stack([chooser(scores).slot.sum().float() for _ in range(2)])
    chooser.surrogate(losses)
    for _ in range(300):
        chooser(scores.detach())


@pytest.mark.parametrize("training", [True, False])
def test_straight_through_weighs_its_k_alike(training):
    scores = torch.randn(4, 6)
    weight = dense(StraightThrough(2).train(training)(scores), 6)
    torch.testing.assert_close(weight, torch.zeros(4, 6).scatter(1, scores.topk(2, 1).indices, 0.5))


def test_pickled(estimator):
    scores = torch.randn(4, 6, requires_grad=True)
    estimator(scores)
    twin = pickle.loads(pickle.dumps(estimator))
    assert torch.equal(dense(twin(scores), 6), dense(estimator(scores), 6))


@pytest.mark.parametrize("name", ["topk", "soft"])
def test_compiled(name):
    module = ALL[name]()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    scores = torch.randn(4, 6)
    torch.testing.assert_close(dense(compiled(scores), 6), dense(module(scores), 6))


def test_mutual_against_brute_force():
    generator = torch.Generator().manual_seed(0)
    index = torch.stack([torch.randperm(30, generator=generator)[:6] for _ in range(30)])
    valid = torch.rand(30, 6, generator=generator) > 0.2
    lists = [set(row[keep].tolist()) for row, keep in zip(index, valid, strict=True)]
    expected = [[bool(valid[i, c]) and i in lists[j] for c, j in enumerate(index[i].tolist())] for i in range(30)]
    assert mutual(index, valid).tolist() == expected
    assert mutual(index, valid).any()


def test_by_name():
    assert [repr(make_estimator(name, 3)) for name in ("topk", "straight_through", "gumbel", "reinforce")] == [
        "TopK(k=3)",
        "StraightThrough(k=3)",
        "Gumbel(k=3, temperature=1)",
        "Reinforce(k=3, baseline='loo')",
    ]
    assert repr(make_estimator("soft", 3)) == "Soft(max_sources=4096)"
    annealed = make_estimator("gumbel", 3, final_temperature=0.1, steps=50, hard=True)
    assert repr(annealed) == "Gumbel(k=3, temperature=1 to 0.1 in 50 steps, hard)"
    module = TopK(2)
    assert make_estimator(module, 5) is module


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: make_estimator("best", 3), "estimator must be one of"),
        (lambda: TopK(0), "k must be a positive integer, got 0"),
        (lambda: TopK(5)(torch.zeros(1, 4)), "k=5 is more than the 4 candidates"),
        (lambda: Gumbel(2, temperature=0.0), "must be positive"),
        (lambda: Reinforce(2, "none"), "baseline must be 'loo' or 'learned'"),
        (lambda: Reinforce(2, decay=2.0), "decay must be at least 0 and less than 1, got 2.0"),
        (lambda: Soft(0), "max_sources must be a positive integer, got 0"),
        (lambda: TopK(2)(torch.zeros(3)), r"TopK: scores must be \[T, M\], got \[3\]"),
        (lambda: Soft()(torch.zeros(3)), r"Soft: scores must be \[T, M\], got \[3\]"),
        (lambda: topk_random_ties(torch.zeros(1, 3), 5), "k=5 is more than the 3 candidates"),
    ],
)
def test_bad_arguments(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: make_estimator(["topk"], 3), "estimator must be a name or a module, got list"),
        (lambda: TopK(2)(torch.zeros(2, 3, dtype=torch.long)), "TopK: scores must be floats, got torch.int64"),
    ],
)
def test_bad_types(make, match):
    with pytest.raises(TypeError, match=match):
        make()


@pytest.mark.parametrize("name", ["topk", "straight_through", "gumbel", "reinforce"])
def test_evaluation_repeats_itself_where_scores_are_tied(name):
    estimator = make_estimator(name, 4).eval()
    scores = torch.zeros(50, 9)

    def weights():
        found = estimator(scores)
        return torch.zeros(50, 9).scatter(1, found.slot, found.weight)

    first = weights()
    assert torch.equal(weights(), first)
    assert (first.sum(0) > 0).all()  # and favours nobody
    estimator.train()
    assert not torch.equal(weights(), weights())
