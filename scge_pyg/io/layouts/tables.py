"""Places in text tables: ``electrodes.tsv`` of BIDS, and any ``.csv`` with x and y, or latitude and longitude."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from scge_pyg.io.layouts.layout import Layout

__all__ = ["project", "read_table"]

_NAMES = (
    "name",
    "label",
    "channel",
    "electrode",
    "sensor_id",
    "sensor",
    "station",
    "contact_id",
    "id",
    "node",
    "index",
)
_AXES = (("x", "y", "z"), ("latitude", "longitude"), ("lat", "lon"), ("lat", "lng"))
_MISSING = {"", "n/a", "na", "nan"}
_LANDMARKS = {"NAS": "nasion", "LPA": "lpa", "RPA": "rpa"}
_EARTH = 6_371_008.8  # metres


def read_table(path: Path) -> Layout:
    """Columns are found by their names, in any case; further ones are passed over.

    Coordinates are ``x``, ``y`` and, where it is there, ``z``; or latitude and longitude in degrees, which become
    metres east and north of their middle. Channels are called by the first of ``name``, ``label``, ``channel``,
    ``electrode``, ``sensor_id``, ``sensor``, ``station``, ``contact_id``, ``id``, ``node`` and ``index``, else by their
    number. A table without a header holds two or three coordinates a line, and perhaps a name in front. Empty cells and
    ``n/a`` are no places.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        mark = max("\t,;", key=first.count)
        rows = [[cell.strip() for cell in row] for row in csv.reader(file, delimiter=mark) if any(row)]
    if not rows:
        raise ValueError("it is empty")
    head = [cell.lower() for cell in rows[0]]
    plain = all(map(_is_number, rows[0][1:]))
    named = 0 if _is_number(rows[0][0]) else 1
    if plain and len(head) - named in (2, 3):
        names = [row[0] if named else str(k) for k, row in enumerate(rows)]
        return Layout(tuple(names), _column(rows, range(named, len(head)), 1), None)
    axes = next((axes for axes in _AXES if set(axes[:2]) <= set(head)), None)
    if plain or axes is None:
        raise ValueError(
            f"it needs columns x and y (and z), or latitude and longitude, got {', '.join(map(repr, rows[0][:8]))}"
        )
    wrong = next((k for k, row in enumerate(rows, 1) if len(row) != len(head)), None)
    if wrong is not None:
        raise ValueError(f"line {wrong} has {len(rows[wrong - 1])} cells where the first has {len(head)}")
    places = _column(rows[1:], [head.index(axis) for axis in axes if axis in head], 2)
    unit, landmarks = _coordinate_system(path)
    if axes[0] != "x":
        places, unit = project(places), "m"
    elif places.shape[1] == 3 and np.isnan(places[:, 2]).all():
        places = places[:, :2]
    labels = next((head.index(name) for name in _NAMES if name in head), None)
    names = [str(k) if labels is None else row[labels] for k, row in enumerate(rows[1:])]
    kinds = [row[head.index("group")] for row in rows[1:]] if "group" in head else []
    group = tuple(kinds) if len(set(kinds)) > 1 else None
    return Layout(tuple(names), places, unit, group, landmarks=landmarks)


def project(degrees: np.ndarray) -> np.ndarray:
    """Latitude and longitude ``[N, 2]`` as metres east and north of their middle; for regions small beside the Earth.

    Example:
        >>> project(np.array([[0.0, 0.0], [0.0, 1.0]])).round().tolist()
        [[-55598.0, 0.0], [55598.0, 0.0]]
    """
    latitude, longitude = np.deg2rad(degrees).T
    turn = np.exp(1j * longitude)
    middle = np.angle(np.nanmean(turn))
    east = np.angle(turn * np.exp(-1j * middle)) * np.cos(np.nanmean(latitude))
    return _EARTH * np.stack([east, latitude - np.nanmean(latitude)], 1)


def _column(rows: list[list[str]], places: range | list[int], first: int) -> np.ndarray:
    try:
        cells = [[np.nan if row[k].lower() in _MISSING else float(row[k]) for k in places] for row in rows]
    except (ValueError, IndexError) as error:
        raise ValueError(f"its coordinates must be numbers, from line {first} on ({error})") from error
    return np.array(cells).reshape(-1, len(places))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _coordinate_system(path: Path) -> tuple[str | None, dict[str, tuple[float, ...]]]:
    """Unit and landmarks from the one ``coordsystem.json`` beside an ``electrodes.tsv``."""
    if not path.name.endswith("electrodes.tsv"):
        return None, {}
    stem = path.name.removesuffix("electrodes.tsv")
    beside = path.with_name(stem + "coordsystem.json")
    others = sorted(path.parent.glob("*coordsystem.json"))
    if not beside.exists() and len(others) != 1:
        return None, {}
    found = json.loads((beside if beside.exists() else others[0]).read_text(encoding="utf-8"))
    unit = next((str(value) for key, value in found.items() if key.endswith("CoordinateUnits")), None)
    marks = found.get("AnatomicalLandmarkCoordinates") or {}
    landmarks = {_LANDMARKS.get(name.upper(), name): tuple(map(float, place)) for name, place in marks.items()}
    return (unit if unit in ("m", "cm", "mm") else None), landmarks
