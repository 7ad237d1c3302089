import math
from itertools import combinations_with_replacement, product

import pytest
import torch

from scge_pyg.models.cgae.code import Code
from scge_pyg.models.cgae.density.code_length import CodeLength
from scge_pyg.models.cgae.density.constellation import Constellation

GRID, PROTOTYPES = (24, 24), 6


def code_of(i, j, k, b=None):
    b = torch.zeros(*k.shape, 0) if b is None else b
    return Code(i, j, k, b, torch.zeros(len(k)))


def uniform_codes(n, num_parts, seed):
    generator = torch.Generator().manual_seed(seed)
    sizes = (*GRID, PROTOTYPES)
    return code_of(*(torch.randint(size, (n, num_parts), generator=generator) for size in sizes))


def faces(n, seed):
    """Five parts at fixed offsets, give or take a place, of a face anywhere; in random order, the prototypes known.

    In bits: log2(12 * 12) of where it is, 4 log2 9 of where the other parts are, and one of its mouth.
    """
    generator = torch.Generator().manual_seed(seed)
    place = torch.randint(6, 18, (n, 1, 2), generator=generator)
    offsets = torch.tensor([[0, 0], [-4, -3], [-4, 3], [4, 0], [0, 5]])
    jitter = torch.randint(-1, 2, (n, 5, 2), generator=generator) * torch.tensor([0, 1, 1, 1, 1]).view(1, 5, 1)
    k = torch.tensor([0, 1, 1, 2, 3]).repeat(n, 1)
    k[:, 3] += 2 * torch.randint(2, (n,), generator=generator)
    order = torch.rand(n, 5, generator=generator).argsort(1)
    place = (place + offsets + jitter).gather(1, order.unsqueeze(2).expand(-1, -1, 2))
    return code_of(place[..., 0], place[..., 1], k.gather(1, order))


FACE_BITS = math.log2(144) + 4 * math.log2(9) + 1


def all_sets(num_parts):
    """Every set of parts on 2 x 2 places with two prototypes, unused ones included."""
    parts = torch.tensor([*product(range(2), range(2), range(2)), (0, 0, -1)])
    chosen = torch.tensor(list(combinations_with_replacement(range(9), num_parts)))
    return code_of(*parts[chosen].unbind(2)), chosen


def toy_codes(n, seed):
    generator = torch.Generator().manual_seed(seed)
    k = torch.randint(-1, 2, (n, 3), generator=generator)
    i = torch.randint(2, (n, 1), generator=generator).expand(-1, 3)
    j = (torch.rand(n, 3, generator=generator) < 0.2).long()
    used = k >= 0
    return code_of(i * used, j * used, k)


@pytest.mark.parametrize("num_parts", [1, 3])
def test_the_chances_of_all_sets_sum_to_one(num_parts):
    code = toy_codes(200, 0)
    code = Code(*(field[:, :num_parts] for field in code[:4]), code.energy)
    model = Constellation((2, 2), 2, 2, num_rounds=3).fit(code)
    bits = model.bits(all_sets(num_parts)[0])
    assert float((2.0**-bits).sum()) == pytest.approx(1, abs=1e-9)


def test_samples_come_as_often_as_their_bits_say(agreement):
    model = Constellation((2, 2), 2, 2, num_rounds=3).fit(toy_codes(200, 0))
    every, chosen = all_sets(3)
    drawn = model.sample(20_000, torch.Generator().manual_seed(1))
    state = torch.where(drawn.k < 0, 8, drawn.i * 4 + drawn.j * 2 + drawn.k).sort(1).values
    number = {tuple(row): n for n, row in enumerate(chosen.tolist())}
    seen = torch.bincount(torch.tensor([number[tuple(row)] for row in state.tolist()]), minlength=len(chosen))
    expected = 20_000 * 2.0 ** -model.bits(every)
    assert agreement(seen, expected) > 1e-3


def test_independent_uniform_parts_are_no_cheaper():
    model = Constellation(GRID, PROTOTYPES, 2, num_rounds=4).fit(uniform_codes(600, 4, 0))
    new = uniform_codes(600, 4, 1)
    excess = model.bits(new) - CodeLength(GRID, PROTOTYPES).bits(new)
    error = float(excess.std()) / math.sqrt(len(excess))
    assert -3 * error < float(excess.mean()) < 2


