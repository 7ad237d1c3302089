import logging

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from scge_pyg import SharedGraph, discover
from scge_pyg.discovery.signals import reading
from scge_pyg.metrics import cell_accuracy, edge_scores


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_integers_are_converted(grid_field, assert_same, dtype):
    x = (grid_field((40,), 500).x * 20 + 128).clamp(0, 255).to(dtype)
    graph = discover(x.float())
    assert graph.lattice.shape == (40,)
    assert_same(discover(x), graph)
    assert_same(discover(x.numpy()), graph)


def test_booleans_are_converted(grid_field, assert_same):
    field = grid_field((6, 7), 3000)
    x = field.x > 0
    graph = discover(x)
    assert_same(graph, discover(x.float()))
    assert edge_scores(graph, field.edge_index).f1 > 0.9


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_dtype_of_the_result(grid_field, dtype):
    graph = discover(grid_field((40,), 500).x.to(dtype))
    assert graph.pos.dtype == graph.edge_weight.dtype == graph.confidence.dtype == torch.float32


def test_input_is_left_alone(grid_field):
    x = grid_field((40,), 500).x.requires_grad_()
    before = x.detach().clone()
    graph = discover(x)
    assert torch.equal(x, before)
    assert not graph.pos.requires_grad


def test_one_channel_equals_none(grid_field, assert_same):
    x = grid_field((40,), 500).x
    assert_same(discover(x.unsqueeze(2)), discover(x))


def test_channels_add_their_evidence(grid_field):
    """Two channels of half the samples know as much as one channel of all of them."""
    field = grid_field((8, 9), 800)
    first, second = field.x[:400], field.x[400:]
    graph = discover(torch.stack([first, second], 2))
    assert cell_accuracy(graph, field.cells) == 1.0
    assert edge_scores(graph, field.edge_index).f1 > edge_scores(discover(first), field.edge_index).f1


def test_a_dead_channel_says_nothing(grid_field):
    x = grid_field((40,), 500).x
    dead = torch.full_like(x, 0.5)
    graph, alone = discover(torch.stack([x, dead], 2)), discover(x)
    assert torch.equal(graph.lattice.cell, alone.lattice.cell)
    assert torch.equal(graph.edge_index, alone.edge_index)
    torch.testing.assert_close(graph.edge_weight, alone.edge_weight, rtol=1e-3, atol=1e-4)


@pytest.fixture
def split(grid_field, monkeypatch):
    """Samples, and the same in batches as a tensor is read."""
    x = grid_field((24,), 600).x.unsqueeze(2)
    monkeypatch.setattr(reading, "_BLOCK_BYTES", 8 * 24 * 128)
    return x, list(x.split(128))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda batches: batches,
        lambda batches: (batch for batch in batches),
        lambda batches: [batch.squeeze(2) for batch in batches],
        lambda batches: [batch.numpy() for batch in batches],
        lambda batches: [(batch, torch.zeros(batch.shape[0])) for batch in batches],
        lambda batches: [[batch, "label"] for batch in batches],
        lambda batches: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.cat(batches)), batch_size=128),
        lambda batches: DataLoader([Data(x=sample) for sample in torch.cat(batches)], batch_size=128),
    ],
    ids=["list", "generator", "no channel axis", "arrays", "tuples", "lists", "DataLoader", "PyG DataLoader"],
)
def test_batches_equal_the_tensor(split, assert_same, wrap):
    x, batches = split
    assert_same(discover(wrap(batches)), discover(x))


def test_odd_batches_and_empty_ones_tell_the_same_story(grid_field):
    field = grid_field((40,), 1000)
    graph = discover([*field.x.split(77), field.x[:0]])
    assert cell_accuracy(graph, field.cells) == 1.0
    torch.testing.assert_close(graph.edge_weight, discover(field.x).edge_weight)


def test_an_iterator_is_read_once(grid_field):
    reads = []

    def stream():
        for batch in grid_field((40,), 500).x.split(100):
            reads.append(len(batch))
            yield batch

    discover(stream())
    assert reads == [100] * 5


def test_log_says_what_was_decided(grid_field, caplog):
    x = grid_field((9, 9), 1500).x.clone()
    x[:, 4] = 0
    with caplog.at_level(logging.INFO, "scge_pyg"), pytest.warns(UserWarning, match="1 node carries no signal"):
        graph = discover(x)
    assert f"80 of 81 nodes live, {graph.num_edges // 2} edges" in caplog.text
    for word in ("partial", "gain", "ratio", "geometry, dimension 2, 2 columns", "lattice (9, 9)"):
        assert word in caplog.text
    assert all(record.name == "scge_pyg" and record.levelno == logging.INFO for record in caplog.records)


def test_log_says_that_there_is_no_lattice(places, matern, caplog):
    with caplog.at_level(logging.INFO, "scge_pyg"):
        discover(matern(places("plane", 60, 100), 1000))
    assert "no lattice" in caplog.text


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress_bar(grid_field, capsys, progress, shown):
    discover(grid_field((20,), 100).x, progress=progress)
    assert ("discover" in capsys.readouterr().err) == shown


@pytest.mark.parametrize("periodic", [False, True])
def test_a_saved_graph_is_the_same(grid_field, assert_same, tmp_path, periodic):
    x = grid_field((8, 9), 1500, periodic=periodic).x.clone()
    x[:, 11] = 0
    with pytest.warns(UserWarning, match=r"left out \(graph.live is False\): 11 \(constant\)"):
        graph = discover(x)
    graph.save(tmp_path / "graph.safetensors")
    loaded = SharedGraph.load(tmp_path / "graph.safetensors")
    assert_same(loaded, graph)
    assert loaded.lattice.periodic == (periodic, periodic)
