"""The families that the benchmark of geometries draws from, against closed forms and brute force."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.special import gamma, kv

MODULES = ("draws", "fields", "places", "families", "families_refused", "families_lattice", "geometry_recordings")


@pytest.fixture
def bench(monkeypatch):
    """The benchmark's modules, by name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})


def nearest(places):
    distance = cdist(places, places)
    np.fill_diagonal(distance, np.inf)
    return distance.min(1)


# Fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 5.0])
def test_matern_is_the_bessel_formula(bench, nu):
    r = np.linspace(0.05, 6, 40)
    s = np.sqrt(2 * nu) * r / 1.7
    assert np.allclose(bench.fields.matern(r, 1.7, nu), 2 ** (1 - nu) / gamma(nu) * s**nu * kv(nu, s), atol=1e-12)
    assert bench.fields.matern(np.zeros(1), 1.7, nu) == 1


def test_matern_of_another_half_integer_is_its_closed_form(bench):
    r = np.linspace(0, 6, 40)
    s = np.sqrt(7) * r / 1.7
    want = (1 + s + 2 * s**2 / 5 + s**3 / 15) * np.exp(-s)
    assert np.allclose(bench.fields.matern(r, 1.7, 3.5), want, atol=1e-12)


@pytest.mark.parametrize("nu", [0.0, -1.0, np.nan])
def test_smoothness_is_positive(bench, nu):
    with pytest.raises(ValueError, match=f"nu must be positive, got {nu}"):
        bench.fields.matern(np.ones(3), 1.0, nu)


def test_a_curve_is_a_chain_bent_in_the_plane(bench):
    places, dim, _ = bench.places.curve(120, np.random.default_rng(0))
    assert places.shape == (120, 2)
    assert dim == 1
    step = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert step.sum() == pytest.approx(119, rel=0.02)
    assert step.max() < 2
    far = np.abs(np.subtract.outer(np.arange(120), np.arange(120))) > 20
    assert cdist(places, places)[far].min() > 7


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_the_variogram_of_a_field_is_materns(bench, memory):
    rng = np.random.default_rng(0)
    places = rng.random((40, 2)) * 6
    x = bench.fields.matern_field(places, 2.0, 1.5, 40_000, rng, memory)
    variogram = pdist(x.T, "sqeuclidean") / (2 * len(x))
    assert np.abs(variogram - (1 - bench.fields.matern(pdist(places), 2.0, 1.5))).max() < 0.06
    following = np.mean(x[1:] * x[:-1])
    assert following == pytest.approx(memory, abs=0.03)


def test_partial_correlations_of_a_markov_field_are_the_graph(bench):
    rng = np.random.default_rng(0)
    adjacency = nx.to_numpy_array(nx.random_regular_graph(4, 30, seed=0)) > 0
    x = bench.fields.markov(bench.fields.precision(adjacency, 0.5), 20_000, rng)
    found = np.linalg.inv(np.cov(x.T))
    assert np.array_equal(found < -0.5, adjacency)
    assert found[adjacency].mean() == pytest.approx(-1, abs=0.02)
    assert np.diag(found).mean() == pytest.approx(4.5, abs=0.05)


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.99])
def test_autoregressive_noise_is_stationary_and_independent(bench, memory):
    x = bench.fields.autoregressive(memory, 2000, 300, np.random.default_rng(0))
    assert x.shape == (2000, 300)
    assert np.mean(x[0] ** 2) == pytest.approx(1, abs=0.25)
    assert np.mean(x**2) == pytest.approx(1, abs=0.05)
    assert np.mean(x[1:] * x[:-1]) == pytest.approx(memory, abs=0.05)
    assert abs(np.mean(x[:, 1:] * x[:, :-1])) < 0.03


