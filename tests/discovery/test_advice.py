import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph, discover
from scge_pyg.discovery.advice import advice
from scge_pyg.graph.fit import Fit


def fit_with(verdict, ratio=0.375, error=0.02, node_gain=(1.0,) * 12):
    gains = (0.1, 0.2, 0.2, 0.2)
    node_gain = torch.tensor(node_gain)
    return Fit("correlation", 0.4, 0.9, 0.1, ratio, error, verdict, 2, gains, node_gain, 1000, 700.0, {})


def graph_with(verdict, dim=2, **figures):
    grid = SharedGraph.from_grid((3, 4))
    fit = None if verdict is None else fit_with(verdict, **figures)
    return SharedGraph(grid.pos if dim else grid.pos[:, :0], grid.edge_index, dim=dim, live=grid.live, fit=fit)


def signals(time=1, effective=700.0, score=None, observed=None):
    score = np.random.default_rng(0).standard_normal((5, 1000)) if score is None else score
    split = SimpleNamespace(time=time)
    named = {"order": np.arange(len(score)), "score": score, "observed": observed}
    return SimpleNamespace(num_nodes=5, split=split, effective=effective, **named)


def test_a_geometry_needs_no_advice():
    assert advice(graph_with("geometry"), signals(), 1000, None) == []


def test_no_geometry_comes_with_its_figures():
    (text,) = advice(graph_with("no geometry", 0), signals(), 1000, None)
    for part in ("no low-dimensional geometry", "0.400", "0.900", "0.100", "0.38 +- 0.02", "discover(x, dim=2)"):
        assert part in text


def test_ratios_beside_chance_are_no_figures():
    (text,) = advice(graph_with("no geometry", 0, ratio=6.622, error=52.581), signals(), 1000, None)
    assert "0.400 nats" in text
    assert "the best hardly differ from random ones, so that their ratio is not defined" in text
    assert "52.6" not in text
    (text,) = advice(graph_with("geometry", ratio=3.484, error=10.716), signals(), 1000, None)
    assert "without a map by 0.900, hardly otherwise than random ones (0.100)" in text
    assert "too little is known to choose" in text


def test_without_edges_there_is_one_warning():
    empty = torch.zeros(2, 0, dtype=torch.long)
    for verdict in ("no geometry", "undecided"):
        graph = SharedGraph(torch.zeros(12, 0), empty, dim=0, live=torch.ones(12, dtype=bool), fit=fit_with(verdict))
        (text,) = advice(graph, signals(), 1000, None)
        assert text.count("no edges") == 1
        assert "no map" in text
        assert "without a map (" not in text


def test_too_short_a_recording_says_how_short():
    (text,) = advice(graph_with("undecided", 0), signals(300, 12.3), 1000, None)
    for part in ("too short", "300 samples to forget", "1000 are worth 12", "discover(x, dim=2)"):
        assert part in text


@pytest.mark.parametrize("verdict", ["no geometry", "undecided"])
def test_whoever_gave_the_dimension_is_not_told_to(verdict):
    (text,) = advice(graph_with(verdict), signals(), 1000, 2)
    assert "dim=2" not in text


@pytest.mark.parametrize(("count", "warned"), [(99, True), (100, False)])
def test_few_samples(count, warned):
    texts = advice(graph_with("geometry"), signals(), count, None)
    assert bool(texts) == warned
    assert all(f"{count} samples are few for 12 live nodes; about 100 are advised" in text for text in texts)


def test_more_nodes_than_samples_may_be_swapped():
    wide = SharedGraph.from_grid((30, 40))
    text = advice(wide, signals(), 110, None)[0]
    assert "110 samples are few for 1200 live nodes" in text
    assert "are rows and columns swapped, and discover(x.T) is meant?" in text
    assert "swapped" not in advice(graph_with("geometry"), signals(), 99, None)[0]


def test_few_nodes_were_not_judged():
    (text,) = advice(graph_with(None), signals(), 1000, None)
    assert "fewer than 8 nodes" in text


def test_no_edge_is_always_said():
    empty = SharedGraph(torch.zeros(5, 0), torch.zeros(2, 0, dtype=torch.long), dim=0, live=torch.ones(5, dtype=bool))
    assert any("no edges" in text for text in advice(empty, signals(), 1000, None))


@pytest.mark.parametrize(("steps", "late", "warned"), [(16, 2, True), (30, 2, True), (15, 9, False), (16, 0, False)])
def test_lags_at_the_limit(steps, late, warned):
    graph = graph_with("geometry")
    graph.lag[:late], graph.lag[late : 2 * late] = steps, -steps
    texts = advice(graph, signals(), 1000, None)
    assert bool(texts) == warned
    assert all("12% of the edges have lags of 16 steps or more" in text and "x[::2]" in text for text in texts)


