"""The benchmark of constellations: faces take more bits than there are, fewer with a tree, and rows become tables."""

from pathlib import Path

import pytest
import torch

from scge_pyg.models.cgae import CGAE


@pytest.fixture
def script(monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors on two threads wait for each other on a busy machine
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import cgae_constellation

    yield cgae_constellation
    torch.set_num_threads(threads)


def test_faces_become_a_table(script):
    found = script.known(60, 0)
    assert found["truth"] < found["tree"] < found["slots"] - 8 < found["uniform"] - 16
    table = script.tables([{"part": "faces", "number": 60, **found}])
    assert f"| {found['truth']:.1f}" in table
    assert f"| {found['uniform']:.1f}" in table


def test_samples_and_codes_are_measured_with_each_density(script, monkeypatch):
    images = blots(60, 18)
    monkeypatch.setattr(script, "images", lambda data, train: images)
    monkeypatch.setattr(script, "_SAMPLES", 20)
    monkeypatch.setattr(script, "CGAE", small)
    size = {"images": 60, "tested": 20, "epochs": 1}
    rows = [
        {"part": "images", "data": "mnist", "kind": kind, **script.measured("mnist", kind, size)}
        for kind in ("uniform", "one tree")
    ]
    assert rows[1]["bits"] < rows[0]["bits"]
    assert rows[1]["distance"] < rows[0]["distance"]
    assert rows[0]["test_distance"] < 1e-4  # test images are training images here
    assert "| one tree" in script.tables(rows)


def test_samples_are_drawn_in_a_picture(script, monkeypatch, tmp_path):
    images = blots(40, 4)
    monkeypatch.setattr(script, "images", lambda data, train: images)
    monkeypatch.setattr(script, "CGAE", small)
    script.picture("fashion", {"images": 40, "tested": 20, "epochs": 1}, tmp_path / "samples.png")
    assert (tmp_path / "samples.png").stat().st_size > 1000


def blots(number, first):
    """Two squares of 5 x 5 on a background of 0, in columns from ``first`` on."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(number, 28, 28)
    for image in images:
        for row, column in zip(torch.randint(23, (2,), generator=generator), (first, first + 5), strict=True):
            image[row : row + 5, column : column + 5] = torch.rand(5, 5, generator=generator)
    return images


def small(shape):
    model = CGAE(shape, 4, 2, 5)
    fit = model.fit
    model.fit = lambda x, epochs: fit(x, epochs=epochs, batch_size=20)
    return model
