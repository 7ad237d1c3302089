"""`check_layout` on seeded faults: what it says, channel by channel."""

import numpy as np
import pandas
import pytest
import torch
from scipy.signal import lfilter
from scipy.spatial.distance import cdist

from scge_pyg import check_layout

SHAPE = (5, 6)


def recorded(seed=0, average=False, samples=2000):
    rng = np.random.default_rng(seed)
    places = np.argwhere(np.ones(SHAPE)).astype(float)
    root = np.linalg.cholesky(np.exp(-cdist(places, places) / 2.5))
    x = lfilter([1.0], [1.0, -0.7], rng.standard_normal((samples, len(places))) @ root.T, axis=0)
    x += 0.2 * x.std() * rng.standard_normal(x.shape)
    return (x - average * x.mean(1, keepdims=True)) * rng.uniform(0.5, 2, len(places)), places


X, PLACES = recorded()


def swapped(x, *pairs):
    order = np.arange(x.shape[1])
    for first, second in pairs:
        order[[first, second]] = second, first
    return x[:, order]


@pytest.mark.parametrize("seed", range(200, 206))
def test_a_right_layout_passes(seed):
    x, places = recorded(seed, average=bool(seed % 2))
    check = check_layout(x, places)
    assert check.ok
    assert check.best_place.tolist() == list(range(30))
    assert float(check.suspicion.max()) < 0.5
    assert check.describe().startswith("all channels fit.\nA layout that is mirrored or turned as a whole")


@pytest.mark.parametrize("average", [False, True])
def test_swapped_channels_are_named(average):
    x, places = recorded(1, average)
    check = check_layout(swapped(x, (2, 27), (10, 20)), places, names=[f"c{k}" for k in range(30)])
    assert not check.ok
    assert check.suspects == (2, 10, 20, 27)
    assert check.best_place[[2, 27, 10, 20]].tolist() == [27, 2, 20, 10]
    assert check.describe().splitlines()[0] == (
        "channels c2 and c27 are swapped (p = 0.01); channels c10 and c20 are swapped (p = 0.01); all others fit."
    )
    assert (check.p_value[[2, 10, 20, 27]] == 0.01).all()
    assert (check.other_gain > check.gain)[[2, 10, 20, 27]].all()
    assert check.other_place[[2, 27]].tolist() == [27, 2]
    assert repr(check).startswith("LayoutCheck(ok=False, channels=30, suspects=4: channels c2 and")


def test_more_draws_make_smaller_p_values():
    check = check_layout(swapped(X, (2, 27)), PLACES, replicates=999)
    assert check.describe().startswith("channels 2 and 27 are swapped (p = 0.002)")


def test_a_ring_of_three_is_one_finding():
    order = np.arange(30)
    order[[0, 16, 29]] = 16, 29, 0
    check = check_layout(X[:, order], PLACES)
    assert check.best_place.tolist() == order.tolist()
    assert check.describe().startswith("channels 0, 16 and 29 have changed places (p = 0.01)")


@pytest.mark.parametrize(
    ("run", "moved", "words"),
    [
        (slice(8, 20), lambda run: run[::-1], "channels 8 to 19 are plugged in the other way round"),
        (
            slice(8, 20),
            lambda run: np.roll(run, -1),
            "channels 8 to 19 are shifted by one pin, each belongs to the next place",
        ),
        (
            slice(3, 11),
            lambda run: np.roll(run, 1),
            "channels 3 to 10 are shifted by one pin, each belongs to the previous place",
        ),
    ],
)
def test_blocks_are_named(run, moved, words):
    order = np.arange(30)
    order[run] = moved(order[run])
    check = check_layout(X[:, order], PLACES)
    assert check.describe().splitlines()[0] == f"{words} (p = 0.01); all others fit."
    assert check.best_place.tolist() == order.tolist()
    wrong = np.flatnonzero(order != np.arange(30))
    assert check.suspects == tuple(wrong.tolist())


