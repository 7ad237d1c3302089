import pytest
import torch

from scge_pyg.models.cgae.density.placement import Parts, Placement
from scge_pyg.models.cgae.density.slot_tree import Slot, SlotTree

GRID = (3, 2)


def some_placement(generator, beside):
    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.double)

    gain, other = (normal(2, 2), normal(2, 2)) if beside else (torch.zeros(2, 2).double(), torch.zeros(2, 2).double())
    return Placement(GRID, 1 + normal(2), gain, normal(2, 2), other, normal(1)[0], 0.5 + normal(2).square())


def some_tree(parents, seed=0):
    generator = torch.Generator().manual_seed(seed)
    slots = []
    for parent in parents:
        table = torch.rand(4, 3, generator=generator, dtype=torch.double)
        share = torch.rand(3, generator=generator, dtype=torch.double) * torch.tensor([parent >= 0, 1, 1])
        beside = some_placement(generator, True) if parent >= 0 else None
        alone = some_placement(generator, False)
        slots.append(Slot(parent, table / table.sum(1, keepdim=True), beside, alone, share / share.sum()))
    return SlotTree(tuple(slots))


def states():
    """All parts on the grid with two prototypes, and one that is not used."""
    cells = torch.cartesian_prod(torch.arange(3), torch.arange(2)).double()
    place = torch.cat([cells, cells, cells[:1]])
    return Parts(place, torch.arange(13) // 6 % 2, torch.arange(13) < 12)


def pairs():
    part, before = (
        Parts(*(field.unsqueeze(axis).expand(13, 13, *field.shape[1:]) for field in states())) for axis in (0, 1)
    )
    return part, before


@pytest.mark.parametrize("parent", [-1, 0])
def test_probabilities_of_all_parts_sum_to_one_whatever_is_before(parent):
    slot = some_tree([parent]).slots[0]
    part, before = pairs()
    total = slot.probability(part, before).sum(1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-12)
    assert float(slot.probability(states(), None).sum()) == pytest.approx(1, abs=1e-12)


def test_a_slot_without_a_used_parent_stands_alone():
    slot = some_tree([-1, 0]).slots[1]
    part, before = pairs()
    found = slot.probability(part, before)
    alone = slot.share[:2].sum() * slot.alone.probability(states(), None) + slot.share[2] / 6
    shown = torch.where(states().used, states().k, 2)
    expected = torch.where(states().used, alone, 1.0) * slot.prototype[2, shown]
    torch.testing.assert_close(found[-1], expected)
    assert (found[0] - found[-1]).abs().max() > 1e-3


def test_samples_come_as_often_as_their_probability(agreement):
    tree = some_tree([1, -1, 1], seed=3)
    drawn = tree.sample(20_000, torch.Generator().manual_seed(0))
    state = torch.where(drawn.used, drawn.k * 6 + (drawn.place @ torch.tensor([2.0, 1.0]).double()).long(), 12)
    part, before = pairs()
    root = tree.slots[1].probability(states(), None)
    for v in (0, 2):
        expected = 20_000 * root.unsqueeze(1) * tree.slots[v].probability(part, before)
        seen = torch.bincount(state[:, 1] * 13 + state[:, v], minlength=169).view(13, 13)
        assert agreement(seen, expected) > 1e-3


def test_factors_are_the_probabilities_of_each_pair():
    tree = some_tree([2, 0, -1, 2])
    generator = torch.Generator().manual_seed(1)
    chosen = torch.randint(13, (5, 4), generator=generator)
    parts = Parts(*(field[chosen] for field in states()))
    root, edge = tree.factors(parts)
    for sample in range(5):
        for y in range(4):
            part = Parts(*(field[sample, y] for field in parts))
            assert float(root[sample, y]) == pytest.approx(float(tree.slots[2].probability(part, None)))
            for x in range(4):
                before = Parts(*(field[sample, x] for field in parts))
                for v in (0, 1, 3):
                    expected = float(tree.slots[v].probability(part, before))
                    assert float(edge[sample, v, x, y]) == pytest.approx(expected)
