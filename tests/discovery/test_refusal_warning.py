"""What `discover` says of samples whose map predicts though nodes have no places."""

import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph, discover


def three_factors(seed, noise=0.7):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2000, 3)) @ rng.standard_normal((3, 40)) / np.sqrt(3)
    return torch.from_numpy(x + noise * rng.standard_normal(x.shape)).float()


def test_few_factors_get_edges_and_a_warning_that_names_them():
    with pytest.warns(UserWarning, match=r"ratio 0\.\d\d .*, but 3 factors without places explain as much") as record:
        graph = discover(three_factors(7000))
    assert graph.fit.factors == 3
    assert "discover(x, dim=2)" in str(record[0].message)
    assert (graph.dim, graph.pos.shape) == (0, (40, 0))
    assert (graph.confidence == 0).all()
    assert graph.num_edges > 0


def test_a_given_dimension_still_draws_their_map():
    with pytest.warns(UserWarning, match="3 factors without places explain as much"):
        graph = discover(three_factors(7000), dim=2)
    assert (graph.dim, graph.fit.verdict) == (2, "no geometry")


def test_low_ratios_are_explained_by_nothing_more():
    rng = np.random.default_rng(7000)
    x = rng.standard_normal((2000, 8)) @ rng.standard_normal((8, 60)) + rng.standard_normal((2000, 60))
    with pytest.warns(UserWarning, match="no low-dimensional geometry") as record:
        graph = discover(torch.from_numpy(x).float())
    assert "without places" not in str(record[0].message)
    assert graph.fit.factors == 0


def test_shuffled_nodes_are_refused_alike(shuffle):
    x = three_factors(7003)
    order = shuffle(40, 0)
    with pytest.warns(UserWarning, match="no low-dimensional geometry"):
        graph, other = discover(x), discover(x[:, order])
    pairs = {frozenset(pair) for pair in graph.edge_index.T.tolist()}
    assert pairs == {frozenset((int(order[i]), int(order[j]))) for i, j in other.edge_index.T.tolist()}
    assert graph.fit.ratio == other.fit.ratio


def test_files_keep_the_factors(tmp_path):
    with pytest.warns(UserWarning, match="3 factors without places"):
        graph = discover(three_factors(7000))
    graph.save(tmp_path / "graph.safetensors")
    assert SharedGraph.load(tmp_path / "graph.safetensors").fit.factors == 3
