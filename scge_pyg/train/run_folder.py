"""`RunFolder`: one folder for all that a run was told, did and found."""

from __future__ import annotations

import csv
import json
import os
import platform
import uuid
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scge_pyg.graph import SharedGraph
from scge_pyg.train.checkpoint_files import checkpoints_in, newest_checkpoint
from scge_pyg.train.held_folder import held_folder

__all__ = ["Plain", "RunFolder", "differences", "versions"]

Plain = bool | int | float | str | None | Sequence["Plain"] | Mapping[str, "Plain"]
_PACKAGES = ("scge-pyg", "torch", "torch-geometric", "lightning", "numpy")


def versions() -> dict[str, str]:
    """Versions of what a run is made of."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> list[str]:
    """One line for each value of a nested configuration that isn't what it was.

    Example:
        >>> differences({"model": {"lr": 0.1, "k": 3}}, {"model": {"lr": 0.2}, "seed": 1})
        ['model.lr: 0.1 before, 0.2 now', 'model.k: 3 before, absent now', 'seed: absent before, 1 now']
    """
    lines: list[str] = []
    for key in [*before, *(key for key in now if key not in before)]:
        old, new = before.get(key, _ABSENT), now.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{above}{key}.")
        elif old != new or type(old) is not type(new):
            shown = ("absent" if value is _ABSENT else json.dumps(value) for value in (old, new))
            lines.append("{}{}: {} before, {} now".format(above, key, *shown))
    return lines


_ABSENT = object()


def _plain(config: Mapping[str, Plain]) -> dict[str, Any]:
    """A configuration as JSON gives it back."""
    try:
        told = json.loads(json.dumps(config))
    except TypeError as error:
        raise TypeError(f"RunFolder: config must hold plain values, as JSON does ({error})") from error
    if not isinstance(told, dict):
        raise TypeError(f"RunFolder: config must be a mapping, got {type(config).__name__}")
    return told


class RunFolder:
    """The files of a run.

    =====================  ==========================================================================================
    ``config.json``        what it was told; ``config.1.json`` ..., what before it was forced to another
    ``versions.json``      seed, and versions of Python and the packages
    ``graph.safetensors``  the geometry that was found
    ``checkpoints/``       the newest states (:class:`Checkpoints`)
    ``metrics/``           one CSV for each start
    ``pictures/``          map of the graph, curves
    ``graphs/``            snapshots of trained places (:class:`GraphSnapshots`)
    ``run.lock``           number of the process that fits, held while it does
    =====================  ==========================================================================================

    Args:
        path: The folder; made when something is written.

    Example:
        >>> import tempfile
        >>> folder = RunFolder(tempfile.mkdtemp())
        >>> folder.begin({"lr": 0.1}, seed=0)
        >>> folder.config()
        {'lr': 0.1}
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def graph_file(self) -> Path:
        """File of the graph."""
        return self.path / "graph.safetensors"

    @property
    def pictures(self) -> Path:
        """Folder of the pictures."""
        return self.path / "pictures"

    @property
    def graphs(self) -> Path:
        """Folder of the snapshots of trained places."""
        return self.path / "graphs"

    def compare(self, config: Mapping[str, Plain], *, seed: int, force: bool = False) -> None:
        """Refuse to go on with another configuration; a folder without a checkpoint holds nothing to go on from.

        Args:
            config: Nested plain values.
            seed: Of all random numbers.
            force: Don't refuse.

        Raises:
            ValueError: If the folder holds a run with another configuration or seed; the message says what differs.
            TypeError: If ``config`` holds something that JSON doesn't.

        Warns:
            UserWarning: If a version changed: the bits may, too.
        """
        told = _plain(config)
        if not checkpoints_in(self.checkpoints):
            return
        lines = self._changes(told, seed)
        if lines and not force:
            shown = ";\n  ".join(lines)
            planned = any(line.startswith(("epochs:", "run.epochs:")) for line in lines)
            raise ValueError(
                f"RunFolder: {self.path} holds a run with another configuration:\n  {shown}.\n"
                f"Give the configuration of that run to go on, or another folder (--run.folder) to start anew; "
                + (
                    "its learning rate is laid over all of its epochs, so more or fewer are another run"
                    if planned
                    else "force=True (--run.force true) goes on with this one"
                )
            )
        known = self._json("versions.json") or {}
        for line in differences({**known, "seed": 0}, {"seed": 0, **versions()}):
            warnings.warn(f"RunFolder: {line}; results may differ in their bits", UserWarning, stacklevel=3)

    def begin(self, config: Mapping[str, Plain], *, seed: int, force: bool = False) -> None:
        """Write down what a run is told, once that may follow what is there (:meth:`compare`).

        What was written before, if it is something else, is kept beside it.
        """
        self.compare(config, seed=seed, force=force)
        told, before = _plain(config), self.config()
        if before is not None and self._changes(told, seed):
            number = 1 + len(list(self.path.glob("config.*.json")))
            self._write(f"config.{number}.json", before)
        self.path.mkdir(parents=True, exist_ok=True)
        self._write("config.json", told)
        self._write("versions.json", {"seed": seed, **versions()})

    def _changes(self, told: Mapping[str, Any], seed: int) -> list[str]:
        before, known = self.config(), self._json("versions.json") or {}
        lines = [] if before is None else differences(before, told)
        return lines + differences({"seed": known.get("seed", seed)}, {"seed": seed})

    def held(self) -> AbstractContextManager[None]:
        """Keep other processes from fitting in this folder; the kernel lets go of it when a process is killed.

        Raises:
            ValueError: If another process fits here, or the path is no folder.
        """
        return held_folder(self.path)

    def config(self) -> dict[str, Any] | None:
        """What the run was told; None in a new folder."""
        return self._json("config.json")

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that can be read, with its content (:func:`newest_checkpoint`)."""
        return newest_checkpoint(self.checkpoints)

    def graph(self) -> SharedGraph | None:
        """The geometry of the run; None where there is none."""
        return SharedGraph.load(self.graph_file) if self.graph_file.exists() else None

    def metrics(self) -> dict[str, list[tuple[int, float]]]:
        """Steps and values of each metric, over all starts; what was repeated after a kill counts once, as repeated."""
        series: dict[str, dict[int, float]] = {}
        for number in range(self.starts()):
            rows = list(self._rows(self.path / "metrics" / f"version_{number}" / "metrics.csv"))
            first = min((step for step, _ in rows), default=None)
            for values in series.values():
                for step in [step for step in values if first is not None and step >= first]:
                    del values[step]
            for step, row in rows:
                for name, value in row.items():
                    series.setdefault(name, {})[step] = value
        return {name: sorted(values.items()) for name, values in series.items() if values}

    def starts(self) -> int:
        """How often the run was started."""
        return len(list((self.path / "metrics").glob("version_*")))

    @staticmethod
    def _rows(path: Path) -> list[tuple[int, dict[str, float]]]:
        """Rows of a file that a kill may have cut off."""
        rows: list[tuple[int, dict[str, float]]] = []
        if not path.exists():
            return rows
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                try:
                    values = {key: float(cell) for key, cell in row.items() if cell}
                    rows.append((int(values.pop("step")), values))
                except (KeyError, TypeError, ValueError):
                    continue
        return [(step, {key: value for key, value in row.items() if key != "epoch"}) for step, row in rows]

    def _json(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(
                f"RunFolder: {path} is damaged ({error}); remove it, or start in another folder"
            ) from error
        if not isinstance(content, dict):
            raise ValueError(f"RunFolder: {path} must hold a JSON object; remove it, or start in another folder")
        return content

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        """A file that appears whole."""
        temporary = self.path / f"{name}.{uuid.uuid4().hex}.tmp"
        try:
            temporary.write_text(json.dumps(content, indent=1) + "\n")
            temporary.replace(self.path / name)
        finally:
            temporary.unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"
