"""What every format promises: names, dead nodes and rate, carried with the samples."""

import numpy as np
import pytest

from scge_pyg.io import Signals, read
from scge_pyg.io.readers import format_of


def test_dead_nodes_hold_nothing_and_the_source_is_left_alone():
    samples = np.arange(12, dtype=np.int16).reshape(3, 4)
    signals = Signals(samples, tuple("abcd"), dead=np.array([False, True, False, False]))
    block = signals.rows(1, 3)
    assert block.dtype == np.float32
    assert np.isnan(block[:, 1]).all()
    np.testing.assert_array_equal(block[:, [0, 2, 3]], samples[1:, [0, 2, 3]])
    assert samples[1, 1] == 5


def test_without_dead_nodes_rows_are_those_of_the_source():
    samples = np.arange(12, dtype=np.int16).reshape(3, 4)
    assert np.shares_memory(Signals(samples).rows(0, 2), samples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": np.zeros(3)}, r"samples must be \[S, N\] or \[S, N, C\], got \[3\]"),
        ({"samples": np.zeros((3, 2)), "names": ("a",)}, "names must be 2, one a node, got 1"),
        ({"samples": np.zeros((3, 2)), "names": ("a", "a")}, "'a' came 2 times"),
        ({"samples": np.zeros((3, 2)), "dead": [True]}, r"dead must be \[2\], one entry a node, got \[1\]"),
        ({"samples": np.zeros((3, 2)), "rate": 0}, "rate must be a number of samples a second above 0, got 0"),
        ({"samples": np.zeros((3, 2)), "kind": "pictures"}, "kind must be one of samples, counts, affinity"),
    ],
)
def test_what_does_not_fit_is_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        Signals(**arguments)


def test_counts_are_no_samples():
    counts = Signals(np.ones((5, 3)), tuple("abcde"), kind="counts")
    assert (counts.num_nodes, counts.num_samples) == (5, 3)
    with pytest.raises(ValueError, match=r"pass them as discover\(counts=signals\)"):
        counts.rows(0, 1)


def test_what_no_format_knows_is_told(tmp_path):
    with pytest.raises(TypeError, match=r"no format knows an object of dict; known are files with .*, \.wav"):
        read({})
    with pytest.raises(TypeError, match=r"no format knows the suffix '.xyz' of a.xyz"):
        read("a.xyz")
    with pytest.raises(FileNotFoundError, match=r"a.wav does not exist"):
        read("a.wav")
    with pytest.raises(TypeError, match="a wave file takes no channels; it takes window"):
        read("a.wav", channels=3)
    assert format_of(np.zeros(3)) is None
