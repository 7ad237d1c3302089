"""Stochastic neighbour embeddings: losses by loops, gradients by autograd and scikit-learn, maps by what they keep."""

import math

import pytest
import torch
from sklearn.manifold._t_sne import _kl_divergence

from scge_pyg import SharedGraph
from scge_pyg.metrics import trustworthiness
from scge_pyg.zoo.embeddings import (
    SNE,
    TsNET,
    conditional_affinities,
    graph_distances,
    joint_affinities,
    sne_loss,
    tsne_gradient,
    tsne_loss,
    tsnet_loss,
)


def points(nodes=12, seed=430):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(nodes, 4, generator=generator, dtype=torch.double)
    return torch.cdist(x, x).square(), torch.randn(nodes, 2, generator=generator, dtype=torch.double)


@pytest.mark.parametrize("uniform", [0.0, 0.2])
def test_sne_by_a_loop(uniform):
    square, y = points()
    p = conditional_affinities(square, 4.0)
    total = 0.0
    for i in range(12):
        near = [math.exp(-float((y[i] - y[k]).square().sum())) if k != i else 0.0 for k in range(12)]
        for j in range(12):
            if j != i:
                q = (1 - uniform) * near[j] / sum(near) + uniform / 11
                total += float(p[i, j]) * math.log(float(p[i, j]) / q)
    assert float(sne_loss(p, y, uniform)) == pytest.approx(total)
    assert torch.autograd.gradcheck(lambda y: sne_loss(p, y, uniform), (y.requires_grad_(),))


def test_the_gradient_of_t_sne():
    square, y = points()
    p = joint_affinities(square, 4.0)
    wanted = y.clone().requires_grad_()
    loss = tsne_loss(p, wanted)
    loss.backward()
    assert torch.allclose(tsne_gradient(p, y), wanted.grad, atol=1e-12)
    condensed = p[tuple(torch.triu_indices(12, 12, 1))].numpy()
    theirs, gradient = _kl_divergence(y.flatten().numpy(), condensed, 1, 12, 2)
    assert theirs == pytest.approx(float(loss.detach()))
    assert torch.allclose(torch.from_numpy(gradient).view(12, 2), tsne_gradient(p, y), atol=1e-6)


def test_tsnet_by_a_loop():
    square, y = points()
    p = joint_affinities(square, 4.0)
    apart = sum(math.log(float((y[i] - y[j]).norm()) + 0.05) for i in range(12) for j in range(12) if i != j)
    tight = float(y.square().sum())
    expected = 2 * float(tsne_loss(p, y)) + 0.3 / 24 * tight - 0.6 / 288 * apart
    assert float(tsnet_loss(p, y, 0.3, 0.6, 2.0)) == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda y: tsnet_loss(p, y, 0.3, 0.6), (y.requires_grad_(),))
    one_place = torch.zeros(12, 2, dtype=torch.double, requires_grad=True)
    tsnet_loss(p, one_place, 1.0, 1.0).backward()
    assert torch.isfinite(one_place.grad).all()


@pytest.mark.parametrize("options", [{}, {"uniform": 0.1}, {"tails": "student"}])
def test_maps_keep_neighbours(options):
    graph = SharedGraph.from_grid((7, 7))
    sne = SNE(perplexity=8, steps=400, **options)
    y = sne.fit(graph_distances(graph))
    assert trustworthiness(y, graph.pos, 6) > 0.93
    assert math.isfinite(sne.loss)
    assert torch.equal(y, SNE(perplexity=8, steps=400, **options).fit(graph_distances(graph)))


def test_tsnet_unfolds_a_grid_from_a_start_and_keeps_neighbours_without():
    graph = SharedGraph.from_grid((7, 7))
    model = TsNET(perplexity=10, steps=450)
    assert trustworthiness(model.fit(graph), graph.pos, 6) > 0.93
    y = model.fit(graph, graph.pos - graph.pos.mean(0))
    assert trustworthiness(y, graph.pos, 6) > 0.97
    assert repr(model) == "TsNET(dim=2, perplexity=10, steps=450)"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tails": "long"}, "tails must be"),
        ({"uniform": 1.0}, "uniform must lie in"),
        ({"uniform": 0.1, "tails": "student"}, "be 0 with tails='student'"),
        ({"dim": 0}, "dim must be"),
        ({"perplexity": -1}, "perplexity must be"),
    ],
)
def test_refused(options, says):
    with pytest.raises(ValueError, match=says):
        SNE(**options)


def test_tsnet_refuses():
    graph = SharedGraph.from_grid((5, 5))
    with pytest.raises(ValueError, match="perplexity must lie between"):
        TsNET().fit(graph)
    with pytest.raises(ValueError, match=r"start must be finite \[25, 2\]"):
        TsNET(perplexity=5).fit(graph, torch.zeros(24, 2))
    with pytest.raises(ValueError, match="TsNET: graph must be connected"):
        TsNET(perplexity=5).fit(SharedGraph(torch.arange(9.0)[:, None], torch.tensor([[0, 1], [1, 0]])))
