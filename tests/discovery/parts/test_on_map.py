import pytest

from scge_pyg.discovery.parts.on_map import _truest


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([1.0, 1.002], 0),
        ([1.0, 1.01], 1),
        ([1.0, 1.01, 1.012], 1),
        ([1.2, 1.0, 0.5], 0),
        ([-0.1, -0.2], 0),
        ([-0.2, -0.1], 1),
        ([-0.1002, -0.1], 0),
    ],
)
def test_of_maps_that_predict_alike_the_first_is_taken(gains, expected):
    """Those of many links come first; few links gain up to 0.3 % more from a map in worse shape."""
    entries = [(gain, number) for number, gain in enumerate(gains)]
    assert _truest(entries)[1] == expected
