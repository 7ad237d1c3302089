import numpy as np
import pytest
import torch

from scge_pyg import SharedGraph
from scge_pyg.models import (
    Forecaster,
    LinearForecaster,
    SCGEForecaster,
    SharedForecaster,
    fit_forecaster,
    forecasts,
)

LINE = SharedGraph.from_pos(torch.arange(12.0).add(0.1).pow(1.1).unsqueeze(1))


@pytest.mark.parametrize("make", [Forecaster, SharedForecaster])
def test_starts_as_persistence(make):
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(make(5, 4, 3)(x), x[:, :, -1:].expand(-1, -1, 3))


def test_representations():
    assert str(Forecaster(5, 4, 3)) == "Forecaster(nodes=5, window=4, horizon=3)"
    assert str(LinearForecaster(5, 4, 3, lags=2, across=True)) == (
        "LinearForecaster(nodes=5, window=4, horizon=3, lags=2, across=True)"
    )
    shown = str(SCGEForecaster(6, 3, LINE, channels=8, k=4, period=24))
    assert shown.splitlines()[1] == "  nodes=12, window=6, horizon=3, period=24"
    assert "SCGEConv(8, 8, nodes=12, taps=1, k=4, content='gat', heads=4)" in shown


def _fit(series, **options):
    return fit_forecaster(SharedForecaster(5, 4, 3), series, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Forecaster(0, 4, 3), "num_nodes must be a positive integer, got 0"),
        (lambda: Forecaster(5, 4, 3, period=0), "period must be a positive integer"),
        (lambda: LinearForecaster(5, 4, 3, lags=6), "lags must be at most window=4, got 6"),
        (lambda: SharedForecaster(5, 4, 3, channels=0), "channels must be"),
        (lambda: SharedForecaster(5, 4, 3, identity=-1), "identity must be"),
        (lambda: SharedForecaster(5, 4, 3, dropout=1.5), "dropout must be"),
        (lambda: Forecaster(5, 4, 3)(torch.zeros(2, 5, 7)), r"x must be \[B, 5, 4\]"),
        (
            lambda: Forecaster(5, 4, 3)(torch.full((2, 5, 4), torch.nan)),
            "NaN or infinite in 40 of 40 values; fill gaps",
        ),
        (lambda: Forecaster(5, 4, 3, period=9)(torch.zeros(2, 5, 4)), r"time must be .* \[2\], got none"),
        (
            lambda: _fit(torch.zeros(30, 5)),
            "fit_forecaster: series must hold .*=32 windows of 7 steps, got 24; pass .*=24",
        ),
        (lambda: _fit(torch.zeros(6, 5)), "fit_forecaster: series must have at least 7 steps"),
        (
            lambda: _fit(torch.zeros(60, 5).double()),
            r"series must be torch.float32, .* pass series.to\(torch.float32\), or",
        ),
        (lambda: _fit(torch.zeros(60, 5), epochs=0), "fit_forecaster: epochs must be an integer of at least 1, got 0"),
        (lambda: _fit(torch.zeros(60, 5), batch_size=0), "batch_size must be an integer of at least 1, got 0"),
        (lambda: _fit(torch.zeros(60, 5), lr=-1.0), "lr must be a finite number above 0, got -1.0"),
        (lambda: _fit(torch.zeros(60, 5), start=-1), "start must be an integer of at least 0, got -1"),
        (
            lambda: _fit(torch.randn(300, 5), lr=1e30),
            "fit_forecaster: the loss is .* at step .* of .*; lower lr=1e[+]30",
        ),
        (lambda: forecasts(Forecaster(5, 4, 3), torch.zeros(9, 5), start=-1), "forecasts: start must be"),
        (lambda: forecasts(Forecaster(5, 4, 3), torch.zeros(9, 5), batch_size=0), "forecasts: batch_size must be"),
        (
            lambda: forecasts(Forecaster(5, 4, 3), torch.zeros(9, 5).long()),
            r"got torch.int64; pass series.to\(torch.float32\)$",
        ),
        (
            lambda: Forecaster(5, 4, 3)(torch.zeros(2, 5, 4).double()),
            "x must be torch.float32, .* got torch.float64; pass x",
        ),
        (
            lambda: Forecaster(5, 4, 3)(torch.zeros(2, 5, 4), torch.arange(2)),
            "time needs a period, which this model has",
        ),
        (
            lambda: Forecaster(5, 4, 3, period=9)(torch.zeros(2, 5, 4), torch.zeros(2)),
            r"with period=9, time must be .*, an integer tensor \[2\], got torch.float32 \[2\]",
        ),
        (lambda: Forecaster(5, 4, 3, period=9)(torch.zeros(2, 5, 4), [0, 1]), r"an integer tensor \[2\], got list"),
        (lambda: fit_forecaster(SharedForecaster(5, 4, 3), torch.zeros(60, 4)), r"series must be \[T, 5\]"),
        (lambda: fit_forecaster(Forecaster(5, 4, 3), torch.zeros(60, 5)), "no parameters"),
        (lambda: forecasts(Forecaster(5, 4, 3), torch.full((9, 5), torch.inf)), "infinite in 45 of 45"),
        (lambda: LinearForecaster(5, 4, 3).fit(torch.zeros(60, 5), 0.0), "ridge must be positive"),
        (lambda: SCGEForecaster(6, 3, LINE, k=20), "k=20 neighbours"),
        (lambda: SCGEForecaster(6, 3, LINE, heads=0), "heads must be"),
        (lambda: SCGEForecaster(6, 3, LINE, summaries=-1), "summaries must be"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: SCGEForecaster(6, 3, torch.eye(5)),
            "graph must be a SharedGraph or a NodeEmbedding, got Tensor; pass disc",
        ),
        (lambda: _fit(torch.zeros(60, 5), epochs=1.5), "epochs must be an integer of at least 1, got 1.5"),
        (lambda: _fit(torch.zeros(60, 5), lr="fast"), "lr must be a number above 0, got 'fast'"),
    ],
)
def test_bad_types(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_series_must_be_a_tensor():
    with pytest.raises(TypeError, match="series must be a tensor"):
        forecasts(Forecaster(5, 4, 3), np.zeros((60, 5)))
