"""Skip-gram on walks: pairs by a loop, and what is learned against what can be known."""

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.metrics import trustworthiness
from scge_pyg.zoo.embeddings import DeepWalk, edge_features


def test_pairs_by_a_loop():
    model = DeepWalk(SharedGraph.from_grid((9,)), 2, window=2)
    walks = torch.tensor([[0, 1, 2, 1], [5, 4, 5, 6]])
    expected = sorted(
        (int(walk[j]), int(walk[k])) for walk in walks for j in range(4) for k in range(4) if 0 < abs(j - k) <= 2
    )
    assert sorted(map(tuple, model.pairs(walks).T.tolist())) == expected


def test_probabilities_are_those_of_the_walks():
    graph = SharedGraph.from_grid((6,))
    model = DeepWalk(graph, 6, window=1, walk_length=30, num_walks=40)
    losses = model.fit(40, lr=0.1)
    transition = torch.zeros(6, 6)
    transition[graph.edge_index[0], graph.edge_index[1]] = 1
    transition /= transition.sum(1, keepdim=True)
    found = model.softmax.all_log_probs(model.embedding).exp().detach()
    assert torch.allclose(found, transition, atol=0.05)
    stationary = torch.tensor([1.0, 2, 2, 2, 2, 1]) / 10
    entropy = (stationary * torch.special.entr(transition).sum(1)).sum()
    assert losses[-1] == pytest.approx(float(entropy), abs=0.05)
    assert losses[-1] < losses[0]


def test_neighbours_are_near_each_other():
    graph = SharedGraph.from_grid((8, 8))
    model = DeepWalk(graph, 16, walk_length=20, num_walks=5, window=3)
    before = trustworthiness(model.embedding.detach(), graph.pos, 4)
    model.fit(6)
    assert trustworthiness(model.embedding.detach(), graph.pos, 4) > 0.9 > before + 0.2


def test_seeds_and_states():
    graph = SharedGraph.from_grid((4, 4))
    first, same, other = (DeepWalk(graph, 4, walk_length=5, num_walks=1, seed=seed) for seed in (3, 3, 4))
    assert first.fit(2) == same.fit(2)
    assert not torch.equal(first.embedding, other.embedding)
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.embedding, other.embedding)
    other.reset_parameters()
    assert torch.equal(other.embedding, DeepWalk(graph, 4, walk_length=5, num_walks=1, seed=4).embedding)
    assert "dim=4, walk_length=5, num_walks=1, window=5" in repr(first)
    assert first.walks.p == 1.0
    assert DeepWalk(graph, 4, p=2.0, q=0.5).walks.q == 0.5


def test_nodes_without_neighbours_have_a_vector():
    graph = SharedGraph(torch.arange(4.0)[:, None], torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    model = DeepWalk(graph, 3, walk_length=6)
    model.fit(1)
    assert torch.isfinite(model.embedding).all()


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("average", [2.0, 0.5]), ("hadamard", [3.0, -2.0]), ("l1", [2.0, 3.0]), ("l2", [4.0, 9.0])],
)
def test_features_of_edges(operator, expected):
    z = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    both = edge_features(z, torch.tensor([[0, 1], [1, 0]]), operator)
    assert both.tolist() == [expected, expected]


def test_refused():
    graph = SharedGraph.from_grid((4, 4))
    with pytest.raises(ValueError, match="window must be"):
        DeepWalk(graph, 4, window=0)
    with pytest.raises(ValueError, match="epochs must be"):
        DeepWalk(graph, 4).fit(0)
    with pytest.raises(ValueError, match="operator must be one of average, hadamard, l1, l2"):
        edge_features(torch.zeros(2, 2), torch.tensor([[0], [1]]), "max")
    with pytest.raises(TypeError, match="must be a SharedGraph"):
        DeepWalk(torch.zeros(3, 3))
