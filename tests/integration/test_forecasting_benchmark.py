"""The benchmark of forecasters: which windows it scores, and that every family learns."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.models import Forecaster


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The benchmark's modules in an empty folder, on one thread."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in ("forecasting", "forecasting_models")})
    torch.set_num_threads(threads)


def test_errors_of_persistence_equal_a_loop(bench):
    """Windows of 12 + h steps inside the test part, the last one left out; all steps up to h, or step h alone."""
    test = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).cumsum(0)
    found = bench.forecasting.errors(Forecaster(3), test, start=0)
    for place, h in enumerate((3, 6, 9, 12)):
        error = torch.stack(
            [torch.stack([test[i + 11 + step] - test[i + 11] for step in range(1, h + 1)]) for i in range(40 - 12 - h)]
        )
        assert found["rmse"][place] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-5)
        assert found["mae"][place] == pytest.approx(error.abs().mean().item(), rel=1e-5)
        assert found["rmse_at"][place] == pytest.approx(error[:, -1].square().mean().sqrt().item(), rel=1e-5)
        assert found["mae_at"][place] == pytest.approx(error[:, -1].abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize("name", ["linear", "var", "gru", "identity", "adaptive", "attention", "scge", "road"])
def test_every_family_trains(bench, name):
    graph = SharedGraph.from_grid((3, 3))
    x = torch.randn(90, 9, generator=torch.Generator().manual_seed(0))
    setting = bench.forecasting.settings(name)[0]
    record = bench.forecasting.measure(name, 0, setting, {"scge": graph, "road": graph}, x, 60, 1)
    persistence = bench.forecasting.errors(Forecaster(9), x[60:], 60)
    assert record["rmse"][3] < persistence["rmse"][3]  # white noise: the mean is a better guess than the last value
    assert record["parameters"] > 0
