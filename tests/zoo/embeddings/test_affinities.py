"""Affinities of one perplexity, against scikit-learn's and their definition; steps along a graph."""

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.manifold._utils import _binary_search_perplexity

from scge_pyg import SharedGraph
from scge_pyg.zoo.embeddings import conditional_affinities, graph_distances, joint_affinities


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("perplexity", [2.0, 15.0, 60.0])
def test_affinities(scale, perplexity):
    x = scale * torch.randn(80, 3, generator=torch.Generator().manual_seed(420), dtype=torch.double)
    square = torch.cdist(x, x).square()
    p = conditional_affinities(square, perplexity)
    assert torch.allclose(p.sum(1), torch.ones(80, dtype=torch.double))
    assert not p.diagonal().any()
    entropy = torch.special.entr(p).sum(1)
    assert torch.allclose(entropy.exp(), torch.full((80,), perplexity, dtype=torch.double), rtol=1e-8)
    ratio = (p[0, 1] / p[0, 2]).log() / (square[0, 2] - square[0, 1])
    assert torch.allclose((p[0, 3] / p[0, 4]).log(), ratio * (square[0, 4] - square[0, 3]), rtol=1e-5)
    if scale == 1.0:
        theirs = _binary_search_perplexity(square.float().numpy(), perplexity, 0)
        assert np.allclose(theirs, p.numpy(), atol=1e-4)
    joint = joint_affinities(square, perplexity)
    assert torch.allclose(joint, joint.T)
    assert float(joint.sum()) == pytest.approx(1.0)


def test_steps_of_networkx():
    graph = SharedGraph.from_pos(torch.rand(60, 2, generator=torch.Generator().manual_seed(421)), k=5)
    shared = graph.parts()[0]
    steps = dict(nx.all_pairs_shortest_path_length(shared.to_networkx()))
    found = graph_distances(shared)
    assert all(found[i, j] == steps[i][j] for i in steps for j in steps[i])


def test_refused(monkeypatch):
    with pytest.raises(ValueError, match="perplexity must lie between 1 and N - 1 = 3"):
        conditional_affinities(torch.ones(4, 4), 3.0)
    with pytest.raises(ValueError, match="at least 3 points"):
        conditional_affinities(torch.ones(2, 2), 1.0)
    with pytest.raises(ValueError, match="finite"):
        conditional_affinities(torch.full((4, 4), float("nan")), 2.0)
    apart = SharedGraph(torch.arange(4.0)[:, None], torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match=r"lay out each of\ngraph.parts|graph must be connected"):
        graph_distances(apart)
    with pytest.raises(ValueError, match="at most 5000 nodes will do, got 5041"):
        graph_distances(SharedGraph.from_grid((71, 71)))
