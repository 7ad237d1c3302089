"""Exact sums on junction trees, by brute force over all states."""

import itertools
import math

import pytest
import torch

from scge_pyg.zoo.markov import Factor, JunctionTree
from scge_pyg.zoo.markov.factors import sum_product


def network(seed, variables=7, zeros=False, samples=()):
    """Factors of one to three variables with two to four states each, some of them in a part of their own."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.randint(2, 5, (variables,), generator=generator).tolist()
    factors = []
    for size in (1, 2, 2, 2, 2, 3, 3):
        chosen = tuple(torch.randperm(variables - 1, generator=generator)[:size].tolist())
        shape = (*samples, *(states[v] for v in chosen))
        table = torch.rand(shape, generator=generator, dtype=torch.double)
        factors.append(Factor(chosen, table * (table > 0.3) + 1e-3 * (not zeros) if zeros or seed % 2 else table))
    factors.append(Factor((variables - 1,), torch.rand(*samples, states[-1], generator=generator, dtype=torch.double)))
    return factors, states


def joint(factors):
    """The whole table, axes by rising variable."""
    variables = sorted({v for factor in factors for v in factor.variables})
    return variables, sum_product(factors, variables)


@pytest.mark.parametrize("seed", range(500, 512))
def test_marginals_and_partition(seed):
    factors, _ = network(seed, zeros=seed % 3 == 0)
    variables, table = joint(factors)
    if not float(table.sum()):
        with pytest.raises(ValueError, match="some state possible"):
            JunctionTree(factors)
        return
    tree = JunctionTree(factors)
    assert float(tree.log_partition()) == pytest.approx(math.log(float(table.sum())), abs=1e-9)
    for axis, variable in enumerate(variables):
        rest = [a for a in range(len(variables)) if a != axis]
        assert torch.allclose(tree.marginal(variable), table.sum(rest) / table.sum(), atol=1e-10)
    for clique, belief in zip(tree.cliques, tree.beliefs(), strict=True):
        assert torch.allclose(belief, sum_product([Factor(tuple(variables), table)], clique) / table.sum(), atol=1e-10)
    best = tree.most_likely()
    state = tuple(int(best[v]) for v in variables)
    assert float(table[state]) == pytest.approx(float(table.max()))


@pytest.mark.parametrize("seed", [513, 515])
def test_samples_share_a_tree(seed):
    factors, _ = network(seed, samples=(3,))
    factors[0] = Factor(factors[0].variables, factors[0].table[0])  # the same in all samples
    tree = JunctionTree(factors)
    for sample in range(3):
        own = JunctionTree([Factor(f.variables, f.table[sample] if n else f.table) for n, f in enumerate(factors)])
        assert torch.allclose(tree.log_partition()[sample], own.log_partition(), atol=1e-10)
        best, expected = tree.most_likely(), own.most_likely()
        for variable in own.states:
            marginal = tree.marginal(variable)
            assert torch.allclose(marginal[sample if marginal.dim() > 1 else ...], own.marginal(variable), atol=1e-10)
            assert int(best[variable].expand(3)[sample]) == int(expected[variable])


def test_evidence_is_bayes():
    factors, states = network(516)
    variables, table = joint(factors)
    evidence = {variables[1]: states[variables[1]] - 1, variables[3]: 0}
    tree = JunctionTree(factors, evidence)
    kept = table.select(3, 0).select(1, states[variables[1]] - 1)
    assert float(tree.log_partition()) == pytest.approx(math.log(float(kept.sum())))
    free = [v for v in variables if v not in evidence]
    for axis, variable in enumerate(free):
        rest = [a for a in range(len(free)) if a != axis]
        assert torch.allclose(tree.marginal(variable), kept.sum(rest) / kept.sum(), atol=1e-10)
    assert tree.marginal(variables[3])[0] == 1


def test_the_gradient_of_the_partition_is_the_marginal():
    factors, _ = network(517)
    table = factors[3].table.clone().requires_grad_()
    tree = JunctionTree([*factors[:3], Factor(factors[3].variables, table), *factors[4:]])
    tree.log_partition().backward()
    assert torch.allclose(table.grad * table.detach(), tree.marginal(*factors[3].variables), atol=1e-10)


def test_a_long_chain_and_its_scale():
    pair = torch.tensor([[1e-30, 3e-30], [2e-30, 1e-30]])
    tree = JunctionTree([Factor((i, i + 1), pair) for i in range(200)])
    power = torch.linalg.matrix_power(1e30 * pair.double(), 200).sum().log() - 200 * 30 * math.log(10)
    assert float(tree.log_partition()) == pytest.approx(float(power), rel=1e-5)
    assert len(tree.cliques) == 200
    assert repr(tree) == "JunctionTree(variables=201, cliques=200, widest=2)"


def test_cliques_hold_the_factors_and_run_together():
    factors, _ = network(518)
    tree = JunctionTree(factors)
    assert all(any(set(f.variables) <= set(c) for c in tree.cliques) for f in factors)
    for variable in tree.states:  # the running intersection property
        holders = [i for i, clique in enumerate(tree.cliques) if variable in clique]
        edges = [(a, b) for a, b in tree._order if b is not None and a in holders and b in holders]
        assert len(edges) == len(holders) - 1


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        ([], "at least one"),
        ([((0, 0), torch.ones(2, 2))], "name each of their variables once"),
        ([((0, 1), torch.ones(2))], "one axis a variable"),
        ([((0,), torch.tensor([1, 2]))], "float tables"),
        ([((0,), torch.tensor([1.0, -2.0]))], "finite and at least 0"),
        ([((0,), torch.tensor([1.0, float("nan")]))], "finite and at least 0"),
        ([((0,), torch.ones(2)), ((0,), torch.ones(3))], "agree on the states"),
        ([((0,), torch.zeros(2))], "some state possible"),
        ([(pair, torch.ones(8, 8)) for pair in itertools.combinations(range(9), 2)], "woven too densely"),
    ],
)
def test_refused(factors, says):
    with pytest.raises(ValueError, match=says):
        JunctionTree(factors)


def test_questions_refused():
    chain = JunctionTree([((0, 1), torch.ones(2, 2)), ((1, 2), torch.ones(2, 2))])
    with pytest.raises(ValueError, match=r"in one clique, got \[0, 2\]"):
        chain.marginal(0, 2)
    with pytest.raises(ValueError, match="evidence must give states of known variables, got 2 for variable 0"):
        JunctionTree([((0,), torch.ones(2))], {0: 2})
