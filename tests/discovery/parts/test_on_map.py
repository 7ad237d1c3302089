import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from scge_pyg import discover
from scge_pyg.discovery.judgement.court import Court
from scge_pyg.discovery.judgement.judge import choose
from scge_pyg.discovery.maps.places import unexplained
from scge_pyg.discovery.parts import on_map
from scge_pyg.discovery.parts.on_map import _axes, _calibrated, _truest
from scge_pyg.discovery.parts.views import views_of
from scge_pyg.discovery.signals.prepare import prepare
from scge_pyg.discovery.signals.samples import read
from scge_pyg.metrics import trustworthiness


@pytest.fixture(scope="module")
def judged():
    """Maker of the views of samples, their court and its choice, and of the order that they go in."""

    def make(x):
        signals = prepare(read(x))
        court = Court(signals)
        choice = choose(court)
        return views_of(signals, choice, 0), court, choice, signals.order

    return make


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


def test_clusters_of_a_rough_field_do_not_fold():
    """Maps of links alone have a trustworthiness of 0.995 here."""
    rng = np.random.default_rng(2)
    points = 12 * rng.random((10, 2))[rng.integers(10, size=150)] + 1.1 * rng.standard_normal((150, 2))
    root = np.linalg.cholesky(np.exp(-cdist(points, points) / 4) + 0.02 * np.eye(150))
    graph = discover(torch.from_numpy(rng.standard_normal((2000, 150)) @ root.T).float())
    assert graph.pos.shape == (150, 2)
    assert trustworthiness(graph.pos.double(), torch.from_numpy(points), 8) > 0.999


@pytest.mark.parametrize("seed", [3000, 3001])
def test_partners_by_chance_bend_no_calibrated_map(judged, seed):
    """Correlation ends within reach of 20 partners, and samples are few; with all of them 0.87 and 0.90."""
    rng = np.random.default_rng(seed)
    points = 250**0.5 * rng.random((250, 2))
    root = np.linalg.cholesky(np.exp(-np.square(cdist(points, points) / 2.2)) + 1e-3 * np.eye(250))
    views, court, choice, order = judged(rng.standard_normal((240, 250)) @ root.T)
    pos = _calibrated(views[0], court, 2, unexplained(choice.verdict.node_gain))[2]
    assert trustworthiness(torch.from_numpy(pos), torch.from_numpy(points[order]), 8) > 0.96


def test_a_calibrated_map_that_falls_short_gives_way_on_a_tie(judged, places, matern, monkeypatch):
    """With true places as the one map and mirrored ones as the other, and gains around that of what was judged."""
    points = places("plane", 60, 100)
    views, court, choice, order = judged(matern(points, 1500, 100))
    pair = points[order], points[order] * [1, -1]
    top, similar, view = choice.verdict.gain, views[0].similar, views[0]
    for calibrated, plain, winner in [(1.001, 1.01, 0), (0.998, 1.0, 0), (0.996, 0.9985, 1)]:
        first, second = ((gain * top, similar, pos, view) for gain, pos in zip((calibrated, plain), pair, strict=True))
        monkeypatch.setattr(on_map, "_calibrated", lambda *_, entry=first: entry)
        monkeypatch.setattr(on_map, "_plain", lambda *_, entry=second: [entry])
        pos, expected = on_map.on_map(views, court, choice, None, False, 0).pos, pair[winner]
        np.testing.assert_allclose(pos * np.linalg.norm(expected[0]) / np.linalg.norm(pos[0]), expected)


def electrodes(seed, count=30, sources=100):
    """Potentials of dipoles below electrodes on a cap, average reference; samples ``[S, N]`` and places ``[N, 3]``."""
    rng = np.random.default_rng(seed)

    def sphere(number):
        point = rng.standard_normal((number, 3))
        return point / np.linalg.norm(point, axis=1, keepdims=True)

    cap = sphere(2000)
    cap = cap[cap[:, 2] > -0.25]
    chosen, far = [0], np.linalg.norm(cap - cap[0], axis=1)
    for _ in range(count - 1):
        chosen.append(int(far.argmax()))
        far = np.minimum(far, np.linalg.norm(cap - cap[chosen[-1]], axis=1))
    places, below = cap[chosen], sphere(sources)
    moment = 0.7 * sphere(sources) + below
    below *= rng.uniform(0.5, 0.85, (sources, 1))
    offset = places[:, None] - below
    lead = (offset * moment).sum(2) / np.linalg.norm(offset, axis=2) ** 3
    strength = np.exp(0.8 * rng.standard_normal(sources))
    x = rng.standard_normal((3000, sources)) * strength @ lead.T
    x = x / x.std() + 0.1 * rng.standard_normal(x.shape)
    return torch.from_numpy(x - x.mean(1, keepdims=True)), torch.from_numpy(places)


def test_a_wired_map_that_predicts_less_is_none_of_a_grid():
    x, places = electrodes(7007)
    with pytest.warns(UserWarning, match="1 node is predicted no better"):
        graph = discover(x)
    assert trustworthiness(graph.pos, places, 5) > 0.92  # 0.888 on the map of a wiring, 1.5 % short


@pytest.fixture
def field():
    """Maker of smoothed noise on a square, and of its cells, in an unknown order."""

    def make(side, num_samples, seed, bright=0.0):
        """If ``bright``, each sample shows the noise in a rectangle on black, which leaves the borders alike."""
        rng = torch.Generator().manual_seed(seed)
        noise = torch.randn(num_samples, 1, side + 2, side + 2, generator=rng)
        x = torch.nn.functional.conv2d(noise, torch.tensor([[[[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]]]) / 6)[:, 0]
        if bright:
            half = side / 2 * (0.6 + torch.rand(num_samples, 2, 1, generator=rng) / 2)
            shown = torch.sigmoid(2 * (half - (torch.arange(side) - (side - 1) / 2).abs()))
            x = (bright + x) * shown[:, 0, :, None] * shown[:, 1, None]
        order = torch.randperm(side * side, generator=rng)
        return x.flatten(1)[:, order], torch.stack([order // side, order % side], 1)

    return make


@pytest.mark.parametrize("seed", [100, 101])
def test_borders_alike_bend_no_map_of_pictures(field, seed):
    """The maps that are judged bend into three columns, with a trustworthiness of 0.92 to 0.94."""
    x, cells = field(10, 1000, seed, bright=4.0)
    graph = discover(x, snap=False)
    assert (graph.dim, graph.pos.shape) == (2, (100, 2))
    assert trustworthiness(graph.pos.double(), cells.double(), 8) > 0.985


def test_a_wiring_is_drawn_in_its_own_dimension_where_more_columns_were_judged(judged, field):
    views, *_ = judged(field(16, 1500, 0)[0])
    assert _axes(views[0], 4, 4, None) == [2]
    assert _axes(views[0], 3, 3, None) == [3, 2]
    assert _axes(views[0], 2, 2, None) == [2]
    assert _axes(views[0], 4, 2, 2) == [2]
    assert _axes(views[0], 2, 1, None) == []
    assert _axes(views[0], 3, 1, 1) == []
