"""The demonstration, on patches so small that it takes seconds."""

import json
import sys
import types

import pytest
import torch

import scge_pyg.cli.demo
from scge_pyg import SharedGraph
from scge_pyg.cli import main
from scge_pyg.cli.demo_tasks import digits, smeared_photos, wandering_digits
from scge_pyg.cli.demo_training import INVERSE_PENALTIES, LEARNED, MODELS, RATES, TOLD, Schedule, accuracies
from scge_pyg.datasets import DigitsNodes
from scge_pyg.graph import Lattice
from scge_pyg.metrics import grid_edges

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")


def graph_of(task):
    """The true geometry, seen in a mirror."""
    cells = torch.stack([task.cells[:, 1], task.shape[0] - 1 - task.cells[:, 0]], 1)
    return SharedGraph(cells.float(), grid_edges(cells), lattice=Lattice(cells, task.shape[::-1]))


def in_true_order(task, x):
    return x[:, (task.cells[:, 0] * task.shape[1] + task.cells[:, 1]).argsort()].unflatten(1, task.shape).squeeze(-1)


def test_smears_go_in_the_direction_that_the_label_names():
    task = smeared_photos(12, 400, 20, seed=3)
    assert task.x_train.shape == (400, 144, 1)
    assert task.x_test.shape == (20, 144, 1)
    images = in_true_order(task, task.x_train)
    steps = torch.stack(
        [
            (images[:, 1:-1, 1:-1] - images[:, 1:-1, 2:]).abs().mean((1, 2)),
            (images[:, 1:-1, 1:-1] - images[:, 2:, 1:-1]).abs().mean((1, 2)),
            (images[:, 1:-1, 1:-1] - images[:, 2:, 2:]).abs().mean((1, 2)) / 2**0.5,
            (images[:, 1:-1, 1:-1] - images[:, 2:, :-2]).abs().mean((1, 2)) / 2**0.5,
        ],
        1,
    )
    assert (steps.argmin(1) == task.y_train).double().mean() > 0.55
    again = smeared_photos(12, 400, 20, seed=3)
    assert torch.equal(again.x_test, task.x_test)


def test_patches_to_test_on_come_from_the_right_of_the_photographs(monkeypatch):
    photos = torch.rand(2, 40, 100, 1, generator=torch.Generator().manual_seed(0)).expand(-1, -1, -1, 3)
    photos = photos * 100 + torch.tensor([0.0] * 70 + [155.0] * 30).view(1, 1, 100, 1)
    kept = types.SimpleNamespace(images=list(photos.numpy()))
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: kept)
    task = smeared_photos(12, 200, 200)
    assert task.x_train.max() <= 100 / 255
    assert task.x_test.min() >= 154 / 255


def test_flat_patches_are_left_out(monkeypatch):
    photos = torch.rand(2, 160, 160, 1, generator=torch.Generator().manual_seed(0)).expand(-1, -1, -1, 3) * 255
    photos = torch.where(torch.arange(160).view(1, 160, 1, 1) < 80, photos, 128.0)
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: types.SimpleNamespace(images=photos.numpy()))
    flat = smeared_photos(8, 400, 8).x_train.flatten(1).std(1) < 1e-6
    assert flat.float().mean() < 0.1  # of nearly half; a patch may touch what is not flat by its margin alone


def test_wandering_digits_are_held_out():
    task, data = wandering_digits(8, 1297, 500), digits()  # there is one place
    assert torch.equal(task.x_test, data.x_test)
    assert torch.equal(task.y_test, data.y_test)
    assert torch.equal(task.x_train, data.x_train)


def test_digits_are_held_out():
    task = digits()
    assert (task.x_train.shape[0], task.x_test.shape[0], task.classes) == (1297, 500, 10)
    overlap = torch.cdist(task.x_train.squeeze(2), task.x_test.squeeze(2)).amin(0)
    assert (overlap > 0).all()


