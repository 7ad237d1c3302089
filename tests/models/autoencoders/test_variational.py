import copy
import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from scge_pyg import HebbianLoss, NodeEmbedding, SCGEConv, SharedGraph, lower_to_conv
from scge_pyg.graph import knn
from scge_pyg.models.autoencoders import (
    AutoEncoder,
    ConvAutoEncoder,
    LocallyLinearAutoEncoder,
    MLPAutoEncoder,
    PCAAutoEncoder,
    SCGEAutoEncoder,
    TransformerAutoEncoder,
    VariationalAutoEncoder,
    fit_autoencoder,
)
from scge_pyg.nn import WiringSchedule, settle

SIZES = {"channels": (3, 5), "hidden": 6}
BASES = {
    "MLP": lambda: MLPAutoEncoder(32, 2, 3, hidden=(6,)),
    "convolutional": lambda: ConvAutoEncoder((8, 4), 2, 3, **SIZES),
    "SCGE": lambda: SCGEAutoEncoder(SharedGraph.from_grid((8, 4)), 2, 3, **SIZES),
    "Transformer": lambda: TransformerAutoEncoder((8, 4), 2, 3, patch=2, width=8, heads=2, hidden=6),
}


def seeded(number):
    return torch.Generator().manual_seed(number)


def small(beta=1.0):
    return VariationalAutoEncoder(MLPAutoEncoder(6, 2, 3, hidden=(5,)), beta=beta).double()


@pytest.mark.parametrize("make", BASES.values(), ids=BASES)
def test_without_noise_it_is_the_autoencoder_it_is_made_of(make):
    base, x = make(), torch.rand(5, 32, 2)
    before = copy.deepcopy(base.state_dict())
    model = VariationalAutoEncoder(base)
    torch.testing.assert_close(model.encode(x), base.encode(x))
    torch.testing.assert_close(model(x), base(x))
    torch.testing.assert_close(model.posterior(x)[0], model.encode(x))
    model.initialize(x)
    base.initialize(x)
    torch.testing.assert_close(model(x), base(x))
    model.loss(x).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    assert base.encode(x).shape == (5, 3)
    assert before.keys() == base.state_dict().keys()


def test_the_divergence_is_that_of_torch():
    model, x = small(), torch.rand(7, 6, 2, dtype=torch.float64)
    mean, deviation = model.posterior(x)
    expected = kl_divergence(Normal(mean, deviation), Normal(torch.zeros(()), torch.ones(()))).sum(1)
    torch.testing.assert_close(model.divergence(x), expected)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_the_loss_is_the_error_of_a_draw_and_the_divergence(beta):
    model, x = small(beta), torch.rand(7, 6, 2, dtype=torch.float64)
    mean, deviation = model.posterior(x)
    noise = torch.empty_like(mean).normal_(generator=seeded(3))
    error = (x - model.decode(mean + deviation * noise)).square().sum((1, 2)).mean()
    expected = error + 2 * error / 12 * beta * model.divergence(x).mean()
    torch.testing.assert_close(model.loss(x, seeded(3)), expected)
    assert model.loss(x, seeded(4)) != expected


def test_its_gradient_is_that_of_the_evidence_bound_at_the_best_variance():
    model, x = small(beta=4.0), torch.rand(7, 6, 2, dtype=torch.float64)
    model.loss(x, seeded(0)).backward()
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    mean, deviation = model.posterior(x)
    noise = torch.empty_like(mean).normal_(generator=seeded(0))
    reconstruction = model.decode(mean + deviation * noise)
    variance = (x - reconstruction).square().mean()
    likelihood = Normal(reconstruction, variance.sqrt()).log_prob(x).sum((1, 2)).mean()
    (-likelihood + 4.0 * model.divergence(x).mean()).backward()
    for gradient, parameter in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, 2 * variance.detach() * parameter.grad)


def test_layouts_and_samples():
    model = small()
    x = torch.rand(5, 6, 2, dtype=torch.float64)
    torch.testing.assert_close(model.loss(x.flatten(0, 1), seeded(1)), model.loss(x, seeded(1)))
    first = model.sample(4, seeded(2))
    assert first.shape == (4, 6, 2)
    codes = torch.randn(4, 3, generator=seeded(2), dtype=torch.float64)
    torch.testing.assert_close(first, model.decode(codes))


