"""Row numbers, row labels and times are told from measurements, and measurements are never taken for them."""

import numpy as np
import pytest

from scge_pyg.tables.column_kinds import as_values, goes_back, what_it_is

COUNT = np.arange(20.0)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "values", "first", "kind"),
    [
        ("", COUNT[:3], True, "row-number"),
        ("Unnamed: 0", COUNT, True, "row-number"),
        ("index", 5 + COUNT, False, "row-number"),
        ("index", np.array([4.0, 0, 9, 2]), True, "row-number"),  # shuffled rows keep their numbers
        ("", np.array([0.0, 1, 3, 4]), True, "row-number"),  # dropped rows leave gaps
        ("s0", COUNT, True, "row-number"),
        (None, 1 + COUNT, True, "row-number"),
        ("", ["run a", "run b"], True, "row-label"),
        ("", np.full(4, np.nan), False, "empty"),  # a comma at the end of each line
        ("s3", np.full(4, np.nan), False, None),
        ("when", ["2024-01-31 23:55:00", "2024-02-01T00:00:00Z", ""], False, "time"),
        ("when", ["31.1.2024", "1.2.2024"], False, "time"),
        ("when", ["1/31/2024 9:05 PM"], False, "time"),
        ("clock", ["09:05", "09:10:00.5"], True, "time"),
        ("timestamp", np.array([100.0, 130, 130, 190]), False, "time"),
        ("time (s)", -COUNT, False, "time"),
        (None, np.round(COUNT / 256, 4), True, "time"),
        ("s0", COUNT, False, None),
        ("s0", COUNT[:7], True, None),
        ("s0", -COUNT, True, None),
        ("s0", RNG.normal(size=20).cumsum(), True, None),
        ("s0", np.where(COUNT == 3, np.nan, COUNT), True, None),
        ("s0", np.ones(20), True, None),
        ("time", RNG.normal(size=20), False, None),
        ("timing", COUNT, False, None),
        ("index", COUNT / 2, False, None),
        ("index", np.zeros(4), True, None),
        ("city", ["Rome", "Oslo"], True, None),
        ("version", ["1.2", "x"], True, None),
        ("", ["run a", "run b"], False, None),
    ],
)
def test_what_it_is(name, values, first, kind):
    assert what_it_is(name, values, first=first) == kind


def test_cells_are_numbers_or_text_as_a_whole():
    np.testing.assert_array_equal(as_values(["1", " NA", "", "2e3", "n/a"]), [1, np.nan, np.nan, 2000, np.nan])
    assert as_values(["1", "x"]) == ["1", "x"]


@pytest.mark.parametrize(
    ("times", "row"),
    [
        ([0.0, 1.0, 1.0, 2.0], None),
        ([0.0, np.nan, 1.0, 0.5], 3),
        (["9", "10", "8"], 2),
        (["2024-01-31", "2024-02-01", "", "2023-12-31"], 3),
        (["2024-9-30 8:00", "2024-10-01 07:00"], None),
        (["2024-01-01T10:00:00+02:00", "2024-01-01T09:59:59+02:00"], 1),
        (["2/1/2024", "1/2/2024"], None),  # day or month first can't be told
        (["2024-01-01 11:00 AM", "2024-01-01 01:00 PM"], None),
    ],
)
def test_goes_back(times, row):
    found = goes_back(times)
    assert (found and found[0]) == row
    if found:
        assert found[2] == times[row]
