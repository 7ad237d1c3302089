"""The compression benchmark on textures that take seconds: every model, an interruption, shards, the tables."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch


def textures(count, seed):
    """Smooth noise of 28x28 pixels in [0, 1], in true order ``[count, 784, 1]``."""
    noise = torch.randn(count, 1, 34, 34, generator=torch.Generator().manual_seed(seed))
    profile = torch.exp(-torch.linspace(-1.5, 1.5, 7).square())
    smooth = torch.nn.functional.conv2d(noise, torch.outer(profile, profile)[None, None])
    return (0.5 + 0.5 * smooth / smooth.abs().max()).view(count, 784, 1)


@pytest.fixture
def compression(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    module = importlib.import_module("compression")

    def dataset(root, train=True):
        x = textures(320, 0) if train else textures(100, 1)
        return SimpleNamespace(x=x, y=torch.arange(len(x)) % 10)

    monkeypatch.setattr(module, "FashionMNISTNodes", dataset)
    monkeypatch.setattr(module, "MNISTNodes", dataset)
    monkeypatch.chdir(tmp_path)
    yield module
    module.images.cache_clear()


def run(module, monkeypatch, *options):
    monkeypatch.setattr(sys, "argv", ["compression.py", *options])
    module.main()


def test_every_model_is_measured_once(compression, monkeypatch, capsys):
    run(compression, monkeypatch, "--quick", "--epochs", "1", "--output", "all.json")
    records = {r["model"]: r for r in json.loads(Path("all.json").read_text())["records"]}
    assert set(records) == set(compression.MODELS) - set(compression._FULL_ONLY)
    assert not any(r["diverged"] for r in records.values())
    order = torch.randperm(320, generator=torch.Generator().manual_seed(0))
    x, test = (images.squeeze(2).double().numpy() for images in (textures(320, 0)[order], textures(100, 1)))
    axes = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:16]
    centred = test - x.mean(0)
    rest = np.square(centred - centred @ axes.T @ axes).sum(1).mean()
    assert records["pca"]["error"] == pytest.approx(rest, rel=1e-5)
    assert "lattice" in records["scge"]["graph"]
    assert records["scge"]["parameters"] == records["conv"]["parameters"] == records["conv-shuffled"]["parameters"]
    assert all(np.isfinite(r["error"]) for r in records.values())
    assert records["locally-linear"]["error"] < 0.9 * np.square(centred).sum(1).mean()
    assert records["conv"]["parameters"] + 16 * 257 == records["vae-conv"]["parameters"]  # deviations of the code


def test_an_interrupted_run_goes_on(compression, monkeypatch, capsys):
    options = ("--quick", "--epochs", "1", "--models", "pca", "mlp", "--output", "two.json")
    run(compression, monkeypatch, *options)
    before = Path("two.json").read_text()

    def refuse(*args):
        raise RuntimeError("measured twice")

    monkeypatch.setattr(compression, "measure", refuse)
    run(compression, monkeypatch, *options, "--resume")
    assert Path("two.json").read_text() == before
    with pytest.raises(RuntimeError, match="measured twice"):
        run(compression, monkeypatch, *options)
    with pytest.raises(SystemExit, match="other settings"):
        run(compression, monkeypatch, *options, "--resume", "--epochs", "2")


def test_shards_are_all_cells_and_no_cell_twice(compression, monkeypatch, capsys):
    measured = []

    def note(cell, epochs, device):
        measured.append(cell)
        return {**vars(cell), "error": 1.0, "seconds": 1.0, "parameters": 1}

    monkeypatch.setattr(compression, "measure", note)
    for shard in range(3):
        run(compression, monkeypatch, "--shard", f"{shard}/3")
    assert sorted(map(repr, measured)) == sorted(map(repr, compression.cells(quick=False, seeds=range(3))))
    assert len(set(measured)) == len(measured)


def test_the_grid_of_runs(compression):
    cells = set(compression.cells(quick=False, seeds=range(3)))

    def has(part, data, model, latent, seed=0, images=60_000):
        return compression.Cell(part, data, model, latent, seed, images) in cells

    every = range(3)
    for data in ("fashion", "mnist", "two-class"):
        for model in ("mlp", "conv", "conv-shuffled", "scge", "scge-free", "scge-learned"):
            assert all(has("main", data, model, latent, seed) for latent in (16, 32) for seed in every)
        for model in ("linear", "mlp-bn", "local", "scge-random", "scge-content", "locally-linear", "second-order"):
            assert all(has("other", data, model, 16, seed) for seed in every)
        for model in ("vae-mlp", "vae-conv", "vae-scge", "beta-vae-mlp", "beta-vae-conv", "beta-vae-scge"):
            assert [has("other", data, model, 16, seed) for seed in every] == [True, False, False]
        assert all(has("other", data, "transformer", latent) for latent in (16, 32))
    for model in ("mlp", "conv", "scge"):
        assert all(has("latents", "fashion", model, latent) for latent in (2, 4, 8, 64))
        assert all(has("images", "fashion", model, 16, images=images) for images in (1_000, 10_000))


def test_variational_models_wrap_the_others(compression):
    build = importlib.import_module("compression_models").build
    for name, beta, base in (("vae-conv", 1.0, "ConvAutoEncoder"), ("beta-vae-mlp", 4.0, "MLPAutoEncoder")):
        model, _ = build(name, textures(4, 0), 3, 0)
        assert model.beta == beta
        assert type(model.model).__name__ == base


def test_tables_say_what_was_measured(compression):
    def record(model, error, part="main", latent=16, seed=0, images=60_000):
        return {
            "part": part, "data": "mnist", "model": model, "latent": latent, "seed": seed, "images": images,
            "error": error, "seconds": 10.0 * (1 + seed), "parameters": 1234,
        }  # fmt: skip

    records = [record("pca", 20.0), record("conv", 8.0), record("conv", 10.0, seed=1), record("scge", 9.9)]
    errors, ladder = compression.tables(records).split("\n\n")
    rows = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in errors.split("\n")}
    assert rows["convolutional, true grid"] == ["1,234", "9.000 ± 1.414 (2)", "15"]
    assert rows["PCA"] == ["1,234", "20.000 (1)", "10"]
    cells = [cell.strip() for cell in ladder.split("\n")[2].split("|")[1:-1]]
    assert cells == ["MNIST", "16", "1.00", "", "0.45", "0.49", "1.100", "", "", ""]
    curve = compression.tables([*records, record("conv", 30.0, part="latents", latent=2)]).split("\n\n")[2]
    assert [cell.strip() for cell in curve.split("\n")[2].split("|")[2:-1]] == ["30.000", "8.000"]


def test_the_figure_has_a_curve_for_each_model_and_the_dimension_of_the_data(compression):
    figure = importlib.import_module("compression_figure").errors_over_latents
    known = {"pca": [9.0, 7.0], "mlp": [8.0, 6.0], "conv": [7.0, 4.0], "scge": [6.0, 3.0]}
    records = [
        {"model": name, "data": "fashion", "latent": latent, "seed": 0, "error": error}
        for name, errors in known.items()
        for latent, error in zip((16, 4), reversed(errors), strict=True)
    ]
    axes = figure([*records, {**records[0], "seed": 1, "error": 99.0}], "fashion").axes[0]
    dimension, *curves = axes.get_lines()
    assert [list(curve.get_ydata()) for curve in curves] == list(known.values())
    assert all(list(curve.get_xdata()) == [4, 16] for curve in curves)
    x = compression.images("fashion")[0]
    found = importlib.import_module("scge_pyg.analysis").intrinsic_dimension(x, 20).dimension.item()
    assert dimension.get_xdata()[0] == pytest.approx(found)
    assert f"{found:.1f}" in importlib.import_module("compression_figure").dimensions().split("\n")[2].split("|")[4]
