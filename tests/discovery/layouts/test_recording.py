"""Dead, doubled, constant and unplaced channels are set apart before anything is judged."""

import numpy as np
import pytest
import torch

from scge_pyg.discovery.layouts.recording import record


def test_the_copy_is_the_one_that_its_surroundings_deny(recording):
    drawn = recording(noise=0.1)
    for copy, source in ((4, 25), (25, 4)):
        x = drawn.x.copy()
        x[:, copy] = 7 - 3 * x[:, source]
        found = record(x, drawn.places, None, 0)
        assert found.copies.tolist() == [[copy], [source]]
        assert found.placed[found.case.judged].tolist() == [k for k in range(30) if k != copy]
        assert found.inverted.tolist() == []


def test_copies_in_another_unit_and_precision_are_copies(recording):
    drawn = recording(noise=0.1)
    x = drawn.x.astype(np.float32).astype(float)
    x[:, 4] = (1e-3 * x[:, 25]).astype(np.float32)
    x[:, 11] = x[:, 25]
    assert sorted(record(x, drawn.places, None, 0).copies.T.tolist()) == [[4, 25], [11, 25]]


def test_dead_and_unplaced_channels_are_not_judged(recording):
    drawn = recording()
    x, places = drawn.x.copy(), drawn.places.copy()
    x[:, 3], x[:, 8] = 0, np.nan
    places[12, 1] = np.nan
    found = record(x, places, None, 0)
    assert found.dead.tolist() == [3, 8]
    assert 12 not in found.placed
    assert len(found.case.judged) == 27
    correlation = np.corrcoef(x[:, found.placed[found.case.judged]].T)
    assert np.abs(found.case.correlation - correlation).max() < 0.05


def test_samples_come_in_every_form_that_discover_takes(recording):
    drawn = recording()
    whole = record(drawn.x, drawn.places, None, 0)
    blocks = record((torch.from_numpy(part) for part in np.array_split(drawn.x, 7)), drawn.places, None, 0)
    np.testing.assert_array_equal(whole.case.correlation, blocks.case.correlation)
    marked = np.where(np.random.default_rng(0).random(drawn.x.shape) < 0.05, -999.0, drawn.x)
    gaps = record(marked, drawn.places, -999.0, 0)
    assert np.abs(gaps.case.correlation - whole.case.correlation).max() < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, p: (x, p[:-1]), "which has 30, got 29"),
        (lambda x, p: (x[:, :7], p[:7]), "at least 8 channels need a place and a signal of their own, got 7 of 7"),
        (lambda x, p: (np.tile(x[:9], (1, 40)), np.tile(p, (40, 1))), "at most 1024 channels"),
        (lambda x, p: (np.zeros_like(x), p), "check_layout: all 30 nodes of x are constant"),
        (lambda x, p: (x[0], p), "check_layout: "),
        (lambda x, p: (np.where(x > 2, np.inf, x), p), "check_layout: "),
    ],
)
def test_what_cannot_be_judged_is_refused(recording, change, message):
    drawn = recording()
    x, places = change(drawn.x, drawn.places)
    with pytest.raises(ValueError, match=message):
        record(x, places, None, 0)
