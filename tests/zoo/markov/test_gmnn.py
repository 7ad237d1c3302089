"""Two networks that teach each other labels."""

import pytest
import torch
from torch_geometric.nn import GCNConv

from scge_pyg import OnSharedGraph, SharedGraph
from scge_pyg.zoo.markov import GMNN
from scge_pyg.zoo.markov.gmnn import NeighbourLabels

GRAPH = SharedGraph.from_grid((12, 12))


def test_own_labels_are_no_input():
    net = NeighbourLabels(2, 3, GRAPH)
    x, labels = torch.randn(144, 2), torch.randn(144, 3, requires_grad=True)
    for node in (0, 70):
        (gradient,) = torch.autograd.grad(net(x, labels)[node].sum(), labels)
        told = set(gradient.abs().sum(1).nonzero().flatten().tolist())
        assert told == set(GRAPH.edge_index[0][GRAPH.edge_index[1] == node].tolist())
    one = torch.ones(144, 3)
    heard = torch.zeros(144, 3).index_add(0, net.edge[1], net.share[:, None] * one[net.edge[0]])
    assert torch.allclose(heard, one)


def fields(seed):
    """Labels in regions, features that tell little of them."""
    generator = torch.Generator().manual_seed(seed)
    centre = 12 * torch.rand(5, 2, generator=generator)
    y = torch.cdist(GRAPH.pos, centre).argmin(1) % 3
    x = torch.nn.functional.one_hot(y, 3) + 1.5 * torch.randn(144, 3, generator=generator)
    return x, y, torch.rand(144, generator=generator) < 0.5


def test_neighbours_labels_add_to_what_features_tell():
    gain = []
    for seed in range(550, 554):
        x, y, labelled = fields(seed)
        right = []
        for rounds in (0, 4):
            torch.manual_seed(seed)
            model = GMNN(torch.nn.Sequential(OnSharedGraph(GCNConv(3, 3), GRAPH)), 3, 3, GRAPH, hidden=16)
            fit = model.fit(x, y, labelled, rounds=rounds, steps=60)
            spoiled = torch.where(labelled, y, -7)
            scores = model.posterior(x, spoiled, labelled) if rounds else model(x)
            right.append(float((scores.argmax(-1) == y)[~labelled].double().mean()))
        assert len(fit.pseudo_likelihood) == len(fit.agreement) == 4
        gain.append(right[1] - right[0])
    assert min(gain) > 0
    assert sum(gain) / 4 > 0.05


def test_unlabelled_labels_are_never_read():
    x, y, labelled = fields(555)
    found = []
    for spoiled in (y, torch.where(labelled, y, (y + 1) % 3), torch.where(labelled, y, -7)):
        torch.manual_seed(0)
        model = GMNN(torch.nn.Linear(3, 3), 3, 3, GRAPH)
        model.fit(x, spoiled, labelled, rounds=2, steps=20)
        found.append(model(x))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_batches():
    x, y, labelled = fields(556)
    model = GMNN(torch.nn.Linear(3, 3), 3, 3, GRAPH)
    model.fit(torch.stack([x, x]), torch.stack([y, y]), labelled, rounds=1, steps=5)
    assert model(torch.stack([x, x])).shape == (2, 144, 3)
    assert "nodes=144, num_classes=3" in repr(model)


def test_refused():
    x, y, labelled = fields(557)
    model = GMNN(torch.nn.Linear(3, 3), 3, 3, GRAPH)
    with pytest.raises(ValueError, match="some labelled"):
        model.fit(x, y, torch.zeros(144, dtype=torch.bool))
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        model.fit(x, y + 1, labelled)
    with pytest.raises(ValueError, match="x must be finite"):
        model.fit(x / 0, y, labelled)
    with pytest.raises(ValueError, match="x must be"):
        model.fit(x[:, :2], y, labelled)
    with pytest.raises(TypeError, match="SharedGraph"):
        GMNN(torch.nn.Linear(3, 3), 3, 3, 144)
