"""The three modules against the recipes without Lightning, to the bit."""

import pytest
import torch
from torch_geometric.nn import GraphConv

from scge_pyg import NodeEmbedding, OnSharedGraph, SharedGraph
from scge_pyg.models import (
    GridCNN,
    NodeMLP,
    SCGEClassifier,
    SharedForecaster,
    accuracy,
    fit_classifier,
    fit_forecaster,
    forecasts,
)
from scge_pyg.models.autoencoders import MLPAutoEncoder, SCGEAutoEncoder, fit_autoencoder, reconstruction_error
from scge_pyg.train import AutoencodingModule, ClassificationModule, ForecastingModule, NodesDataModule

GRID = SharedGraph.from_grid((4, 4))


class PooledGraphConv(torch.nn.Module):
    """A user's own network around a PyG operator."""

    def __init__(self, in_channels, num_classes, graph, width=8):
        super().__init__()
        self.conv = OnSharedGraph(GraphConv(in_channels, width), graph)
        self.head = torch.nn.Linear(width, num_classes)

    def forward(self, x):
        return self.head(self.conv(x).relu().mean(1))


def samples(count=100, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 3
    x = torch.randn(count, 16, 1, generator=generator)
    return x + 2 * torch.nn.functional.one_hot(y, 16).unsqueeze(2), y


def built(make):
    torch.manual_seed(1)
    return make()


def assert_same_weights(one, other):
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize(
    "make",
    [
        lambda: NodeMLP(1, 3, 16, hidden=(8,)),
        lambda: GridCNN(1, 3, (4, 4), channels=(4,)),
        lambda: SCGEClassifier(1, 3, GRID, channels=(4,)),
        lambda: PooledGraphConv(1, 3, GRID),
    ],
    ids=["mlp", "cnn", "scge", "on shared graph"],
)
def test_classification_is_fit_classifier_to_the_bit(make, quiet_trainer):
    x, y = samples()
    data = NodesDataModule(x, y, val=0.1, test=0.2, batch_size=16, seed=5)
    module = ClassificationModule(built(make), lr=1e-2)
    trainer = quiet_trainer(epochs=2)
    trainer.fit(module, datamodule=data)
    train, test = data.rows["train"], data.rows["test"]
    alone = built(make)
    fit_classifier(alone, train.x, train.y, epochs=2, batch_size=16, lr=1e-2, seed=5)
    assert_same_weights(module.model, alone)
    metrics = trainer.test(module, datamodule=data, verbose=False)[0]
    assert metrics["test_accuracy"] == pytest.approx(accuracy(alone, test.x, test.y), abs=1e-6)
    alone.eval()
    assert metrics["test_loss"] == pytest.approx(torch.nn.functional.cross_entropy(alone(test.x), test.y).item(), 1e-5)
    guesses = torch.cat(trainer.predict(module, datamodule=data))
    assert torch.allclose(guesses, alone(test.x).softmax(1), atol=1e-6)


def test_autoencoding_is_fit_autoencoder_to_the_bit(quiet_trainer):
    x = samples()[0].sigmoid()
    data = NodesDataModule(x, task="autoencoding", val=0.0, test=0.2, batch_size=16, seed=5)
    module = AutoencodingModule(built(lambda: SCGEAutoEncoder(GRID, 1, 2, channels=(4,), hidden=8)))
    trainer = quiet_trainer(epochs=3)
    trainer.fit(module, datamodule=data)
    alone = built(lambda: SCGEAutoEncoder(GRID, 1, 2, channels=(4,), hidden=8))
    fit_autoencoder(alone, data.rows["train"].x, epochs=3, batch_size=16, seed=5)
    assert_same_weights(module.model, alone)
    error = trainer.test(module, datamodule=data, verbose=False)[0]["test_error"]
    assert error == pytest.approx(reconstruction_error(alone, data.rows["test"].x), rel=1e-6)
    codes = torch.cat(trainer.predict(module, datamodule=data))
    assert torch.allclose(codes, alone.eval().encode(data.rows["test"].x), atol=1e-6)


@pytest.mark.parametrize("period", [None, 24])
def test_forecasting_is_fit_forecaster_to_the_bit(period, quiet_trainer):
    series = torch.randn(120, 5, generator=torch.Generator().manual_seed(0)).cumsum(0)
    make = lambda: SharedForecaster(5, 4, 2, channels=8, layers=1, period=period)  # noqa: E731
    data = NodesDataModule(series, task="forecasting", window=4, horizon=2, val=0.2, test=0.2, batch_size=16, seed=5)
    module = ForecastingModule(built(make))
    trainer = quiet_trainer(epochs=2)
    trainer.fit(module, datamodule=data)
    alone = built(make)
    fit_forecaster(alone, series[:72], epochs=2, batch_size=16, seed=5)
    assert_same_weights(module.model, alone)
    guess, came = forecasts(alone, series[96:], start=96)
    metrics = trainer.test(module, datamodule=data, verbose=False)[0]
    assert metrics["test_rmse"] == pytest.approx((guess - came).square().mean().sqrt().item(), rel=1e-5)
    assert metrics["test_mae"] == pytest.approx((guess - came).abs().mean().item(), rel=1e-5)
    assert torch.allclose(torch.cat(trainer.predict(module, datamodule=data)), guess, atol=1e-5)


def test_a_model_by_name_takes_sizes_and_graph_from_the_data(quiet_trainer):
    x, y = samples()
    data = NodesDataModule(x, y, batch_size=16)
    module = ClassificationModule("SCGEClassifier", {"channels": [4]}, graph=GRID)
    assert module.model is None
    torch.manual_seed(1)
    quiet_trainer(epochs=1).fit(module, datamodule=data)
    alone = built(lambda: SCGEClassifier(1, 3, GRID, channels=(4,)))
    train = data.rows["train"]
    fit_classifier(alone, train.x, train.y, epochs=1, batch_size=16)
    assert_same_weights(module.model, alone)
    own = ClassificationModule(f"{__name__}.PooledGraphConv", {"width": 4}, graph=GRID)
    own.trainer = quiet_trainer()
    own.trainer.datamodule = data
    own.configure_model()
    assert own.model.head.in_features == 4


def test_places_replace_the_graph_by_a_table(quiet_trainer):
    x, y = samples()
    module = ClassificationModule("StridedClassifier", {"channels": [4, 4]}, places=2)
    quiet_trainer(epochs=1).fit(module, datamodule=NodesDataModule(x, y, batch_size=16))
    (table,) = [part for part in module.model.modules() if isinstance(part, NodeEmbedding) and part.num_nodes == 16]
    assert table.dim == 2


@pytest.mark.parametrize("lowered", ["evaluation", "always"])
def test_lowering_changes_layers_and_no_answer(lowered, quiet_trainer, monkeypatch):
    x, y = samples()
    data = NodesDataModule(x, y, batch_size=16)
    results, convolved, forward = [], [], torch.nn.Conv2d.forward
    monkeypatch.setattr(torch.nn.Conv2d, "forward", lambda self, x: convolved.append(self.training) or forward(self, x))
    for option in ("never", lowered):
        module = ClassificationModule(built(lambda: SCGEClassifier(1, 3, GRID, channels=(4,))), lowered=option)
        trainer = quiet_trainer(epochs=1)
        trainer.fit(module, datamodule=data)
        assert (True in convolved) == (option == "always")
        convolved.clear()
        results.append(torch.cat(trainer.predict(module, datamodule=data)))
        assert set(convolved) == (set() if option == "never" else {False})
        convs = [part for part in module.model.modules() if isinstance(part, torch.nn.Conv2d)]
        assert len(convs) == (1 if option == "always" else 0)
    assert torch.allclose(*results, atol=1e-4)


def test_a_loss_that_is_not_finite_stops(quiet_trainer):
    x, y = samples()
    data = NodesDataModule(x, y, batch_size=16)
    module = ClassificationModule(NodeMLP(1, 3, 16, hidden=(8,)))
    with torch.no_grad():
        module.model.head.weight.fill_(torch.inf)
    with pytest.raises(ValueError, match="loss is nan at step 1; look for NaN"):
        quiet_trainer().fit(module, datamodule=data)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: ClassificationModule(3), TypeError, "model must be a torch.nn.Module or the name of a class, got int"),
        (lambda: ClassificationModule(NodeMLP), TypeError, "got the class NodeMLP; call it"),
        (lambda: ClassificationModule(torch.nn.ReLU(), {"width": 3}), ValueError, "options and places belong to a mod"),
        (lambda: ClassificationModule(lr=0.0), ValueError, "lr"),
        (lambda: ClassificationModule(graph="g.safetensors"), TypeError, "graph must be a SharedGraph, got str"),
        (lambda: ClassificationModule(lowered="yes"), ValueError, "lowered must be 'never'"),
        (lambda: ClassificationModule(weight_decay=-1.0), ValueError, "weight_decay"),
        (lambda: AutoencodingModule(torch.nn.ReLU()), TypeError, "must be a scge_pyg.models.autoencoders.AutoEncoder"),
        (lambda: ForecastingModule(MLPAutoEncoder(4, 1, 2)), TypeError, "must be a scge_pyg.models.Forecaster"),
    ],
)
def test_bad_arguments(make, error, match):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: ClassificationModule("SCGEClasifier"), "did you mean 'SCGEClassifier'"),
        (lambda: ClassificationModule("nowhere.Net"), "can't be imported"),
        (lambda: ClassificationModule("NodeMLP", {"hiden": [3]}), "takes no option 'hiden'; did you mean 'hidden'"),
        (lambda: ClassificationModule("GridCNN"), r"needs shape, .*options={'shape': \.\.\.} \(--model.options.shape"),
        (lambda: AutoencodingModule(), r"needs latent, .* \(--model.options.latent VALUE\)"),
        (lambda: ClassificationModule(places=2), "SCGEClassifier can't stand on trained places .* StridedClassifier"),
        (lambda: ClassificationModule("NodeMLP", places=2), "NodeMLP can't stand on trained places"),
    ],
)
def test_names_that_are_wrong_are_refused_before_there_are_data(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_what_a_name_needs_of_the_graph(quiet_trainer):
    data = NodesDataModule(*samples(), batch_size=16)
    without_places = SharedGraph(torch.zeros(16, 0), GRID.edge_index, GRID.edge_weight)
    for graph, match in (
        (None, "needs graph, which the data don't say; add DiscoverGraph"),
        (SharedGraph.from_grid((3, 5)), "the graph has 15 nodes, the samples 16; give samples of the nodes"),
        (GRID, r"SCGEClassifier can't be built with options={'channels': None} \(--model.options\)"),
        (without_places, r"--discover.dim 2\) draws a map all the same"),
    ):
        options = {"channels": None} if graph is GRID else {}
        with pytest.raises((TypeError, ValueError), match=match):
            quiet_trainer().fit(ClassificationModule("SCGEClassifier", options, graph=graph), datamodule=data)


def test_nodes_of_the_graph_are_those_of_the_samples(quiet_trainer, tmp_path):
    x, y = samples()
    names = [f"s{node}" for node in range(16)]
    rows = [",".join(map(str, [*sample, label])) for sample, label in zip(x[..., 0].tolist(), y.tolist(), strict=True)]
    (tmp_path / "x.csv").write_text("\n".join([",".join([*names, "label"]), *rows]))
    data = NodesDataModule(tmp_path / "x.csv", target="label", batch_size=16)
    graph = SharedGraph.from_pos(GRID.pos)
    graph.names = tuple(names[::-1])
    with pytest.raises(ValueError, match="node 0 is 's15' in the graph and 's0' in the samples; bring the columns"):
        quiet_trainer().fit(ClassificationModule("SCGEClassifier", graph=graph), datamodule=data)


def test_a_name_needs_our_data_module(quiet_trainer):
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*samples()), batch_size=16)
    with pytest.raises(ValueError, match="built for the data of a NodesDataModule"):
        quiet_trainer().fit(ClassificationModule("NodeMLP"), loader, loader)


def test_repr():
    module = ClassificationModule("NodeMLP", lr=0.01)
    assert repr(module) == "ClassificationModule(model='NodeMLP', graph=None, lr=0.01, lowered='never')"
