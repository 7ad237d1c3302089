"""Pieces that are used together become one whole: what codes decode to stays as it was."""

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.models.cgae import CGAE
from scge_pyg.models.cgae.code import State
from scge_pyg.models.cgae.learning.joining import join

IMAGES, SIDE = 40, 16


def pieces(*ways, subpixel=1, linear=0, seed=150):
    """A model of 4 prototypes of 5 x 5 that are 0 but in their middle 3 x 3, and codes in which one prototype lies
    somewhere and another one, or itself, so many pixels below and to the right: ``(kind, other, down, right, share)``.
    """
    generator = torch.Generator().manual_seed(seed)
    model = CGAE((SIDE, SIDE), 4, 2 * len(ways), 5, subpixel=subpixel, num_linear=linear, price=1.0)
    with torch.no_grad():
        for values in (model.decoder.weight, model.decoder.basis):
            values[..., 1:4, 1:4].normal_(generator=generator)
    row, column = (torch.randint(4, 12, (IMAGES, len(ways)), generator=generator) for _ in range(2))
    kind, rows, columns = [], [], []
    for n, (first, second, down, right, share) in enumerate(ways):
        there = torch.arange(IMAGES) < share * IMAGES
        kind += [torch.full((IMAGES,), first), torch.where(there, second, -1)]
        rows += [row[:, n], torch.where(there, row[:, n] + down, 0)]
        columns += [column[:, n], torch.where(there, column[:, n] + right, 0)]
    place = subpixel * (torch.stack(rows, 1) * SIDE * subpixel + torch.stack(columns, 1))
    b = torch.randn(IMAGES, 2 * len(ways), linear, generator=generator)
    return model, State(place, torch.stack(kind, 1), b)


@pytest.mark.parametrize("subpixel", [1, 2])
@pytest.mark.parametrize("way", [(0, 0), (1, 0), (0, -1), (-1, 1), (2, 2)])
def test_two_prototypes_become_one_and_images_stay(way, subpixel) -> None:
    model, codes = pieces((2, 1, *way, 1.0), subpixel=subpixel)
    other = State(*(part[:7].clone() for part in codes))
    with torch.no_grad():
        before = model.decoder(codes)
        joined = join(model, codes, other)
        assert joined.tolist() == [False, False, True, False] or joined.tolist() == [False, True, False, False]
        assert torch.allclose(model.decoder(codes), before, atol=1e-5)
        assert torch.allclose(model.decoder(other), before[:7], atol=1e-5)
    assert (codes.kind >= 0).sum(1).eq(1).all()
    assert codes.kind[codes.kind >= 0].eq(int(joined.nonzero())).all()
    assert codes.place[codes.kind < 0].eq(0).all()
    assert not join(model, codes).any()


@pytest.mark.parametrize("way", [(0, 0), (1, 0), (-1, 1), (0, -2)])
def test_a_prototype_on_itself_becomes_one(way) -> None:
    model, codes = pieces((3, 3, *way, 1.0), seed=151)
    with torch.no_grad():
        before = model.decoder(codes)
        assert join(model, codes).tolist() == [False, False, False, True]
        assert torch.allclose(model.decoder(codes), before, atol=1e-5)
    assert (codes.kind >= 0).sum(1).eq(1).all()


def test_a_common_prototype_stays_and_what_lies_on_it_takes_it_in() -> None:
    model, codes = pieces((0, 1, 0, 1, 0.2), (3, 2, 1, 0, 0.4), seed=152)
    common = model.decoder.weight[[0, 3]].clone()
    with torch.no_grad():
        before = model.decoder(codes)
        assert join(model, codes).tolist() == [False, True, True, False]
        assert torch.allclose(model.decoder(codes), before, atol=1e-5)
    assert torch.equal(model.decoder.weight[[0, 3]], common)
    assert torch.bincount(codes.kind[codes.kind >= 0], minlength=4).tolist() == [32, 8, 16, 24]


@pytest.mark.parametrize(("share", "expected"), [(0.475, 0), (0.525, 1)])
def test_most_uses_of_a_prototype_must_lie_so(share, expected) -> None:
    model, codes = pieces((0, 1, 0, 1, 1.0), seed=153)
    apart = torch.arange(IMAGES) >= share * IMAGES
    codes.place[apart, 1] = (codes.place[apart, 0] + 8 * SIDE) % SIDE**2
    weight = model.decoder.weight.clone()
    assert int(join(model, codes).sum()) == expected
    assert torch.equal(model.decoder.weight, weight) == (expected == 0)


