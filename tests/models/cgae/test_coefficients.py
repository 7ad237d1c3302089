import math

import pytest
import torch

from scge_pyg.models.cgae.code import Code
from scge_pyg.models.cgae.density.coefficients import Coefficients


def code_of(b, k=None):
    """One part an image."""
    b = torch.as_tensor(b, dtype=torch.double)
    b = b.view(len(b), 1, -1)
    k = torch.zeros(len(b), 1, dtype=torch.long) if k is None else torch.as_tensor(k).view(-1, 1)
    return Code(torch.zeros_like(k), torch.zeros_like(k), k, b, torch.zeros(len(b)))


def test_a_long_training_set_is_coded_in_its_entropy():
    number = torch.tensor([0] * 500 + [1] * 250 + [-3] * 250)
    code = code_of(number * 0.5)
    assert float(Coefficients(0.5, 1).fit(code).bits(code).mean()) == pytest.approx(1.5, abs=0.02)


def test_probabilities_of_all_whole_numbers_sum_to_one():
    coefficients = Coefficients(0.1, 2).fit(code_of([[0.1], [0.2], [0.2], [-0.7]], [0, 0, 0, 1]))
    numbers = torch.arange(-200_000, 200_001)
    for k in range(2):
        bits = coefficients.bits(code_of(numbers * 0.1, torch.full_like(numbers, k)))
        assert float((2.0**-bits).sum()) == pytest.approx(1, abs=1e-5)
        assert bits.isfinite().all()


def test_each_prototype_and_coefficient_has_a_histogram_of_its_own():
    generator = torch.Generator().manual_seed(0)
    k = torch.randint(2, (4000,), generator=generator)
    scale = torch.tensor([[1.0, 8.0], [4.0, 2.0]])[k]
    b = torch.randn(4000, 2, generator=generator) * scale
    coefficients = Coefficients(0.5, 2).fit(code_of(b[:2000], k[:2000]))
    bits = coefficients.bits(code_of(b[2000:], k[2000:])).squeeze(1)
    entropy = 0.5 * math.log2(2 * math.pi * math.e) + (scale.prod(1)[2000:] / 0.5**2).log2() / 2
    for one in range(2):
        of = k[2000:] == one
        assert float(bits[of].mean()) == pytest.approx(2 * float(entropy[of].mean()), abs=0.25)
        assert float(bits[of].mean()) > 2 * float(entropy[of].mean()) - 0.1


def test_a_number_never_seen_takes_more_bits_the_farther_it_lies():
    coefficients = Coefficients(1.0, 1).fit(code_of(torch.zeros(100)))
    bits = coefficients.bits(code_of([0.0, 1.0, 10.0, 1e6])).squeeze(1)
    assert (bits.diff() > 0).all()
    assert bits[-1] < 60


def test_unused_parts_take_no_bits_and_count_for_nothing():
    used, code = code_of([1.0, 2.0, 2.0]), code_of([1.0, 2.0, 2.0, 0.0, 0.0], [0, 0, 0, -1, -1])
    assert torch.equal(Coefficients(1.0, 1).fit(code).counts, Coefficients(1.0, 1).fit(used).counts)
    assert Coefficients(1.0, 1).fit(code).bits(code)[3:].tolist() == [[0], [0]]


def test_samples_come_as_often_as_they_were_seen():
    coefficients = Coefficients(0.5, 2).fit(code_of([0.5, 0.5, 1.0, -0.5], [0, 0, 0, 1]))
    drawn = coefficients.sample(torch.tensor([0, 1]).expand(6000, 2), torch.Generator().manual_seed(0))
    assert drawn.shape == (6000, 2, 1)
    assert set(drawn[:, 0].unique().tolist()) == {0.5, 1.0}
    assert set(drawn[:, 1].unique().tolist()) == {-0.5}
    assert float((drawn[:, 0] == 0.5).double().mean()) == pytest.approx(2 / 3, abs=0.02)


def test_linear_codes_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="b must be finite"):
        Coefficients(1.0, 1).fit(code_of([math.nan]))
