"""The benchmark of parts: its shapes, what counts as found again, and its direct form of a sweep."""

from pathlib import Path

import pytest
import torch

from scge_pyg.models.cgae import CGAE, Code


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))


def true_code(truth):
    return Code(truth.place[..., 0], truth.place[..., 1], truth.kind, torch.zeros(*truth.kind.shape, 0), torch.zeros(1))


def true_model(shapes, order=None, shift=0):
    """The shapes as prototypes, in another order, each moved down by so many pixels in a window of its own size."""
    model = CGAE((28, 28), 8, 3, 7)
    order = torch.arange(8) if order is None else order
    with torch.no_grad():
        model.decoder.weight.copy_(shapes[order].roll(shift, 1).unsqueeze(1))
    return model


def test_scenes_are_their_shapes_where_they_say():
    from cgae_shapes import NOISE, scenes

    truth = scenes(150, 40, part=0)
    with torch.no_grad():
        gone = truth.x - true_model(truth.shapes).decode(true_code(truth))
    assert float(gone.std()) == pytest.approx(NOISE, rel=0.05)
    gaps = torch.cdist(truth.place.float(), truth.place.float()) + 100 * torch.eye(3)
    assert float(gaps.min()) >= 4
    assert all(len(set(kinds)) == 3 for kinds in truth.kind.tolist())
    other = scenes(150, 40, part=1)
    assert torch.equal(other.shapes, truth.shapes)
    assert not torch.equal(other.place, truth.place)


def test_covered_scenes_hide_what_lies_below():
    from cgae_shapes import NOISE, scenes

    truth = scenes(151, 60, part=0, cover=True, apart=2.0)
    top = truth.shapes[truth.kind[:, 2]] > 0
    for image, mask, (i, j) in zip(truth.x, top, truth.place[:, 2].tolist(), strict=True):
        seen = image[i - 3 : i + 4, j - 3 : j + 4][mask]
        assert float(seen.std()) < 3 * NOISE


def test_other_orders_and_one_shift_a_prototype_are_forgiven_and_nothing_else():
    from cgae_shapes import recovered, scenes

    truth = scenes(152, 30, part=0)
    order = torch.tensor([3, 0, 7, 1, 2, 6, 5, 4])
    inverse = order.argsort()
    code = true_code(truth)._replace(k=inverse[truth.kind])
    found = recovered(true_model(truth.shapes, order), code, truth)
    assert found["exact"] == 1
    assert found["cosine"] == pytest.approx(1)
    blank = truth.shapes.clone()
    blank[:, -1] = 0
    truth.shapes = blank
    moved = true_model(blank, order, shift=1)
    assert recovered(moved, code._replace(i=code.i - 1), truth)["exact"] == 1
    assert recovered(moved, code, truth)["exact"] == 0
    one_off = code._replace(j=code.j + (torch.arange(30) < 3)[:, None] * torch.tensor([0, 1, 0]))
    assert recovered(true_model(blank, order), one_off, truth)["exact"] == pytest.approx(0.9)
    twice = true_model(blank, torch.tensor([0, 0, 2, 3, 4, 5, 6, 7]))
    assert recovered(twice, code, truth)["cosine"] < 0.95


def test_a_shape_that_is_not_there_may_not_be_found():
    from cgae_shapes import recovered, scenes

    truth = scenes(153, 40, part=0, fewest=0)
    none = truth.kind < 0
    assert torch.bincount((~none).sum(1), minlength=4).gt(0).all()
    assert truth.x[none.all(1)].std() < 0.06
    code, order = true_code(truth), torch.arange(8)
    code = code._replace(i=code.i.masked_fill(none, 0), j=code.j.masked_fill(none, 0))
    model = true_model(truth.shapes, order)
    assert recovered(model, code, truth)["exact"] == 1
    blank = int(none.all(1).nonzero()[0])
    for image, kind in ((blank, 3), (int((~none[:, 0]).nonzero()[0]), -1)):
        wrong = code.k.clone()
        wrong[image, 0] = kind
        assert recovered(model, code._replace(k=wrong), truth)["exact"] == pytest.approx(39 / 40)


def test_the_direct_form_draws_from_the_same_probabilities():
    from cgae_direct import compared

    found = compared(153, repeats=1, images=2)
    assert found["off"] < 1e-5