@pytest.fixture(scope="module")
def face_model():
    return Constellation(GRID, PROTOTYPES, 1, num_rounds=10).fit(faces(600, 0))


def test_faces_take_little_more_bits_than_there_are(face_model):
    new = faces(400, 1)
    with_tree = float(face_model.bits(new).mean())
    without = Constellation(GRID, PROTOTYPES, 1, tree=False, num_rounds=6).fit(faces(600, 0)).bits(new).mean()
    uniform = CodeLength(GRID, PROTOTYPES).bits(new).mean()
    assert FACE_BITS - 0.1 < with_tree < FACE_BITS + 4
    assert float(without) > with_tree + 8
    assert float(uniform) > float(without) + 8


def test_sampled_faces_are_faces(face_model):
    drawn = face_model.sample(2000, torch.Generator().manual_seed(0))
    kinds = torch.stack([(drawn.k == k).sum(1) for k in range(PROTOTYPES)], 1)
    whole = (kinds[:, :2] == torch.tensor([1, 2])).all(1) & (kinds[:, 2] + kinds[:, 4] == 1) & (kinds[:, 3] == 1)
    assert float(whole.double().mean()) > 0.85
    nose, chin = (drawn.k[whole] == k for k in (0, 3))
    offset = torch.stack([field[whole][chin] - field[whole][nose] for field in drawn[:2]], 1).double()
    torch.testing.assert_close(offset.mean(0), torch.tensor([0.0, 5.0], dtype=torch.double), rtol=0, atol=0.5)
    assert float(offset.std(0).max()) < 2


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_samples_than_components_are_drawn(n):
    code = faces(60, 0)
    code = code._replace(b=torch.randn(60, 5, 1, generator=torch.Generator().manual_seed(1)))
    model = Constellation(GRID, PROTOTYPES, 3, step=0.5, num_rounds=1).fit(code)
    drawn = model.sample(n, torch.Generator().manual_seed(0))
    assert [tuple(field.shape) for field in drawn] == [(n, 5)] * 3 + [(n, 5, 1), (n,)]
    assert model.bits(drawn).shape == (n,)


def test_neither_the_order_of_parts_nor_that_of_codes_changes_bits():
    model = Constellation(GRID, PROTOTYPES, 1, num_rounds=3).fit(faces(200, 0))
    new = faces(700, 1)
    bits = model.bits(new)
    turned = code_of(*(field.flip(0, 1) for field in new[:3]))
    torch.testing.assert_close(model.bits(turned), bits.flip(0), rtol=1e-12, atol=0)


def test_orders_take_their_bits_where_they_matter():
    code, new = faces(200, 0), faces(50, 1)
    plain, ordered = (Constellation(GRID, PROTOTYPES, 1, num_rounds=2, ordered=o).fit(code) for o in (False, True))
    torch.testing.assert_close(ordered.bits(new) - plain.bits(new), torch.full((50,), math.log2(120)).double())
    drawn = ordered.sample(600, torch.Generator().manual_seed(0))
    first = torch.bincount(drawn.k[:, 0] + 1, minlength=7)
    every = torch.bincount(drawn.k.flatten() + 1, minlength=7) / 5
    assert (first - every).abs().max() < 4 * 150**0.5


def test_linear_codes_are_counted_as_without_a_tree():
    code, new = faces(300, 0), faces(100, 1)
    generator = torch.Generator().manual_seed(2)
    code, new = (c._replace(b=torch.randn(*c.k.shape, 2, generator=generator)) for c in (code, new))
    plain = Constellation(GRID, PROTOTYPES, 1, num_rounds=2).fit(code._replace(b=code.b[..., :0]))
    model = Constellation(GRID, PROTOTYPES, 1, num_rounds=2, step=0.5).fit(code)
    length = CodeLength(GRID, PROTOTYPES, step=0.5).fit(code)
    flat = CodeLength(GRID, PROTOTYPES)
    expected = length.bits(new) - flat.bits(new._replace(b=new.b[..., :0]))
    torch.testing.assert_close(model.bits(new) - plain.bits(new._replace(b=new.b[..., :0])), expected)
    drawn = model.sample(500, generator)
    assert drawn.b.shape == (500, 5, 2)
    assert float(drawn.b.std()) == pytest.approx(1, abs=0.1)


