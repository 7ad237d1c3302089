import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from scge_pyg.discovery.coupling.candidates import Candidate
from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import _as_good, _Entry, _plainest, choose
from scge_pyg.discovery.judgement.prediction import nearest

NEEDED = {"line": 1, "ring": 2, "plane": 2, "volume": 3, "sphere": 3, "cylinder": 3, "torus": 4}


@pytest.fixture(scope="module")
def chosen(places, matern, signals_of):
    """Maker of the choice on a field over places of a kind, and these places in the order of the court."""

    def make(kind, num_nodes, seed, change=None):
        points = places(kind, num_nodes, seed)
        x = matern(points, 2500, seed)
        signals = signals_of(x if change is None else change(x))
        return choose(Court(signals)), points[signals.order]

    return make


@pytest.mark.parametrize(
    ("kind", "num_nodes", "seed"), [("line", 50, 110), ("ring", 50, 111), ("plane", 70, 112), ("sphere", 80, 113)]
)
def test_columns_that_a_geometry_needs(chosen, kind, num_nodes, seed):
    choice, points = chosen(kind, num_nodes, seed)
    assert choice.columns == NEEDED[kind]
    assert choice.dim == (1 if kind in ("line", "ring") else choice.columns)
    near = nearest(points, 12)
    for side in choice.near:
        found = (side[:, :, None] == near[:, None, :]).any(2).mean()
        assert found > 0.85


@pytest.mark.parametrize(
    ("kind", "num_nodes", "seed"), [("volume", 100, 110), ("cylinder", 80, 111), ("torus", 100, 112)]
)
def test_columns_of_volumes_and_bent_surfaces(chosen, kind, num_nodes, seed):
    choice, _ = chosen(kind, num_nodes, seed)
    assert choice.columns == NEEDED[kind]


@pytest.mark.parametrize(("num_nodes", "seed"), [(12, 3505), (20, 3509), (20, 3519)])
def test_what_is_no_chain_is_no_line(chosen, num_nodes, seed):
    """One column predicts about as well as two here, but neighbours along the best chain don't."""
    choice, _ = chosen("plane", num_nodes, seed)
    assert (choice.columns, choice.dim) == (2, 2)


@pytest.mark.parametrize("seed", [3500, 3502])
def test_maps_are_judged_as_they_will_be_drawn(signals_of, seed):
    """Maps of links alone fold clusters of a rough field, and seem to need a third column."""
    rng = np.random.default_rng(seed)
    points = 12 * rng.random((10, 2))[rng.integers(10, size=100)] + 1.1 * rng.standard_normal((100, 2))
    root = np.linalg.cholesky(np.exp(-cdist(points, points) / 4) + 0.02 * np.eye(100))
    choice = choose(Court(signals_of(torch.from_numpy(rng.standard_normal((2000, 100)) @ root.T).float())))
    assert choice.columns == 2


def test_gain_stops_growing_at_the_columns_needed(chosen):
    gain = chosen("volume", 100, 114)[0].gain_by_columns
    assert len(gain) == 4
    assert gain[0] < 0.85 * gain[1] < 0.85 * gain[2]
    assert gain[3] == pytest.approx(gain[2], rel=0.03)


def test_average_reference_leaves_signed_coupling(chosen):
    """Its negative correlations mean far apart, not inverted."""
    choice, _ = chosen("sphere", 40, 100, lambda x: x - x.mean(1, keepdim=True))
    assert not choice.absolute
    assert choice.verdict.verdict == "geometry"


def test_inverted_sensors_need_absolute_coupling(chosen):
    """Canonical signs follow the first sample; where it says nothing, inverted nodes stay inverted."""

    def inverted(x):
        turned = torch.rand(x.shape[1], generator=torch.Generator().manual_seed(0)) < 0.5
        x = torch.where(turned, -x, x)
        x[0] = x[0].abs()
        return x

    choice, points = chosen("plane", 70, 100, inverted)
    assert choice.absolute
    assert choice.verdict.verdict == "geometry"
    assert choice.columns == 2
    near = nearest(points, 12)
    assert all((side[:, :, None] == near[:, None, :]).any(2).mean() > 0.85 for side in choice.near)


@pytest.mark.parametrize(
    ("short", "spread", "expected"),
    [
        (0.004, 0.0, True),
        (0.006, 0.0, False),
        (0.009, 0.05, True),  # 1.8 standard errors
        (0.011, 0.05, False),
        (0.016, 0.5, False),  # so few nodes that two errors would forgive anything
        (-0.1, 0.0, True),
    ],
)
def test_as_good_is_within_two_standard_errors_over_nodes(short, spread, expected):
    best = np.full(100, 2.0)
    assert _as_good(best * (1 - short - spread * np.tile([1, -1], 50)), best) == expected


@pytest.mark.parametrize(
    ("signed", "columns", "is_signed"), [(0.996, 2, True), (0.994, 2, False), (1.0, 1, False), (1.1, 3, False)]
)
def test_signs_are_ignored_only_where_that_predicts_more(signed, columns, is_signed):
    def entry(absolute, columns, gain):
        return _Entry((Candidate("any", False, absolute, 0.0, np.zeros((5, 5))),) * 2, columns, 4, np.full(5, gain))

    best, plain = entry(True, 2, 1.0), entry(False, columns, signed)
    assert _plainest(best, [best, plain]) is (plain if is_signed else best)
    assert _plainest(plain, [best, plain]) is plain


def test_partial_correlation_keeps_up_on_grids_only(grid_field, signals_of):
    choice = choose(Court(signals_of(grid_field((7, 8), 1500).x)))
    assert choice.direct
    assert choice.coupling.strip("|").startswith("partial")
    assert choice.partial_share == pytest.approx(1.0)


def test_the_choice_says_what_it_was_judged_by(chosen):
    choice, points = chosen("plane", 60, 101)
    court_size = len(points)
    assert [near.shape[0] for near in choice.near] == [court_size, court_size]
    assert choice.verdict.node_gain.shape == (court_size,)
    assert 0 < choice.partial_share <= 1
    assert np.isfinite(choice.gain_by_columns).all()


def test_partners_by_chance_bend_no_map(signals_of):
    """A texture whose correlation ends within reach of 20 partners, in few samples."""
    noise = np.random.default_rng(3000).standard_normal((240, 26, 26))
    x = gaussian_filter(noise, (0, 1.1, 1.1), truncate=2.5)[:, 3:-3, 3:-3].reshape(240, 400)
    verdict = choose(Court(signals_of(torch.from_numpy(x).float()))).verdict
    assert verdict.verdict == "geometry"
    assert verdict.ratio > 0.9


@pytest.mark.parametrize("seed", [6000, 6001])
def test_arms_of_a_junction_are_no_line(signals_of, matern, seed):
    """Neighbours along an order in which two arms lie on top of each other predict within 1 % of the best."""
    rng = np.random.default_rng(seed)
    long, short = np.linspace(-30, 30, 100), np.linspace(-30, -0.5, 60)
    points = np.concatenate([np.stack([long, 0 * long], 1), np.stack([0 * short, short], 1)])
    points += 0.05 * rng.standard_normal(points.shape)
    choice = choose(Court(signals_of(matern(points, 2500, seed, length=4.0, noise=0.15))))
    assert choice.columns == 2
