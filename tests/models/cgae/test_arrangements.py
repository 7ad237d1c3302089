from itertools import permutations

import pytest
import torch
from scipy.stats import chisquare

from scge_pyg.models.cgae.density.arrangements import Arrangements

TREES = [(-1,), (1, -1), (-1, 0, 1, 1, 0), (1, -1, 1, 1), (2, 0, -1, 2, 3, 3), (-1, 0, 1, 2, 3, 4), (5, 5, 5, 5, 5, -1)]


def factors_of(count, batch=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    root = torch.rand(batch, count, generator=generator, dtype=torch.double)
    return root, torch.rand(batch, count, count, count, generator=generator, dtype=torch.double)


def terms(parent, root, edge):
    """Every arrangement and its term ``[H!, B]``."""
    orders = list(permutations(range(len(parent))))
    found = []
    for order in orders:
        term = root[:, order[parent.index(-1)]].clone()
        for v, u in enumerate(parent):
            if u >= 0:
                term *= edge[:, v, order[u], order[v]]
        found.append(term)
    return orders, torch.stack(found)


@pytest.mark.parametrize("parent", TREES)
def test_the_sum_is_over_all_arrangements(parent):
    factors = factors_of(len(parent))
    found = Arrangements(parent).sums(*factors).total
    torch.testing.assert_close(found, terms(parent, *factors)[1].sum(0), rtol=1e-12, atol=0)


@pytest.mark.parametrize("parent", [(-1, 0, 1, 2, 3, 4, 5, 6), (3, 3, 3, -1, 3, 4, 4, 4)])
def test_derangements_are_counted(parent):
    allowed = 1 - torch.eye(8, dtype=torch.double)
    root = allowed[parent.index(-1)].expand(2, -1).contiguous()
    edge = allowed.unsqueeze(1).expand(2, -1, 8, -1).contiguous()
    assert Arrangements(parent).sums(root, edge).total.tolist() == [14833, 14833]


@pytest.mark.parametrize("parent", [(-1, 0, 1, 1), (1, -1, 0, 0), (1, -1, 1, 1)])
def test_samples_come_as_often_as_their_terms_say(parent):
    draws = 20_000
    root, edge = factors_of(4, 1, seed=1)
    orders, term = terms(parent, root, edge**3)
    arrangements = Arrangements(parent)
    many = root.repeat(draws, 1), (edge**3).repeat(draws, 1, 1, 1)
    part = arrangements.sample(*many, arrangements.sums(*many), torch.Generator().manual_seed(2))
    number = {order: n for n, order in enumerate(orders)}
    count = torch.bincount(torch.tensor([number[tuple(row)] for row in part.tolist()]), minlength=24)
    expected = draws * term[:, 0] / term.sum()
    assert chisquare(count.numpy(), expected.numpy()).pvalue > 1e-3


def test_each_code_has_an_arrangement_of_its_own():
    parent = (2, 0, -1, 2, 3)
    chosen = torch.tensor([[4, 1, 0, 2, 3], [0, 3, 1, 4, 2]])
    edge = torch.full((2, 5, 5, 5), 1e-9, dtype=torch.double)
    root = torch.full((2, 5), 1e-9, dtype=torch.double)
    for sample, order in enumerate(chosen.tolist()):
        root[sample, order[2]] = 1
        for v, u in enumerate(parent):
            if u >= 0:
                edge[sample, v, order[u], order[v]] = 1
    arrangements = Arrangements(parent)
    found = arrangements.sample(root, edge, arrangements.sums(root, edge), torch.Generator().manual_seed(0))
    assert found.tolist() == chosen.tolist()
