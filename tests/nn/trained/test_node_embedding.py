import copy

import pytest
import torch

from scge_pyg import NodeEmbedding, SharedGraph
from scge_pyg.graph import knn


def test_random_start_has_unit_spacing_and_repeats_itself():
    table = NodeEmbedding(2500, 2, seed=3)
    assert torch.equal(table.weight, NodeEmbedding(2500, 2, seed=3).weight)
    assert not torch.equal(table.weight, NodeEmbedding(2500, 2, seed=4).weight)
    extent = table.weight.detach().amax(0) - table.weight.detach().amin(0)
    torch.testing.assert_close(extent, torch.full((2,), 50.0), rtol=0.02, atol=0)
    # nearest neighbours of uniform points of density 1 lie 1/2 apart on average
    assert float(knn(table().detach(), table().detach(), 1, exclude_self=True)[0].mean()) == pytest.approx(
        0.5, abs=0.03
    )


def test_nodes_that_are_not_live_have_no_row():
    points = torch.arange(10.0).view(5, 2)
    points[1, 0] = torch.nan
    points[4] = torch.inf
    table = NodeEmbedding.from_points(points)
    assert table.live.tolist() == [True, False, True, True, False]
    assert table.weight.shape == (3, 2)
    assert torch.equal(table()[[0, 2, 3]], points[[0, 2, 3]])
    assert (table()[[1, 4]] == 0).all()
    table().square().sum().backward()
    assert table.weight.grad.isfinite().all()
    assert repr(table) == "NodeEmbedding(5, 2, dead=2)"


def test_constructors():
    graph = SharedGraph.from_grid((3, 4))
    assert torch.equal(NodeEmbedding.from_graph(graph)(), graph.pos)
    assert torch.equal(NodeEmbedding.from_grid((3, 4))(), graph.pos)
    wide = NodeEmbedding.from_graph(graph, dim=4)
    assert torch.equal(wide()[:, :2], graph.pos)
    assert 0 < wide()[:, 2:].abs().max() < 0.1
    with pytest.raises(ValueError, match="dim must be at least 2"):
        NodeEmbedding.from_graph(graph, dim=1)


@pytest.mark.parametrize("method", ["kmeans", "farthest"])
def test_coarser_node_sets(method):
    fine = NodeEmbedding.from_grid((8, 8))
    coarse = fine.coarsen(16, method)
    assert coarse().shape == (16, 2)
    cover = knn(fine().detach(), coarse().detach(), 1)[0]
    assert cover.max() < 3.0
    if method == "farthest":
        assert all((point == fine()).all(1).any() for point in coarse())
    assert knn(coarse().detach(), coarse().detach(), 1, exclude_self=True)[0].min() > 1.0
    with pytest.raises(ValueError, match="method must be"):
        fine.coarsen(4, "random")
    with pytest.raises(ValueError, match=r"num_nodes must lie in 1\.\.64"):
        fine.coarsen(65)


def test_reset_and_copies():
    table = NodeEmbedding.from_grid((3, 4))
    start = table.weight.detach().clone()
    twin = copy.deepcopy(table)
    with torch.no_grad():
        table.weight.add_(1.0)
    assert torch.equal(twin.weight, start)
    twin.load_state_dict(table.state_dict())
    assert torch.equal(twin.weight, table.weight)
    table.reset_parameters()
    assert torch.equal(table.weight, start)
    assert table.double()().dtype == torch.float64


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: NodeEmbedding(0), "num_nodes must be a positive integer, got 0"),
        (lambda: NodeEmbedding(5, 0), "dim must be a positive integer"),
        (lambda: NodeEmbedding(5, live=torch.zeros(5)), r"live must be a bool tensor \[5\] with at least one node"),
        (lambda: NodeEmbedding(5, live=torch.ones(4)), "live must be a bool tensor"),
        (lambda: NodeEmbedding.from_points(torch.zeros(5)), r"points must be floats \[N, d\]"),
    ],
)
def test_bad_arguments(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_graph_gives_places_in_the_default_dtype_or_none():
    graph = SharedGraph.from_grid((3, 4))
    double = SharedGraph(graph.pos.double(), graph.edge_index)
    assert torch.equal(NodeEmbedding.from_graph(double).weight, NodeEmbedding.from_graph(graph).weight)
    bare = SharedGraph(torch.zeros(12, 0), graph.edge_index, dim=0)
    with pytest.raises(ValueError, match=r"dim 0.*OnSharedGraph.*discover\(x, dim=2\)"):
        NodeEmbedding.from_graph(bare)
