"""Second-order walks: how often each step is taken, by chi-square against its definition."""

import pytest
import torch
from scipy.stats import chi2

from scge_pyg import SharedGraph
from scge_pyg.zoo.embeddings import Node2VecWalks
from scge_pyg.zoo.embeddings import walks as module

EDGES = torch.tensor([[0, 0, 1, 1, 2, 2, 3, 4, 5, 0], [1, 2, 2, 3, 3, 4, 5, 5, 6, 4]])


def graph(even):
    weight = None if even else torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0, 0.2, 2.0, 1.0, 0.7, 1.5])
    both = torch.cat([EDGES, EDGES.flip(0)], 1)
    pos = torch.arange(8.0)[:, None]  # node 7 has no neighbours
    return SharedGraph(pos, both, None if weight is None else weight.repeat(2))


def dense(shared):
    weight = torch.zeros(8, 8, dtype=torch.double)
    weight[shared.edge_index[0], shared.edge_index[1]] = shared.edge_weight.double()
    return weight


def statistic(found, expected):
    """Chi-square and degrees of freedom of counts against probabilities, row by row."""
    rows = found.sum(-1) > 0
    wanted = (found.sum(-1, keepdim=True) * expected)[rows]
    possible = wanted > 0
    assert bool((found[rows][~possible] == 0).all())
    square = ((found[rows] - wanted)[possible].square() / wanted[possible]).sum()
    return float(square), int(possible.sum() - rows.sum())


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.25, 4.0), (4.0, 0.25), (3.0, 1.0), (1.0, 3.0), (0.5, 0.5)])
@pytest.mark.parametrize("tries", [64, 1])
def test_steps_are_taken_as_often_as_they_should(even, p, q, tries, monkeypatch):
    monkeypatch.setattr(module, "_TRIES", tries)
    monkeypatch.setattr(module, "_PAIRS", 5)
    shared = graph(even)
    weight = dense(shared)
    found = Node2VecWalks(shared, p, q)(40, 150, generator=torch.Generator().manual_seed(400))
    assert found.shape == (1200, 41)
    assert bool((found[found[:, 0] == 7] == 7).all())
    found = found[found[:, 0] != 7]
    if p == q == 1:
        pairs = torch.stack([found[:, :-1].flatten(), found[:, 1:].flatten()])
        counts = torch.zeros(8, 8, dtype=torch.double)
        counts.index_put_(tuple(pairs), torch.ones(pairs.shape[1]).double(), True)
        square, freedom = statistic(counts, weight / weight.sum(1, keepdim=True).clamp_min(1e-9))
    else:
        triples = torch.stack([found[:, :-2].flatten(), found[:, 1:-1].flatten(), found[:, 2:].flatten()])
        counts = torch.zeros(8, 8, 8, dtype=torch.double)
        counts.index_put_(tuple(triples), torch.ones(triples.shape[1]).double(), True)
        case = torch.where(weight > 0, 1.0, 1 / q).double()  # [t, x]
        case[torch.eye(8).bool()] = 1 / p
        expected = case[:, None, :] * weight[None]
        square, freedom = statistic(counts, expected / expected.sum(-1, keepdim=True).clamp_min(1e-9))
    assert chi2.sf(square, freedom) > 1e-4


def test_a_leaf_goes_back_and_a_lattice_has_no_triangles():
    path = Node2VecWalks(SharedGraph.from_grid((2,)), p=9.0, q=0.1)(5)
    assert path.tolist() == [[0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]]
    assert Node2VecWalks(SharedGraph.from_grid((5, 5)), p=2.0, q=3.0).least is None
    far = Node2VecWalks(SharedGraph.from_grid((60,)), p=1e9)(20, 5, generator=torch.Generator().manual_seed(1))
    inner = (far[:, 0] >= 20) & (far[:, 0] < 40)
    assert bool(((far[inner, -1] - far[inner, 0]).abs() == 20).all())


def test_starts_seeds_and_sizes():
    walks = Node2VecWalks(graph(False), 2.0, 0.5)
    few = walks(6, 2, nodes=torch.tensor([3, 0]), generator=torch.Generator().manual_seed(2))
    assert few[:, 0].tolist() == [3, 0, 3, 0]
    again = walks(6, 2, nodes=torch.tensor([3, 0]), generator=torch.Generator().manual_seed(2))
    assert torch.equal(few, again)
    assert walks(0).tolist() == [[i] for i in range(8)]
    assert walks(3, nodes=torch.tensor([], dtype=torch.long)).shape == (0, 4)
    assert "edges=20, p=2, q=0.5" in repr(walks)


def test_refused():
    shared = graph(True)
    with pytest.raises(ValueError, match="p must be a finite number above 0"):
        Node2VecWalks(shared, p=0)
    with pytest.raises(TypeError, match="graph must be a SharedGraph"):
        Node2VecWalks(shared.edge_index)
    one_way = SharedGraph(shared.pos, EDGES)
    with pytest.raises(ValueError, match="an edge back for every edge"):
        Node2VecWalks(one_way)
    with pytest.raises(ValueError, match=r"nodes must be int64 \[M\] in 0..7"):
        Node2VecWalks(shared)(3, nodes=torch.tensor([8]))
    with pytest.raises(ValueError, match="length must be"):
        Node2VecWalks(shared)(-1)