def test_a_mirrored_half_is_named():
    places = PLACES.copy()
    left = places[:, 1] < 2.5
    places[left, 0] = 4 - places[left, 0]
    check = check_layout(X, places)
    assert [finding.kind for finding in check.findings] == ["mirrored"]
    assert check.findings[0].axis == 0
    assert "is mirrored along the first axis against the other" in check.describe()


@pytest.mark.parametrize("turn", [lambda p: p * [-1, 1], lambda p: 25.4 * p[:, ::-1] + 7, lambda p: -p])
def test_units_mirrors_and_turns_of_the_whole_change_nothing(turn):
    wrong = swapped(X, (2, 27))
    plain, turned = check_layout(wrong, PLACES), check_layout(wrong, turn(PLACES))
    assert turned.describe() == plain.describe()
    torch.testing.assert_close(turned.gain, plain.gain, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dim", [1, 3])
def test_layouts_have_one_to_three_dimensions(dim):
    places = np.argwhere(np.ones((20,) if dim == 1 else (3, 3, 3))).astype(float)
    root = np.linalg.cholesky(np.exp(-cdist(places, places) / 2))
    x = np.random.default_rng(dim).standard_normal((3000, len(places))) @ root.T
    assert check_layout(x, places).ok
    assert check_layout(swapped(x, (1, 18)), places).suspects == (1, 18)


def test_what_says_nothing_of_the_layout_is_said_beside_it():
    x, places = X.copy(), PLACES.copy()
    x[:, 5] *= -1
    x[:, 9] = 4.0
    x[:, 21] = 2 * x[:, 3]
    places[14] = np.nan
    check = check_layout(x, places)
    assert check.describe().splitlines()[:4] == [
        "channel 21 carries the signal of channel 3; all others fit.",
        "inverted against the channels around: 5.",
        "without a signal, not judged: 9.",
        "without a place, not judged: 14.",
    ]
    assert (check.inverted, check.dead, check.unplaced, check.suspects) == ((5,), (9,), (14,), (21,))
    assert check.suspicion[[9, 14]].tolist() == [0.5, 0.5]
    assert check.best_place[[9, 14, 21]].tolist() == [-1, -1, 3]
    assert check.p_value[[9, 14]].isnan().all()


def test_a_layout_that_explains_nothing_is_refused_as_a_whole():
    check = check_layout(np.random.default_rng(3).standard_normal((800, 30)), PLACES)
    assert not check.ok
    assert [finding.kind for finding in check.findings] == ["unrelated"]
    assert check.describe().startswith("the coupling of the channels doesn't fall with the claimed distances (p = ")


def test_frames_name_the_channels_and_the_seed_decides():
    frame = pandas.DataFrame(swapped(X, (2, 27)), columns=[f"E{k}" for k in range(30)])
    first, second = (check_layout(frame, torch.from_numpy(PLACES), seed=4) for _ in range(2))
    assert "channels E2 and E27 are swapped" in first.describe()
    assert first.describe() == second.describe()
    torch.testing.assert_close(first.p_value, second.p_value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("positions", "options", "error", "message"),
    [
        (PLACES[:, :1].ravel(), {}, ValueError, r"positions must be \[N, d\] with d from 1 to 3, got \[30\]"),
        (np.zeros((30, 4)), {}, ValueError, r"got \[30, 4\]"),
        ([["a", "b"]] * 30, {}, TypeError, "positions must be numbers"),
        (np.where(PLACES == 3, np.inf, PLACES), {}, ValueError, "that of channel 3 is infinite"),
        (np.ones((30, 2)), {}, ValueError, "30 channels share 1 places"),
        (PLACES, {"replicates": 50}, ValueError, "replicates must be an integer of at least 99, got 50"),
        (PLACES, {"names": ["a"] * 30}, ValueError, "names must differ"),
        (PLACES, {"seed": -1}, ValueError, "seed must be an integer"),
    ],
)
def test_bad_arguments_are_named(positions, options, error, message):
    with pytest.raises(error, match=f"check_layout: .*{message}"):
        check_layout(X, positions, **options)
