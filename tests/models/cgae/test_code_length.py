import math
from itertools import combinations_with_replacement, product

import pytest
import torch

from scge_pyg.models.cgae.code import Code
from scge_pyg.models.cgae.density.code_length import CodeLength, log_orders, quantize


def code_of(rows, b=None):
    """Codes from lists of parts (i, j, k); None is a part that is not used."""
    table = torch.tensor([[(0, 0, -1) if part is None else part for part in row] for row in rows])
    b = torch.zeros(*table.shape[:2], 0) if b is None else torch.as_tensor(b, dtype=torch.double)
    return Code(*table.unbind(2), b, torch.zeros(len(rows)))


def all_sets(grid, num_prototypes, num_parts, unused):
    """Every set of parts, equal ones included."""
    parts = [*product(range(grid[0]), range(grid[1]), range(num_prototypes)), *([None] if unused else [])]
    return code_of(list(combinations_with_replacement(parts, num_parts)))


def test_distinct_parts_take_what_the_formula_says():
    code = code_of([[(0, 1, 0), (3, 2, 1), (3, 1, 1), (0, 1, 1)]])
    expected = 4 * math.log2(5 * 7 * 3) - math.log2(math.factorial(4))
    assert float(CodeLength((5, 7), 3).bits(code)) == pytest.approx(expected)
    assert float(CodeLength((5, 7), 3, ordered=True).bits(code)) == pytest.approx(4 * math.log2(5 * 7 * 3))


@pytest.mark.parametrize("num_parts", [1, 2, 3, 4])
def test_lengths_of_all_sets_are_those_of_a_complete_code(num_parts):
    bits = CodeLength((2, 3), 2).bits(all_sets((2, 3), 2, num_parts, False))
    assert float((2.0**-bits).sum()) == pytest.approx(1, abs=1e-12)


def test_unused_parts_are_counted_by_how_many_are_used():
    every = all_sets((2, 2), 2, 3, True)
    a, b = (0, 0, 0), (1, 0, 1)
    length = CodeLength((2, 2), 2, unused=True).fit(code_of([[a, b, None], [a, None, b], [None] * 3, [a, a, b]]))
    bits = length.bits(every)
    assert float((2.0**-bits).sum()) == pytest.approx(1, abs=1e-12)
    one, two = length.bits(code_of([[None, a, None], [b, None, a]])).tolist()
    assert one == pytest.approx(3 - math.log2(0.5 / 6))
    assert two == pytest.approx(2 * 3 - 1 - math.log2(2.5 / 6))


def test_linear_codes_complete_the_code_and_tell_parts_apart():
    b = [[[0.9], [1.1]], [[0.1], [1.0]], [[0.2], [0.0]]]
    code = code_of([[(0, 0, 0), (0, 0, 0)]] * 3, b)
    length = CodeLength((2, 2), 1, step=1.0).fit(code)

    assert log_orders(code, 1.0).exp().tolist() == pytest.approx([1, 2, 1])
    chance = {n: (3 + wide(length, n)) / 7 for n in (0, 1)}
    expected = [2 * -math.log2(chance[1]), -math.log2(chance[0] * chance[1]) - 1, 2 * -math.log2(chance[0])]
    assert length.bits(code).tolist() == pytest.approx([4 + bits for bits in expected])


def wide(length, n):
    """Half a step to either side under the Cauchy distribution of the first histogram."""
    center, width = float(length.coefficients.center), float(length.coefficients.width)
    return (math.atan((n + 0.5 - center) / width) - math.atan((n - 0.5 - center) / width)) / math.pi


def test_orders_are_those_that_can_be_told_apart():
    a, b, c = (0, 0, 0), (1, 0, 0), (0, 0, 1)
    code = code_of([[a, b, c, a], [a, a, a, a], [a, None, b, None], [None] * 4, [a, b, a, b]])
    assert log_orders(code).exp().tolist() == pytest.approx([12, 1, 2, 1, 6])


def test_the_order_of_parts_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(2, (20, 5, 3), generator=generator)
    order = torch.randperm(5, generator=generator)
    length = CodeLength((2, 2), 2)
    first, second = (
        length.bits(Code(*r.unbind(2), torch.zeros(20, 5, 0), torch.zeros(20))) for r in (rows, rows[:, order])
    )
    torch.testing.assert_close(first, second)


def test_quantized_codes_lie_on_steps_and_take_the_same_bits():
    b = torch.randn(50, 2, 3, generator=torch.Generator().manual_seed(0)).double()
    code = code_of([[(0, 0, 0), (1, 1, 1)]] * 50, b)
    rounded = quantize(code, 0.3)
    assert (rounded.b - b).abs().max() <= 0.15 + 1e-9
    torch.testing.assert_close(rounded.b / 0.3, (rounded.b / 0.3).round(), rtol=0, atol=1e-9)
    assert rounded.energy.isnan().all()
    assert torch.equal(rounded.k, code.k)
    length = CodeLength((2, 2), 2, step=0.3).fit(code)
    torch.testing.assert_close(length.bits(rounded), length.bits(code))


def test_what_does_not_fit_is_refused():
    code = code_of([[(0, 0, 0), (1, 4, 1)]])
    with pytest.raises(ValueError, match=r"j of a code must be 0 to 3, got 0 to 4"):
        CodeLength((2, 4), 2).bits(code)
    with pytest.raises(ValueError, match=r"k of a code must be 0 to 0, got 0 to 1"):
        CodeLength((2, 5), 1).bits(code)
    with pytest.raises(ValueError, match="pass unused=True"):
        CodeLength((2, 5), 2).bits(code_of([[(0, 0, 0), None]]))
    with pytest.raises(ValueError, match="q = 1; pass a step"):
        CodeLength((2, 5), 2).bits(code._replace(b=torch.zeros(1, 2, 1)))
    with pytest.raises(ValueError, match="call fit first"):
        CodeLength((2, 5), 2, step=0.1).bits(code._replace(b=torch.zeros(1, 2, 1)))
    with pytest.raises(ValueError, match=r"one shape \[B, H\], got \[2\], \[2\], \[2\]"):
        CodeLength((2, 5), 2).bits(Code(*(field[0] for field in code)))
    with pytest.raises(ValueError, match="must have the 2 parts"):
        CodeLength((2, 5), 2, unused=True).fit(code).bits(code_of([[(0, 0, 0)]]))
    with pytest.raises(TypeError, match=r"k of a code must be integers, got torch\.float32"):
        CodeLength((2, 5), 2).bits(code._replace(k=code.k.float()))
    for arguments, name in (((0, 5), 2), "grid"), (((2, 5), 0), "num_prototypes"):
        with pytest.raises(ValueError, match=name):
            CodeLength(*arguments)
    with pytest.raises(ValueError, match="step"):
        quantize(code, 0.0)
