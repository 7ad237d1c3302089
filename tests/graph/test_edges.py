import networkx
import pytest
import torch
from torch_geometric.utils import coalesce

from scge_pyg import SharedGraph
from scge_pyg.graph.edges import connected_parts, count_pairs, merge_edges


def random_edges(seed, num_nodes=40, count=30):
    return torch.randint(num_nodes, (2, count), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(8))
def test_parts_are_those_of_networkx(seed):
    edges = random_edges(seed)
    live = torch.rand(40, generator=torch.Generator().manual_seed(seed + 100)) > 0.2
    graph = networkx.Graph()
    graph.add_nodes_from(range(40))
    graph.add_edges_from(edges.t().tolist())
    truth = networkx.connected_components(graph.subgraph(live.nonzero().squeeze(1).tolist()))
    ordered = sorted(truth, key=lambda nodes: (-len(nodes), min(nodes)))
    expected = torch.full((40,), -1)
    for number, nodes in enumerate(ordered):
        expected[list(nodes)] = number
    assert torch.equal(connected_parts(edges, live), expected)
    assert torch.equal(SharedGraph(torch.rand(40, 2), edges, live=live).component, expected)


def test_parts_of_nothing():
    none = torch.empty(2, 0, dtype=torch.long)
    assert connected_parts(none, torch.zeros(0, dtype=torch.bool)).shape == (0,)
    assert connected_parts(none, torch.zeros(2, dtype=torch.bool)).tolist() == [-1, -1]
    assert connected_parts(none, torch.ones(2, dtype=torch.bool)).tolist() == [0, 1]


def test_merging_is_that_of_pyg():
    edges, generator = random_edges(3, 8, 200), torch.Generator().manual_seed(4)
    weight = torch.rand(200, generator=generator)
    merged, heaviest, lag = merge_edges(edges, weight, torch.arange(200), 8)
    truth, largest = coalesce(edges, weight, num_nodes=8, reduce="max")
    assert torch.equal(merged, truth)
    assert torch.equal(heaviest, largest)
    assert torch.equal(weight[lag], heaviest)
    assert torch.equal(edges[:, lag], merged)


def test_of_equal_edges_the_first_stays():
    edges = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 1]])
    assert merge_edges(edges, torch.ones(4), torch.tensor([2, -2, 3, -3]), 2)[2].tolist() == [-2, 2]


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_the_edges_of_an_undirected_graph(seed):
    edges = random_edges(seed, 12)
    assert count_pairs(edges) == networkx.Graph(edges.t().tolist()).number_of_edges()
    assert count_pairs(edges[:, :0]) == 0