# Places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regular", [True, False])
def test_shapes_are_what_they_are_called(bench, regular):
    rng, shapes = np.random.default_rng(0), bench.places
    line, ring, sphere = (make(regular, rng) for make in (shapes.line, shapes.ring, shapes.sphere))
    torus, cylinder, volume = (make(regular, rng) for make in (shapes.torus, shapes.cylinder, shapes.volume))
    assert [s.dim for s in (line, ring, sphere, torus, cylinder, volume)] == [1, 1, 2, 2, 2, 3]
    assert [s.places.shape[1] for s in (line, ring, sphere, torus, cylinder, volume)] == [1, 2, 3, 4, 3, 3]
    around = np.linalg.norm(ring.places, axis=1)
    assert np.allclose(2 * np.pi * around, len(around))
    radius = np.linalg.norm(sphere.places, axis=1)
    assert np.allclose(4 * np.pi * radius**2, len(radius))
    assert np.linalg.norm(sphere.places.mean(0)) < 0.15 * radius[0]
    first, second = (2 * np.pi * np.linalg.norm(torus.places[:, own], axis=1) for own in ([0, 1], [2, 3]))
    assert np.allclose(first * second, len(first))
    around = 2 * np.pi * np.linalg.norm(cylinder.places[:, :2], axis=1)
    assert np.ptp(around) < 1e-9
    assert around[0] * np.ptp(cylinder.places[:, 2]) == pytest.approx(len(around), rel=0.12)
    assert ConvexHull(volume.places).volume == pytest.approx(len(volume.places), rel=0.5)
    for shape in (line, ring, torus, cylinder, volume):
        assert (shape.cells is not None) == regular
        if regular:
            assert np.allclose(nearest(shape.places), 1, atol=0.02)
            assert shape.cells.shape == (len(shape.places), shape.dim)
        else:
            assert nearest(shape.places).min() < 0.5


def test_a_regular_sphere_is_even(bench):
    gap = nearest(bench.places.sphere(True, np.random.default_rng(0)).places)
    assert gap.min() > 0.7
    assert gap.max() < 1.2


def test_the_longest_gap_joins_all_places_and_nothing_shorter_does(bench):
    places = np.random.default_rng(0).random((50, 2))
    gap, distance = bench.places.longest_gap(places), squareform(pdist(places))
    assert nx.is_connected(nx.from_numpy_array(distance <= gap))
    assert not nx.is_connected(nx.from_numpy_array(distance < gap))


def test_clusters_are_denser_than_chance_and_never_apart(bench):
    rng = np.random.default_rng(0)
    places = bench.places.clustered(300, 2.5, rng)
    assert bench.places.longest_gap(places) < 2.5
    assert 0 <= places.min() <= places.max() <= np.sqrt(300)
    assert nearest(places).mean() < 0.9 * nearest(np.sqrt(300) * rng.random((300, 2))).mean()


def test_jittered_places_move_by_as_much_as_asked(bench):
    places, dim, cells = bench.places.jittered((40, 50), 0.2, np.random.default_rng(0))
    assert dim == 2
    assert len({tuple(cell) for cell in cells}) == 2000
    assert np.allclose((places - cells).std(0), 0.2, atol=0.01)


# Families ---------------------------------------------------------------------------------------------------------


def test_every_family_says_what_it_is(bench):
    checks = {"as untouched", *importlib.import_module("geometry_scores").CHECKS}
    for name, family in bench.families.FAMILIES.items():
        assert family.name == name
        assert set(family.wanted) <= checks
        if family.needs is not None or not family.quick or name.endswith(("-1.8", "-2.7")):
            continue
        draw = family.draw(100)
        nodes = draw.x.shape[1]
        assert draw.x.dtype == np.float64
        assert draw.places is None or draw.places.shape[0] == nodes
        assert all(len(draw.truth[key]) == nodes for key in ("cells", "sign", "part", "scored") if key in draw.truth)
        if family.group == "refused":
            assert len(draw.x) >= 1000
            assert "dim" not in draw.truth
        if {"dimension", "pieces"} & set(family.wanted):
            assert draw.truth["pieces"] == 1
        assert np.isnan(draw.x).any() == (name == "missing")


