"""The search against a loop over all exchanges, and on faults whose answer is known."""

import itertools

import numpy as np
import pytest

from scge_pyg.discovery.layouts.case import Case
from scge_pyg.discovery.layouts.gains import own_gains, referenced
from scge_pyg.discovery.layouts.recording import record
from scge_pyg.discovery.layouts.runs import Run, run_order
from scge_pyg.discovery.layouts.search import best_block, exchanges_of, search


@pytest.fixture
def case(recording):
    drawn = recording((3, 4), length=2, samples=4000)
    return Case(drawn.places, np.arange(12), np.corrcoef(drawn.x.T))


def moved(case, order):
    """The case with the signal of place ``order[i]`` in channel i."""
    return Case(case.places, case.judged, case.correlation[np.ix_(order, order)])


def test_of_all_exchanges_the_one_that_was_seeded_gains_most(case):
    for first, second in itertools.combinations(range(12), 2):
        if case.distance[first, second] < 1.5:
            continue
        order = np.arange(12)
        order[[first, second]] = second, first
        found, changes = search(moved(case, order), np.zeros((12, 12)))
        assert [change.channels.tolist() for change in changes] == [[first, second]]
        np.testing.assert_array_equal(found, order)


def test_exchanges_screen_what_the_total_gain_confirms(case):
    order = np.arange(12)
    order[[2, 9]] = 9, 2
    wrong = moved(case, order)
    expected = wrong.expected(np.arange(12))
    total = {}
    for pair in itertools.combinations(range(12), 2):
        swap = np.arange(12)
        swap[list(pair)] = pair[::-1]
        total[pair] = own_gains(referenced(wrong.correlation), expected[np.ix_(swap, swap)]).sum()
    gain = exchanges_of(wrong, np.arange(12))
    assert max(total, key=total.get) == (2, 9)
    assert np.unravel_index(gain.argmax(), gain.shape) == (2, 9)


@pytest.mark.parametrize("run", [Run(2, 11, 0), Run(3, 20, 0), Run(8, 16, 1), Run(1, 13, -1)])
def test_runs_are_named_with_both_ends(recording, run):
    drawn = recording((4, 6), samples=4000)
    order = run_order(24, run)
    case = record(drawn.x[:, order], drawn.places, None, 0).case
    block = best_block(case, np.arange(24))
    assert block.kind == ("shifted" if run.by else "turned")
    assert block.by == run.by
    np.testing.assert_array_equal(block.order, order)
    found, changes = search(case, np.zeros((24, 24)))
    assert len(changes) == 1
    np.testing.assert_array_equal(found, order)


def test_swaps_are_no_block(recording):
    drawn = recording((4, 6), samples=4000)
    order = np.arange(24)
    order[[0, 13, 5, 20]] = 13, 0, 20, 5
    case = record(drawn.x[:, order], drawn.places, None, 0).case
    found, changes = search(case, np.zeros((24, 24)))
    assert sorted(change.channels.tolist() for change in changes) == [[0, 13], [5, 20]]
    np.testing.assert_array_equal(found, order)


def test_the_right_layout_has_no_change(case):
    found, changes = search(case, np.zeros((12, 12)))
    assert changes == []
    assert found.tolist() == list(range(12))
