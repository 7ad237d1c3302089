"""Killed and resumed: is the end the same to the bit?

A run of each kind is trained to its end. The same run is then killed by SIGKILL, fitted again in the same folder, and
compared with the first: weights, optimiser, schedule, place in the order of samples, random numbers, graph, and which
samples were trained on at which step. Half of the kills come from outside, at a random step of the run; the other
half strike while a random checkpoint is written, before the bytes are on the disk or before the file has its name.

    python benchmarks/resume.py            # 20 kills of each kind
    python benchmarks/resume.py --quick    # 4
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from report import markdown_table
from torch import Tensor

from scge_pyg.train import (
    AutoencodingModule,
    ClassificationModule,
    DiscoverGraph,
    ForecastingModule,
    NodeModule,
    NodesDataModule,
    Run,
    checkpoint_files,
)

_KINDS = ("classification", "autoencoding", "forecasting")


class Seen(Callback):
    """Notes a digest of each batch that was trained on, in a file that survives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """One line for each step."""
        digest = hashlib.sha256(batch[0].contiguous().numpy().tobytes()).hexdigest()
        with self.path.open("a") as file:
            file.write(f"{trainer.global_step} {trainer.current_epoch} {digest}\n")


def build(kind: str, folder: Path) -> tuple[Run, NodeModule, NodesDataModule]:
    """A small run of each kind; the last with two workers, and dropout that draws from the global random numbers."""
    run = Run(folder, epochs=3, checkpoint_every=7, accelerator="cpu", log_every=5)
    small: dict[str, Any] = {"batch_size": 32, "seed": 4}
    if kind == "classification":
        module: NodeModule = ClassificationModule("SCGEClassifier", {"channels": [4, 8]})
        return run, module, NodesDataModule(dataset="DigitsNodes", limit=700, shuffle_nodes=1, **small)
    if kind == "autoencoding":
        module = AutoencodingModule("SCGEAutoEncoder", {"latent": 4, "channels": [4, 8], "hidden": 16})
        data = NodesDataModule(dataset="DigitsNodes", task="autoencoding", limit=700, shuffle_nodes=1, **small)
        return run, module, data
    walk = torch.randn(900, 24, generator=torch.Generator().manual_seed(0)).cumsum(1)
    series = 0.9 * walk[:-1] + walk[1:]
    module = ForecastingModule("SCGEForecaster", {"channels": 8, "layers": 1, "summaries": 2, "dropout": 0.1})
    return run, module, NodesDataModule(series, task="forecasting", window=6, horizon=3, workers=2, **small)


def train(kind: str, folder: Path) -> None:
    """Fit to the end, from wherever the folder stands."""
    torch.set_num_threads(1)
    run, module, data = build(kind, folder)
    run.fit(module, data, [DiscoverGraph(run.folder.graph_file), Seen(folder / "seen.txt")])


def in_child(task: Callable[[], None], seen: Path | None = None, step: int = 0) -> int:
    """Run a task in a fork, perhaps killed from outside once ``seen`` has ``step`` lines; its exit status."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                task()
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    while seen is not None:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if seen.exists() and seen.read_bytes().count(b"\n") >= step:
            os.kill(child, signal.SIGKILL)
            break
        time.sleep(random.uniform(0.0, 0.004))
    return os.waitpid(child, 0)[1]


def dying_at(write: int, before: str) -> None:
    """From now on this process dies at the given write of a checkpoint, before ``fsync`` or before ``replace``."""
    count = 0
    plain = getattr(os, before)

    class Deadly:
        """The module ``os`` with one deadly function."""

        def __getattr__(self, name: str) -> Any:
            return dying if name == before else getattr(os, name)

    def dying(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == write:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*arguments)

    checkpoint_files.os = Deadly()  # type: ignore[assignment]


def outcome(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The last checkpoint, and the samples of each step, as they were trained on last."""
    path = checkpoint_files.checkpoints_in(folder / "checkpoints")[0]
    seen = dict(line.split(" ", 1) for line in (folder / "seen.txt").read_text().splitlines())
    return checkpoint_files.read_checkpoint(path), seen


def differing(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two checkpoints differ."""
    if isinstance(one, Tensor):
        return [] if torch.equal(one, other) or _both_nan(one, other) else [where]
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return [f"{where} (keys)"]
        return [line for key in one for line in differing(one[key], other[key], f"{where}/{key}")]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [f"{where} (length)"]
        return [
            line
            for place, pair in enumerate(zip(one, other, strict=True))
            for line in differing(*pair, f"{where}/{place}")
        ]
    if isinstance(one, str) and one.startswith("{"):
        return [] if _without_clock(one) == _without_clock(other) else [where]
    return [] if one == other else [where]


def _without_clock(header: str) -> Any:
    """The header of a graph without the seconds that discovery took."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cleaned(entry) for key, entry in value.items() if key != "seconds"}
        return [cleaned(entry) for entry in value] if isinstance(value, list) else value

    return cleaned(json.loads(header))


def _both_nan(one: Tensor, other: Tensor) -> bool:
    same = one.shape == other.shape and one.dtype == other.dtype and one.is_floating_point()
    return same and bool(((one == other) | (one.isnan() & other.isnan())).all())


def measure(kind: str, kills: int, seed: int) -> list[list[str]]:
    """What differs after each kill, resumed once."""
    draw = random.Random(f"{kind}{seed}")
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        if in_child(lambda: train(kind, whole)):
            raise SystemExit(f"{kind}: the run that isn't killed failed")
        checkpoint, seen = outcome(whole)
        writes = len(seen) // 7  # or a few more, as epochs end with one
        results: list[list[str]] = []
        for number in range(kills):
            folder = Path(scratch) / str(number)
            if number % 2:
                write, before = draw.randint(1, writes), draw.choice(["fsync", "replace"])

                def struck(write: int = write, before: str = before, folder: Path = folder) -> None:
                    dying_at(write, before)
                    train(kind, folder)

                status, what = in_child(struck), f"write {write}, before {before}"
            else:
                step = draw.randint(1, len(seen) - 1)
                status = in_child(lambda folder=folder: train(kind, folder), folder / "seen.txt", step)
                what = f"after step {step}"
            if not status:
                raise SystemExit(f"{kind}: the run ended before it was killed ({what})")
            done = (folder / "seen.txt").read_bytes().count(b"\n")
            if in_child(lambda folder=folder: train(kind, folder)):
                results.append(["resuming failed"])
                continue
            after, seen_after = outcome(folder)
            lines = differing(checkpoint, after) + ([] if seen == seen_after else ["samples"])
            results.append(lines)
            said = f"{kind} {number + 1}/{kills}: killed {what}, {done} steps seen"
            print(f"{said}; {lines or 'same bits'}", file=sys.stderr)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 kills of each kind")
    parser.add_argument("--kills", type=int, help="kills of each kind")
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=list(_KINDS))
    parser.add_argument("--seed", type=int, default=0, help="of the steps")
    options = parser.parse_args()
    kills = options.kills or (4 if options.quick else 20)
    lines = []
    for kind in options.kinds:
        results = measure(kind, kills, options.seed)
        same = sum(not found for found in results)
        other = sorted({line for found in results for line in found})
        lines.append([kind, f"{same} of {kills}", ", ".join(other[:4]) or "-"])
    print(markdown_table(["run", "bit-exact after kill -9", "what differed"], lines))


if __name__ == "__main__":
    main()