def test_it_is_lowered_before_or_after():
    graph, x = SharedGraph.from_grid((8, 8)), torch.rand(3, 64, 1)
    model = VariationalAutoEncoder(SCGEAutoEncoder(graph, 1, 3, **SIZES))
    lowered = lower_to_conv(model, strict=True)
    torch.testing.assert_close(lowered(x), model(x))
    torch.testing.assert_close(lowered.loss(x, seeded(0)), model.loss(x, seeded(0)))
    assert any(isinstance(layer, torch.nn.Conv2d) for layer in lowered.modules())
    again = VariationalAutoEncoder(lower_to_conv(SCGEAutoEncoder(graph, 1, 3, **SIZES), strict=True))
    assert again.sample(2).shape == (2, 64, 1)


class Drift(HebbianLoss):
    """A teacher who wants every place one further to the right at each lesson, and whose error never falls."""

    def forward(self, x):
        self.error.fill_(1.0)
        return -self.embedding.weight[:, 0].sum()


def test_coarse_levels_follow_learned_places_so_that_all_layers_are_lowered():
    model = VariationalAutoEncoder(SCGEAutoEncoder(NodeEmbedding(64, 2, seed=3), 1, 3, **SIZES))
    table = model.model.nodes
    with torch.no_grad():
        table.weight.copy_(SharedGraph.from_grid((8, 8)).pos[torch.randperm(64, generator=seeded(0))])
    x = torch.rand(20, 64, 1)
    wiring = WiringSchedule(Drift(table), model)
    while wiring.phase != "weights":
        wiring.advance(x)
    middles = (table.weight.amin(0) + 0.5 + 2 * torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))).detach()
    assert torch.cdist(model.model.levels[1].weight, middles).amin(0).max() < 1e-3
    lowered = lower_to_conv(settle(model, table.to_graph()))
    assert not any(isinstance(layer, SCGEConv) for layer in lowered.modules())
    torch.testing.assert_close(lowered(x), model(x), atol=0.01, rtol=0)


class OneLayer(AutoEncoder):
    """Nodes that hear the nearest ones, and no coarse levels."""

    def __init__(self, table):
        super().__init__(table.num_nodes, 1, 2)
        self.conv, self.dense_down = SCGEConv(1, 1, table, k=3), torch.nn.Sequential(torch.nn.Linear(24, 2))
        self.up = torch.nn.Linear(2, 24)

    def _to_code(self):
        return self.dense_down

    def _encode(self, x):
        return self.dense_down(self.conv(x).flatten(1))

    def _decode(self, z):
        return self.up(z).unsqueeze(2)


def test_partners_follow_learned_places_where_there_are_no_coarse_levels():
    model = VariationalAutoEncoder(OneLayer(NodeEmbedding(24, 2, seed=3)))
    conv = model.model.conv
    with torch.no_grad():
        conv.source.weight.copy_(torch.rand(24, 2, generator=seeded(0)))
    model.regroup()
    place = conv.source.weight.detach()
    assert torch.equal(conv.product.table.index[:, :3].sort().values, knn(place, place, 3)[1].sort().values)


def test_training_minimises_its_loss():
    x = torch.rand(64, 6, 2, generator=seeded(0), dtype=torch.float64)
    said = {}
    for beta in (0.0, 100.0):
        torch.manual_seed(0)
        model = small(beta)
        start = copy.deepcopy(model)
        start.initialize(x)
        torch.manual_seed(1)
        fit = fit_autoencoder(model, x, epochs=15, batch_size=64, lr=0.03)
        torch.manual_seed(1)
        order = torch.randperm(64, generator=seeded(0))
        assert fit.losses[0] == pytest.approx(start.loss(x[order]).item())  # one step an epoch
        said[beta] = model.divergence(x).mean().item()
    assert said[100.0] < said[0.0] / 4


def test_bad_arguments():
    for beta in (-1, math.inf, math.nan, "1", None):
        with pytest.raises(ValueError, match=f"beta must be a finite number of at least 0, got {beta!r}"):
            small(beta=beta)
    for base in (PCAAutoEncoder(6, 1, 2), LocallyLinearAutoEncoder(6, 1, 2), small()):
        with pytest.raises(ValueError, match=f"end its encoder with a dense layer.*got {type(base).__name__}"):
            VariationalAutoEncoder(base)
    with pytest.raises(TypeError, match=r"base must be an autoencoder of scge_pyg\.models\.autoencoders, got Linear"):
        VariationalAutoEncoder(torch.nn.Linear(2, 2))
    for count in (-1, 1.5, True):
        with pytest.raises(ValueError, match=f"count must be an integer of at least 0, got {count}"):
            small().sample(count)
    with pytest.raises(
        ValueError, match=r"VariationalAutoEncoder: a loss needs at least one sample, got x \[0, 6, 2\]"
    ):
        small().loss(torch.rand(0, 6, 2).double())
    with pytest.raises(TypeError, match=r"VariationalAutoEncoder: x is torch.float32 and the model torch.float64"):
        small().loss(torch.rand(3, 6, 2))
