"""The benchmarks of docs/gradient.md in sizes that take seconds, and the ring task against closed forms."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from scge_pyg import SharedGraph


@pytest.fixture
def benchmark_of(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.chdir(tmp_path)
    return importlib.import_module


def run(module, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *options])
    module.main()


def test_true_places_are_right_and_hear_what_the_teacher_says(benchmark_of):
    task = benchmark_of("ring_task")
    rings = task.Rings([3, 4])
    layer = task.RingLayer(rings.places(), "topk").eval()
    assert rings.right(rings.places()).tolist() == [1, 1]
    assert layer.solve(rings.sample(50)).max() < 1e-9
    swapped = rings.places()
    swapped[1, [0, 5]] = swapped[1, [5, 0]]
    right = rings.right(swapped)
    assert right[0] == 1
    assert right[1] <= 12 / 16


def test_answers_are_means_of_both_neighbours(benchmark_of):
    rings = benchmark_of("ring_task").Rings([7])
    x, y = rings.sample(5)
    place = {int(slot): node for node, slot in enumerate(rings.slot[0])}
    for slot in range(16):
        both = x[:, place[(slot - 1) % 16]] + x[:, place[(slot + 1) % 16]]
        torch.testing.assert_close(y[:, place[slot]], both / 2)


@pytest.mark.parametrize("estimator", ["topk", "soft", "straight_through", "gumbel", "reinforce"])
def test_rings_do_not_hear_each_other(benchmark_of, estimator):
    task = benchmark_of("ring_task")
    places = torch.rand(2, 16, 2, generator=torch.Generator().manual_seed(0)) * 4
    x, y = task.Rings([0, 1]).sample(8)

    def slopes(answer):
        layer = task.RingLayer(places, estimator)
        layer.losses(task.Sample(x, answer))[1].backward()
        return layer.table.weight.grad

    one, other = slopes(y), slopes(torch.cat([y[:, :16], -y[:, 16:]], 1))
    assert one[:16].abs().max() > 0
    torch.testing.assert_close(one[:16], other[:16], rtol=0, atol=0)
    assert (one[16:] - other[16:]).abs().max() > 0


def test_solved_weights_are_the_best(benchmark_of):
    task = benchmark_of("ring_task")
    rings = task.Rings([0, 1])
    layer = task.RingLayer(torch.rand(2, 16, 2), "topk").eval()
    sample = rings.sample(40)
    found = layer.solve(sample)
    torch.testing.assert_close(layer.errors(sample), found)
    for name in ("root", "scale"):
        (slope,) = torch.autograd.grad(layer.errors(sample).sum(), getattr(layer, name))
        assert slope.abs().max() < 1e-5


def test_ring_finds_rings_resumes_and_shows_them(benchmark_of, monkeypatch, capsys):
    ring = benchmark_of("ring")
    monkeypatch.setitem(ring._SETTINGS, "steps", 150)
    rows = ["straight_through, 4 dimensions, falling", "jumps, greedy", "hebbian alone, 4 dimensions"]
    options = ("--runs", "1", "--first-seed", "100", "--rows", *rows)
    run(ring, monkeypatch, *options[:-1])
    first = json.loads(Path("results/ring.json").read_text())["records"]
    run(ring, monkeypatch, *options, "--resume")
    records = json.loads(Path("results/ring.json").read_text())["records"]
    assert records[:2] == first
    assert [r["row"] for r in records] == rows
    assert "of 1" in capsys.readouterr().out


def test_signal_points_home_from_nearby_and_falls_with_distance(benchmark_of, monkeypatch):
    gradient = benchmark_of("gradient")
    monkeypatch.setattr(gradient, "_DISTANCES", (1.0, 5.0))
    monkeypatch.setitem(gradient._SETTINGS, "placements", 3)
    found = gradient.signal("soft", 5.0, True, 5)
    assert found["cosine"][0] > 0.6
    assert found["cosine"][1] < 0.5
    assert found["ratio"][0] > 1


def test_the_path_ends_without_error(benchmark_of):
    for record in benchmark_of("gradient").ring_path("topk", 1.0):
        assert record["retrained"][-1] < 1e-9
        assert all(one <= other + 1e-6 for one, other in zip(record["retrained"], record["fixed"], strict=True))


def test_far_patches_lie_as_far_apart_as_said_and_labels_are_true(benchmark_of, monkeypatch):
    far = benchmark_of("far_patches")
    generator = torch.Generator().manual_seed(0)
    monkeypatch.setattr(far, "_DEVIATION", 0.0)
    x, alike = far.images(64, torch.full((64,), 4), generator)
    grid = x.view(64, 8, 8)
    for image, label in zip(grid, alike, strict=True):
        rows, columns = image.nonzero(as_tuple=True)
        assert len(rows) == 8
        left = columns.min()
        assert sorted(set((columns - left).tolist())) == [0, 1, 4, 5]
        top = rows.min()
        assert bool(image[top, left] == image[top, left + 4]) == bool(label)


@pytest.mark.parametrize(
    "name", ["local", "coarse", "dot-local", "dot", "queries-own", "queries", "queries-cooled", "transformer"]
)
def test_far_networks_train_all_their_parameters(benchmark_of, name):
    far = benchmark_of("far_patches")
    graph = SharedGraph.from_grid((8, 8))
    model = far.build(name, graph, 0)
    x, alike = far.images(8, torch.full((8,), 2), torch.Generator().manual_seed(0))
    torch.nn.functional.cross_entropy(model(x), alike).backward()
    assert all(p.grad is not None for p in model.parameters())