def test_a_use_on_which_two_of_one_prototype_lie_counts_once() -> None:
    model = CGAE((SIDE, SIDE), 2, 3, 5)
    kind = torch.tensor([[0, 1, 1]] * 3 + [[0, -1, -1]] * 7 + [[1, 1, 1]] * 4)
    place = torch.tensor([[100, 100, 100]] * 3 + [[100, 0, 0]] * 7 + [[20, 120, 220]] * 4)
    assert not join(model, State(place, kind, torch.zeros(14, 3, 0))).any()


@pytest.mark.parametrize(
    ("together", "kinds", "noise", "price", "joins"),
    [
        (0.8, 2, 0.05, None, False),  # 20 % of either would be left without a prototype
        (0.8, 3, 0.05, None, True),  # one is free
        (0.96, 2, 0.05, None, True),  # what is left would not keep a prototype alive
        (0.8, 2, 4.0, None, True),  # it is worth less than the price of naming a part
        (0.8, 2, 4.0, 0.01, False),
        (0.8, 2, 0.05, 1e5, True),
    ],
)
def test_objects_that_are_also_apart_are_joined_only_where_it_pays(together, kinds, noise, price, joins) -> None:
    model = CGAE((SIDE, SIDE), kinds, 2, 5, price=price)
    with torch.no_grad():
        model.decoder.weight[:2, :, 1:4, 1:4] = 1.0
        model.noise.fill_(noise)
    generator = torch.Generator().manual_seed(191)
    first = 100 + torch.randint(4, (100,), generator=generator)
    far = torch.randint(5, 11, (100,), generator=generator) * SIDE
    second = first + torch.where(torch.arange(100) < 100 * together, 1, far)
    codes = State(
        torch.stack([first, second], 1) % SIDE**2, torch.tensor([[0, 1]]).repeat(100, 1), torch.zeros(100, 2, 0)
    )
    assert bool(join(model, codes).any()) == joins


def test_places_that_differ_from_image_to_image_are_no_way() -> None:
    model, codes = pieces((0, 1, 0, 1, 1.0), seed=154)
    codes.place[:, 1] += torch.randint(-1, 2, (IMAGES,), generator=torch.Generator().manual_seed(155)) * SIDE
    assert not join(model, codes).any()


def test_what_does_not_fit_into_a_window_stays_two() -> None:
    model, codes = pieces((0, 1, 4, 0, 1.0), seed=156)
    weight, kind = model.decoder.weight.clone(), codes.kind.clone()
    assert not join(model, codes).any()
    assert torch.equal(model.decoder.weight, weight)
    assert torch.equal(codes.kind, kind)


def test_directions_move_with_their_prototype() -> None:
    model, codes = pieces((2, 1, 1, -1, 0.4), linear=2, seed=157)
    codes.b[:, 0] = 0
    with torch.no_grad():
        before = model.decoder(codes)
        lies = codes.kind[:, 1] == 1
        codes.b[lies, 0], codes.b[lies, 1] = codes.b[lies, 1], 0.0
        codes.kind[lies], codes.place[lies] = codes.kind[lies].flip(1), codes.place[lies].flip(1)
        assert torch.allclose(model.decoder(codes), before, atol=1e-5)
        assert join(model, codes).tolist() == [False, True, False, False]
        assert torch.allclose(model.decoder(codes), before, atol=1e-5)


def test_parts_that_hide_each_other_stay() -> None:
    model = CGAE((8, 8), 2, 2, 3, decoder="occluding")
    codes = State(torch.full((5, 2), 20), torch.tensor([[0, 1]]).repeat(5, 1), torch.zeros(5, 2, 0))
    assert not join(model, codes).any()
    assert codes.kind.tolist() == [[0, 1]] * 5


def test_on_a_graph_parts_of_one_node_are_joined_and_neighbours_are_not() -> None:
    pos = torch.rand(60, 2, generator=torch.Generator().manual_seed(158)) * 7
    graph = SharedGraph.from_pos(pos)
    model = CGAE(graph, 2, 2, 3)
    with torch.no_grad():
        model.decoder.weight.normal_(generator=torch.Generator().manual_seed(159))
    place = torch.randint(60, (20, 1), generator=torch.Generator().manual_seed(160)).repeat(1, 2)
    beside = State((place + torch.tensor([0, 1])) % 60, torch.tensor([[0, 1]]).repeat(20, 1), torch.zeros(20, 2, 0))
    assert not join(model, beside).any()
    codes = State(place, torch.tensor([[0, 1]]).repeat(20, 1), torch.zeros(20, 2, 0))
    with torch.no_grad():
        before = model.decoder(codes)
        assert join(model, codes).sum() == 1
        assert torch.allclose(model.decoder(codes), before, atol=1e-5)


def test_codes_without_parts_have_nothing_to_join() -> None:
    model = CGAE((8, 8), 2, 2, 3)
    codes = State(torch.zeros(5, 2, dtype=torch.long), torch.full((5, 2), -1), torch.zeros(5, 2, 0))
    assert not join(model, codes).any()