@pytest.mark.parametrize("name", ["uniform-100", "ring-irregular", "spikes", "cycle", "small-world", "hexagonal-1.25"])
def test_a_draw_depends_on_its_seed_alone(bench, name):
    family = bench.families.FAMILIES[name]
    first, again, other = family.draw(100), family.draw(100), family.draw(101)
    assert np.array_equal(first.x, again.x)
    assert first.x.shape != other.x.shape or not np.array_equal(first.x, other.x)


def test_a_shuffled_draw_keeps_samples_and_truth_together(bench):
    draw = bench.families.FAMILIES["erdos-renyi"].draw(100)
    order = np.random.default_rng(0).permutation(draw.x.shape[1])
    moved = draw.shuffled(order)
    i, j = 5, 9
    assert np.array_equal(moved.x[:, i], draw.x[:, order[i]])
    assert moved.truth["adjacency"][i, j] == draw.truth["adjacency"][order[i], order[j]]
    grid = bench.families.FAMILIES["grid-4x5"].draw(100).shuffled(np.arange(20)[::-1])
    assert np.array_equal(grid.places, grid.truth["cells"])


def test_distortions_leave_all_else_as_it_was(bench):
    families = bench.families.FAMILIES
    plain, slow = families["untouched"].draw(100), families["untouched-slow"].draw(100)
    for name in ("inverted-third", "inverted-few", "spikes", "unit", "gains", "missing"):
        assert families[name].reference == "untouched"
        assert np.array_equal(families[name].draw(100).places, plain.places)
    inverted = families["inverted-third"].draw(100)
    assert np.array_equal(inverted.x, plain.x * inverted.truth["sign"])
    assert (inverted.truth["sign"] < 0).sum() == 67
    assert (families["inverted-few"].draw(100).truth["sign"] < 0).sum() == 10
    spiked = families["spikes"].draw(100).x
    assert np.mean(spiked != plain.x) == pytest.approx(0.05, abs=0.002)
    assert np.abs(spiked[spiked != plain.x]).min() > 9
    assert np.allclose(families["unit"].draw(100).x, 3 * plain.x + 20)
    gain = families["gains"].draw(100).x / plain.x
    assert np.allclose(gain, gain[0])
    assert 0.2 <= gain.min() < 0.3 < 3 < gain.max() <= 5
    gone = np.isnan(families["missing"].draw(100).x)
    assert gone.mean() == pytest.approx(0.1, abs=0.003)
    late = families["delays"].draw(100)
    assert late.x.shape == slow.x.shape
    steps = [next(d for d in range(4) if np.array_equal(late.x[d:, i], slow.x[: 3000 - d, i])) for i in range(200)]
    assert set(steps) == {0, 1, 2, 3}
    level = slow.x - slow.x.mean(0)
    assert np.mean(level[1:] * level[:-1]) / np.mean(level**2) > 0.7


def test_random_graphs_have_the_sizes_that_are_asked_for(bench):
    for seed in range(5):
        draw = bench.families.FAMILIES["erdos-renyi"].draw(seed)
        adjacency = draw.truth["adjacency"]
        assert 80 <= len(adjacency) <= 200
        assert 4 < draw.params["degree"] < 11
        assert np.array_equal(adjacency, adjacency.T)
    correlation = 1 - draw.truth["distance"]
    assert np.abs(np.corrcoef(draw.x.T) - correlation).max() < 0.2
    tree = nx.from_numpy_array(bench.families.FAMILIES["tree"].draw(0).truth["adjacency"])
    assert nx.is_tree(tree)


def test_roads_are_a_relative_neighbourhood_graph(bench):
    places = np.random.default_rng(0).random((40, 2))
    distance, found = cdist(places, places), bench.families_refused.relative_neighbours(places)
    for i, j in np.argwhere(~np.eye(40, dtype=bool)):
        lune = np.maximum(distance[i], distance[j]) < distance[i, j]
        assert found[i, j] == (not lune.any())
    assert nx.is_connected(nx.from_numpy_array(found))


