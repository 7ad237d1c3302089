"""The benchmark that feeds parts to point networks: its inputs, its networks, and a whole small run."""

import json
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """320 training and 60 test images of bars, upright or level, a model of 4 prototypes, two steps."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import cgae_points
    import cgae_points_inputs

    def images(name, train):
        x = torch.zeros(320 if train else 60, 28, 28)
        at = torch.randint(3, 25, (len(x), 2), generator=torch.Generator().manual_seed(180 + train))
        for n, (i, j) in enumerate(at.tolist()):
            x[n, i - 3 : i + 4, j] = 1.0
        x[1::2] = x[1::2].mT
        return (x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(182))).clamp(0, 1)

    monkeypatch.setattr(cgae_points, "images", images)
    monkeypatch.setattr(cgae_points, "labels_of", lambda name, train: torch.arange(320 if train else 60) % 2)
    monkeypatch.setattr(cgae_points_inputs, "_MODEL", {"num_prototypes": 4, "prototype_size": 7, "num_linear": 1})
    monkeypatch.setitem(cgae_points._SIZES, "quick", {"images": 320, "tested": 60, "steps": 2, "seeds": 1})
    monkeypatch.setattr(cgae_points, "_RATES", (1e-9, 2e-3))
    monkeypatch.chdir(tmp_path)
    return images


def test_every_network_sees_every_input_and_an_interrupted_run_goes_on(small, monkeypatch, capsys):
    import cgae_points

    monkeypatch.setattr(sys, "argv", ["cgae_points.py", "--quick"])
    cgae_points.main()
    path = Path("results/cgae_points_quick.json")
    records = json.loads(path.read_text())["records"]
    pairs = {(net, given) for net in ("cnn", "vit") for given in ("images", "parts", "pca", "patches")}
    assert {(r["net"], r["input"]) for r in records} == pairs | {("points", "parts")}
    by = {(r["net"], r["input"]): r for r in records}
    assert by["cnn", "images"]["error"] == 0
    assert by["cnn", "pca"]["bits"] == pytest.approx(by["cnn", "parts"]["bits"], rel=0.2)
    assert by["cnn", "patches"]["bits"] == 128
    table = capsys.readouterr().out
    monkeypatch.setattr(cgae_points, "codes_of", None)
    monkeypatch.setattr(sys, "argv", ["cgae_points.py", "--quick", "--resume"])
    cgae_points.main()
    assert capsys.readouterr().out == table


def test_what_is_trained_learns_and_the_best_rate_is_found(monkeypatch):
    import cgae_points
    from cgae_points import accuracy, best_rate, trained

    monkeypatch.setattr(cgae_points, "_RATES", (1e-9, 0.05, 1e-8))

    generator = torch.Generator().manual_seed(185)
    x = torch.randn(400, 3, generator=generator)
    labels = (x[:, 0] > x[:, 1]).long()

    def make():
        return torch.nn.Linear(3, 2)

    net = trained(make, (x[:300],), labels[:300], 0.05, 150, 0)
    assert accuracy(net, (x[300:],), labels[300:]) > 0.9
    assert accuracy(net, (x[300:],), 1 - labels[300:]) < 0.1
    assert best_rate(make, (x,), labels, 100, 60) == 0.05


def test_patches_are_put_back_where_they_were(small):
    from cgae_points_inputs import patches_of

    x = torch.zeros(300, 28, 28)
    kind = torch.randint(0, 4, (300, 4, 4), generator=torch.Generator().manual_seed(183))
    values = torch.tensor([0.0, 0.2, 0.5, 1.0])
    x = values[kind].repeat_interleave(7, 1).repeat_interleave(7, 2)
    left, held, bits = patches_of(x, x[:20])
    assert torch.allclose(left, x, atol=1e-5)
    assert torch.allclose(held, x[:20], atol=1e-5)
    assert bits == 16 * 8


def test_a_set_of_points_has_no_order(small):
    from cgae_points_nets import PointNet

    torch.manual_seed(184)
    net = PointNet(5).eval()
    place, value = torch.rand(3, 8, 2), torch.rand(3, 8, 5)
    order = torch.randperm(8)
    with torch.no_grad():
        first, again = net(place, value), net(place[:, order], value[:, order])
    assert torch.allclose(first, again, atol=1e-5)
    assert not torch.allclose(first, net(place.flip(0), value).detach(), atol=1e-3)
