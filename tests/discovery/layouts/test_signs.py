"""Inverted channels are told from those that lie elsewhere."""

import pytest

from scge_pyg.discovery.layouts.recording import record


@pytest.mark.parametrize("average", [False, True])
def test_inverted_channels_are_found_before_any_reference(recording, average):
    drawn = recording(average=average, noise=0.1)
    x = drawn.x.copy()
    x[:, [3, 17, 18]] *= -1
    assert record(x, drawn.places, None, 0).inverted.tolist() == [3, 17, 18]


def test_where_most_are_inverted_the_others_are_said_to_be(recording):
    drawn = recording()
    x = -drawn.x
    x[:, 5] *= -1
    assert record(x, drawn.places, None, 0).inverted.tolist() == [5]


def test_none_is_inverted_because_it_is_misplaced(recording):
    drawn = recording(average=True, noise=0.1)
    x = drawn.x[:, [29, *range(1, 29), 0]]
    found = record(x, drawn.places, None, 0)
    assert found.inverted.tolist() == []