def test_photographs_are_read_at_their_places(bench):
    for name, spacing in (("photos-blue-1.25", 1.25), ("photos-thrown-1.8", 1.8), ("moved-2.7", 2.7)):
        draw = bench.families.FAMILIES[name].draw(100)
        area = np.prod(np.ptp(draw.places, axis=0))
        assert np.sqrt(area / len(draw.places)) == pytest.approx(spacing, rel=0.05)
        distance = cdist(draw.places, draw.places)
        correlation = np.corrcoef(draw.x.T)
        near = correlation[(distance > 0) & (distance < spacing)].mean()
        assert near > 0.95
        assert near > correlation[distance > 15 * spacing].mean() + 0.1
    moved = draw.places - 2.7 * draw.truth["cells"]
    assert (moved - moved.mean(0)).std() == pytest.approx(2.7 * draw.params["jitter"], rel=0.1)
    hexagonal = bench.families.FAMILIES["hexagonal-1.8"].draw(100)
    assert np.allclose(nearest(hexagonal.places), nearest(hexagonal.places)[0], rtol=1e-4)


def test_grids_side_by_side_do_not_share_a_signal(bench):
    draw = bench.families.FAMILIES["beside-chain"].draw(100)
    part = draw.truth["part"]
    assert (part == 0).sum() == 1024
    correlation = np.corrcoef(draw.x.T)
    assert np.abs(correlation[part == 0][:, part == 1]).max() < 0.1
    assert np.abs(correlation[:1024, 1]).min() < correlation[0, 1]


# Recordings -------------------------------------------------------------------------------------------------------


def test_electrodes_lie_on_the_sphere(bench, tmp_path):
    file = tmp_path / "cap.locs"
    file.write_text("1\t0\t0.5\tFPz\n2\t 90\t0.5\t  T8\n3\t-90\t0.25\tC3\n4\t0\t0\tCz\n")
    half = np.sqrt(0.5)
    want = [[1, 0, 0], [0, -1, 0], [0, half, half], [0, 0, 1]]
    assert np.allclose(bench.geometry_recordings.electrode_places(file), want, atol=1e-12)


def test_fifths_are_left_out_in_turn(bench):
    x = np.arange(23)
    left = [np.setdiff1d(x, bench.geometry_recordings.without_fifth(x, run)) for run in range(5)]
    assert np.array_equal(np.concatenate(left), x)
    assert all(np.array_equal(np.diff(part), np.ones(len(part) - 1)) for part in left)
    assert np.array_equal(bench.geometry_recordings.without_fifth(x, 6), bench.geometry_recordings.without_fifth(x, 1))


def test_an_eeg_is_read_channel_by_channel(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("SCGE_DATA", str(tmp_path))
    folder = tmp_path / "eeg_eeglab"
    folder.mkdir()
    channel = np.arange(32)
    recorded = (100 * np.arange(50)[:, None] + channel).astype("<f4")
    recorded.tofile(folder / "eeglab_data.fdt")
    rows = [f"{c + 1}\t{10 * c}\t{c / 64}\tE{c}" for c in channel]
    (folder / "eeglab_chan32.locs").write_text("\n".join(rows))
    raw, average = (bench.families.FAMILIES[name].draw(4) for name in ("eeg-raw", "eeg-average"))
    head = np.delete(channel, [1, 5])
    assert np.array_equal(raw.x, recorded[:40, head])
    assert np.allclose(average.x, head - head.mean())
    assert np.allclose(raw.places[:, 2], np.cos(np.pi * head / 64))


def test_digits_are_part_of_all_digits(bench):
    some, other = (bench.families.FAMILIES["digits-1297"].draw(seed) for seed in (0, 1))
    everything = bench.families.FAMILIES["digits-1797"].draw(0)
    assert everything.truth["scored"].sum() == 61
    assert some.x.shape == (1297, 64)
    assert not np.array_equal(some.x, other.x)
    assert {row.tobytes() for row in some.x} <= {row.tobytes() for row in everything.x}