def test_wandering_digits_are_digits_at_every_place():
    task, data = wandering_digits(12, 1400, 300, seed=1), DigitsNodes()
    assert (task.shape, task.classes, task.x_train.shape) == ((12, 12), 10, (1400, 144, 1))
    images = in_true_order(task, task.x_train)
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(1))
    places = set()
    for i in (*range(60), 1297, 1399):
        source = order[500:][i % 1297]
        assert task.y_train[i] == data.y[source]
        windows = images[i].unfold(0, 8, 1).unfold(1, 8, 1)
        found = (windows == data.x[source].view(8, 8)).all(3).all(2)
        assert found.any()
        torch.testing.assert_close(images[i].sum(), data.x[source].sum())
        places.add(tuple(found.nonzero()[0].tolist()))
    assert len(places) > 15  # of 25
    assert not torch.equal(images[0], images[1297])  # the same digit, elsewhere
    assert torch.equal(wandering_digits(12, 1400, 300, seed=1).x_test, task.x_test)


def test_digits_that_wander_need_a_geometry_and_digits_in_place_do_not():
    wandering, digit = wandering_digits(16, 1297, 300), digits()
    plan = Schedule(seeds=1, epochs={"wandering": 5, "digits": 5})
    moved, fixed = accuracies([(task, graph_of(task)) for task in (wandering, digit)], plan, hidden=True)
    blind = MODELS[:3]
    assert min(moved[LEARNED][0], moved[TOLD][0]) > max(moved[name][0] for name in blind) + 0.1
    assert max(fixed[name][0] for name in blind) > max(fixed[LEARNED][0], fixed[TOLD][0]) - 0.03


def test_every_network_of_every_task_has_its_rate():
    assert set(RATES) == set(INVERSE_PENALTIES) == {"photos", "wandering", "digits"}
    assert all(set(rates) == set(MODELS[1:]) for rates in RATES.values())


def test_the_learned_geometry_is_worth_as_much_as_the_true_one():
    task = smeared_photos(12, 640, 200)
    (result,) = accuracies([(task, graph_of(task))], Schedule(seeds=1, epochs={"photos": 6}), hidden=True)
    assert set(result) == set(MODELS)
    assert result[TOLD][0] > 0.6
    assert abs(result[LEARNED][0] - result[TOLD][0]) < 0.15
    assert max(result[name][0] for name in MODELS[:3]) < 0.5


@pytest.fixture
def tiny(monkeypatch):
    def photos(*_, seed=0):
        return smeared_photos(12, 320, 100, seed)

    def wandering(*_, seed=0):
        return wandering_digits(12, 640, 100, seed)

    monkeypatch.setattr(scge_pyg.cli.demo, "smeared_photos", photos)
    monkeypatch.setattr(scge_pyg.cli.demo, "wandering_digits", wandering)
    plan = Schedule(1, {"photos": 1, "wandering": 1, "digits": 1})
    monkeypatch.setattr(scge_pyg.cli.demo, "schedule", lambda quick: plan)


def test_demo_writes_pictures_and_numbers(tmp_path, tiny, capsys):
    assert main(["demo", "--json", "-o", str(tmp_path / "demo")]) == 0
    summary = json.loads(capsys.readouterr().out)
    names = [task["task"] for task in summary["tasks"]]
    assert names == ["photo patches 12x12", "digits anywhere on 12x12", "digits 8x8"]
    assert set(summary["files"]) == {entry.name for entry in (tmp_path / "demo").iterdir()}
    assert {"overview.png", "photos-samples.png", "wandering-graph.safetensors"} <= set(summary["files"])
    assert main(["demo", "--quick", "-o", str(tmp_path / "demo")]) == 0  # over the first
    assert [entry.name for entry in tmp_path.iterdir()] == ["demo"]
    out = capsys.readouterr().out
    assert all(name in out for name in MODELS)


@pytest.mark.parametrize(("module", "extra"), [("sklearn.datasets", "demo"), ("matplotlib", "plot")])
def test_demo_names_the_extra_it_lacks(tmp_path, monkeypatch, capsys, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 2
    assert f"scge demo needs the extra '{extra}': pip install 'scge-pyg[{extra}]'" in capsys.readouterr().err