@pytest.mark.parametrize(("share", "warned"), [(0.25, True), (0.4, False)])
def test_few_common_samples(share, warned):
    observed = np.random.default_rng(0).random((5, 1000)) < share
    texts = advice(graph_with("geometry"), signals(observed=observed), 1000, None)
    assert bool(texts) == warned
    pairs = [(observed[i] & observed[j]).sum() for i, j in ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0))]
    expected = f"half of the pairs of nodes have at most {np.median(pairs):.0f} of 1000 samples in common"
    assert all(expected in text for text in texts)


@pytest.mark.parametrize(("share", "warned"), [(0.02, True), (0.1, False), (0.9, False), (0.98, True)])
def test_few_events(share, warned):
    ones = np.random.default_rng(0).random((5, 1000)) < share
    texts = advice(graph_with("geometry"), signals(score=np.where(ones, 3.0, -0.2)), 1000, None)
    assert bool(texts) == warned
    rare = np.median(np.minimum(ones.sum(1), 1000 - ones.sum(1)))
    assert all(f"leave their usual value in at most {rare:.0f} of 1000 samples" in text for text in texts)


@pytest.mark.parametrize(
    ("ratio", "error", "warned"), [(1.32, 0.1, True), (1.32, 0.12, False), (1.09, 0.01, False), (0.9, 0.0, False)]
)
def test_maps_that_predict_better_than_anything_should(ratio, error, warned):
    texts = advice(graph_with("geometry", ratio=ratio, error=error), signals(), 1000, None)
    assert bool(texts) == warned
    assert all("ratio 1.32 +- 0.10" in text and "discover(x, dim=2)" in text for text in texts)
    texts = advice(graph_with("geometry", ratio=ratio, error=error), signals(), 1000, 2)
    assert not any("dim=2" in text for text in texts)


def test_nodes_that_what_is_near_does_not_predict():
    gain = [1.0, 0.02, 0.15, *[1.0] * 7, float("nan"), 0.09]
    score = np.random.default_rng(0).standard_normal((12, 1000))
    (text,) = advice(graph_with("geometry", node_gain=gain), signals(score=score), 1000, None)
    assert "2 nodes are predicted no better by what is near on the map than by any other nodes: 1, 11;" in text
    score[1, 40:] = 0.0  # a pixel that is hardly ever lit
    (text,) = advice(graph_with("geometry", node_gain=gain), signals(score=score), 1000, None)
    assert "1 node is predicted no better by what is near on the map than by any other nodes: 11;" in text
    assert advice(graph_with("geometry", node_gain=[0.3, *[0.4] * 11]), signals(score=score), 1000, None) == []


def test_a_further_part_without_a_geometry():
    pos, half = torch.rand(9, 2), torch.tensor([[0, 1, 2, 3, 5, 6, 7], [1, 2, 3, 4, 6, 7, 8]])
    refused = replace(fit_with("no geometry", node_gain=[1.0] * 4), gain=0.2)
    fits = [fit_with("geometry", node_gain=[1.0] * 5), refused]
    whole = fit_with("geometry", node_gain=[1.0] * 9)
    graph = SharedGraph(pos, half, part_dim=(2, 0), fit=whole, part_fit=fits)
    (text,) = advice(graph, signals(), 1000, None)
    assert "no low-dimensional geometry in 1 further part of 4 nodes; they are edges" in text


def test_dimension_and_fit_are_those_of_the_same_part():
    """Blocks of which edges hold one together, and not the first."""
    rng = np.random.default_rng(5063)
    block = np.repeat(range(5), 12)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        graph = discover(rng.standard_normal((2000, 60)) + rng.standard_normal((2000, 5))[:, block])
    assert sorted(np.bincount(graph.component).tolist()) == [12] * 5
    assert graph.fit.verdict == ("geometry" if graph.dim else "no geometry")
    for part, whole in zip(graph.parts(), graph.part_fit, strict=True):
        assert (part.dim, part.fit.ratio) == (whole.verdict == "geometry" and part.dim, whole.ratio)
    assert graph.fit.ratio == graph.parts()[0].fit.ratio
    texts = [str(warning.message) for warning in caught]
    assert any("no low-dimensional geometry:" in text for text in texts) == (graph.dim == 0)
    assert any("too little is known to choose partners" in text for text in texts)
    assert any("so that their ratio is not defined" in text for text in texts)
    refused = sum(fit.verdict == "no geometry" for fit in graph.part_fit[1:])
    assert any(f"no low-dimensional geometry in {refused} further parts" in text for text in texts)


def test_sensors_of_noise_that_share_a_reference_are_named(grid_field):
    """The average over a grid and three sensors of noise stands in all of them, and holds them together."""
    field = grid_field((6, 7), 2000, seed=3000)
    noise = torch.randn(2000, 3, generator=torch.Generator().manual_seed(3000))
    x = torch.cat([noise, field.x / field.x.std(0)], 1)
    with pytest.warns(UserWarning, match="3 nodes are predicted no better .*: 0, 1, 2; the place means little"):
        discover(x - x.mean(1, keepdim=True))
    discover(x)
