"""The graph of a run: found once, before there is a model, and carried with the weights."""

from types import SimpleNamespace

import pytest
import torch

from scge_pyg import SharedGraph, discover
from scge_pyg.train import AutoencodingModule, ClassificationModule, DiscoverGraph, NodesDataModule, Run, saved_graph
from scge_pyg.train.graph_state import same_graph
from scge_pyg.transforms import ShuffleNodes

GRID = SharedGraph.from_grid((4, 4))


def data_order(count):
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))


def test_the_graph_is_found_once_and_travels_in_the_checkpoint(tmp_path, monkeypatch, images):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    calls = []

    def found(samples, **options):
        calls.append(samples.shape)
        return GRID

    monkeypatch.setattr("scge_pyg.train.discover_graph.discover", found)
    make = lambda **options: ClassificationModule("SCGEClassifier", {"channels": [4]}, **options)  # noqa: E731
    discovering = [DiscoverGraph(run.folder.graph_file)]
    metrics = run.fit(make(), images(), discovering)
    assert calls == [(320, 16, 1)]
    assert {"val_accuracy", "val_loss"} <= metrics.keys()
    assert SharedGraph.load(run.folder.graph_file).lattice.shape == (4, 4)
    assert {path.name for path in run.folder.pictures.iterdir()} == {"graph.png", "curves.png"}
    run.folder.graph_file.unlink()
    assert saved_graph(run.folder.newest()[0]).num_nodes == 16
    tested = run.test(make(), images())
    assert tested == run.test(make(), images(), discovering)
    run.fit(make(), images(), discovering)
    assert len(calls) == 1
    with pytest.raises(ValueError, match="are on another graph"):
        run.fit(make(graph=SharedGraph.from_grid((2, 8))), images())
    other = make(graph=SharedGraph.from_pos(GRID.pos))
    Run(tmp_path, epochs=1, accelerator="cpu", force=True).fit(other, images())
    assert run.predict(make(), images()).shape == (40, 2)


def test_what_is_found_is_discovered_from_the_training_samples(tmp_path):
    walk = torch.randn(400, 24, generator=torch.Generator().manual_seed(0)).cumsum(1)
    names = [f"s{node}" for node in range(24)]
    (tmp_path / "walk.csv").write_text("\n".join(",".join(map(str, row)) for row in [names, *walk.double().tolist()]))
    data = NodesDataModule(tmp_path / "walk.csv", task="autoencoding", batch_size=16, shuffle_nodes=3)
    data.setup()
    module = AutoencodingModule(options={"latent": 2})
    strategy = SimpleNamespace(broadcast=bool)
    trainer = SimpleNamespace(datamodule=data, is_global_zero=True, world_size=1, strategy=strategy)
    DiscoverGraph(tmp_path / "graph.safetensors").setup(trainer, module, "fit")
    expected = discover(walk[:, ShuffleNodes(3).permutation(24)][data_order(400)[:320]])
    assert same_graph(SharedGraph.load(tmp_path / "graph.safetensors"), module.graph)
    assert torch.equal(module.graph.edge_index, expected.edge_index)
    assert torch.equal(module.graph.pos, expected.pos)
    assert module.graph.names == tuple(names[node] for node in ShuffleNodes(3).permutation(24))


def test_a_graph_file_of_another_start_is_taken_with_a_word(tmp_path, images):
    run = Run(tmp_path, epochs=1, accelerator="cpu")
    GRID.save(run.folder.graph_file)
    callbacks = [DiscoverGraph(run.folder.graph_file)]
    make = lambda: ClassificationModule("SCGEClassifier", {"channels": [4]})  # noqa: E731
    with pytest.warns(UserWarning, match="was there before this start, is taken; remove the file"):
        run.fit(make(), images(), callbacks)
    run.fit(make(), images(), callbacks)
    other = ClassificationModule("SCGEClassifier", graph=SharedGraph.from_grid((3, 5)))
    with pytest.raises(ValueError, match="the graph has 15 nodes, x has 16"):
        Run(tmp_path / "other", epochs=1, accelerator="cpu").fit(other, images())


def test_a_graph_file_of_another_dimension_is_replaced(tmp_path, images):
    GRID.save(tmp_path / "graph.safetensors")
    data = images()
    data.setup()
    strategy = SimpleNamespace(broadcast=bool)
    trainer = SimpleNamespace(datamodule=data, is_global_zero=True, world_size=1, strategy=strategy)
    module = ClassificationModule()
    with pytest.warns(UserWarning, match="is replaced: its map has 2 dimensions, not 1"):
        DiscoverGraph(tmp_path / "graph.safetensors", dim=1).setup(trainer, module, "fit")
    assert module.graph.dim == SharedGraph.load(tmp_path / "graph.safetensors").dim == 1
