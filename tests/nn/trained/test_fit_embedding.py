import pytest
import torch

from scge_pyg import SCGEConv, discover
from scge_pyg.nn import NodeEmbedding
from scge_pyg.nn.trained.fit_embedding import fit_embedding

pytestmark = pytest.mark.filterwarnings("ignore:discover. 2 nodes carry no signal")


@pytest.fixture(scope="module")
def walk():
    """A shuffled chain of 30 nodes, two of them constant."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 30, generator=generator).cumsum(1)[:, torch.randperm(30, generator=generator)]
    x[:, [4, 20]] = 1.0
    return x


def test_the_table_takes_over_the_discovered_places(walk):
    embedding = NodeEmbedding(30, 3)
    weight, before = embedding.weight, embedding.weight.detach().clone()
    graph = fit_embedding(embedding, ((batch, torch.zeros(len(batch))) for batch in walk.split(50)))
    expected = discover(walk.split(50))
    assert torch.equal(graph.pos[graph.live], expected.pos[expected.live])
    assert embedding.weight is weight
    assert weight.requires_grad
    axes = graph.pos.shape[1]
    torch.testing.assert_close(weight[graph.live, :axes].detach(), graph.pos[graph.live].to(weight))
    assert 0 < weight[graph.live, axes:].abs().max() < 0.1
    assert graph.live.logical_not().nonzero().squeeze(1).tolist() == [4, 20]
    assert torch.equal(weight[~graph.live], before[~graph.live])


def test_nodes_without_a_row_stay_without(walk):
    live = torch.ones(30, dtype=torch.bool)
    live[[0, 4]] = False
    embedding = NodeEmbedding(30, 2, live=live).double()
    graph = fit_embedding(embedding, walk)
    both = live & graph.live
    axes = graph.pos.shape[1]
    assert embedding.weight.dtype == torch.float64
    torch.testing.assert_close(embedding()[both, :axes].detach(), graph.pos[both].double())
    assert embedding.weight.isfinite().all()


def test_a_shared_table_inside_a_network_is_one_table(walk):
    embedding = NodeEmbedding(30)
    network = torch.nn.Sequential(
        SCGEConv(1, 4, embedding, k=3), SCGEConv(4, 1, embedding, k=3), NodeEmbedding(8), NodeEmbedding(8)
    )
    graph = fit_embedding(network, walk, seed=3)
    order = embedding().detach()[graph.live, 0].argsort()
    assert torch.equal(order, graph.pos[graph.live, 0].argsort())
    assert network[1](network[0](walk.unsqueeze(-1))).shape == (400, 30, 1)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (torch.nn.Linear(30, 2), "Linear must hold exactly one NodeEmbedding over one node count, found none"),
        (torch.nn.ModuleList([NodeEmbedding(30), NodeEmbedding(30, 3)]), r"found 0: .*\(30, 2\), 1: .*\(30, 3\)"),
        (NodeEmbedding(29), r"over the 30 nodes of the samples, found itself: NodeEmbedding\(29, 2\)"),
    ],
)
def test_a_layer_with_another_number_of_tables(layer, message, walk):
    with pytest.raises(ValueError, match=message):
        fit_embedding(layer, walk)


def test_a_geometry_with_more_axes_than_the_table(walk):
    with pytest.raises(ValueError, match=r"geometry has 2 axes and the table NodeEmbedding\(30, 1\) only 1.*dim=1"):
        fit_embedding(NodeEmbedding(30, 1), walk, dim=2)


def test_no_module(walk):
    with pytest.raises(TypeError, match=r"layer must be a torch.nn.Module, got list"):
        fit_embedding([NodeEmbedding(30)], walk)


def test_layers_hear_the_nodes_that_are_near_now(walk):
    table = NodeEmbedding(30, 1)
    net = torch.nn.Sequential(SCGEConv(1, 4, table, k=3, candidates=3), SCGEConv(4, 2, table, k=3, candidates=3)).eval()
    fit_embedding(net, walk)
    place = table().detach()
    apart = torch.cdist(place, place, compute_mode="donot_use_mm_for_euclid_dist")  # products lose digits
    nearest = apart.topk(3, largest=False).values.sum()
    for layer in net:
        source, target = layer.edge_index
        torch.testing.assert_close((place[source] - place[target]).abs().sum(), nearest)
