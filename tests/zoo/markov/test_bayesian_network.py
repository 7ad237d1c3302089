"""Directed models: what the graph says against what the numbers say, and a chain against the forward algorithm."""

import itertools

import pytest
import torch

from scge_pyg.zoo.markov import BayesianNetwork, unrolled
from scge_pyg.zoo.markov.factors import sum_product

PARENTS = {0: (), 1: (), 2: (0, 1), 3: (2,), 4: (2, 1), 5: (3,)}


def network(seed=520):
    generator = torch.Generator().manual_seed(seed)
    tables = {}
    for child, parents in PARENTS.items():
        table = torch.rand(*[2] * len(parents), 2, generator=generator, dtype=torch.double) + 0.1
        tables[child] = (parents, table / table.sum(-1, keepdim=True))
    return BayesianNetwork(tables)


def test_d_separation_is_independence_of_the_numbers():
    model = network()
    table = sum_product(model.factors, range(6))
    assert float(table.sum()) == pytest.approx(1.0)
    for a, b in itertools.combinations(range(6), 2):
        rest = [v for v in range(6) if v not in (a, b)]
        for size in range(3):
            for given in itertools.combinations(rest, size):
                out = [v for v in rest if v not in given]
                marginal = table.sum(out) if out else table
                order = sorted([a, b, *given])
                moved = marginal.movedim([order.index(a), order.index(b)], [0, 1]).reshape(2, 2, -1)
                conditional = moved / moved.sum((0, 1))
                product = conditional.sum(1, keepdim=True) * conditional.sum(0, keepdim=True)
                independent = torch.allclose(conditional, product, atol=1e-9)
                assert model.d_separated([a], [b], given) == independent


def test_the_moral_graph_joins_parents():
    edges = {frozenset(edge) for edge in network().moral_graph().edges}
    assert edges == {frozenset(e) for e in [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (1, 4), (3, 5)]}


def test_posteriors():
    model = network()
    table = sum_product(model.factors, range(6))
    kept = table[:, 1, :, :, 0, :]
    assert torch.allclose(model.posterior(0, {1: 1, 4: 0}), kept.sum((1, 2, 3)) / kept.sum(), atol=1e-12)
    assert torch.allclose(model.junction_tree({1: 1, 4: 0}).log_partition(), kept.sum().log())
    assert repr(model) == "BayesianNetwork(variables=6, edges=6)"


def test_a_hidden_markov_model_by_the_forward_algorithm():
    generator = torch.Generator().manual_seed(521)
    initial, transition, emission = (
        torch.rand(shape, generator=generator, dtype=torch.double).softmax(-1) for shape in ((3,), (3, 3), (3, 4))
    )
    seen = [2, 0, 3, 3, 1, 0, 2]
    ahead = initial * emission[:, seen[0]]
    for value in seen[1:]:
        ahead = (ahead @ transition) * emission[:, value]
    model = unrolled(initial, transition, emission, 7)
    tree = model.junction_tree({2 * t + 1: value for t, value in enumerate(seen)})
    assert torch.allclose(tree.log_partition(), ahead.sum().log())
    assert torch.allclose(tree.marginal(12), ahead / ahead.sum())
    best, paths = initial * emission[:, seen[0]], [[k] for k in range(3)]
    for value in seen[1:]:  # Viterbi
        score = best[:, None] * transition * emission[:, value]
        best, origin = score.max(0)
        paths = [[*paths[int(o)], k] for k, o in enumerate(origin)]
    likely = tree.most_likely()
    assert [int(likely[2 * t]) for t in range(7)] == paths[int(best.argmax())]


def test_refused():
    half = torch.tensor([0.5, 0.5])
    square = torch.full((2, 2), 0.5)
    with pytest.raises(ValueError, match=r"cycle, got \[0, 1\]|cycle, got \[1, 0\]"):
        BayesianNetwork({0: ((1,), square), 1: ((0,), square)})
    with pytest.raises(ValueError, match="hold every parent, got none for 7 of 0"):
        BayesianNetwork({0: ((7,), square)})
    with pytest.raises(ValueError, match="sum to 1 over the last axis, got others for 0"):
        BayesianNetwork({0: ((), 2 * half)})
