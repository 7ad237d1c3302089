import pytest
import torch

from scge_pyg.graph import SharedGraph
from scge_pyg.nn import ClusterPool, ClusterUnpool, NodeMean
from scge_pyg.testing import assert_batch_equals_loop


def by_loop(graph, coarse, cluster, x, reduce):
    y = x.new_zeros(x.shape[0], coarse.num_nodes, x.shape[2])
    for node in range(coarse.num_nodes):
        members = [i for i in range(graph.num_nodes) if cluster[i] == node and graph.live[i]]
        if members:
            y[:, node] = x[:, members].amax(1) if reduce == "max" else x[:, members].mean(1)
    return y


@pytest.mark.parametrize("reduce", ["max", "mean"])
@pytest.mark.parametrize("kind", ["irregular", "holes"])
def test_equals_a_loop_over_clusters(reduce, kind, irregular_graph, make_lattice_graph):
    if kind == "irregular":
        graph = irregular_graph
        coarse, cluster = graph.coarsen(num_nodes=9)
    else:
        graph = make_lattice_graph((5, 6), missing=6, dead=9)
        coarse, cluster = graph.coarsen(stride=2)
    x = torch.randn(3, graph.num_nodes, 2) - 1
    pool = ClusterPool(graph, coarse, cluster, reduce)
    torch.testing.assert_close(pool(x), by_loop(graph, coarse, cluster, x, reduce))
    torch.testing.assert_close(pool(x.flatten(0, 1)), pool(x).flatten(0, 1))
    torch.testing.assert_close(pool(x[0]), pool(x)[0])
    assert_batch_equals_loop(pool, x)


def test_a_cluster_without_live_nodes_is_zero():
    graph = SharedGraph(
        torch.arange(4.0).unsqueeze(1),
        torch.zeros(2, 0, dtype=torch.long),
        live=torch.tensor([True, True, False, False]),
    )
    coarse = SharedGraph.from_grid((2,))
    for reduce in ("max", "mean"):
        pool = ClusterPool(graph, coarse, torch.tensor([0, 0, 1, 1]), reduce)
        assert pool(torch.full((4, 1), -3.0)).flatten().tolist() == [-3, 0]


@pytest.mark.parametrize(("reduce", "dense"), [("max", torch.nn.MaxPool2d(2)), ("mean", torch.nn.AvgPool2d(2))])
def test_equals_dense_pooling_on_a_shuffled_grid(reduce, dense, make_lattice_graph):
    graph = make_lattice_graph((6, 8))
    coarse, cluster = graph.coarsen(stride=2)
    pool = ClusterPool(graph, coarse, cluster, reduce).double()
    results = []
    x = torch.randn(2, 48, 3, dtype=torch.float64)
    for run in (
        lambda x: coarse.lattice.to_grid(pool(x)),
        lambda x: dense(graph.lattice.to_grid(x)),
    ):
        leaf = x.clone().requires_grad_()
        y = run(leaf)
        results.append((y, torch.autograd.grad(y.square().sum(), leaf)[0]))
    torch.testing.assert_close(*results)


def test_unpool_spreads_clusters(irregular_graph):
    coarse, cluster = irregular_graph.coarsen(num_nodes=9)
    x = torch.randn(2, 9, 3)
    y = ClusterUnpool(irregular_graph, coarse, cluster)(x)
    for node in range(40):
        expected = x[:, cluster[node]] if irregular_graph.live[node] else torch.zeros(2, 3)
        assert torch.equal(y[:, node], expected)


def test_mean_over_active_nodes(make_lattice_graph):
    graph = make_lattice_graph((4, 5), missing=2, dead=3, unplaced=1)
    x = torch.randn(2, 18, 3)
    torch.testing.assert_close(NodeMean(graph)(x), x[:, 4:].mean(1))
    torch.testing.assert_close(NodeMean(SharedGraph.from_grid((3, 6)))(x.flatten(0, 1)), x.mean(1))


def test_bad_arguments():
    graph = SharedGraph.from_grid((4, 4))
    coarse, cluster = graph.coarsen(stride=2)
    with pytest.raises(ValueError, match=r"cluster must be int64 \[16\]"):
        ClusterPool(graph, coarse, cluster[:5])
    with pytest.raises(ValueError, match="coarse has 4 nodes"):
        ClusterUnpool(graph, coarse, cluster + 1)
    with pytest.raises(ValueError, match="reduce must be one of"):
        ClusterPool(graph, coarse, cluster, "sum")
    with pytest.raises(ValueError, match=r"ClusterPool: x must be \[B, 16, C\]"):
        ClusterPool(graph, coarse, cluster)(torch.zeros(2, 4, 3))
