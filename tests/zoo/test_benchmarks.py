"""What the zoo's benchmarks measure with: scores, what is left out, and a cloth that obeys its equation."""

from pathlib import Path

import pytest
import torch
from sklearn.metrics import r2_score

from scge_pyg import SharedGraph


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import graph_learner_models
    import graph_learner_tables
    import graph_learners
    import meshes

    return graph_learners, graph_learner_models, graph_learner_tables, meshes


def test_r_squared_of_scikit_learn(scripts):
    generator = torch.Generator().manual_seed(680)
    true = torch.randn(500, 4, generator=generator) + 1000
    told = true + torch.randn(500, 4, generator=generator) * torch.tensor([0.1, 0.5, 1.0, 2.0])
    assert scripts[0].r_squared(true, told) == pytest.approx(r2_score(true.double(), told.double()), abs=1e-9)


def test_what_is_left_out_is_not_looked_at(scripts):
    models = scripts[1]
    graph = SharedGraph.from_grid((3, 4))
    x, node = torch.randn(5, 12), torch.tensor([0, 3, 3, 7, 11])
    other = x.scatter(1, node[:, None], 99.0)
    for name, make in models.LEARNERS.items():
        torch.manual_seed(0)
        model = models.LeftOut(make, graph).eval()
        with torch.no_grad():
            for key, value in model.named_parameters():
                if key.endswith("filter"):  # a GWNN of ones listens to nobody
                    value.normal_()
            assert torch.equal(model(x, node), model(other, node)), name
            assert not torch.allclose(model(x, node), model(x + 1, node)), name


def test_every_learner_classifies(scripts):
    models = scripts[1]
    graph = SharedGraph.from_grid((8, 8))
    for make in models.LEARNERS.values():
        assert models.Classifier(make, 1, 10, graph)(torch.randn(2, 64, 1)).shape == (2, 10)
    for kind in ("GCN", "DAGNN"):
        assert models.deep(kind, 1, 10, graph, 5)(torch.randn(2, 64, 1)).shape == (2, 10)


def test_tables(scripts):
    records = [
        {"part": "images", "learner": "GCN", "graph": "knn", "accuracy": 0.7512},
        {"part": "eeg", "learner": "GCN", "graph": "true", "r2": 0.8571},
        {"part": "eeg", "learner": "ridge regression on all others", "graph": "", "r2": 0.9},
        {"part": "depth", "learner": "DAGNN 64", "graph": "discovered", "accuracy": 0.5},
    ]
    table = scripts[2].tables(records)
    assert "75.1" in table
    assert "0.857" in table
    assert "ridge regression on all others: 0.900" in table
    assert "50.0" in table
    plan = scripts[0].items(["images", "eeg", "depth"])
    assert len(plan) == len(set(plan)) == 2 * 4 * len(scripts[1].LEARNERS) + 2 * 6


def test_the_cloth_obeys_its_equation_and_is_halved(scripts):
    meshes = scripts[3]
    step, where = 0.01, torch.tensor([[0.4, 0.3], [0.7, 0.8]])
    around = [meshes.cloth(where + step * torch.tensor(s), 100, 3)[1, :, 2].double()
              for s in ((0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))]  # fmt: skip
    laplacian = (sum(around[1:]) - 4 * around[0]) / step**2
    z = meshes.cloth(where, 100, 3)[:, :, 2].double()
    acceleration = (z[2] - 2 * z[1] + z[0]) / meshes._STEP**2
    assert torch.allclose(acceleration, laplacian, rtol=0.05, atol=0.05)
    fine = meshes.sheet(22, 23, meshes._WIDTH, meshes._HEIGHT)
    assert not meshes.cloth(fine.pos[:, :2].float(), 1, 4)[:, meshes.held(fine.pos[:, :2]), 2].abs().gt(1e-5).any()
    half = meshes.halved(fine, 1)
    assert 0.4 < len(half.pos) / len(fine.pos) <= 0.5
    assert float(half.area.sum()) == pytest.approx(meshes._WIDTH * meshes._HEIGHT)