def test_unused_parts_are_a_state_of_a_slot():
    code = faces(400, 0)
    gone = torch.rand(400, generator=torch.Generator().manual_seed(1)) < 0.5
    used = ~((code.k == 3) & gone.unsqueeze(1))
    code = code_of(code.i * used, code.j * used, torch.where(used, code.k, -1))
    model = Constellation(GRID, PROTOTYPES, 1, num_rounds=8).fit(code)
    drawn = model.sample(2000, torch.Generator().manual_seed(2))
    off = drawn.k < 0
    assert float(off.sum(1).double().mean()) == pytest.approx(float((~used).sum(1).double().mean()), abs=0.05)
    assert not drawn.i[off].any()
    assert not drawn.j[off].any()
    assert model.bits(code).isfinite().all()


def test_the_same_seed_gives_the_same_bits():
    code = faces(100, 0)
    first, second = (Constellation(GRID, PROTOTYPES, 2, num_rounds=2, seed=5).fit(code).bits(code) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("step", [None, 0.5])
def test_what_was_fitted_is_saved_and_loaded_without_pickle(step, tmp_path):
    code = toy_codes(300, 5)
    if step:
        code = code._replace(b=torch.randn(300, 3, 1, generator=torch.Generator().manual_seed(6)).double())
    fitted = Constellation((2, 2), 2, 3, step=step, num_rounds=2).fit(code)
    torch.save(fitted.state_dict(), tmp_path / "constellation.pt")
    loaded = Constellation((2, 2), 2, 3, step=step)
    loaded.load_state_dict(torch.load(tmp_path / "constellation.pt", weights_only=True))
    assert torch.equal(loaded.bits(code), fitted.bits(code))
    drawn = [model.sample(20, torch.Generator().manual_seed(7)) for model in (fitted, loaded)]
    assert all(torch.equal(one, other) for one, other in zip(*drawn, strict=True) if not one.isnan().any())
    assert repr(loaded) == repr(fitted) == "Constellation((2, 2), 2 prototypes, 3 components of 3 parts)"


def test_a_state_that_is_not_of_this_model_is_refused():
    state = Constellation((2, 2), 2, 2, num_rounds=1).fit(toy_codes(50, 8)).state_dict()
    with pytest.raises(ValueError, match=r"must have 3 prototypes.*got \[2\] prototypes"):
        Constellation((2, 2), 3).load_state_dict(state)
    with pytest.raises(ValueError, match=r"no rounded linear codes, but step is 0\.5"):
        Constellation((2, 2), 2, step=0.5).load_state_dict(state)
    for name in ("weight", "trees.0.0.share", "trees.1.2.alone.gain"):
        with pytest.raises(ValueError, match="state has no"):
            Constellation((2, 2), 2).load_state_dict({key: v for key, v in state.items() if key != name})


def test_one_image_and_equal_images_give_a_density():
    for n in (1, 20):
        code = code_of(*(field[:1].repeat(n, 1) for field in faces(1, 0)[:3]))
        bits = Constellation(GRID, PROTOTYPES, 4, num_rounds=3).fit(code).bits(code)
        assert bits.isfinite().all()
        assert (bits > 0).all()


def test_what_does_not_fit_is_refused():
    model, code = Constellation(GRID, PROTOTYPES, 1, num_rounds=1), faces(30, 0)
    for call in (lambda: model.bits(code), lambda: model.sample(1, torch.Generator())):
        with pytest.raises(ValueError, match="call fit first"):
            call()
    with pytest.raises(ValueError, match=r"1 to 12 parts in at least one image, got \[3, 13\]"):
        model.fit(uniform_codes(3, 13, 0))
    with pytest.raises(ValueError, match=r"got \[0, 5\]"):
        model.fit(code_of(*(field[:0] for field in code[:3])))
    with pytest.raises(ValueError, match=r"i of a code must be 0 to 23, got .* to 24"):
        model.fit(code._replace(i=torch.full_like(code.i, 24)))
    model.fit(code)
    with pytest.raises(ValueError, match="must have the 5 parts of the training codes, got 4"):
        model.bits(uniform_codes(3, 4, 0))
    with pytest.raises(ValueError, match="num_components must be an integer of at least 1, got 0"):
        Constellation(GRID, PROTOTYPES, 0)
    with pytest.raises(ValueError, match="step"):
        Constellation(GRID, PROTOTYPES, step=-1.0)
