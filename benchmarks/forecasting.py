"""Forecasting a week of METR-LA: a shared network on the discovered graph, beside eight others.

12 steps of 5 minutes in, 12 out, in miles an hour, at 207 detectors. The last 20 % of the week are the test, seen by
nobody before; networks train on the first 80 % by one recipe (`fit_forecaster`, the last epoch counts), and `discover`
sees these 80 % alone. `--tune` trains on the first 60 % and scores the 20 % behind them, with seeds of 100 and above.

Errors are read in two ways. *All steps up to h*, as T-GCN's authors do on this file: windows of 12 + h steps that begin
and end in the test part, the last one left out; persistence then has the published 5.54 / 6.70 / 7.63 / 8.46. *Step h
alone*, as DCRNN's do, on the same windows.

    python benchmarks/forecasting.py --quick              # one seed, two epochs
    python benchmarks/forecasting.py                      # everything; --resume goes on after a break
    python benchmarks/forecasting.py --tune               # the grid from which settings were chosen
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from forecasting_models import LABELS, LINEAR, OWN, build
from report import Records, markdown_table
from torch import Tensor

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import METRLANodes
from scge_pyg.models import Forecaster, LinearForecaster, fit_forecaster

_CACHE = Path(os.environ.get("SCGE_CACHE", "results/cache"))
_HORIZONS = (3, 6, 9, 12)
_FULL, _QUICK = {"epochs": None, "seeds": 3}, {"epochs": 2, "seeds": 1}
_PUBLISHED = {"rmse": (5.54, 6.70, 7.63, 8.46), "mae": (3.16, 3.63, 4.04, 4.43)}
# learning rate, passes, dropout, and which level of a family's own two factors
_GRID = [
    (3e-3, 5, 0.1, 0, 0),
    (1e-2, 5, 0.3, 1, 0),
    (3e-3, 10, 0.3, 0, 1),
    (1e-2, 10, 0.1, 1, 1),
    (1e-2, 5, 0.1, 0, 1),
    (1e-2, 5, 0.1, 1, 1),
]
_LINEAR_GRID = [{"lags": lags, "ridge": ridge} for lags in (1, 3, 6, 12) for ridge in (0.01, 0.03, 0.1, 0.3, 1, 3)]
_TUNING_SEED = 100
_SEEDLESS = (*LINEAR, "persistence")
# chosen by --tune, all but the GRU's, which wasn't tuned
_CHOSEN: dict[str, dict[str, Any]] = {
    "linear": {"lags": 3, "ridge": 0.1},
    "var": {"lags": 3, "ridge": 0.3},
    "gru": {"lr": 1e-2, "epochs": 5, "dropout": 0.1, "weight_decay": 1e-2, "waves": 4, "identity": 16},
    "identity": {"lr": 1e-2, "epochs": 10, "dropout": 0.1, "weight_decay": 1e-2, "waves": 8, "layers": 3},
    "adaptive": {"lr": 3e-3, "epochs": 10, "dropout": 0.3, "weight_decay": 1e-2, "rank": 10, "steps": 2},
    "attention": {"lr": 1e-2, "epochs": 10, "dropout": 0.1, "weight_decay": 1e-2, "heads": 4, "layers": 2},
    "scge": {"lr": 3e-3, "epochs": 10, "dropout": 0.3, "weight_decay": 1e-2, "k": None, "summaries": 8},
}
_CHOSEN["road"] = _CHOSEN["scge"]


def graphs_of(data: METRLANodes, train: Tensor, names: list[str]) -> dict[str, SharedGraph]:
    """The discovered graph and the true one, where asked for."""
    graphs = {}
    if "scge" in names:
        graphs["scge"] = discover(train)
    if "road" in names and data.pos is not None and data.edge_index is not None:
        graphs["road"] = SharedGraph(data.pos, data.edge_index)
    return graphs


def errors(model: Forecaster, test: Tensor, start: int) -> dict[str, list[float]]:
    """RMSE and MAE of all steps up to each horizon, and of that step alone."""
    windows = test.unfold(0, 12, 1)
    model.eval()
    clock = None if model.period is None else torch.arange(len(windows)) + 11 + start
    with torch.no_grad():
        guess = model(windows, clock)
    found: dict[str, list[float]] = {"rmse": [], "mae": [], "rmse_at": [], "mae_at": []}
    for h in _HORIZONS:
        came = test[12:].unfold(0, h, 1)[:-1]
        error = (guess[: len(came), :, :h] - came).double()
        for key, part in (("", error), ("_at", error[:, :, -1])):
            found[f"rmse{key}"].append(part.square().mean().sqrt().item())
            found[f"mae{key}"].append(part.abs().mean().item())
    return found


def measure(
    name: str,
    seed: int,
    setting: dict[str, Any],
    graphs: dict[str, SharedGraph],
    x: Tensor,
    cut: int,
    epochs: int | None,
) -> dict[str, Any]:
    """Train on the steps before ``cut`` and score those behind it."""
    recipe = {key: setting[key] for key in ("lr", "weight_decay", "epochs") if key in setting}
    ridge = setting.get("ridge")
    shape = {key: value for key, value in setting.items() if key not in (*recipe, "ridge")}
    torch.manual_seed(seed)
    model = build(name, x.shape[1], graphs, shape)
    begin = time.perf_counter()
    if isinstance(model, LinearForecaster):
        model.fit(x[:cut], ridge)
    elif name != "persistence":
        recipe |= {} if epochs is None else {"epochs": epochs}
        fit_forecaster(model, x[:cut], seed=seed, progress=f"{name}, seed {seed}", **recipe)
    seconds = time.perf_counter() - begin
    size = sum(p.numel() for p in model.parameters())
    if isinstance(model, LinearForecaster):
        size = model.weight.numel() + model.bias.numel()
    record = {"model": name, "seed": seed, "setting": setting, "parameters": size, "seconds": round(seconds, 1)}
    return record | errors(model, x[cut:], cut)


def settings(name: str) -> list[dict[str, Any]]:
    """The grid of a family: six settings of a network, 24 of a linear model."""
    if name in LINEAR:
        return _LINEAR_GRID
    rows = []
    for lr, epochs, dropout, *levels in _GRID:
        own = {key: pair[level] for (key, pair), level in zip(OWN[name].items(), levels, strict=True)}
        rows.append({"lr": lr, "epochs": epochs, "dropout": dropout, "weight_decay": 1e-2, **own})
    return rows


def tune(records: Records, data: METRLANodes, names: list[str], epochs: int | None, seconds: float) -> None:
    """Score the grid on the 20 % before the test, and print it with what follows from it."""
    x = data.x[: int(0.8 * len(data.x)), :, 0]
    cut = int(0.6 * len(data.x))
    graphs = graphs_of(data, x[:cut], names)
    stop = time.monotonic() + seconds
    lines, chosen = [], {}
    for name in names:
        found = []
        for setting in settings(name):
            record = records.find(model=name, setting=setting)
            if record is None and time.monotonic() < stop:
                record = measure(name, _TUNING_SEED, setting, graphs, x, cut, epochs)
                records.add(record)
            if record is not None:
                found.append(record)
                lines.append([name, _told(setting), f"{score(record):.3f}", f"{record['seconds']:.0f}"])
        if found and len(found) == len(settings(name)):
            chosen[name] = min(found, key=score)["setting"]
    print(markdown_table(["model", "setting", "mean RMSE of the four horizons", "seconds"], lines))
    for name, setting in chosen.items():
        print(f"{name}: {_told(setting)}")


def _told(setting: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in setting.items())


def score(record: dict[str, Any]) -> float:
    """What settings are chosen by."""
    return mean(record["rmse"])


def table(records: list[dict[str, Any]]) -> str:
    """The tables, in Markdown."""
    parts = []
    steps = " / ".join(map(str, _HORIZONS))
    for key, title in (("", f"all steps up to {steps}"), ("_at", f"step {steps} alone")):
        lines = []
        for name, label in LABELS.items():
            found = [r for r in records if r["model"] == name]
            if not found:
                continue
            rmse, mae = (
                " / ".join(f"{mean(r[e + key][i] for r in found):.2f}" for i in range(4)) for e in ("rmse", "mae")
            )
            spread = max(stdev(r[f"rmse{key}"][i] for r in found) for i in range(4)) if len(found) > 1 else 0.0
            cost = [f"{found[0]['parameters']:,}", f"{mean(r['seconds'] for r in found):.0f}"]
            lines.append([label, rmse, mae, f"{spread:.2f}" if spread else "", *([] if key else cost)])
        head = [title, "RMSE", "MAE", "deviation over seeds, at most", *([] if key else ["parameters", "seconds"])]
        parts.append(markdown_table(head, lines))
    own = _means(records, "scge")
    if own:
        worse = [
            f"{LABELS[name]} at {h} ({other[i]:.3f}, ours {own[i]:.3f})"
            for name in LABELS
            if name not in ("scge", "road") and (other := _means(records, name))
            for i, h in enumerate(_HORIZONS * 2)
            if other[i] <= own[i]
        ]
        parts.append(
            "Below every forecaster without the road graph: " + ("not " + "; ".join(worse) if worse else "yes")
        )
    return "\n\n".join(parts)


def _means(records: list[dict[str, Any]], name: str) -> list[float]:
    """Mean RMSE of both readings."""
    found = [r["rmse"] + r["rmse_at"] for r in records if r["model"] == name]
    return [mean(values) for values in zip(*found, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, two epochs")
    parser.add_argument("--tune", action="store_true", help="score the grid on the 20 %% before the test")
    parser.add_argument("--resume", action="store_true", help="keep the records of an interrupted run")
    parser.add_argument("--models", nargs="+", choices=LABELS, default=list(LABELS))
    parser.add_argument("--seconds", type=float, default=1e9, help="start nothing after so long; --resume goes on")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = _QUICK if options.quick else _FULL
    kind = f"{'_tune' if options.tune else ''}{'_quick' if options.quick else ''}"
    records = Records(options.output or Path(f"results/forecasting{kind}.json"), size, resume=options.resume)
    data = METRLANodes(_CACHE / "metr_la")
    if options.tune:
        tune(records, data, [name for name in options.models if name != "persistence"], size["epochs"], options.seconds)
        return
    x = data.x[:, :, 0]
    cut = int(0.8 * len(x))
    graphs = graphs_of(data, x[:cut], options.models)
    stop = time.monotonic() + options.seconds
    for seed in range(size["seeds"]):
        for name in options.models if seed == 0 else [name for name in options.models if name not in _SEEDLESS]:
            if records.find(model=name, seed=seed) is None and time.monotonic() < stop:
                records.add(measure(name, seed, _CHOSEN.get(name, {}), graphs, x, cut, size["epochs"]))
    for key, known in _PUBLISHED.items():
        for record in records.items:
            if record["model"] == "persistence" and tuple(round(v, 2) for v in record[key]) != known:
                raise SystemExit(f"persistence has {key} {record[key]}, published are {known}")
    print(table(records.items))


if __name__ == "__main__":
    main()
