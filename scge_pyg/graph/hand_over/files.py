"""A geometry in the files that other programs read: adjacency and electrodes."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scge_pyg.graph.hand_over.places import Scale, called, places
from scge_pyg.graph.hand_over.tables import adjacency

if TYPE_CHECKING:
    from scge_pyg.graph.geometry import Geometry

__all__ = ["write_adjacency", "write_electrodes"]

_UNITS = ("m", "cm", "mm")


def write_adjacency(graph: Geometry, path: str | os.PathLike[str]) -> None:
    """Write the weights of the edges; see :meth:`SharedGraph.write_adjacency`."""
    path = Path(path)
    matrix, names = adjacency(graph), called(graph)
    if path.suffix not in (".csv", ".npy", ".npz"):
        raise ValueError(f"write_adjacency: path must end in .csv, .npy or .npz, got {path.name!r}")
    whole = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        if path.suffix == ".csv":
            with whole.open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(["", *names])
                for name, row in zip(names, matrix, strict=True):
                    table.writerow([name, *(f"{value:.9g}" for value in row.toarray()[0].tolist())])
        elif path.suffix == ".npy":
            np.save(whole, matrix.toarray())
        else:  # as scipy.sparse.load_npz reads it, which passes the names over
            parts = {"indices": matrix.indices, "indptr": matrix.indptr, "data": matrix.data, "shape": matrix.shape}
            np.savez_compressed(whole, format=np.array(b"csr"), names=np.array(names), **parts)
        whole.replace(path)
    finally:
        whole.unlink(missing_ok=True)


def write_electrodes(graph: Geometry, path: str | os.PathLike[str], scale: Scale, unit: str) -> None:
    """Write ``electrodes.tsv`` of BIDS; see :meth:`SharedGraph.write_electrodes`."""
    path = Path(path)
    if not path.name.endswith("electrodes.tsv") or unit not in _UNITS:
        raise ValueError(
            f"write_electrodes: path must end in electrodes.tsv and unit be one of {', '.join(_UNITS)}, got "
            f"{path.name!r} and {unit!r}"
        )
    pos = places("write_electrodes", graph, scale)
    if pos.shape[1] > 3:
        raise ValueError(f"write_electrodes: electrodes have at most 3 coordinates, these places {pos.shape[1]}")
    pos = np.pad(pos, ((0, 0), (0, 3 - pos.shape[1])))
    pos[np.isnan(pos).any(1)] = np.nan
    lines = ["name\tx\ty\tz"]
    for name, place in zip(called(graph), pos.tolist(), strict=True):
        lines.append("\t".join([name, *("n/a" if value != value else f"{value:.9g}" for value in place)]))
    system = {
        "EEGCoordinateSystem": "Other",
        "EEGCoordinateUnits": unit,
        "EEGCoordinateSystemDescription": "Found from the recordings by scge_pyg, up to turn and mirror.",
    }
    _write_whole(path, "\n".join(lines) + "\n")
    beside = path.with_name(path.name.removesuffix("electrodes.tsv") + "coordsystem.json")
    _write_whole(beside, json.dumps(system, indent=2) + "\n")


def _write_whole(path: Path, text: str) -> None:
    """Write under another name, then rename."""
    whole = path.with_name(f".{path.name}.part")
    try:
        whole.write_text(text, encoding="utf-8")
        whole.replace(path)
    finally:
        whole.unlink(missing_ok=True)
