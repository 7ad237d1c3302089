import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from scge_pyg import NodeEmbedding, SharedGraph
from scge_pyg.models import StridedClassifier, fit_classifier
from scge_pyg.nn import SCGEConv

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
wiring_accuracy = pytest.importorskip("wiring_accuracy")


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(192, 64, 3, generator=generator)
    return SimpleNamespace(x=x, raw=x, y=torch.randint(10, (192,), generator=generator), shape=(8, 8))


def network(nodes, **options):
    torch.manual_seed(0)
    return StridedClassifier(3, 10, nodes, channels=(4, 4), **options)


def test_the_recipe_of_moving_places_is_that_of_all_rows(data):
    graph = SharedGraph.from_grid((8, 8))
    one, other = network(graph), network(graph)
    for layer in one.modules():
        if isinstance(layer, SCGEConv):
            layer.gain = 1.0
    wiring_accuracy.by_task(one, data, epochs=3, run=5, rate=0.1)
    fit_classifier(other, data.x, data.y, epochs=3, batch_size=64, lr=3e-3, weight_decay=1e-2, seed=5)
    for mine, expected in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize("estimator", ["topk", "reinforce"])
def test_places_move_by_the_task_at_their_own_rate(data, estimator):
    moved = []
    for rate in (0.0, 0.1):
        table = NodeEmbedding(64, 2, seed=1)
        before = table().detach().clone()
        model = network(table, neighbors="nearest", k=8, estimator=estimator)
        wiring_accuracy.by_task(model, data, epochs=2, run=0, rate=rate)
        moved.append(float((table() - before).detach().abs().max()))
    assert moved[0] == 0
    assert moved[1] > 0.05


def test_the_network_of_the_true_grid_is_that_of_the_others(data):
    dense = wiring_accuracy.GridCNN(3, (16, 16))
    sparse = StridedClassifier(3, 10, SharedGraph.from_grid((16, 16)))
    assert sum(p.numel() for p in dense.parameters()) == sum(p.numel() for p in sparse.parameters())


def test_the_table_says_what_was_cut():
    def record(row, run, accuracy):
        return {"row": row, "run": run, "accuracy": accuracy, "seconds": 1.0, "recall": 1.0}

    records = [record("snapped", 0, 0.5), record("snapped", 1, 0.6), record("cnn", 0, 0.51), record("cnn", 1, 0.59)]
    shown = wiring_accuracy.table(records, {"train": 10_000, "epochs": 3, "runs": 2})
    assert "55.0 ± 5.0" in shown
    assert "0.0 ± 1.0 points, paired" in shown
    assert "fixed random places (2 of 2 runs)" in shown
    assert "task gradient alone, `soft` (1 of 1 runs)" in shown
    assert "`nn.Conv2d` (" not in shown
