"""Tables of conditional distributions, entry by entry."""

import itertools
import math

import pytest
import torch

from scge_pyg.zoo.markov import noisy_or, rule, sigmoid, tree


def test_noisy_or_by_simulation_of_its_causes():
    strength, leak = torch.tensor([0.3, 0.8, 0.5]), 0.1
    table = noisy_or(strength, leak)
    for state in itertools.product(range(2), repeat=3):
        causes = [float(s) for s, x in zip(strength, state, strict=True) if x] + [leak]
        some = 1 - sum(  # no cause acts: summed over all ways in which they may act
            math.prod(c if a else 1 - c for c, a in zip(causes, acts, strict=True))
            for acts in itertools.product(range(2), repeat=len(causes))
            if not any(acts)
        )
        assert float(table[(*state, 1)]) == pytest.approx(some)
    assert torch.allclose(table.sum(-1), torch.ones(2, 2, 2))


def test_sigmoid_is_logistic_regression():
    weight, bias = torch.tensor([0.7, -2.0]), 0.4
    table = sigmoid(weight, bias)
    for state in itertools.product(range(2), repeat=2):
        total = 0.4 + sum(float(w) * x for w, x in zip(weight, state, strict=True))
        assert float(table[(*state, 1)]) == pytest.approx(1 / (1 + math.exp(-total)))


def test_rules_and_trees():
    assert rule(lambda a, b: (a + b) % 3, (3, 3), 3).argmax(-1).tolist() == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    leaf = [torch.tensor([p, 1 - p]) for p in (0.1, 0.2, 0.3, 0.4)]
    table = tree((1, [leaf[0], (0, [leaf[1], leaf[2]]), leaf[3]]), (2, 3), 2)
    expected = torch.tensor([[0.1, 0.2, 0.4], [0.1, 0.3, 0.4]])
    assert torch.allclose(table[..., 0], expected)
    assert torch.allclose(table.sum(-1), torch.ones(2, 3))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: noisy_or(torch.tensor([1.5])), "lie in"),
        (lambda: noisy_or(torch.tensor([0.5]), -0.1), "lie in"),
        (lambda: sigmoid(torch.tensor([float("inf")])), "weight must be finite"),
        (lambda: rule(lambda a: a + 1, (2,), 2), "integers from 0 to 1"),
        (lambda: rule(lambda a: a * 0.5, (2,), 2), "integers from 0 to 1"),
        (lambda: tree(torch.tensor([0.5, 0.6]), (2,), 2), "sum to 1"),
        (lambda: tree((0, [torch.tensor([0.5, 0.5])]), (2,), 2), "one branch for each state"),
        (lambda: tree((3, [torch.tensor([0.5, 0.5])]), (2,), 2), "one branch for each state"),
    ],
)
def test_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
