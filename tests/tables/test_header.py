"""A first line of numbers is a header or a sample, as the lines below it show."""

import numpy as np
import pytest

from scge_pyg.tables.header import NAMES, NUMERIC_IDS, what_first_line_is

RNG = np.random.default_rng(0)
IDS = [str(number) for number in RNG.permutation(np.arange(710000, 730000, 900))[:12]]


def rows(values, form="{}"):
    return [[form.format(value) for value in row] for row in values.tolist()]


SPEEDS = rows(60 + 10 * RNG.normal(size=(300, 12)), "{:.2f}")
COUNTS = rows(RNG.poisson(40, (300, 12)))


@pytest.mark.parametrize(
    ("fields", "below", "kind"),
    [
        (["a", "b"], [], NAMES),
        (["a", "710000"], [["1", "2"]], NAMES),
        (IDS, SPEEDS, NUMERIC_IDS),
        (IDS, SPEEDS[:5], NUMERIC_IDS),
        (IDS, COUNTS, NUMERIC_IDS),
        (IDS, rows(RNG.poisson(300_000, (300, 12))), NUMERIC_IDS),
        ([str(j) for j in range(12)], SPEEDS, NUMERIC_IDS),  # a data frame without names
        ([str(j) for j in range(12)], rows(RNG.poisson(5, (300, 12))), NUMERIC_IDS),
        ([str(101 + j) for j in RNG.permutation(12)], COUNTS, NUMERIC_IDS),
        (["400.5", "401", "401.5", "402"], rows(RNG.random((9, 4)), "{:.3f}"), NUMERIC_IDS),  # wavelengths
        (["", "7", "3"], [["0", "5", "4"], ["1", "2", "9"]], NUMERIC_IDS),
        (["", *IDS], [["x", *row] for row in SPEEDS], NUMERIC_IDS),
        (["2024-01-01", *IDS], [["2024-01-02", *row] for row in SPEEDS], NUMERIC_IDS),
        (["2024-01-01", "2024-01-02"], [["1.5", "2"]], NAMES),
        (["2024-01-01", *SPEEDS[0]], [["2024-01-02", *row] for row in SPEEDS[1:]], None),
        (SPEEDS[0], SPEEDS[1:], None),
        (COUNTS[0], COUNTS[1:], None),
        (["", *COUNTS[0][1:]], COUNTS[1:], None),  # a missing value is no name
        (["60"] * 12, SPEEDS, None),
        (["9999"] * 12, COUNTS, None),
        (["-1", "5", "9"], [["0.5", "0.1", "0.3"]] * 20, None),
        (["0", "1", "2", "3"], [["4", "5", "6", "7"], ["8", "9", "10", "11"]], None),
        (["1", "2", "3"], [], None),
        (["710000"], [["1.5"]] * 9, None),
        (["1", "2", "3"], [["4", "5", "6e0"]], None),
    ],
)
def test_what_first_line_is(fields, below, kind):
    assert what_first_line_is(fields, below) == kind


def test_quotes_around_the_first_line_alone_make_it_a_header():
    assert what_first_line_is(["3", "9"], [["4", "8"]], quoted=True) == NUMERIC_IDS
    assert what_first_line_is(["3", "9"], [["4", "8"]]) is None


def test_samples_are_seldom_taken_for_ids():
    """Of tables of small whole numbers, whose first samples look most like ids."""
    draws = [rows(np.random.default_rng(seed).poisson(3, (40, 6))) for seed in range(200)]
    assert sum(what_first_line_is(table[0], table[1:]) is not None for table in draws) <= 2
