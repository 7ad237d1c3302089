import math

import pytest
import torch
from sklearn.metrics import mutual_info_score

from scge_pyg.models.cgae.density.placement import Parts, Placement
from scge_pyg.models.cgae.density.slot_tree import Slot, SlotTree
from scge_pyg.models.cgae.density.slot_tree_fit import fit_slot_tree, mutual_information

GRID = (100, 100)
BACKGROUND = torch.tensor([0.3, 0.3, 0.3, 0.1], dtype=torch.double)


def known_tree(parents, sure=0.9, seed=0):
    """Offsets of a few places, and prototypes that mostly go on as their parents."""
    generator = torch.Generator().manual_seed(seed)
    none, zero = torch.zeros(3, 2, dtype=torch.double), torch.zeros((), dtype=torch.double)
    table = torch.full((5, 4), (1 - sure) / 3, dtype=torch.double)
    table[range(4), range(4)] = sure
    table[4] = BACKGROUND
    center = torch.tensor([50.0, 50.0], dtype=torch.double)
    slots = []
    for parent in parents:
        offset = 20 * torch.rand(2, generator=generator, dtype=torch.double) - 10
        scale = torch.tensor([2.0, 2.0], dtype=torch.double)
        beside = Placement(GRID, offset, torch.eye(2).double(), none, none, zero, scale)
        alone = Placement(GRID, center, torch.zeros(2, 2).double(), none, none, zero, 4 * scale)
        share = torch.tensor([0.98 if parent >= 0 else 0.0, 0.02 if parent >= 0 else 1.0, 0.0], dtype=torch.double)
        slots.append(Slot(parent, table, beside if parent >= 0 else None, alone, share))
    return SlotTree(tuple(slots))


def edges(parent):
    return {frozenset((v, u)) for v, u in enumerate(parent) if u >= 0}


PARENTS = [(-1, 0, 1, 2, 3), (2, 2, -1, 2, 2), (3, 0, 0, -1, 3)]


@pytest.mark.parametrize("parent", PARENTS)
def test_the_true_edges_are_found_in_samples(parent):
    parts = known_tree(parent).sample(600, torch.Generator().manual_seed(1))
    assert edges(fit_slot_tree(parts, BACKGROUND, GRID).parent) == edges(parent)


@pytest.mark.parametrize("kind", ["places", "prototypes"])
def test_places_and_prototypes_find_the_edges_alone(kind):
    parts = known_tree(PARENTS[2], sure=0.9).sample(1500, torch.Generator().manual_seed(2))
    generator = torch.Generator().manual_seed(3)
    if kind == "places":
        parts = parts._replace(k=torch.randint(3, parts.k.shape, generator=generator))
    else:
        parts = parts._replace(place=torch.randint(100, parts.place.shape, generator=generator).double())
    assert edges(fit_slot_tree(parts, BACKGROUND, GRID).parent) == edges(PARENTS[2])


def test_informations_are_those_of_other_estimates():
    parts = known_tree((-1, 0, 1)).sample(10_000, torch.Generator().manual_seed(4))
    places = parts._replace(k=torch.zeros_like(parts.k), used=torch.ones_like(parts.used))
    found = mutual_information(places, BACKGROUND, GRID)
    for v, u in ((0, 1), (1, 2), (0, 2)):
        both = torch.cov(torch.cat([places.place[:, v], places.place[:, u]], 1).T)
        expected = 0.5 * (both[:2, :2].logdet() + both[2:, 2:].logdet() - both.logdet())
        assert float(found[v, u]) == pytest.approx(float(expected), rel=0.03)
    apart = torch.randint(100, parts.place.shape, generator=torch.Generator().manual_seed(5)).double()
    found = mutual_information(parts._replace(place=apart), BACKGROUND, GRID)
    shown = torch.where(parts.used, parts.k, 3)
    for v, u in ((0, 1), (1, 2), (0, 2)):
        assert float(found[v, u]) == pytest.approx(mutual_info_score(shown[:, v], shown[:, u]), abs=0.01)
    assert torch.equal(found, found.T)


def test_a_fit_predicts_new_samples_as_what_made_them():
    made = known_tree(PARENTS[0])
    new = made.sample(2000, torch.Generator().manual_seed(6))
    parts = made.sample(3000, torch.Generator().manual_seed(7))
    found = fit_slot_tree(parts, BACKGROUND, GRID)
    alone = fit_slot_tree(parts, BACKGROUND, GRID, tree=False)
    true, fitted, apart = (-log_probability(tree, new).mean() for tree in (made, found, alone))
    assert float(true) - 0.02 < float(fitted) < float(true) + 0.25
    assert float(apart) > float(true) + 5


def log_probability(tree, parts):
    """Of parts in order."""
    total = torch.zeros(len(parts.k), dtype=torch.double)
    for v, slot in enumerate(tree.slots):
        before = None if slot.parent < 0 else Parts(*(field[:, slot.parent] for field in parts))
        total += slot.probability(Parts(*(field[:, v] for field in parts)), before).log()
    return total


def test_slots_without_a_tree_do_not_look_at_each_other():
    parts = known_tree(PARENTS[1]).sample(300, torch.Generator().manual_seed(8))
    tree = fit_slot_tree(parts, BACKGROUND, GRID, tree=False)
    _, edge = tree.factors(Parts(*(field[:5] for field in parts)))
    assert (edge == edge[:, :, :1]).all()
    assert all(slot.beside is None for slot in tree.slots)


@pytest.mark.parametrize(("number", "count"), [(1, 4), (3, 1), (2, 2)])
def test_few_samples_give_a_density(number, count):
    parts = Parts(
        torch.full((number, count, 2), 5.0, dtype=torch.double),
        torch.zeros(number, count, dtype=torch.long),
        torch.zeros(number, count, dtype=torch.bool).index_fill_(1, torch.tensor([0]), True),
    )
    tree = fit_slot_tree(parts, BACKGROUND, GRID)
    assert math.isfinite(float(log_probability(tree, parts).sum()))
    for slot in tree.slots:
        torch.testing.assert_close(slot.prototype.sum(1), torch.ones(5, dtype=torch.double))
        assert float(slot.share.sum()) == pytest.approx(1)
