"""Folded and torn sheets are begun anew, and the best is kept."""

import pytest
import torch

from scge_pyg import NodeEmbedding, SharedGraph
from scge_pyg.nn.trained.attempts import Attempts, stretched


def grid(height, width):
    """Places of a grid, its pairs of 4-neighbours by node, and their distances."""
    pos = SharedGraph.from_grid((height, width)).pos
    partner = torch.full((len(pos), 8), -1)
    for node in range(len(pos)):
        near = [other for other in range(len(pos)) if float((pos[node] - pos[other]).norm()) == 1]
        partner[node, : len(near)] = torch.tensor(near)
    return pos, partner, torch.ones(partner.shape)


def twisted(pos):
    """The lower half mirrored."""
    low = pos[:, 0] > pos[:, 0].median()
    return torch.where(low.unsqueeze(1), torch.stack([pos[:, 0], pos[:, 1].max() - pos[:, 1]], 1), pos)


def test_a_twisted_sheet_stretches_the_partners_along_the_twist():
    pos, partner, length = grid(10, 12)
    assert stretched(pos, partner, length) == 0
    place = twisted(pos)
    pairs = [(i, int(j)) for i in range(len(pos)) for j in partner[i] if j >= 0]
    apart = sum(float((place[i] - place[j]).norm()) > 2 for i, j in pairs)
    assert stretched(place, partner, length) == pytest.approx(apart / len(pairs))
    assert apart == 2 * 10  # across the twist all but the two columns in the middle
    assert stretched(place, partner, 20 * length) == 0
    assert stretched(1.9 * pos, partner, 0.1 * length) == 0  # near partners are not far apart within two spacings


def test_the_best_of_three_is_kept():
    pos, partner, length = grid(10, 12)
    table, tries = NodeEmbedding(120, 2, seed=4), Attempts()
    drawn = [table.weight.detach().clone()]
    for count, place in ((300, twisted(pos)), (500, pos.flip(1) * 3)):
        with torch.no_grad():
            table.weight.copy_(place)
        assert tries.again(table, partner, length, count)
        assert tries.begun == count
        drawn.append(table.weight.detach().clone())
    assert len({tuple(one.flatten().tolist()) for one in drawn}) == 3
    with torch.no_grad():
        table.weight.copy_(5 * pos)
    assert not tries.again(table, partner, length, 800)
    assert torch.equal(table.weight, twisted(pos))


def test_a_good_sheet_and_given_places_are_taken_as_they_are():
    pos, partner, length = grid(10, 12)
    for table, place in ((NodeEmbedding(120, 2), pos), (NodeEmbedding.from_points(pos), twisted(pos))):
        with torch.no_grad():
            table.weight.copy_(place)
        assert not Attempts().again(table, partner, length, 300)
        assert torch.equal(table.weight, place)
