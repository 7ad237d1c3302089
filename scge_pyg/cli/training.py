"""``scge fit``, ``validate``, ``test`` and ``predict``: a run of :mod:`scge_pyg.train` from its configuration."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from scge_pyg.cli.logs import warnings_as_they_come
from scge_pyg.cli.option_names import as_options
from scge_pyg.cli.predictions import write_predictions
from scge_pyg.cli.show import load_graph
from scge_pyg.train import (
    AutoencodingModule,
    ClassificationModule,
    DiscoverGraph,
    ForecastingModule,
    GraphSnapshots,
    LearnWiring,
    NewSamples,
    NodeModule,
    NodesDataModule,
    Run,
    Temperature,
)
from scge_pyg.train.epoch_lines import EpochLines
from scge_pyg.usage import UsageError

__all__ = ["build_module", "run"]

_MODULES: dict[str, type[NodeModule]] = {
    "classification": ClassificationModule,
    "autoencoding": AutoencodingModule,
    "forecasting": ForecastingModule,
}
_TOLD = ("task", "model", "graph", "discover", "teach", "wiring", "cool", "temperature", "snapshots", "data")


def run(args: Namespace) -> None:
    """Fit, or evaluate the newest weights, and say what was found."""
    try:
        with warnings_as_they_come(shown=args.verbosity >= 0):
            found = _found(args)
    except (ValueError, TypeError, FileNotFoundError, ModuleNotFoundError) as error:
        raise UsageError(as_options(str(error))) from error
    summary = {"run": args.run.folder, **found}
    if args.json:
        print(json.dumps(summary, indent=2))
    elif args.verbosity >= 0:
        print(
            "\n".join(
                f"{name}: {value:.6g}" if isinstance(value, float) else f"{name}: {value}"
                for name, value in summary.items()
            )
        )


def build_module(task: str, options: dict[str, Any], graph: str) -> NodeModule:
    """The module of a task from what was said of it, ``None`` where nothing was.

    Raises:
        UsageError: If something was said that the task doesn't know.
    """
    given = {name: value for name, value in options.items() if value is not None and name not in ("name", "options")}
    given |= {} if options["name"] is None else {"model": options["name"]}
    try:
        known = None if graph in ("discover", "none") else load_graph(Path(graph))
        return _MODULES[task](options=options["options"], graph=known, **given)
    except TypeError as error:
        foreign = [name for name in given if f"'{name}'" in str(error)]
        if not foreign:
            raise
        raise UsageError(f"--model.{foreign[0]} has no meaning for the task {task}") from error


def _found(args: Namespace) -> dict[str, Any]:
    """What the command is for."""
    told = args.as_dict()
    work = Run(**told["run"])
    module = build_module(args.task, told["model"], args.graph)
    data = NodesDataModule(task=args.task, **told["data"])
    callbacks = _callbacks(args, told, work)
    match args.command:
        case "fit":
            config = {name: told[name] for name in _TOLD} | {"run": {"epochs": work.epochs, "seed": work.seed}}
            lines = [] if args.verbosity < 0 else [EpochLines()]
            return work.fit(module, data, [*callbacks, *lines], config)
        case "predict":
            if args.new is not None:
                data = NewSamples(args.new, task=args.task, **_but_x(told["data"]))
            found = work.predict(module, data, callbacks)
            if args.output is not None:
                write_predictions(Path(args.output), found, data)
            return {"shape": list(found.shape), "written": args.output}
        case "test":
            return work.test(module, data, callbacks)
    return work.validate(module, data, callbacks)


def _but_x(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "x"}


def _callbacks(args: Namespace, told: dict[str, Any], work: Run) -> list[Callback]:
    callbacks: list[Callback] = []
    if args.graph == "discover" and args.model.places is None:
        callbacks.append(DiscoverGraph(work.folder.graph_file, **told["discover"]))
    if args.teach:
        callbacks.append(LearnWiring(**told["wiring"]))
    if args.cool:
        callbacks.append(Temperature(**told["temperature"]))
    if args.snapshots:
        callbacks.append(GraphSnapshots(work.folder.graphs, every=args.snapshots))
    return callbacks
