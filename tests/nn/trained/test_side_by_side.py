import math

import pytest
import torch

from scge_pyg.nn.trained.side_by_side import side_by_side

GRID = torch.cartesian_prod(torch.arange(6.0), torch.arange(7.0)).double()


def turned(pos, angle):
    cos, sin = math.cos(angle), math.sin(angle)
    return pos @ torch.tensor([[cos, -sin], [sin, cos]]).double()


def partners(pos, first=0):
    """Direct neighbours on a grid."""
    near = torch.cdist(pos, pos).sub(1).abs() < 0.1
    return torch.stack([torch.nn.functional.pad(row.nonzero()[:, 0] + first, (0, 8), value=-1)[:8] for row in near])


@pytest.fixture
def pile():
    """Two sheets and six stray nodes, two of them joined, that lie in one another, in shuffled order."""
    small = GRID[:20]
    place = torch.cat([turned(GRID, 0.3), turned(small, 1.1) + 2, torch.rand(6, 2).double() * 4])
    partner = torch.cat([partners(GRID), partners(small, 42), torch.full((6, 8), -1)])
    partner[62, 0], partner[63, 0] = 63, 62
    order = torch.randperm(68, generator=torch.Generator().manual_seed(0))
    rank = order.argsort()
    partner = torch.where(partner >= 0, rank[partner], -1)[order]
    which = torch.tensor([0] * 42 + [1] * 20 + [2] * 6)[order]
    return place[order], partner, which


def test_no_piece_lies_in_another(pile):
    place, partner, which = pile
    laid = side_by_side(place, partner)
    distance = torch.cdist(laid, laid)
    for piece in (0, 1):
        own = which == piece
        torch.testing.assert_close(
            torch.cdist(laid[own], laid[own]), torch.cdist(place[own], place[own]), atol=1e-4, rtol=0
        )
        step = (laid[own].unsqueeze(1) - laid[own].unsqueeze(0))[distance[own][:, own].sub(1).abs() < 1e-3]
        assert step.abs().amin(1).max() < 1e-3  # rows along the axes
    assert distance[which.unsqueeze(1) != which].min() >= 7.99
    heap = distance[which == 2][:, which == 2]
    assert heap.max() < 1.5
    assert heap.fill_diagonal_(9).min() > 0.2  # no two on one place


def test_the_order_of_nodes_changes_nothing(pile):
    place, partner, _ = pile
    order = torch.randperm(68, generator=torch.Generator().manual_seed(1))
    again = torch.where(partner >= 0, order.argsort()[partner], -1)[order]
    torch.testing.assert_close(
        side_by_side(place[order], again), side_by_side(place, partner)[order], atol=1e-4, rtol=0
    )


def test_a_single_piece_is_turned_alone():
    laid = side_by_side(turned(GRID, 0.4) + 3, partners(GRID))
    step = laid[7] - laid[0]
    assert step.abs().sort().values.tolist() == pytest.approx([0, 1], abs=1e-4)
    torch.testing.assert_close(laid.norm(dim=1), (turned(GRID, 0.4) + 3).norm(dim=1))


@pytest.mark.parametrize("dim", [1, 3])
def test_other_dimensions(dim):
    place = torch.zeros(20, dim)
    place[:, 0] = torch.arange(20.0)
    place[19] = place[5] + 0.5
    partner = torch.tensor([[i - 1, i + 1 if i < 18 else -1] for i in range(19)] + [[-1, -1]])
    laid = side_by_side(place, partner)
    torch.testing.assert_close(laid[:19], place[:19])
    assert laid[19, 0] == 26


def test_without_partners_nothing_is_set_apart():
    place = torch.rand(20, 2, dtype=torch.float64)
    laid = side_by_side(place, torch.full((20, 8), -1))
    torch.testing.assert_close(torch.cdist(laid, laid), torch.cdist(place, place))
