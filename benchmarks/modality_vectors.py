"""Several modalities in one shuffled vector: is each node in the part of its own, and each geometry as good as alone?

Run s draws samples of each modality by itself: what stands side by side has nothing to do with each other.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from modality_rows import CACHE, Recording, digits, grid, some, speech
from report import markdown_table
from sklearn.datasets import load_diabetes
from torch import Tensor

from scge_pyg import SharedGraph, discover
from scge_pyg.datasets import FashionMNISTNodes
from scge_pyg.metrics import cell_accuracy
from scge_pyg.transforms import ShuffleNodes, TableToNodes

__all__ = ["VECTORS", "Vector", "measure_vector", "vector_table"]

_FAINT = 0.02  # standard deviation of a pixel up to which it is not scored
_WHERE = ("beside", "alone")
_OWN = 0.99  # share of the nodes wanted in their own part


@dataclass(frozen=True)
class Vector:
    """One row: name, title, the modalities side by side and the number of samples."""

    name: str
    what: str
    kinds: tuple[tuple[str, Callable[[], Recording]], ...]
    samples: int

    def load(self, run: int) -> list[Recording]:
        """Samples of each modality, in true node order."""
        found = [load() for _, load in self.kinds]
        return [
            Recording(some(kind.x, self.samples, 1000 * number + run), kind.cells) for number, kind in enumerate(found)
        ]


def measure_vector(row: Vector, run: int) -> dict[str, Any]:
    """One run: all modalities in one shuffled vector, then each of them alone, its nodes in the same order."""
    found = row.load(run)
    kind = torch.cat([torch.full((one.x.shape[1],), number) for number, one in enumerate(found)])
    order = ShuffleNodes(run).permutation(len(kind))
    kind = kind[order]
    graph, seconds = _discovered(torch.cat([one.x for one in found], 1)[:, order].contiguous())
    live = graph.live
    record: dict[str, Any] = {"row": row.name, "run": run, "seconds": round(seconds, 2), "graph": repr(graph)}
    homes, own = [], torch.zeros_like(live)
    for number in range(len(found)):
        component = graph.component[(kind == number) & live]
        home = int(component.mode().values)
        if home not in homes:
            own |= (graph.component == home) & (kind == number)
        homes.append(home)
    record |= {"nodes": len(kind), "live": int(live.sum()), "own": float(own.sum() / live.sum())}
    for number, (name, _) in enumerate(row.kinds):
        nodes = (kind == number).nonzero().squeeze(1)
        at = order[nodes] - sum(one.x.shape[1] for one in found[:number])
        alone, spent = _discovered(found[number].x[:, at].contiguous())
        beside = graph.component == homes[number]
        full = torch.full((len(kind),), -1)
        full[nodes] = at
        record[name] = {
            "beside": _shown(graph, beside, full, found[number]),
            "alone": _shown(alone, alone.component == 0, at, found[number]),
            "alone_seconds": round(spent, 2),
        }
    return record


def _discovered(x: Tensor) -> tuple[SharedGraph, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        start = time.perf_counter()
        graph = discover(x)
        return graph, time.perf_counter() - start


def _shown(graph: SharedGraph, part: Tensor, node: Tensor, truth: Recording) -> dict[str, Any]:
    """Dimension and verdict of the part at ``part [N]``, its share of a modality's live nodes and of the exact cells.

    ``node [N]`` is each node's number in its modality, -1 for those of others.
    """
    modality = graph.live & (node >= 0)
    number = int(graph.component[part][0])
    own = graph.parts()[number]
    shown: dict[str, Any] = {"dim": own.dim, "verdict": getattr(own.fit, "verdict", None)}
    shown["share"] = float((part & modality).sum() / modality.sum())
    if truth.cells is None:
        return shown
    scored = truth.x.std(0)[:, 0] > _FAINT
    here = node[part]
    mask = (here >= 0) & scored[here.clamp_min(0)]
    cells = cell_accuracy(own, truth.cells[here.clamp_min(0)], mask)
    return shown | {"cells": float(cells) * int(mask.sum()) / int(scored.sum())}


def vector_table(items: list[dict[str, Any]]) -> str:
    """The table and what was missed."""
    lines, missed = [], []
    for row in VECTORS:
        runs = [item for item in items if item["row"] == row.name]
        if not runs:
            continue
        own = min(item["own"] for item in runs)
        for name, _ in row.kinds:
            kinds = [item[name] for item in runs]
            columns = [(_share(kinds, where), _dims(kinds, where), _cells(kinds, where)) for where in _WHERE]
            first = name == row.kinds[0][0]
            lines.append(
                [
                    *(
                        [row.what, f"{own:.4f}", f"{max(item['seconds'] for item in runs):.1f} s"]
                        if first
                        else [""] * 3
                    ),
                    name,
                    *(cell for pair in zip(*columns, strict=True) for cell in pair),
                    f"{max(kind['alone_seconds'] for kind in kinds):.1f} s",
                ]
            )
            missed += [
                f"{row.name}, run {item['run']}, {name}: {item[name]['beside']}, alone {item[name]['alone']}"
                for item in runs
                if item[name]["beside"].get("cells", 0.0) < item[name]["alone"].get("cells", 0.0)
            ]
        if own < _OWN:
            missed.append(f"{row.name}: {own:.4f} of the nodes in their own part, goal {_OWN}")
    head = ["vector", "nodes in their own part, min", "longest", "modality", "of its nodes in one part, min", "alone"]
    head += ["dimension", "alone", "cells, min / mean", "alone", "longest alone"]
    return "\n".join([markdown_table(head, lines), "", *(f"missed: {line}" for line in missed)])


def _share(kinds: list[dict[str, Any]], where: str) -> str:
    return f"{min(kind[where]['share'] for kind in kinds):.4f}"


def _dims(kinds: list[dict[str, Any]], where: str) -> str:
    return " or ".join(map(str, sorted({kind[where]["dim"] for kind in kinds})))


def _cells(kinds: list[dict[str, Any]], where: str) -> str:
    cells = [kind[where]["cells"] for kind in kinds if "cells" in kind[where]]
    return f"{min(cells):.3f} / {sum(cells) / len(cells):.3f}" if cells else ""


@cache
def _garments() -> Tensor:
    return FashionMNISTNodes(CACHE / "fashion_mnist").x


@cache
def _patients() -> Tensor:
    frame = load_diabetes(scaled=False, as_frame=True).data
    return TableToNodes(categorical=["sex"]).fit(frame)(frame)


_IMAGE = "MNIST", lambda: Recording(digits(), grid(28, 28))
_SOUND = "sound", lambda: Recording(speech(), grid(784))
_GARMENT = "Fashion-MNIST", lambda: Recording(_garments(), grid(28, 28))
_TABLE = "diabetes", lambda: Recording(_patients())

VECTORS = (
    Vector("image-sound", "MNIST, sound (784 + 784 nodes, 10,000 samples)", (_IMAGE, _SOUND), 10_000),
    Vector("image-image", "MNIST, Fashion-MNIST (784 + 784, 10,000)", (_IMAGE, _GARMENT), 10_000),
    Vector("image-sound-table", "MNIST, sound, diabetes table (784 + 784 + 11, 397)", (_IMAGE, _SOUND, _TABLE), 397),
)
