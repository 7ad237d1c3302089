from types import SimpleNamespace

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.discovery.advice import advice
from scge_pyg.graph.fit import Fit


def graph_with(verdict, dim=2):
    grid = SharedGraph.from_grid((3, 4))
    fit = None
    if verdict is not None:
        gains = (0.1, 0.2, 0.2, 0.2)
        fit = Fit("correlation", 0.4, 0.9, 0.1, 0.375, 0.02, verdict, 2, gains, torch.ones(12), 1000, 700.0, {})
    return SharedGraph(grid.pos if dim else grid.pos[:, :0], grid.edge_index, dim=dim, live=grid.live, fit=fit)


def signals(time=1, effective=700.0):
    return SimpleNamespace(num_nodes=5, split=SimpleNamespace(time=time), effective=effective)


def test_a_geometry_needs_no_advice():
    assert advice(graph_with("geometry"), signals(), 1000, None) == []


def test_no_geometry_comes_with_its_figures():
    (text,) = advice(graph_with("no geometry", 0), signals(), 1000, None)
    for part in ("no low-dimensional geometry", "0.400", "0.900", "0.100", "0.38 +- 0.02", "discover(x, dim=2)"):
        assert part in text


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
