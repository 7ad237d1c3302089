"""Parsers of training: options of a model one by one, and a run whose configuration stays what it is."""

from __future__ import annotations

from argparse import ArgumentError, Namespace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from scge_pyg.cli.arguments.parser import Parser
from scge_pyg.usage import UsageError

__all__ = ["OfRun", "WithOptions"]

_OPTIONS = "--model.options"
_FIXED = ("task", "model", "graph", "discover", "teach", "wiring", "cool", "temperature", "snapshots", "data", "run")
_FREE = {"data.x", "data.y", "data.dataset", "data.root", "data.eval_batch_size", "data.workers"}
_FREE |= {"run.folder", "run.accelerator", "run.devices", "run.strategy", "run.force"}
_OF_OTHER_DATA = {"data.columns", "data.drop", "data.header"}
_OF_OTHER_DATA |= {"data.target", "data.missing", "data.val", "data.test", "data.limit", "data.seed"}


class WithOptions(Parser):
    """Reads the value in ``--model.options.NAME VALUE`` as a file is read; elsewhere text in quotes stays text."""

    def parse_args(self, words: list[str]) -> Any:  # type: ignore[override]
        """Parse."""
        try:
            args = super().parse_args(words)
        except ArgumentError as error:
            if f'"{_OPTIONS[2:]}"' in str(error):
                raise UsageError(
                    f"{_OPTIONS} takes options by name, {_OPTIONS}.latent 8 or {_OPTIONS} '{{latent: 8}}' ({error})"
                ) from error
            raise
        defaults = _flat(self.get_defaults())
        for name, value in _flat(args).items():
            if value is None and "." in name and defaults.get(name) is not None:
                raise UsageError(f"--{name} can't be null; leave it out for {defaults[name]}")
        single = ArgumentParser(exit_on_error=False)
        single.add_argument(_OPTIONS, type=dict[str, Any], default={})
        for place, word in enumerate(words):
            if word.startswith(f"{_OPTIONS}."):
                told = [word] if "=" in word else words[place : place + 2]
                args.model.options |= single.parse_args(told).model.options
        return args


class OfRun(WithOptions):
    """Takes the configuration of the run that is named, and refuses one that would be another run."""

    def parse_args(self, words: list[str]) -> Any:  # type: ignore[override]
        """Parse."""
        named = super().parse_args(["--run.folder", "", *words]).input
        if named is None:
            return super().parse_args(words)
        folder = Path(named)
        config = folder / "config.json"
        if not config.is_file():
            raise UsageError(f"{folder} is no folder of a run: it has no config.json")
        run = ["--config", str(config), "--run.folder", str(folder)]
        try:
            told = super().parse_args(run)
        except Exception as error:  # what jsonargparse and yaml let out of a file of something else
            said = " ".join(str(error).split())[:120]
            raise UsageError(
                f"{folder} is no folder of a run: {config} is no configuration of scge fit ({said})"
            ) from error
        args = super().parse_args([*run, *words])
        _check_same(_flat(told), _flat(args), config)
        return args


def _flat(args: Namespace) -> dict[str, Any]:
    """Values by dotted names; those of the model's options as one."""
    found: dict[str, Any] = {}
    for name, value in vars(args).items():
        if isinstance(value, Namespace):
            found |= {f"{name}.{key}": inner for key, inner in _flat(value).items()}
        else:
            found[name] = value
    return found


def _check_same(before: dict[str, Any], now: dict[str, Any], config: Path) -> None:
    free = _FREE.copy()
    if any(before.get(name) != now.get(name) for name in ("data.x", "data.y", "data.dataset")):
        free |= _OF_OTHER_DATA
    if now.get("new") is not None:
        free.add("data.missing")
    if now.get("run.force"):
        free.add("graph")
    changed = [
        f"--{name} {value} ({before.get(name)} in the run)"
        for name, value in now.items()
        if name.split(".")[0] in _FIXED and name not in free and value != before.get(name)
    ]
    if changed:
        raise UsageError(
            f"{', '.join(changed)}: what a run was trained with stays, or its samples and weights would be others; "
            f"leave that out to go by {config}"
        )
