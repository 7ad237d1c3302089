import numpy as np
import pytest
import torch

from scge_pyg.models.cgae.density.placement import Parts, Placement, fit_placement

GRID = (60, 60)


def placement(grid=GRID):
    return Placement(
        grid,
        constant=torch.tensor([3.0, 12.0], dtype=torch.double),
        gain=torch.tensor([[0.9, 0.1], [-0.2, 0.8]], dtype=torch.double),
        own=torch.tensor([[1.0, 0.0], [-2.0, 3.0], [1.0, -3.0]], dtype=torch.double),
        other=torch.tensor([[0.0, 2.0], [0.0, -2.0], [0.0, 0.0]], dtype=torch.double),
        slope=torch.tensor(-0.3, dtype=torch.double),
        scale=torch.tensor([1.2, 2.0], dtype=torch.double),
    )


def parts(n, generator, grid=GRID, border=20):
    place = torch.stack([torch.randint(border, size - border, (n,), generator=generator) for size in grid], 1)
    return Parts(place.double(), torch.randint(3, (n,), generator=generator), torch.ones(n, dtype=torch.bool))


def made_by(generator, n):
    before, k = parts(n, generator), torch.randint(3, (n,), generator=generator)
    place = placement().sample(k, before, generator).double()
    return Parts(place, k, torch.ones(n, dtype=torch.bool)), before


@pytest.mark.parametrize("beside", [True, False])
def test_probabilities_sum_to_one_over_the_grid(beside):
    cells = torch.cartesian_prod(torch.arange(6), torch.arange(5)).double()
    before = parts(1, torch.Generator().manual_seed(0), (6, 5), 0) if beside else None
    for k in range(3):
        part = Parts(cells, torch.full((30,), k), torch.ones(30, dtype=torch.bool))
        assert float(placement((6, 5)).probability(part, before).sum()) == pytest.approx(1, abs=1e-12)


def test_samples_have_the_mean_and_covariance_of_the_formula():
    n = 40_000
    place = torch.tensor([[28.0, 31.0]], dtype=torch.double).expand(n, 2)
    before = Parts(place, torch.ones(n, dtype=torch.long), torch.ones(n, dtype=torch.bool))
    drawn = placement().sample(torch.full((n,), 2), before, torch.Generator().manual_seed(0)).double()
    row = 3 + 0.9 * 28 + 0.1 * 31 + 1
    column = 12 - 0.2 * 28 + 0.8 * 31 - 3 - 2 - 0.3 * row
    np.testing.assert_allclose(drawn.mean(0), [row, column], atol=0.05)
    rows = 1.2**2 + 1 / 12
    expected = [[rows, -0.3 * rows], [-0.3 * rows, 2**2 + 1 / 12 + 0.3**2 * rows]]
    np.testing.assert_allclose(np.cov(drawn.T.numpy()), expected, atol=0.1)


def test_a_fit_finds_what_made_the_places():
    part, before = made_by(torch.Generator().manual_seed(1), 40_000)
    found, made = fit_placement(part, before, torch.ones(40_000, dtype=torch.double), GRID, 3), placement()
    torch.testing.assert_close(found.gain, made.gain, rtol=0, atol=0.02)
    torch.testing.assert_close(found.own - found.own[:1], made.own - made.own[:1], rtol=0, atol=0.08)
    torch.testing.assert_close(found.other - found.other[:1], made.other - made.other[:1], rtol=0, atol=0.08)
    torch.testing.assert_close(found.slope, made.slope, rtol=0, atol=0.02)
    torch.testing.assert_close(found.scale, made.scale, rtol=0.02, atol=0)


def test_weights_choose_the_parts():
    generator = torch.Generator().manual_seed(2)
    part, before = made_by(generator, 2000)
    strange = part._replace(place=parts(2000, generator, border=0).place)
    mixed = [
        Parts(*(torch.cat(pair) for pair in zip(*two, strict=True))) for two in ((part, strange), (before, before))
    ]
    weight = torch.cat([torch.ones(2000), torch.zeros(2000)]).double()
    with_weights = fit_placement(*mixed, weight, GRID, 3)
    alone = fit_placement(part, before, weight[:2000], GRID, 3)
    for found, expected in zip(with_weights[1:], alone[1:], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_few_parts_move_as_their_parents_do():
    generator = torch.Generator().manual_seed(3)
    before = parts(2, generator)
    part = before._replace(place=before.place + torch.tensor([4.0, -3.0]))
    found = fit_placement(part, before, torch.ones(2, dtype=torch.double), GRID, 3)
    torch.testing.assert_close(found.gain, torch.eye(2, dtype=torch.double), rtol=0, atol=1e-4)
    torch.testing.assert_close(found.constant, torch.tensor([4.0, -3.0], dtype=torch.double), rtol=0, atol=1e-3)


def test_a_part_alone_has_no_gain():
    part, _ = made_by(torch.Generator().manual_seed(4), 100)
    found = fit_placement(part, None, torch.ones(100, dtype=torch.double), GRID, 3)
    assert not found.gain.any()
    assert not found.other.any()
