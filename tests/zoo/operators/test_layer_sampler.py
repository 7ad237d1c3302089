"""FastGCN: unbiased, and of less variance than uniform sampling where columns differ."""

import itertools

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.zoo.operators import LayerSampler

HUBS = SharedGraph.from_edge_index(  # three hubs of many leaves, joined
    torch.cat([torch.stack([torch.arange(60) % 3, torch.arange(3, 63)]), torch.tensor([[0, 1], [1, 2]])], 1), 63
)


def matrix(graph, normalization="sym"):
    adjacency = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.double)
    adjacency[graph.edge_index[1], graph.edge_index[0]] = graph.edge_weight.double()
    adjacency += torch.eye(graph.num_nodes)
    if normalization == "rw":
        return adjacency / adjacency.sum(1, keepdim=True)
    root = adjacency.sum(1).rsqrt()
    return root[:, None] * adjacency * root


def estimates(sampler, x, wanted, count):
    generator = torch.Generator().manual_seed(380)
    drawn = [sampler(wanted, generator)[0] for _ in range(count)]
    return torch.stack([layer.propagate(x[layer.source]) for layer in drawn])


@pytest.mark.parametrize("importance", [False, True])
@pytest.mark.parametrize("normalization", ["sym", "rw"])
def test_unbiased(importance, normalization):
    x = torch.randn(63, 2, generator=torch.Generator().manual_seed(381), dtype=torch.double)
    wanted = torch.tensor([0, 1, 2, 3, 40, 3])
    sampler = LayerSampler(HUBS, [20], importance=importance, normalization=normalization)
    found = estimates(sampler, x, wanted, 4000)
    exact = (matrix(HUBS, normalization) @ x)[wanted]
    error = found.std(0) / 4000**0.5
    assert float(((found.mean(0) - exact) / error).abs().max()) < 3.5
    assert float(error.max()) < 0.1 * float(exact.abs().max())


def test_variance_by_its_formula_and_below_uniform_sampling():
    x = torch.randn(63, 1, generator=torch.Generator().manual_seed(383), dtype=torch.double)
    exact = matrix(HUBS, "rw")
    square = exact.square().sum(0) * x[:, 0].square()
    found = []
    for importance in (False, True):
        sampler = LayerSampler(HUBS, [20], importance=importance, normalization="rw")
        expected = float((square / sampler.probability).sum() - (exact @ x).square().sum()) / 20
        measured = float(estimates(sampler, x, torch.arange(63), 3000).var(0).sum())
        assert measured == pytest.approx(expected, rel=0.1)
        found.append(measured)
    assert found[1] < 0.85 * found[0]
    norm = exact.square().sum(0).sqrt()
    best, paper, even = norm.sum() ** 2, norm.square().sum() * 63, 63 * norm.square().sum()
    assert best < 0.75 * even
    assert torch.isclose(paper, even)  # the square of the norm, with x alike everywhere


def test_probabilities_follow_the_columns():
    norm = matrix(HUBS).square().sum(0).sqrt()
    assert torch.allclose(LayerSampler(HUBS, [5]).probability, norm / norm.sum(), atol=1e-6)
    torus = SharedGraph.from_grid((8, 8), periodic=(True, True))
    probability = LayerSampler(torus, [5]).probability
    assert torch.allclose(probability, torch.full_like(probability, 1 / 64))


def test_layers_in_a_chain():
    sampler = LayerSampler(HUBS, [50, 30, 10])
    layers = sampler(torch.tensor([7, 0]), torch.Generator().manual_seed(382))
    assert [len(layer.source) for layer in layers] == [50, 30, 10]
    assert all(torch.equal(a.target, b.source) for a, b in itertools.pairwise(layers))
    assert layers[-1].target.tolist() == [7, 0]
    exact = matrix(HUBS)
    for layer in layers:
        dense = torch.zeros(len(layer.target), len(layer.source), dtype=torch.double)
        dense.index_put_((layer.edge_index[1], layer.edge_index[0]), layer.edge_weight.double(), accumulate=True)
        scale = 1 / (len(layer.source) * sampler.probability[layer.source])
        assert torch.allclose(dense, exact[layer.target][:, layer.source] * scale, atol=1e-6)
    h = torch.randn(4, 50, 3)
    assert torch.allclose(layers[0].propagate(h)[2], layers[0].propagate(h[2]))
    assert "sizes=[50, 30, 10]" in repr(sampler)


@pytest.mark.parametrize(
    ("sizes", "nodes", "says"),
    [
        ([], [0], "sizes must hold one number"),
        ([0], [0], "sizes must be an integer of at least 1"),
        ([3], [63], "nodes must lie in 0..62"),
        ([3], [0.5], "nodes must be int64"),
        ([3], [], "nodes must be int64"),
    ],
)
def test_refused(sizes, nodes, says):
    with pytest.raises(ValueError, match="normalization must be 'sym' or 'rw', got None"):
        LayerSampler(HUBS, [3], normalization=None)
    with pytest.raises(ValueError, match=says):
        LayerSampler(HUBS, sizes)(torch.tensor(nodes))
