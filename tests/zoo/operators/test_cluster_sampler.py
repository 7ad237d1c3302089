"""Batches of parts: every node once, edges within a batch, and the operator of the paper on them."""

import pytest
import torch
from torch_geometric.nn import ClusterGCNConv

from scge_pyg import SharedGraph
from scge_pyg.zoo.operators import ClusterSampler

GRAPH = SharedGraph.from_grid((20, 20))


def test_every_node_once_and_all_edges_within():
    sampler = ClusterSampler(GRAPH, 10, 3, seed=5)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 4
    assert torch.cat([batch.node_id for batch in batches]).sort().values.tolist() == list(range(400))
    for batch in batches:
        inside = torch.isin(GRAPH.edge_index, batch.node_id).all(0)
        found = {tuple(edge) for edge in batch.node_id[batch.edge_index].T.tolist()}
        assert found == {tuple(edge) for edge in GRAPH.edge_index[:, inside].T.tolist()}
        assert torch.equal(batch.pos, GRAPH.pos[batch.node_id])
    assert [b.num_nodes for b in sampler] != [b.num_nodes for b in batches]
    again = list(ClusterSampler(GRAPH, 10, 3, seed=5))
    assert all(torch.equal(a.node_id, b.node_id) for a, b in zip(again, batches, strict=True))


def test_round_parts_cut_few_edges():
    sampler = ClusterSampler(GRAPH, 16)
    part = torch.randint(16, (400,), generator=torch.Generator().manual_seed(390))
    chance = float((part[GRAPH.edge_index[0]] == part[GRAPH.edge_index[1]]).double().mean())
    assert sampler.kept_edges() > 0.75 > 5 * chance
    everything = next(iter(ClusterSampler(GRAPH, 16, 16)))
    assert torch.equal(everything.edge_index, GRAPH.edge_index)


def test_diagonal_enhancement_of_the_paper():
    batch = next(iter(ClusterSampler(GRAPH, 10, 2)))
    conv = ClusterGCNConv(3, 4, diag_lambda=0.7)
    x = torch.randn(batch.num_nodes, 3, generator=torch.Generator().manual_seed(391))
    adjacency = torch.eye(batch.num_nodes)
    adjacency[batch.edge_index[1], batch.edge_index[0]] = 1
    mean = adjacency / adjacency.sum(1, keepdim=True)
    enhanced = mean + 0.7 * mean.diag().diag()
    expected = conv.lin_out(enhanced @ x) + conv.lin_root(x)
    assert torch.allclose(conv(x, batch.edge_index), expected, atol=1e-5)


def test_dead_nodes_are_in_no_batch():
    pos = torch.rand(30, 2, generator=torch.Generator().manual_seed(392))
    pos[4] = float("nan")
    sampler = ClusterSampler(SharedGraph.from_pos(pos), 3)
    assert sampler.part[4] == -1
    assert 4 not in torch.cat([batch.node_id for batch in sampler])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_parts": 0}, "num_parts must be an integer from 1 to 400, got 0"),
        ({"num_parts": 401}, "num_parts must be"),
        ({"num_parts": 4, "parts_per_batch": 5}, "parts_per_batch must be an integer from 1 to 4"),
        ({"num_parts": 4, "seed": -1}, "seed must be"),
    ],
)
def test_refused(options, says):
    with pytest.raises(ValueError, match=says):
        ClusterSampler(GRAPH, **options)


def test_a_graph_without_places_is_refused():
    graph = SharedGraph(torch.zeros(4, 0), torch.tensor([[0, 1], [1, 0]]))
    with pytest.raises(ValueError, match="no places"):
        ClusterSampler(graph, 2)
    with pytest.raises(TypeError, match="must be a SharedGraph"):
        ClusterSampler(4, 2)
    assert repr(ClusterSampler(GRAPH, 4, 2)) == "ClusterSampler(nodes=400, num_parts=4, parts_per_batch=2)"
