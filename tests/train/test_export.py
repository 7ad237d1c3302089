"""Networks as files for others: the same numbers, from samples as they came, for batches of any size."""

import numpy as np
import pytest
import torch

from scge_pyg import NodeEmbedding, SharedGraph, lower_to_conv
from scge_pyg.cli import main
from scge_pyg.models import SCGEClassifier, SCGEForecaster, StridedClassifier
from scge_pyg.models.autoencoders import SCGEAutoEncoder
from scge_pyg.train import ClassificationModule, NodesDataModule, Run, export, trained_network
from scge_pyg.train.building import DataSizes
from scge_pyg.train.export import example_inputs


@pytest.mark.parametrize("lowered", [True, False], ids=["lowered", "as it is"])
def test_the_file_answers_as_the_network_does(tmp_path, lowered):
    torch.manual_seed(0)
    network = SCGEClassifier(2, 3, SharedGraph.from_grid((4, 5)), channels=(4,)).eval()
    assert export(network, DataSizes(20, 2, 3), tmp_path / "net.pt2", lowered=lowered) < 1e-5
    program = torch.export.load(tmp_path / "net.pt2")
    x = torch.randn(9, 20, 2)
    torch.testing.assert_close(program.module()(x), network(x))
    names = {node.target.__name__ for node in program.graph.nodes if hasattr(node.target, "__name__")}
    assert ("conv2d.default" in names) == lowered
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt2"]


@pytest.mark.parametrize("kind", ["more targets than sources", "trained places"])
def test_layers_off_a_lattice_take_batches_of_any_size(tmp_path, kind):
    torch.manual_seed(0)
    places = torch.rand(30, 2, generator=torch.Generator().manual_seed(100)) * 5
    network = (
        SCGEAutoEncoder(SharedGraph.from_pos(places), 1, 2, channels=(4, 8), hidden=8)
        if kind.startswith("more")
        else StridedClassifier(1, 2, NodeEmbedding(30, 2), channels=(4,))
    )
    assert export(network.eval(), DataSizes(30, 1, 2), tmp_path / "net.pt2") < 1e-5


def test_what_can_not_be_traced_is_said(tmp_path):
    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if bool((x > 0).all()) else -x

    with pytest.raises(ValueError, match="Branching can't be traced for batches of any size"):
        export(Branching(), DataSizes(4), tmp_path / "net.pt2")
    assert not list(tmp_path.iterdir())


def test_a_forecaster_with_a_clock_takes_the_time(tmp_path):
    network = SCGEForecaster(4, 2, SharedGraph.from_grid((3, 3)), period=12).eval()
    sizes = DataSizes(9, window=4, horizon=2)
    assert [part.shape for part in example_inputs(network, sizes)] == [(3, 9, 4), (3,)]
    assert export(network, sizes, tmp_path / "net.pt2") < 1e-5


def test_onnx_agrees_in_its_own_runtime(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network = lower_to_conv(SCGEClassifier(1, 2, SharedGraph.from_grid((3, 4)), channels=(2,)).eval())
    assert export(network, DataSizes(12, 1, 2), tmp_path / "net.onnx") < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    x = torch.randn(6, 12, 1)
    found = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    np.testing.assert_allclose(found, network(x).detach(), rtol=1e-4, atol=1e-5)


def test_the_network_of_a_run_takes_samples_as_they_came(tmp_path, capsys):
    generator = torch.Generator().manual_seed(100)
    x = torch.randn(200, 16, generator=generator).cumsum(1) * 30 + 7
    y = (x[:, 8] > 7).long()
    np.save(tmp_path / "x.npy", x.numpy())
    np.save(tmp_path / "y.npy", y.numpy())
    data = ["--data.x", str(tmp_path / "x.npy"), "--data.y", str(tmp_path / "y.npy"), "--run.epochs", "1"]
    model = ["--model.options", "{channels: [3]}", "--data.batch_size", "32", "--run.accelerator", "cpu"]
    assert main(["fit", *data, *model, "--run.folder", str(tmp_path / "run"), "-q"]) == 0
    assert main(["predict", str(tmp_path / "run"), "-o", str(tmp_path / "p.npy"), "-q"]) == 0
    network, sizes = trained_network(tmp_path / "run")
    assert sizes == DataSizes(16, 1, 2)
    told = NodesDataModule(str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), batch_size=32, standardize=False)
    told.setup()
    raw = torch.cat([batch[0] for batch in told.test_dataloader()[0]])
    assert raw.std() > 20
    torch.testing.assert_close(network(raw).softmax(1), torch.from_numpy(np.load(tmp_path / "p.npy")))
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "net.pt2")]) == 0
    assert "agrees with the network" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "net.pt2")]) == 2
    assert "exists" in capsys.readouterr().err
    assert main(["export", str(tmp_path), "-o", str(tmp_path / "other.pt2")]) == 2
    assert "no run of scge fit" in capsys.readouterr().err


def test_a_run_from_python_has_no_configuration_to_build_from(tmp_path):
    data = NodesDataModule(torch.randn(64, 9), torch.arange(64) % 2, batch_size=16)
    Run(tmp_path, epochs=1, accelerator="cpu").fit(ClassificationModule("NodeMLP", {"hidden": [4]}), data)
    with pytest.raises(ValueError, match="no configuration of a model"):
        trained_network(tmp_path)
    with pytest.raises(ValueError, match=r"must end in \.pt2 or \.onnx"):
        export(torch.nn.Identity(), DataSizes(9), tmp_path / "net.pth")
