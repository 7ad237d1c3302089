"""PyG's self-supervised models on a graph that was discovered, with and without `OnSharedGraph`."""

import pytest
import torch
from torch_geometric import nn as pyg
from torch_geometric.data import Batch
from torch_geometric.typing import WITH_PYG_LIB

from scge_pyg import OnSharedGraph, discover

SAMPLES, FEATURES, NODES = 1000, 100, 24


@pytest.fixture(scope="module")
def signals():
    """A smooth random signal along a line, whose nodes come in random order."""
    generator = torch.Generator().manual_seed(0)
    walk = torch.randn(SAMPLES, NODES, generator=generator).cumsum(1)
    walk = (walk - walk.mean(1, keepdim=True)) / walk.std()
    return walk[:, torch.randperm(NODES, generator=generator)].unsqueeze(2)


@pytest.fixture(scope="module")
def graph(signals):
    found = discover(signals)
    assert found.num_edges == 2 * (NODES - 1)
    return found


class GCNEncoder(torch.nn.Module):
    """As in PyG's examples: two convolutions on a graph."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.first = pyg.GCNConv(in_channels, 2 * out_channels)
        self.second = pyg.GCNConv(2 * out_channels, out_channels)

    def forward(self, x, edge_index, edge_weight=None):
        return self.second(self.first(x, edge_index, edge_weight).relu(), edge_index, edge_weight)


def losses_of(step, parameters, steps=30, lr=0.01):
    optimizer = torch.optim.Adam(parameters, lr=lr)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = step()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("layout", ["batch", "flat"])
def test_deep_graph_infomax(signals, graph, layout):
    """Real signals against the same with shuffled nodes; the summary is that of the whole batch."""
    torch.manual_seed(0)
    x = signals[:64] if layout == "batch" else signals[:64].flatten(0, 1)

    def corruption(x):
        return x[:, torch.randperm(NODES)] if layout == "batch" else x[torch.randperm(x.shape[0])]

    model = pyg.DeepGraphInfomax(
        hidden_channels=16,
        encoder=OnSharedGraph(pyg.GIN(1, 16, num_layers=2), graph),
        summary=lambda z, *args, **kwargs: z.flatten(0, -2).mean(0).sigmoid(),
        corruption=corruption,
    )
    losses = losses_of(lambda: model.loss(*model(x)), model.parameters(), steps=100)
    assert sum(losses[-5:]) / 5 < 0.92 * losses[0]
    positive, negative, summary = model(x)
    assert positive.shape == negative.shape == (*x.shape[:-1], 16)
    assert summary.shape == (16,)


def test_graph_autoencoder_around_our_layer(signals, graph):
    """The nodes of the modality are described by their values in all samples, and their edges are recovered."""
    torch.manual_seed(0)
    x = signals[:FEATURES].squeeze(2).t()
    model = pyg.GAE(OnSharedGraph(GCNEncoder(FEATURES, 8), graph))
    losses = losses_of(lambda: model.recon_loss(model.encode(x), graph.edge_index), model.parameters())
    assert sum(losses[-5:]) / 5 < 0.92 * losses[0]
    z = model.encode(x)
    assert z.shape == (NODES, 8)
    apart = pyg.models.autoencoder.negative_sampling(graph.edge_index, NODES)
    auc, _ = model.test(z, graph.edge_index, apart)
    assert auc > 0.9


def test_graph_autoencoder_on_the_data_of_the_graph(signals, graph):
    torch.manual_seed(0)
    data = graph.to_data(signals[:FEATURES].squeeze(2).t())
    model = pyg.VGAE(VariationalEncoder(FEATURES, 8))

    def step():
        z = model.encode(data.x, data.edge_index, data.edge_weight)
        return model.recon_loss(z, data.edge_index) + model.kl_loss() / NODES

    losses = losses_of(step, model.parameters())
    assert sum(losses[-5:]) / 5 < 0.92 * losses[0]


class VariationalEncoder(torch.nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.shared = pyg.GCNConv(in_channels, 2 * out_channels)
        self.mean, self.logstd = (pyg.GCNConv(2 * out_channels, out_channels) for _ in range(2))

    def forward(self, x, *edges):
        x = self.shared(x, *edges).relu()
        return self.mean(x, *edges), self.logstd(x, *edges)


def test_graph_autoencoder_of_a_batch(signals, graph):
    """One sample's nodes are linked to one another only, so the edges to recover are those of the copies."""
    torch.manual_seed(0)
    batch = Batch.from_data_list([graph.to_data(sample) for sample in signals[:8]])
    model = pyg.GAE(OnSharedGraph(pyg.GraphSAGE(1, 16, num_layers=2, out_channels=8), graph))
    losses = losses_of(lambda: model.recon_loss(model.encode(batch.x), batch.edge_index), model.parameters())
    assert sum(losses[-5:]) / 5 < 0.92 * losses[0]


@pytest.mark.skipif(
    not WITH_PYG_LIB, reason="PyG's Node2Vec draws its random walks with pyg-lib, which isn't installed"
)
def test_node2vec(graph):
    """Neighbours on the line get similar vectors from random walks on the discovered graph."""
    torch.manual_seed(0)
    model = pyg.Node2Vec(
        graph.edge_index, embedding_dim=8, walk_length=6, context_size=3, walks_per_node=10, num_nodes=NODES
    )
    positive, negative = model.sample(torch.arange(NODES))
    losses = losses_of(lambda: model.loss(positive, negative), model.parameters(), steps=60, lr=0.05)
    assert losses[-1] < 0.7 * losses[0]
    z = torch.nn.functional.normalize(model(), dim=1)
    similarity = z @ z.t()
    source, target = graph.edge_index
    assert similarity[source, target].mean() > similarity.mean() + 0.2
